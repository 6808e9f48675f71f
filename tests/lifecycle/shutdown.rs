//! Orderly shutdown: the guest is asked, has so long, and is ended hard where that was said.

use e2e::suite::{QEMU, Test};
use e2e::{Behaviour, Guest, Host, Kind, proc, tests};
use rustix::process::Signal;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: a_guest_that_obeys_is_shut_down, one_that_ignores_it_lives_on, with_force_it_is_ended,
            a_retried_shutdown_runs_pre_stop_again, a_keeper_that_gets_sigterm_ends_its_guest_with_the_host,
            stop_overrules_a_pending_shutdown;
        once [QEMU]: a_halted_machine_is_stopped, force_stop_is_known_by_both_spellings
    )
}

fn ignoring(host: &Host, kind: Kind) -> Guest<'_> {
    match kind {
        Kind::Vm => host.vm(&Behaviour::Ignores),
        Kind::Container => host.container(),
    }
}

/// Starts a guest that will not obey.
fn started(host: &Host, kind: Kind) -> Guest<'_> {
    let guest = ignoring(host, kind);
    guest.start().ok();
    if kind == Kind::Container {
        guest.exec(&["touch", "/etc/ignore"]).ok();
    }
    guest
}

fn a_guest_that_obeys_is_shut_down(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    guest.wait_booted();
    let output = guest.shutdown(&["--timeout", "20"]).ok();
    assert!(output.took.as_secs() < 15, "{}", output.describe());
    assert_eq!(guest.status(), "stopped");
    guest.lived("pre-start post-start pre-stop post-stop");
    assert_eq!(guest.notes()[3].stop_cause, "shutdown");
}

fn one_that_ignores_it_lives_on(host: &Host, kind: Kind) {
    let guest = started(host, kind);
    let output = guest.shutdown(&["--timeout", "2"]).fails();
    if kind == Kind::Vm {
        let output = output.complains("VM quit/powerdown failed - got timeout");
        assert!(output.took.as_secs() >= 2, "{}", output.describe());
    }
    assert_eq!(guest.status(), "running");
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop pre-stop post-stop");
    assert_eq!(guest.notes()[4].stop_cause, "stop");
}

fn with_force_it_is_ended(host: &Host, kind: Kind) {
    let guest = started(host, kind);
    let output = guest.shutdown(&["--timeout", "1", "--forceStop", "1"]).ok();
    if kind == Kind::Vm {
        output.prints("VM still running - terminating now with SIGTERM");
    }
    assert_eq!(guest.status(), "stopped");
    guest.lived("pre-start post-start pre-stop post-stop");
}

/// As systemd sends it when the host goes down.
fn a_keeper_that_gets_sigterm_ends_its_guest_with_the_host(host: &Host, kind: Kind) {
    let guest = started(host, kind);
    guest.set(&["--startup", "down=2"]);
    proc::signal(guest.keeper(), Signal::TERM);
    proc::signal(guest.keeper(), Signal::TERM);
    guest.wait_run_end();
    guest.lived("pre-start post-start pre-stop post-stop");
    for note in &guest.notes()[2..] {
        assert_eq!(note.stop_cause, "host-shutdown");
    }
}

fn a_retried_shutdown_runs_pre_stop_again(host: &Host, kind: Kind) {
    let guest = started(host, kind);
    guest.shutdown(&["--timeout", "1"]).fails();
    guest.shutdown(&["--timeout", "1"]).fails();
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop pre-stop pre-stop post-stop");
}

/// On purpose not as Proxmox VE, whose second command waits for the first: one stop request, one `pre-stop`.
fn stop_overrules_a_pending_shutdown(host: &Host, kind: Kind) {
    let guest = started(host, kind);
    let pending = guest.spawn("shutdown", &["--timeout", "50"]);
    guest.wait_noted("pre-stop", 1);
    let stop = guest.stop().ok();
    assert!(stop.took.as_secs() < 10, "{}", stop.describe());
    let _ = pending.finish();
    assert_eq!(guest.status(), "stopped");
    guest.lived("pre-start post-start pre-stop post-stop");
}

fn a_halted_machine_is_stopped(host: &Host) {
    let guest = host.vm(&Behaviour::Halts);
    guest.start().ok();
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop post-stop");
}

fn force_stop_is_known_by_both_spellings(host: &Host) {
    let guest = started(host, Kind::Vm);
    guest.shutdown(&["-timeout=1", "-forceStop=1"]).ok();
    guest.lived("pre-start post-start pre-stop post-stop");
}
