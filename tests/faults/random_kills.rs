//! The keeper is killed at any moment of many runs: the promise of docs/design.md, "The phases", holds in each.

use e2e::suite::Test;
use e2e::{Host, Kind, tests};
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) fn tests() -> Vec<Test> {
    tests!(each []: no_phase_is_lost_or_doubled)
}

const ROUNDS: u64 = 24;

fn no_phase_is_lost_or_doubled(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    for round in 0..ROUNDS {
        // Spread over the length of a start, then of a stop; the instants differ from run to run by themselves.
        let delay = Duration::from_micros(2500 * (round / 2) + 400);
        let kill_in_start = round % 2 == 0;
        if kill_in_start {
            let start = guest.spawn("start", &[]);
            std::thread::sleep(delay);
            kill_the_keeper(&guest);
            let _ = start.finish();
        } else {
            guest.start().ok();
            let stop = guest.spawn("stop", &[]);
            std::thread::sleep(delay);
            kill_the_keeper(&guest);
            let _ = stop.finish();
        }
        host.hookvisor(["recover"]).ok();
        if guest.status() == "running" {
            guest.stop().ok();
        }
        guest.wait_run_end();
        assert_eq!(guest.status(), "stopped", "round {round}");
    }
    let mut runs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for note in guest.notes() {
        runs.entry(note.run).or_default().push(note.phase);
    }
    for (run, phases) in &runs {
        let count = |name: &str| phases.iter().filter(|phase| *phase == name).count();
        assert!(
            count("pre-start") == 1 && count("post-start") <= 1 && count("post-stop") <= 1,
            "{run}: {phases:?}"
        );
        assert_eq!(count("post-stop"), 1, "post-stop is never left out: {run}: {phases:?}");
        assert_eq!(phases.last().map(String::as_str), Some("post-stop"), "{run}: {phases:?}");
    }
    let noted: Vec<String> = guest.noted();
    let recorded: Vec<String> = guest.history_phases();
    assert!(recorded == noted, "the record has {} calls, the hook noted {}", recorded.len(), noted.len());
}

fn kill_the_keeper(guest: &e2e::Guest) {
    let keeper = guest.events().into_iter().rev().find(|event| event["event"] == "keeper");
    if let Some(pid) = keeper.and_then(|event| event["process"]["pid"].as_u64()) {
        let pid = u32::try_from(pid).expect("a pid");
        e2e::proc::kill(pid);
        e2e::host::wait_gone(pid);
    }
}
