//! `kill -9` of the keeper, of the hypervisor, of both, at every stage; then `hookvisor recover`.

use e2e::suite::{QEMU, Test};
use e2e::{Behaviour, Guest, Host, Kind, tests, wait};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: a_running_guest_is_adopted, keeper_and_hypervisor_are_killed, the_keeper_then_the_guest_are_killed,
            during_pre_start_the_guest_is_never_launched, during_post_start_the_guest_lives_on,
            during_pre_stop_the_stop_is_carried_on, during_post_stop_it_is_not_repeated,
            whoever_asks_what_it_does_has_it_taken_over, a_stop_ends_a_hook_that_nobody_watches,
            a_hook_that_nobody_watches_is_aborted, an_abort_is_not_for_what_begins_after_it, what_is_destroyed_had_its_post_stop,
            a_start_that_a_hook_asked_for_is_not_lost, lines_printed_while_nobody_listens_are_kept, recover_without_need_does_nothing;
        once [QEMU]: to_wait_is_to_go_on_with_it, a_power_off_while_no_keeper_lives_is_not_lost
    )
}

#[track_caller]
fn recover(host: &Host) {
    host.hookvisor(["recover"]).ok();
}

fn a_running_guest_is_adopted(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    let hypervisor = guest.hypervisor();
    let first = guest.keeper();
    guest.kill(&[first]);
    assert!(e2e::proc::alive(hypervisor), "the guest outlives its keeper");
    recover(host);
    wait::until("a new keeper", || (guest.keeper() != first).then_some(()));
    assert_eq!((guest.status().as_str(), guest.hypervisor()), ("running", hypervisor));
    guest.wait_booted();
    guest.shutdown(&["--timeout", "20"]).ok();
    guest.lived("pre-start post-start pre-stop post-stop");
    assert_eq!(guest.notes()[3].stop_cause, "shutdown");
}

fn keeper_and_hypervisor_are_killed(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    guest.kill(&[guest.keeper(), guest.hypervisor()]);
    recover(host);
    guest.wait_run_end();
    assert_eq!(guest.status(), "stopped");
    guest.lived("pre-start post-start post-stop");
    assert_eq!(guest.notes()[2].stop_cause, "unknown");
    let said = format!("{} stopped: unknown (it ended while nobody watched)", guest.vmid());
    let records = guest.records();
    assert!(records.iter().any(|record| e2e::journal::text(record, "MESSAGE").ends_with(&said)), "{said}");
    guest.start().ok();
    guest.stop().ok();
}

fn whoever_asks_what_it_does_has_it_taken_over(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    let (first, hypervisor) = (guest.keeper(), guest.hypervisor());
    guest.kill(&[first]);
    let out = guest.command("status", &[]).ok();
    assert_eq!((out.out().trim(), guest.hypervisor()), ("status: running", hypervisor));
    assert!(out.err().contains("had died, another one goes on with the run"), "{}", out.err());
    assert_ne!(guest.keeper(), first);
    assert_eq!(guest.command("status", &[]).ok().err(), "", "once is enough");

    guest.kill(&[guest.keeper(), guest.hypervisor()]);
    assert_eq!(guest.command("status", &[]).ok().out().trim(), "status: stopped");
    guest.wait_run_end();
    guest.lived("pre-start post-start post-stop");
}

/// A stop cancels a start whose hook hangs, whoever was the keeper when it began.
fn a_stop_ends_a_hook_that_nobody_watches(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let _gate = gate(host, &guest, "pre-start");
    let start = guest.spawn("start", &[]);
    in_the_middle(&guest, "pre-start");
    guest.kill(&[guest.keeper()]);
    start.finish().fails();
    guest.stop().ok();
    guest.wait_run_end();
    assert_eq!(guest.status(), "stopped");
    guest.lived("pre-start:aborted post-stop");
}

fn a_hook_that_nobody_watches_is_aborted(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let _gate = gate(host, &guest, "post-start");
    let start = guest.spawn("start", &[]);
    in_the_middle(&guest, "post-start");
    guest.kill(&[guest.keeper()]);
    let _ = start.finish();
    let out = host.hookvisor(["hooks", "abort", &guest.id()]).ok();
    assert!(out.out().contains("aborting post-start"), "{}", out.out());
    wait::until("the hook's end", || (guest.recorded() == "pre-start post-start:aborted").then_some(()));
    assert_eq!(guest.status(), "running");
}

