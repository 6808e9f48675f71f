//! The journal is stopped, absent, or restarted meanwhile: no guest waits for it, and what can be kept is kept.

use e2e::suite::Test;
use e2e::{Host, Kind, journal, tests};
use std::fs;
use std::time::Duration;

pub(crate) fn tests() -> Vec<Test> {
    tests!(each []: a_frozen_journal_holds_nobody, without_a_journal_there_is_a_file, a_restarted_journal_is_found_again)
}

fn a_frozen_journal_holds_nobody(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.on("pre-start", "seq 1 500");
    host.with_journal(|journal| journal.freeze());
    let start = guest.start().ok();
    assert!(start.took < Duration::from_secs(10), "{}", start.describe());
    let numbers = start.out().lines().filter(|line| line.parse::<u32>().is_ok()).count();
    assert_eq!(numbers, 500, "the command shows everything");
    host.with_journal(|journal| journal.thaw());
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop post-stop");
    let numbers: Vec<u32> = guest
        .phases()
        .iter()
        .flat_map(|record| record.stdout.clone())
        .filter_map(|line| String::from_utf8(line).ok()?.parse().ok())
        .collect();
    assert_eq!(numbers, (1..=500).collect::<Vec<_>>(), "nothing was lost: the queue held it");
}

fn without_a_journal_there_is_a_file(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    host.with_journal(journal::Journal::stop);
    guest.start().ok();
    guest.stop().ok();
    assert_eq!(guest.noted(), ["pre-start", "post-start", "pre-stop", "post-stop"]);
    let text = fs::read_to_string(host.at("var/log/hookvisor/records.jsonl")).expect("the file is there");
    let records: Vec<journal::Record> =
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    for phase in ["pre-start", "post-start", "pre-stop", "post-stop"] {
        let ended = |record: &&journal::Record| {
            journal::text(record, "HOOK_PHASE") == phase && journal::text(record, "HOOK_OUTCOME") == "ok"
        };
        assert_eq!(records.iter().filter(ended).count(), 1, "the end of {phase}: {text}");
        let line = format!("out {} {phase}", guest.vmid());
        assert!(records.iter().any(|record| journal::text(record, "MESSAGE") == line), "{line}: {text}");
    }
    let id = guest.id();
    let log = host.hookvisor(["log", &id, "--phase", "pre-start"]).ok();
    assert!(log.out().contains(&format!("out {id} pre-start")), "{}", log.describe());
    assert!(!log.out().contains("post-stop"), "{}", log.describe());
}

fn a_restarted_journal_is_found_again(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    host.with_journal(|journal| {
        journal.stop();
        journal.resume();
    });
    guest.stop().ok();
    let recorded = guest.recorded();
    assert!(recorded.ends_with("pre-stop post-stop"), "{recorded}");
    assert_eq!(guest.noted(), ["pre-start", "post-start", "pre-stop", "post-stop"]);
}
