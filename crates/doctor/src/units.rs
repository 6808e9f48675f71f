//! systemd's units that run hookvisor, where systemd runs.

use crate::Finding;
use crate::programs;
use crate::scene::Scene;
use crate::word::{edit, word};
use rustix::time::{ClockId, clock_gettime};
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

/// What is asked about a unit.
const PROPERTIES: &str =
    "--property=ActiveState,SubState,UnitFileState,Result,NRestarts,StatusText,ActiveEnterTimestampMonotonic";

/// Where the package's units have their settings from.
const SETTINGS: &str = "/etc/default/hookvisor";

/// How often a unit is begun again before that is no accident.
const LOOP: u64 = 3;

/// A unit that was begun again this shortly ago may end again.
const YOUNG: Duration = Duration::from_secs(60);

/// The units of the host's own root.
pub(crate) fn of_host(scene: &Scene) -> Vec<Finding> {
    if !scene.layout.is_host() || !Path::new("/run/systemd/system").exists() {
        return Vec::new();
    }
    let units = of_hookvisor(&FOLDERS.map(Path::new));
    let ask = |program: &str, words: &[&str]| {
        let program = programs::find(program)?;
        programs::run(Command::new(program).args(words), None, LIMIT).ok().map(|ended| ended.out)
    };
    let tell = |unit: &str| ask("systemctl", &["show", PROPERTIES, unit]);
    // What its own processes said, and not what systemd says of them.
    let said = |unit: &str| {
        let from = format!("_SYSTEMD_UNIT={unit}");
        ask("journalctl", &["--quiet", "--no-pager", "--output=cat", "--lines=1", &from])
    };
    let onboot = scene.guests.iter().any(|guest| guest.config.main.flag("onboot", false));
    judge(&units, onboot, tell, said)
}

/// A unit that runs hookvisor.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Unit {
    name: String,
    /// Whether it starts guests with the host.
    starts: bool,
    /// Whether it stays active once it has been started.
    stays: bool,
    /// Whether it serves the API.
    serves: bool,
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
        let serves = commands.iter().any(|line| runs(line) && line.contains(" serve"));
        commands.iter().any(runs).then_some(Unit { name, starts, stays, serves })
    };
    entries.filter_map(unit).collect()
}

/// A template is none by itself: systemd is asked about those that are made of it by who makes them.
fn is_unit(name: &str) -> bool {
    name.ends_with(".service") && !name.ends_with("@.service")
}

/// What systemd tells about a unit, in lines `Property=value`.
struct Told(String);

impl Told {
    fn get(&self, property: &str) -> &str {
        let value = |line: &'_ str| Some(line.strip_prefix(property)?.strip_prefix('=')?.len());
        let found = self.0.lines().find_map(|line| value(line).map(|length| &line[line.len() - length..]));
        found.unwrap_or_default()
    }

    fn is(&self, property: &str, value: &str) -> bool {
        self.get(property) == value
    }

    /// How many times it was begun again, where that is what it does now: it waits for the next time, or has not run for long.
    fn restarts(&self, now: Duration) -> Option<u64> {
        let times: u64 = self.get("NRestarts").parse().ok()?;
        let since = self.get("ActiveEnterTimestampMonotonic").parse().map(Duration::from_micros);
        let is_young = since.is_ok_and(|since| now.saturating_sub(since) < YOUNG);
        let is_again = self.is("SubState", "auto-restart");
        (is_again || times >= LOOP && (is_young || !self.is("ActiveState", "active"))).then_some(times)
    }

    /// What it does, where it is on its way up or down: in its own words where it has some.
    fn at_work(&self) -> Option<String> {
        let way = match self.get("ActiveState") {
            "activating" => "is being started",
            "deactivating" => "is being stopped",
            _ => return None,
        };
        let own = self.get("StatusText");
        Some(if own.is_empty() { way } else { own }.to_owned())
    }

    /// What ended it: its own words, else those in the journal.
    fn reason(&self, said: Option<String>) -> String {
        let own = Some(self.get("StatusText").to_owned());
        let mut words = [own, said].into_iter().flatten().filter(|text| !text.trim().is_empty());
        let result = self.get("Result");
        match words.next() {
            Some(text) => text.trim().to_owned(),
            None if result.is_empty() => "nothing says why".to_owned(),
            None => format!("its result is '{result}'"),
        }
    }
}

/// The time of the kernel's clock that systemd's monotonic times are of.
fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    let part = |number: i64| u64::try_from(number).unwrap_or(0);
    Duration::from_secs(part(now.tv_sec)) + Duration::from_nanos(part(now.tv_nsec))
}