/// The recovery that an abort brings about calls `post-stop`, and that is none that was to be aborted.
fn an_abort_is_not_for_what_begins_after_it(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    guest.kill(&[guest.keeper(), guest.hypervisor()]);
    let out = host.hookvisor(["hooks", "abort", &guest.id()]);
    assert!(out.err().contains("no hookscript runs for"), "{}", out.err());
    out.fails();
    guest.wait_run_end();
    guest.lived("pre-start post-start post-stop");
}

fn what_is_destroyed_had_its_post_stop(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    guest.kill(&[guest.keeper(), guest.hypervisor()]);
    guest.command("destroy", &[]).ok();
    assert!(!guest.exists());
    guest.lived("pre-start post-start post-stop");
}

/// `qm wait` is over when `post-stop` is.
fn to_wait_is_to_go_on_with_it(host: &Host) {
    let guest = host.guest(Kind::Vm);
    guest.start().ok();
    guest.kill(&[guest.keeper(), guest.hypervisor()]);
    guest.command("wait", &["--timeout", "30"]).ok();
    guest.lived("pre-start post-start post-stop");
}

fn the_keeper_then_the_guest_are_killed(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    guest.kill(&[guest.keeper()]);
    let end = match kind {
        Kind::Vm => guest.hypervisor(),
        Kind::Container => guest.init(),
    };
    guest.kill(&[end]);
    recover(host);
    guest.wait_run_end();
    guest.lived("pre-start post-start post-stop");
}

fn a_power_off_while_no_keeper_lives_is_not_lost(host: &Host) {
    let guest = host.vm(&Behaviour::PowersOff { ticks: 20 });
    guest.start().ok();
    let mut monitor = guest.monitor();
    guest.kill(&[guest.keeper()]);
    monitor.wait_event("SHUTDOWN");
    drop(monitor);
    recover(host);
    guest.wait_run_end();
    guest.lived("pre-start post-start post-stop");
    assert_eq!(guest.notes()[2].stop_cause, "guest-poweroff");
}

/// A hook that waits at a gate in one phase.
fn gate(host: &Host, guest: &Guest, phase: &str) -> PathBuf {
    let gate = host.scratch().join("gate");
    guest
        .on(phase, &format!("while ! [ -e '{}' ]; do sleep 0.01; done; echo \"through $2\"", gate.display()));
    gate
}

fn open(gate: PathBuf) {
    fs::write(gate, "").expect("the gate can be opened");
}

fn during_pre_start_the_guest_is_never_launched(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let gate = gate(host, &guest, "pre-start");
    let start = guest.spawn("start", &[]);
    in_the_middle(&guest, "pre-start");
    guest.kill(&[guest.keeper()]);
    start.finish().fails();
    recover_with(host, &guest, gate);
    guest.wait_run_end();
    assert_eq!(guest.status(), "stopped");
    guest.lived("pre-start:unknown post-stop");
    assert_eq!(guest.notes()[1].stop_cause, "start-failed");
}

fn during_post_start_the_guest_lives_on(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let gate = gate(host, &guest, "post-start");
    let start = guest.spawn("start", &[]);
    in_the_middle(&guest, "post-start");
    guest.kill(&[guest.keeper()]);
    let _ = start.finish();
    recover_with(host, &guest, gate);
    wait::until("the guest to be kept", || (guest.status() == "running").then_some(()));
    guest.stop().ok();
    guest.lived("pre-start post-start:unknown pre-stop post-stop");
}

fn during_pre_stop_the_stop_is_carried_on(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    let gate = gate(host, &guest, "pre-stop");
    let stop = guest.spawn("stop", &[]);
    in_the_middle(&guest, "pre-stop");
    guest.kill(&[guest.keeper()]);
    let _ = stop.finish();
    recover_with(host, &guest, gate);
    guest.wait_run_end();
    assert_eq!(guest.status(), "stopped");
    guest.lived("pre-start post-start pre-stop:unknown post-stop");
}

