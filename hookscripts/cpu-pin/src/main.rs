//! Pins a guest to CPUs of the host, and sets their governor for as long as it runs. README.md has the settings.

mod cpus;
mod governor;
mod pin;

use cpus::Cpus;
use governor::Governor;
use hookscript::{Call, Phase, Resource, Result, hold, log, run};
use std::path::PathBuf;
use std::process::ExitCode;

/// What is asked for.
struct Settings {
    /// For all of the guest that is not named below.
    guest: Option<Cpus>,
    /// For each virtual CPU, by its number.
    vcpus: Vec<Cpus>,
    governor: Option<String>,
    sysfs: PathBuf,
}

impl Settings {
    fn of(call: &Call) -> Result<Self> {
        let vcpus = call.param("pin_vcpus")?.unwrap_or_default();
        Ok(Self {
            guest: call.param("pin_cpus")?.map(|text| text.parse()).transpose()?,
            vcpus: vcpus.split_whitespace().map(str::parse).collect::<Result<_>>()?,
            governor: call.param("pin_governor")?,
            sysfs: call.param("sysfs")?.unwrap_or_else(|| "/sys".to_owned()).into(),
        })
    }

    /// All CPUs that are named.
    fn all(&self) -> Cpus {
        self.guest.iter().chain(&self.vcpus).cloned().fold(Cpus::default(), Cpus::with)
    }
}

fn main() -> ExitCode {
    run(|call| {
        let settings = Settings::of(call)?;
        if call.phase == Phase::PreStart {
            let number = settings.all().present(&settings.sysfs)?;
            if number == 0 {
                log::notice("cpu-pin: neither pin_cpus nor pin_vcpus is set for this guest: nothing to do");
            }
        }
        governors(call, &settings)?;
        if call.phase == Phase::PostStart { pin::pin(call, &settings) } else { Ok(()) }
    })
}

/// Sets the governor of the CPUs in `pre-start`, and brings it back in `post-stop`.
fn governors(call: &Call, settings: &Settings) -> Result<()> {
    let wanted = settings.governor.as_deref().unwrap_or_default();
    let cpus = match call.phase {
        // What is on file is given back, whatever is asked for by now.
        Phase::PostStop => cpus::of_host(&settings.sysfs),
        _ if wanted.is_empty() => Cpus::default(),
        _ => settings.all(),
    };
    let governors: Vec<Governor> =
        cpus.iter().map(|cpu| Governor::of(&settings.sysfs, cpu, wanted)).collect();
    let resources: Vec<&dyn Resource> = governors.iter().map(|one| one as &dyn Resource).collect();
    hold(call, &resources)?;
    if call.phase == Phase::PreStart && !governors.is_empty() {
        log::info(format!("cpu-pin: CPUs {cpus} have the governor {wanted}"));
    }
    Ok(())
}
