//! The host goes down and comes up as it should: guests in their order, by the units of the package.

use crate::disk::Cache;
use crate::guest::{CONTAINER, GUESTS, VM, wait_recovered};
use crate::machine::Machine;
use e2e::suite::{Need, QEMU, Test};
use e2e::tests;
use std::time::{Duration, Instant};

pub(crate) fn tests() -> Vec<Test> {
    tests!(bare [QEMU, Need::HostMachine]: guests_go_down_and_come_up_in_their_order, a_hook_that_hangs_holds_the_shutdown_no_longer_than_down, keepers_end_their_guests_where_nobody_else_does)
}

/// Both guests run, are started with the host, the virtual machine first, and would hear that they shall shut down.
fn running(down: u32) -> Machine {
    let mut machine = Machine::ready();
    for (guest, order) in GUESTS.into_iter().zip(1..) {
        let startup = format!("order={order},up=0,down={down}");
        machine.sh(&format!("{} set {} --onboot 1 --startup {startup}", guest.command, guest.vmid));
        guest.start(&mut machine);
    }
    GUESTS.iter().for_each(|guest| guest.wait_booted(&mut machine));
    machine
}

/// The hook's calls since the machine came up for that time, but for those of the user's starts: `100 pre-stop host-shutdown`.
fn calls(machine: &Machine, boot: usize) -> Vec<String> {
    let calls = machine.calls().into_iter().filter(|call| call.boot == boot);
    let tell = |cause: &str, reason: &str| if cause == "-" { reason.to_owned() } else { cause.to_owned() };
    calls
        .map(|call| format!("{} {} {}", call.vmid, call.phase, tell(&call.cause, &call.reason)))
        .filter(|call| !call.ends_with(" user") && !call.ends_with(" stop"))
        .collect()
}

fn of(vmid: u32, phases: [&str; 2], why: &str) -> [String; 2] {
    phases.map(|phase| format!("{vmid} {phase} {why}"))
}

fn down(vmid: u32) -> [String; 2] {
    of(vmid, ["pre-stop", "post-stop"], "host-shutdown")
}

fn up(vmid: u32) -> [String; 2] {
    of(vmid, ["pre-start", "post-start"], "boot")
}

fn guests_go_down_and_come_up_in_their_order() {
    // Not even what was left in the disk's own cache is needed: it was flushed as the machine went down.
    let mut machine = running(60).go_down("reboot").boot(Cache::Lost);
    wait_recovered(&mut machine);
    assert_eq!(calls(&machine, 1), [down(CONTAINER), down(VM)].concat());
    assert_eq!(calls(&machine, 2), [up(VM), up(CONTAINER)].concat());
    for guest in GUESTS {
        machine.sh(&format!("systemctl is-active hookvisor-keeper@{}", guest.vmid));
        // The journal of the boot before has it, by the unit.
        let told =
            machine.sh(&format!("journalctl -q -b -1 -u hookvisor-keeper@{} -o cat --no-pager", guest.vmid));
        let ends = ["pre-start", "post-start", "pre-stop", "post-stop"].map(|phase| {
            let end = format!("{phase} ended: ok");
            told.rfind(&end).unwrap_or_else(|| panic!("no '{end}' in\n{told}"))
        });
        assert!(ends.is_sorted(), "{told}");
        guest.wait_booted(&mut machine);
    }
    let mut machine = machine.go_down("poweroff").boot(Cache::Lost);
    wait_recovered(&mut machine);
    assert_eq!(calls(&machine, 2)[4..], [down(CONTAINER), down(VM)].concat());
    assert_eq!(calls(&machine, 3), [up(VM), up(CONTAINER)].concat());
    for guest in GUESTS {
        guest.record_agrees(&mut machine);
        guest.serves_on(&mut machine);
    }
    assert_eq!(machine.sh("systemctl --failed -q --no-legend"), "");
}

fn a_hook_that_hangs_holds_the_shutdown_no_longer_than_down() {
    let mut machine = running(5);
    GUESTS[1].on(&mut machine, "pre-stop", "sleep 1000");
    let began = Instant::now();
    let wreck = machine.go_down("poweroff");
    assert!(began.elapsed() < Duration::from_secs(120), "it took {:?}", began.elapsed());
    let mut machine = wreck.boot(Cache::Lost);
    wait_recovered(&mut machine);
    assert_eq!(calls(&machine, 1), [down(CONTAINER), down(VM)].concat());
    let told = machine.sh(&format!("hookvisor log {CONTAINER} --phase pre-stop"));
    assert!(told.contains("pre-stop ended: timed out"), "{told}");
}

/// Where guests are not started and stopped with the host, systemd's signal to each keeper does it.
fn keepers_end_their_guests_where_nobody_else_does() {
    let mut machine = Machine::ready();
    machine.sh("systemctl disable --quiet --now hookvisor-guests");
    for guest in GUESTS {
        guest.start(&mut machine);
    }
    GUESTS.iter().for_each(|guest| guest.wait_booted(&mut machine));
    let mut machine = machine.go_down("reboot").boot(Cache::Lost);
    let mut gone = calls(&machine, 1);
    gone.sort_by_key(|call| call[..3].to_owned());
    assert_eq!(gone, [down(VM), down(CONTAINER)].concat());
    for guest in GUESTS {
        guest.lived(&mut machine, "pre-start post-start pre-stop post-stop:host-shutdown");
    }
}
