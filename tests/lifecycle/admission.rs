//! Two requests at once, and requests while a phase runs.

use e2e::suite::Test;
use e2e::{Host, Kind, tests, wait};
use std::fs;
use std::time::Duration;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: of_two_starts_one_wins, stop_cancels_a_start_in_its_pre_start, stop_during_post_start_aborts_the_hook,
            a_second_stop_joins_the_first, a_start_waits_for_post_stop, a_stop_cancels_a_start_that_waits,
            destroy_is_refused_while_it_runs,
            destroy_is_refused_while_a_phase_runs, a_stop_asked_for_by_its_own_hook_is_queued,
            the_terminal_is_given_back, a_stopped_guest_is_destroyed
    )
}

fn of_two_starts_one_wins(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.on("pre-start", "sleep 0.3");
    let rivals: Vec<_> = (0..3).map(|_| guest.spawn("start", &[])).collect();
    let outputs: Vec<_> = rivals.into_iter().map(e2e::output::Running::finish).collect();
    let (won, lost): (Vec<_>, Vec<_>) = outputs.into_iter().partition(|output| output.status.success());
    assert_eq!(won.len(), 1, "{won:#?} {lost:#?}");
    for output in lost {
        let output = output.fails();
        let told = ["already running", "already starting"].iter().any(|words| output.err().contains(words));
        assert!(told, "{}", output.describe());
    }
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop post-stop");
}

/// On purpose not as Proxmox VE, whose stop waits for the start. The hook was cut short and may have taken half.
fn stop_cancels_a_start_in_its_pre_start(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.on("pre-start", "sleep 60");
    let start = guest.spawn("start", &[]);
    guest.wait_noted("pre-start", 1);
    let stop = guest.stop();
    assert!(stop.took < Duration::from_secs(20), "{}", stop.describe());
    start.finish().fails();
    assert_eq!(guest.status(), "stopped");
    guest.lived("pre-start:aborted post-stop");
}

fn stop_during_post_start_aborts_the_hook(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.on("post-start", "sleep 60");
    let start = guest.spawn("start", &[]);
    guest.wait_noted("post-start", 1);
    let stop = guest.stop().ok();
    assert!(stop.took < Duration::from_secs(20), "{}", stop.describe());
    let _ = start.finish();
    assert_eq!(guest.status(), "stopped");
    guest.wait_run_end();
    let story = guest.recorded();
    assert!(story.starts_with("pre-start post-start:aborted") && story.ends_with("post-stop"), "{story}");
}

fn a_second_stop_joins_the_first(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    guest.on("pre-stop", "sleep 0.5");
    let first = guest.spawn("stop", &[]);
    guest.wait_noted("pre-stop", 1);
    let second = guest.stop();
    first.finish().ok();
    second.ok();
    guest.lived("pre-start post-start pre-stop post-stop");
}

fn a_start_waits_for_post_stop(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    guest.on("post-stop", "sleep 0.5");
    let stop = guest.spawn("stop", &[]);
    guest.wait_noted("post-stop", 1);
    guest.start().ok();
    stop.finish().ok();
    guest.forget("post-stop");
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop post-stop pre-start post-start pre-stop post-stop");
}

/// Whatever the start waits for: who says stop last wants it stopped.
fn a_stop_cancels_a_start_that_waits(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let gate = host.scratch().join("gate");
    guest.on("post-stop", &format!("while ! [ -e '{}' ]; do sleep 0.01; done", gate.display()));
    guest.start().ok();
    let first = guest.spawn("stop", &[]);
    guest.wait_noted("post-stop", 1);
    let start = guest.spawn("start", &[]);
    wait::until("the start to wait", || {
        let said = start.stdout_so_far() + &start.stderr_so_far();
        said.contains("trying to acquire lock").then_some(())
    });
    let second = guest.spawn("stop", &[]);
    start.finish().fails().complains("the start was cancelled by a stop");
    fs::write(gate, "").expect("the gate can be opened");
    first.finish().ok();
    second.finish().ok();
    assert_eq!(guest.status(), "stopped");
    guest.lived("pre-start post-start pre-stop post-stop");
}

fn destroy_is_refused_while_it_runs(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    let config = guest.config();
    guest.command("destroy", &[]).fails().complains("running");
    assert_eq!((guest.config(), guest.status().as_str()), (config, "running"));
    guest.stop().ok();
}

fn destroy_is_refused_while_a_phase_runs(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let gate = host.scratch().join("gate");
    guest.on("pre-start", &format!("while ! [ -e '{}' ]; do sleep 0.01; done", gate.display()));
    let start = guest.spawn("start", &[]);
    guest.wait_noted("pre-start", 1);
    let destroy = guest.command("destroy", &[]).fails();
    assert!(destroy.took < Duration::from_secs(12), "{}", destroy.describe());
    fs::write(gate, "").expect("the gate can be opened");
    start.finish().ok();
    assert!(guest.exists());
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop post-stop");
}

/// On purpose not as Proxmox VE, where the hook waits for a lock that its own phase holds.
fn a_stop_asked_for_by_its_own_hook_is_queued(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let (command, id) = (kind.command(), guest.vmid());
    guest.on("post-start", &format!("{command} stop {id} || exit 1"));
    guest.start().ok();
    guest.wait_run_end();
    assert_eq!(guest.status(), "stopped");
    guest.lived("pre-start post-start pre-stop post-stop");
}

/// Nothing that lives on keeps the caller's outputs open.
fn the_terminal_is_given_back(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let mut command = host.command(kind.command());
    let began = std::time::Instant::now();
    // `output` reads both pipes to their end, which comes when their last holder is gone.
    let output = command.args(["start", &guest.id()]).output().expect("the command can be run");
    assert!(output.status.success() && began.elapsed() < Duration::from_secs(10), "{output:?}");
    assert_eq!(guest.status(), "running");
    guest.stop().ok();
}

fn a_stopped_guest_is_destroyed(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    guest.stop().ok();
    guest.command("destroy", &[]).ok();
    assert!(!guest.exists());
    assert!(!host.at(&format!("var/lib/vz/images/{}", guest.vmid())).exists(), "its disks are gone");
}
