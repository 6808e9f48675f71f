//! Works on the taps and veths of a guest once they are there, and takes back what outlives them. README.md has the settings.

mod settings;
mod tc;
mod thing;

use hookscript::{Phase, Resource, Result, held, hold_running, log, run, wait};
use settings::Settings;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use thing::Thing;

/// A guest that has started has its interfaces by then.
const INTERFACES: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    run(|call| {
        // What is on file is given back, whatever is asked for by now.
        let mut things: Vec<Thing> = held(call)?.iter().filter_map(|name| Thing::of_name(name)).collect();
        if matches!(call.phase, Phase::PreStart | Phase::PostStart) {
            let wanted = Settings::of(call)?.things()?;
            if call.phase == Phase::PreStart {
                check(&wanted)?;
            } else {
                wait_for(&wanted)?;
                things = wanted;
            }
        }
        let resources: Vec<&dyn Resource> = things.iter().map(|thing| thing as &dyn Resource).collect();
        hold_running(call, &resources)?;
        if call.phase == Phase::PostStart {
            things.iter().for_each(|thing| log::info(format!("net-tap: {thing}")));
        }
        Ok(())
    })
}

/// What is the host's own has to be there before the guest starts.
fn check(wanted: &[Thing]) -> Result<()> {
    if wanted.is_empty() {
        log::notice(
            "net-tap: none of tap_mirror, tap_fdb and tap_group_fwd is set for this guest: nothing to do",
        );
    }
    wanted.iter().try_for_each(Thing::check)
}

/// Waits for the guest's own interfaces.
fn wait_for(wanted: &[Thing]) -> Result<()> {
    for name in wanted.iter().flat_map(Thing::of_guest) {
        wait::until(&format!("the guest's interface {name}"), INTERFACES, Duration::from_millis(20), || {
            Ok(Path::new("/sys/class/net").join(name).exists().then_some(()))
        })?;
    }
    Ok(())
}
