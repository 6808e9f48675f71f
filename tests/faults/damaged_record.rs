//! The record of a run is damaged while nobody keeps the guest: it is kept on all the same, can be stopped, and nothing is
//! called twice or left out.

use e2e::journal::{Record, text};
use e2e::suite::Test;
use e2e::{Guest, Host, Kind, proc, tests};
use serde_json::Value;
use std::fs;
use std::path::Path;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: a_guest_that_runs_can_be_stopped, a_guest_that_is_gone_gets_its_post_stop,
            it_is_not_started_a_second_time
    )
}

/// Something that happens to a ledger.
type Damage = fn(&Path);

const DAMAGES: [(&str, Damage); 7] = [
    ("the last line is torn", |path| {
        let size = fs::metadata(path).expect("a ledger").len();
        fs::File::options().write(true).open(path).and_then(|file| file.set_len(size - 20)).expect("torn");
    }),
    ("a checksum in the first line", |path| {
        change(path, |text| text.replacen("\"crc\":\"", "\"crc\":\"z", 1));
    }),
    ("the launch", |path| change(path, |text| text.replace("\"event\":\"launch\"", "\"event\":\"lunch\""))),
    ("another version", |path| change(path, |text| text.replace("{\"v\":1", "{\"v\":7"))),
    ("nonsense in all lines", |path| change(path, |text| text.replace('{', "?"))),
    ("nothing in it", |path| change(path, |_| String::new())),
    ("a folder in its place", |path| {
        fs::remove_file(path).and_then(|()| fs::create_dir(path)).expect("a folder");
    }),
];

fn change(path: &Path, how: impl Fn(String) -> String) {
    let lines = fs::read_to_string(path).expect("a ledger");
    fs::write(path, how(lines)).expect("the ledger can be changed");
}

/// A guest that runs, without a keeper and with a damaged record.
fn left_with<'h>(host: &'h Host, kind: Kind, damage: Damage) -> (Guest<'h>, u32) {
    let guest = host.guest(kind);
    guest.start().ok();
    let hypervisor = guest.hypervisor();
    guest.kill(&[guest.keeper()]);
    damage(&guest.ledger());
    (guest, hypervisor)
}

/// The last outcome on record of each phase in the last run.
#[track_caller]
fn outcome(guest: &Guest, phase: &str) -> String {
    let history = guest.history();
    let run = history.as_array().and_then(|runs| runs.last()).expect("a run on record");
    let calls = run["phases"].as_array().expect("calls");
    let call = calls.iter().find(|call| call["phase"] == phase);
    call.unwrap_or_else(|| panic!("{phase} is not on record: {run}"))["outcome"].to_string()
}

fn a_guest_that_runs_can_be_stopped(host: &Host, kind: Kind) {
    for (what, damage) in DAMAGES {
        let (guest, hypervisor) = left_with(host, kind, damage);
        assert_eq!(guest.status(), "running", "{what}");
        guest.stop().ok();
        guest.wait_run_end();
        assert!(!proc::alive(hypervisor), "{what}: it has ended");
        assert_eq!(guest.noted(), ["pre-start", "post-start", "pre-stop", "post-stop"], "{what}");
        assert_eq!(guest.status(), "stopped", "{what}");
        assert!(outcome(&guest, "post-stop").contains("ok"), "{what}");
        guest.start().ok();
        guest.stop().ok();
    }
}

fn a_guest_that_is_gone_gets_its_post_stop(host: &Host, kind: Kind) {
    for (what, damage) in DAMAGES {
        if what == "nothing in it" {
            // As where the host lost power while the very first line was written: there is nothing to go by.
            continue;
        }
        let (guest, hypervisor) = left_with(host, kind, damage);
        let init =
            (kind == Kind::Container).then(|| proc::all().into_iter().find(|p| p.parent == hypervisor));
        guest.kill(&[hypervisor]);
        if let Some(Some(init)) = init {
            guest.kill(&[init.pid]);
        }
        host.hookvisor(["recover"]).ok();
        guest.wait_run_end();
        assert_eq!(guest.noted(), ["pre-start", "post-start", "post-stop"], "{what}");
        assert_eq!(guest.notes()[2].stop_cause, "unknown", "{what}");
        let says = |record: &Record| text(record, "MESSAGE").starts_with("the record of the run is damaged");
        let said = guest.records().iter().any(says);
        assert!(said, "{what}: the journal says so");
        let kept =
            fs::read_dir(host.at(&format!("var/lib/hookvisor/history/{}", guest.vmid()))).expect("a history");
        let kept = kept.flatten().any(|entry| entry.path().extension().is_some_and(|end| end == "damaged"));
        assert!(kept, "{what}: the damaged record is kept");
    }
}

fn it_is_not_started_a_second_time(host: &Host, kind: Kind) {
    for (what, damage) in DAMAGES {
        let (guest, hypervisor) = left_with(host, kind, damage);
        guest.start().fails().complains("already running");
        host.hookvisor(["recover"]).ok();
        assert!(proc::alive(hypervisor), "{what}: it runs on");
        assert_eq!(guest.hypervisor(), hypervisor, "{what}");
        let running = |event: &Value| event["event"] == "launch";
        assert_eq!(guest.events().iter().filter(|event| running(event)).count(), 1, "{what}");
        guest.stop().ok();
    }
}
