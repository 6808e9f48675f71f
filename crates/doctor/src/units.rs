//! systemd's units that run hookvisor, where systemd runs.

use crate::Finding;
use crate::programs;
use crate::scene::Scene;
use crate::word::word;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Where units are, systemd.unit(5).
const FOLDERS: [&str; 3] =
    ["/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system"];

/// How long systemd may take to tell about a unit.
const LIMIT: Duration = Duration::from_secs(3);

/// The units of the host's own root.
pub(crate) fn of_host(scene: &Scene) -> Vec<Finding> {
    if !scene.layout.is_host() || !Path::new("/run/systemd/system").exists() {
        return Vec::new();
    }
    let units = of_hookvisor(&FOLDERS.map(Path::new));
    let tell = |unit: &str| {
        let words = ["show", "--property=ActiveState,UnitFileState", unit];
        let systemctl = programs::find("systemctl")?;
        programs::run(Command::new(systemctl).args(words), None, LIMIT).ok().map(|ended| ended.out)
    };
    let onboot = scene.guests.iter().any(|guest| guest.config.main.flag("onboot", false));
    judge(&units, onboot, tell)
}

/// A unit that runs hookvisor.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Unit {
    name: String,
    /// Whether it starts guests with the host.
    starts: bool,
    /// Whether it stays active once it has been started.
    stays: bool,
}

fn of_hookvisor(folders: &[&Path]) -> BTreeSet<Unit> {
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let unit = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok().filter(|name| is_unit(name))?;
        let text = fs::read_to_string(entry.path()).ok()?;
        let commands: Vec<&str> = text.lines().filter(|line| line.trim().starts_with("ExecStart=")).collect();
        let runs = |line: &&str| line.contains("/hookvisor ") || line.contains("/hookvisor\t");
        let starts = commands.iter().any(|line| runs(line) && line.contains("startall"));
        let stays =
            ["Type=notify", "RemainAfterExit=yes"].iter().any(|kind| text.lines().any(|line| line == *kind));
        commands.iter().any(runs).then_some(Unit { name, starts, stays })
    };
    entries.filter_map(unit).collect()
}

/// A template is none by itself: systemd is asked about those that are made of it by who makes them.
fn is_unit(name: &str) -> bool {
    name.ends_with(".service") && !name.ends_with("@.service")
}

fn judge(units: &BTreeSet<Unit>, onboot: bool, tell: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let mut found = Vec::new();
    for unit in units {
        let Some(told) = tell(&unit.name) else { continue };
        let is = |line: &str| told.lines().any(|told| told == line);
        let shell = word(&unit.name);
        found.push(if is("ActiveState=failed") {
            let mend = format!(
                "systemctl status {shell}; systemctl reset-failed {shell} && systemctl start {shell}"
            );
            Finding::problem(&unit.name, "has failed", "what it was to do is not done", mend)
        } else if is("UnitFileState=disabled") {
            let mend = format!("systemctl enable {shell}");
            Finding::problem(&unit.name, "is not enabled", "it is not run when the host comes up", mend)
                .unless(unit.starts && onboot)
        } else if unit.stays && !is("ActiveState=active") {
            let why = match unit.starts {
                true => "when the host goes down, nobody stops guests in their order",
                false => "nobody serves the API",
            };
            let mend = format!("systemctl status {shell}; systemctl start {shell}");
            Finding::problem(&unit.name, "is not active", why, mend).unless(unit.starts && onboot)
        } else {
            Finding::ok(&unit.name, "enabled, not failed")
        });
    }
    if onboot && !units.iter().any(|unit| unit.starts) {
        found.push(Finding::problem(
            "startall",
            "no unit runs 'hookvisor startall'",
            "guests with 'onboot: 1' are not started with the host",
            "cp packaging/systemd/*.service /usr/lib/systemd/system/ && systemctl enable hookvisor-guests",
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn the_units_of_the_package_are_known() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd");
        let units = of_hookvisor(&[&folder]);
        let starts: Vec<(&str, bool)> = units.iter().map(|unit| (unit.name.as_str(), unit.starts)).collect();
        assert_eq!(
            starts,
            [
                ("hookvisor-guests.service", true),
                ("hookvisor-recover.service", false),
                ("hookvisor.service", false)
            ]
        );
    }

    #[test]
    fn units_that_run_hookvisor_are_asked_about() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        put("guests.service", "[Service]\nRemainAfterExit=yes\nExecStart=/usr/bin/hookvisor startall\n");
        put("api.service", "[Service]\nExecStart=/usr/bin/hookvisor serve --listen [::]:8006\n");
        put("keeper@.service", "[Service]\nExecStart=/usr/bin/hookvisor keeper-unit %i\n");
        put("other.service", "[Service]\nExecStart=/bin/true\n");
        let units = of_hookvisor(&[folder.path(), Path::new("/none-such")]);
        let names: Vec<&str> = units.iter().map(|unit| unit.name.as_str()).collect();
        assert_eq!(names, ["api.service", "guests.service"]);
        let states = |said: &str, onboot| {
            let found = judge(&units, onboot, |_| Some(said.to_owned()));
            found.into_iter().map(|found| found.state).collect::<Vec<_>>()
        };
        assert_eq!(states("ActiveState=active\nUnitFileState=enabled", true), [State::Ok, State::Ok]);
        assert_eq!(states("ActiveState=failed\nUnitFileState=enabled", true), [State::Problem; 2]);
        assert_eq!(states("ActiveState=inactive\nUnitFileState=enabled", true), [State::Ok, State::Problem]);
        assert_eq!(states("ActiveState=inactive\nUnitFileState=enabled", false), [State::Ok, State::Note]);
        assert_eq!(states("ActiveState=active\nUnitFileState=disabled", true), [State::Note, State::Problem]);
        assert_eq!(states("ActiveState=active\nUnitFileState=disabled", false), [State::Note, State::Note]);
        let none = judge(&BTreeSet::new(), true, |_| None);
        assert_eq!(none.len(), 1);
        assert!(judge(&BTreeSet::new(), false, |_| None).is_empty());
    }
}
