//! What a disk is left with: what was flushed, and ledgers that are torn.

use crate::disk::Cache;
use crate::guest::{GUESTS, Guest, pulled, wait_recovered};
use crate::machine::Machine;
use crate::points::start_both_and;
use e2e::suite::{Need, QEMU, Test};
use e2e::tests;

pub(crate) fn tests() -> Vec<Test> {
    tests!(bare [QEMU, Need::HostMachine]: what_was_flushed_is_there_and_the_rest_is_gone, the_last_record_is_cut_short, zeros_follow_the_last_record, the_ledger_is_empty)
}

/// The test of the tests: the power takes what was not flushed, and nothing else.
pub(crate) fn what_was_flushed_is_there_and_the_rest_is_gone() {
    let mut machine = Machine::ready();
    // A folder's entries are flushed with the folder.
    machine.sh("cd /root; echo flushed >flushed; sync flushed .; echo forgotten >forgotten");
    let mut boots = vec![machine.sh(BOOT)];
    let wreck = machine.pull();
    let mut machine = wreck.boot(Cache::Lost);
    assert_eq!(machine.sh("cd /root; cat flushed; [ ! -s forgotten ]"), "flushed\n");
    boots.push(machine.sh(BOOT));
    drop(machine);
    let mut machine = wreck.boot(Cache::Kept);
    assert_eq!(machine.sh("cat /root/flushed"), "flushed\n");
    boots.push(machine.sh(BOOT));
    let [ids, times]: [Vec<&str>; 2] = [0, 1]
        .map(|at| boots.iter().map(|boot| boot.split_whitespace().nth(at).expect("two words")).collect());
    // Although the machines were switched on once.
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2], "{ids:?}");
    assert!(times.is_sorted(), "{times:?}");
}

/// Says which boot this is, and the time.
const BOOT: &str = "echo $(cat /proc/sys/kernel/random/boot_id) $(date +%s)";

/// The power goes while both guests run, and their ledgers have this done to them.
fn torn(lines: &'static str) {
    pulled(
        start_both_and(move |machine| {
            for Guest { vmid, .. } in GUESTS {
                machine.sh(&format!("cd /var/lib/hookvisor/runs; ledger={vmid}.jsonl; {lines}; sync"));
            }
        }),
        |machine| {
            GUESTS
                .iter()
                .for_each(|guest| guest.lived(machine, "pre-start post-start | post-stop:host-crash"));
        },
    );
}

pub(crate) fn the_last_record_is_cut_short() {
    torn("truncate -s -9 $ledger");
}

pub(crate) fn zeros_follow_the_last_record() {
    torn("head -c 3000 /dev/zero >>$ledger");
}

/// Not even the run's beginning is left: there is nothing to go on with, and nothing stands in the way.
pub(crate) fn the_ledger_is_empty() {
    let mut machine = Machine::ready();
    start_both_and(|machine| {
        machine.sh("cd /var/lib/hookvisor/runs; : >100.jsonl; : >200.jsonl; sync");
    })(&mut machine);
    let wreck = machine.pull();
    let mut machine = wreck.boot(Cache::Lost);
    wait_recovered(&mut machine);
    for guest in GUESTS {
        guest.start(&mut machine);
        machine.sh(&format!("{} stop {}", guest.command, guest.vmid));
        let calls = guest.calls(&machine).into_iter().filter(|call| call.boot == 2);
        let phases: Vec<String> = calls.map(|call| call.phase).collect();
        assert_eq!(phases, ["pre-start", "post-start", "pre-stop", "post-stop"]);
    }
}
