//! The units of a life's world: what `systemd-run` has started, each a process group.

use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where they are noted, by their names.
const UNITS: &str = "/run/hookvisor/simulated-units";

/// How long one that is stopped has before it is killed.
const GRACE: Duration = Duration::from_secs(2);

fn place(name: &str) -> PathBuf {
    Path::new(UNITS).join(name.strip_suffix(".service").unwrap_or(name).replace('/', "-"))
}

/// A unit has begun; one without a name is called after its process.
pub(super) fn began(name: Option<&str>, group: u32) {
    let place = place(&name.map_or_else(|| format!("run-{group}"), str::to_owned));
    let _ = fs::create_dir_all(UNITS).and_then(|()| fs::write(place, group.to_string()));
}

fn group(place: &Path) -> Option<Pid> {
    let pid = Pid::from_raw(fs::read_to_string(place).ok()?.parse().ok()?)?;
    // One that has ended may not have been waited for.
    let group = pid.as_raw_nonzero().get().unsigned_abs();
    (!process::group_members(group, 0).is_empty()).then_some(pid)
}

/// Whether a unit runs.
pub(super) fn is_active(name: &str) -> bool {
    group(&place(name)).is_some()
}

/// Stops a unit, where it runs.
pub(super) fn stop(name: &str) {
    let place = place(name);
    let Some(running) = group(&place) else { return };
    let _ = kill_process_group(running, Signal::TERM);
    let until = Instant::now() + GRACE;
    while group(&place).is_some() {
        if Instant::now() >= until {
            let _ = kill_process_group(running, Signal::KILL);
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = fs::remove_file(place);
}

/// The process groups of all units.
pub(super) fn groups() -> BTreeSet<u32> {
    let places = fs::read_dir(UNITS).into_iter().flatten().flatten().map(|entry| entry.path());
    places.filter_map(|place| group(&place)).map(|pid| pid.as_raw_nonzero().get().unsigned_abs()).collect()
}