fn during_post_stop_it_is_not_repeated(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    let gate = gate(host, &guest, "post-stop");
    let stop = guest.spawn("stop", &[]);
    in_the_middle(&guest, "post-stop");
    guest.kill(&[guest.keeper()]);
    let _ = stop.finish();
    recover_with(host, &guest, gate);
    guest.wait_run_end();
    guest.lived("pre-start post-start pre-stop post-stop:unknown");
    recover(host);
    assert_eq!(guest.noted().len(), 4);
}

fn a_start_that_a_hook_asked_for_is_not_lost(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    let gate = host.scratch().join("gate");
    let ask = format!("{} start {}", kind.command(), guest.vmid());
    guest.on("post-stop", &format!("{ask}; while ! [ -e '{}' ]; do sleep 0.01; done", gate.display()));
    let stop = guest.spawn("stop", &[]);
    wait::until("the start to be asked for", || guest.owed_start().exists().then_some(()));
    guest.kill(&[guest.keeper()]);
    let _ = stop.finish();
    guest.forget("post-stop");
    recover_with(host, &guest, gate);
    let again = guest.wait_noted("post-start", 2);
    assert_eq!((again.start_reason.as_str(), guest.status().as_str()), ("hook", "running"));
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop post-stop:unknown pre-start post-start pre-stop post-stop");
    assert!(!guest.owed_start().exists());
}

/// A FIFO holds what is written to it as long as somebody has it open, as the hook has.
fn lines_printed_while_nobody_listens_are_kept(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    let (printed, gate) = (host.scratch().join("printed"), host.scratch().join("gate"));
    let wait_for = |path: &Path| format!("while ! [ -e '{}' ]; do sleep 0.01; done", path.display());
    let killed = host.scratch().join("killed");
    guest.on(
        "pre-stop",
        &format!("{}; echo alone; touch '{}'; {}", wait_for(&killed), printed.display(), wait_for(&gate)),
    );
    let stop = guest.spawn("stop", &[]);
    in_the_middle(&guest, "pre-stop");
    guest.kill(&[guest.keeper()]);
    let _ = stop.finish();
    open(killed);
    wait::until("the hook to have printed", || printed.exists().then_some(()));
    recover_with(host, &guest, gate);
    guest.wait_run_end();
    let phases = guest.phases();
    let pre_stop = phases.iter().find(|record| record.phase == "pre-stop").expect("pre-stop is on record");
    assert!(pre_stop.stdout.contains(&b"alone".to_vec()), "{pre_stop:?}");
    guest.lived("pre-start post-start pre-stop:unknown post-stop");
}

/// Waits until a hook waits at its gate and what it had printed is on record: a keeper that is killed between reading a line
/// and recording it takes the line along, as the book says.
#[track_caller]
fn in_the_middle(guest: &Guest, phase: &str) {
    guest.wait_noted(phase, 1);
    wait::until(&format!("what {phase} printed to be on record"), || {
        let recorded = |stream: &str| {
            let output = |event: &Value| event["event"] == "output" && event["phase"] == phase;
            guest.events().iter().any(|event| output(event) && event["stream"] == stream)
        };
        (recorded("stdout") && recorded("stderr")).then_some(())
    });
}

/// Recovers, and opens the hook's gate once the new keeper has taken over.
#[track_caller]
fn recover_with(host: &Host, guest: &Guest, gate: PathBuf) {
    let recovery = host.spawn("hookvisor", ["recover"]);
    wait::until("a keeper that took over", || {
        guest
            .events()
            .iter()
            .any(|event| event["event"] == "keeper" && event["adopted"] == true)
            .then_some(())
    });
    open(gate);
    recovery.finish().ok();
}

fn recover_without_need_does_nothing(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    recover(host);
    guest.start().ok();
    let keeper = guest.keeper();
    recover(host);
    assert_eq!((guest.keeper(), guest.status().as_str()), (keeper, "running"));
    guest.stop().ok();
    recover(host);
    guest.lived("pre-start post-start pre-stop post-stop");
}