/// A unit that fails, or ends and is begun again over and over.
fn failing(unit: &Unit, told: &Told, said: impl Fn(&str) -> Option<String>) -> Option<Finding> {
    let restarts = told.restarts(now());
    let failed = told.is("ActiveState", "failed");
    let how = match restarts {
        _ if failed => "has failed".to_owned(),
        Some(0) => "ends and is about to be begun again".to_owned(),
        Some(1) => "ends and is begun again, once so far".to_owned(),
        Some(times) => format!("ends and is begun again, {times} times so far"),
        None => return None,
    };
    let reason = told.reason(said(&unit.name));
    let shell = word(&unit.name);
    // Of a unix socket it is a path in quotation marks, which no setting names.
    let is_set = reason
        .strip_prefix("cannot listen at ")
        .map_or(reason.contains(SETTINGS), |at| !at.starts_with('\''));
    let mend = match is_set {
        true => format!("{} && systemctl restart {shell}", edit(Path::new(SETTINGS), None)),
        false => {
            format!(
                "journalctl --unit {shell} --lines 20; systemctl reset-failed {shell} && systemctl restart {shell}"
            )
        }
    };
    let why = if unit.serves { "nobody serves the API" } else { "what it was to do is not done" };
    Some(Finding::problem(&unit.name, format!("{how}: {reason}"), why, mend))
}

fn judge(
    units: &BTreeSet<Unit>,
    onboot: bool,
    tell: impl Fn(&str) -> Option<String>,
    said: impl Fn(&str) -> Option<String>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for unit in units {
        let Some(told) = tell(&unit.name).map(Told) else { continue };
        let shell = word(&unit.name);
        found.push(if let Some(failing) = failing(unit, &told, &said) {
            failing
        } else if told.is("UnitFileState", "disabled") {
            let mend = format!("systemctl enable {shell}");
            Finding::problem(&unit.name, "is not enabled", "it is not run when the host comes up", mend)
                .unless(unit.starts && onboot)
        } else if let Some(work) = told.at_work() {
            Finding::ok(&unit.name, work)
        } else if unit.stays && !told.is("ActiveState", "active") {
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
            let found = judge(&units, onboot, |_| Some(said.to_owned()), |_| None);
            found.into_iter().map(|found| found.state).collect::<Vec<_>>()
        };
        assert_eq!(states("ActiveState=active\nUnitFileState=enabled", true), [State::Ok, State::Ok]);
        assert_eq!(states("ActiveState=failed\nUnitFileState=enabled", true), [State::Problem; 2]);
        assert_eq!(states("ActiveState=inactive\nUnitFileState=enabled", true), [State::Ok, State::Problem]);
        for way in ["activating", "deactivating"] {
            let text = format!("ActiveState={way}\nSubState=start\nStatusText=waits for VM 100");
            assert_eq!(states(&text, true), [State::Ok; 2], "{way}");
        }
        assert_eq!(states("ActiveState=inactive\nUnitFileState=enabled", false), [State::Ok, State::Note]);
        assert_eq!(states("ActiveState=active\nUnitFileState=disabled", true), [State::Note, State::Problem]);
        assert_eq!(states("ActiveState=active\nUnitFileState=disabled", false), [State::Note, State::Note]);
        let none = judge(&BTreeSet::new(), true, |_| None, |_| None);
        assert_eq!(none.len(), 1);
        assert!(judge(&BTreeSet::new(), false, |_| None, |_| None).is_empty());
    }

    #[test]
    fn a_unit_that_fails_over_and_over_says_why() {
        let unit = |name: &str, serves| Unit { name: name.to_owned(), starts: false, stays: true, serves };
        let units = BTreeSet::from([unit("api.service", true)]);
        let of = |told: &str, said: Option<&str>| {
            let found = judge(&units, false, |_| Some(told.to_owned()), |_| said.map(str::to_owned));
            found.into_iter().next().unwrap()
        };
        let loops = "ActiveState=activating\nSubState=auto-restart\nResult=exit-code\nNRestarts=7\n";
        let text = format!("{loops}StatusText=LISTEN=x in '{SETTINGS}' is no address\n");
        let found = of(&text, Some("another"));
        assert_eq!(
            found.what,
            format!("ends and is begun again, 7 times so far: LISTEN=x in '{SETTINGS}' is no address")
        );
        assert_eq!(found.why.as_deref(), Some("nobody serves the API"));
        let mend = "${EDITOR:-vi} /etc/default/hookvisor && systemctl restart api.service";
        assert_eq!((found.state, found.mend.as_deref()), (State::Problem, Some(mend)));
        let taken = |at: &str| {
            of(loops, Some(&format!("cannot listen at {at}: taken; 'ss' tells by whom"))).mend.unwrap()
        };
        assert!(taken("0.0.0.0:8006").contains(SETTINGS) && !taken("'/run/api.sock'").contains(SETTINGS));
        assert!(of(loops, Some("no room\n")).what.ends_with("so far: no room"));
        assert!(of(loops, None).what.ends_with("so far: its result is 'exit-code'"));
        let failed = of("ActiveState=failed\nResult=start-limit-hit\nNRestarts=5", Some(""));
        assert_eq!(failed.what, "has failed: its result is 'start-limit-hit'");

        let active = |times: u64, since: Duration| {
            let since = since.as_micros();
            let text = format!("ActiveState=active\nSubState=running\nNRestarts={times}\n");
            of(&format!("{text}ActiveEnterTimestampMonotonic={since}"), None).state
        };
        assert_eq!(active(3, now()), State::Problem);
        assert_eq!(active(2, now()), State::Ok, "once or twice happens");
        assert_eq!(active(3, Duration::ZERO), if now() < YOUNG { State::Problem } else { State::Ok });
    }
}
