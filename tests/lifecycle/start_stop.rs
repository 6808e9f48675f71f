//! Start and hard stop.

use e2e::suite::{QEMU, Test};
use e2e::{Behaviour, Host, Kind, tests};

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: all_four_phases_run, a_second_run_has_phases_of_its_own, a_guest_without_a_hook_runs,
            a_running_guest_is_not_started_again, a_stopped_guest_is_stopped, causes_and_reasons_are_told,
            a_failing_later_phase_only_warns, a_hook_can_be_set_while_the_guest_runs;
        once [QEMU]: files_lie_where_hooks_expect_them, a_reset_runs_no_phase, suspend_and_resume_run_no_phase,
            a_locked_guest_is_not_started
    )
}

fn all_four_phases_run(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    assert_eq!(guest.status(), "running");
    guest.stop().ok();
    assert_eq!(guest.status(), "stopped");
    guest.lived("pre-start post-start pre-stop post-stop");
}

fn a_second_run_has_phases_of_its_own(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    for _ in 0..2 {
        guest.start().ok();
        guest.stop().ok();
    }
    guest.lived("pre-start post-start pre-stop post-stop pre-start post-start pre-stop post-stop");
    let runs: std::collections::BTreeSet<String> = guest.notes().into_iter().map(|note| note.run).collect();
    assert_eq!(runs.len(), 2, "each run has an id of its own: {runs:?}");
    let recorded: std::collections::BTreeSet<String> = guest
        .records()
        .iter()
        .map(|record| e2e::journal::text(record, "RUN_ID"))
        .filter(|id| !id.is_empty())
        .collect();
    assert_eq!(recorded, runs, "the journal has the ids that the hook saw");
}

fn a_guest_without_a_hook_runs(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.set(&["--delete", "hookscript"]);
    guest.start().ok();
    guest.stop().ok();
    guest.lived("");
}

fn a_running_guest_is_not_started_again(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    let label = if kind == Kind::Vm { "VM" } else { "CT" };
    guest.start().fails().complains(&format!("{label} {} already running", guest.vmid()));
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop post-stop");
}

/// Proxmox VE: a VM that is stopped already is no error, a container is (oracle.md 2.1).
fn a_stopped_guest_is_stopped(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    match kind {
        Kind::Vm => {
            guest.stop().ok().prints_exactly("");
        }
        Kind::Container => {
            guest.stop().fails().complains(&format!("CT {} not running", guest.vmid()));
            guest.shutdown(&[]).fails().complains(&format!("CT {} not running", guest.vmid()));
        }
    }
    guest.lived("");
}

fn causes_and_reasons_are_told(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    guest.stop().ok();
    let notes = guest.notes();
    assert_eq!(notes[0].start_reason, "user", "{notes:?}");
    assert_eq!(notes[3].stop_cause, "stop", "{notes:?}");
    assert!(notes.iter().all(|note| note.run == notes[0].run && !note.run.is_empty()), "{notes:?}");
    assert!(notes.windows(2).all(|pair| pair[0].at <= pair[1].at), "{notes:?}");
}

fn a_failing_later_phase_only_warns(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    for (phase, code) in [("post-start", 4), ("pre-stop", 5), ("post-stop", 6)] {
        guest.on(phase, &format!("exit {code}"));
    }
    let path = host.at("var/lib/vz/snippets/recorder");
    let warning = |phase: &str, code: i32| {
        let vmid = guest.vmid();
        let path = path.display();
        format!(
            "hookscript error for {vmid} on {phase}: command '{path} {vmid} {phase}' failed: exit code {code}\n\n"
        )
    };
    guest.start().ok().prints(&warning("post-start", 4));
    assert_eq!(guest.status(), "running");
    guest.stop().ok().prints(&warning("pre-stop", 5)).prints(&warning("post-stop", 6));
    assert_eq!(guest.status(), "stopped");
    guest.lived("pre-start post-start:exit-code-4 pre-stop:exit-code-5 post-stop:exit-code-6");
}

/// The option is never pending: it counts from the next phase on (oracle.md 2.1).
fn a_hook_can_be_set_while_the_guest_runs(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.set(&["--delete", "hookscript"]);
    guest.start().ok();
    guest.set(&["--hookscript", "local:snippets/recorder"]);
    guest.stop().ok();
    guest.lived("pre-stop post-stop");
}

fn files_lie_where_hooks_expect_them(host: &Host) {
    let guest = host.vm(&Behaviour::Obeys);
    let base = host.at(&format!("run/qemu-server/{}", guest.vmid()));
    let base = base.display();
    guest.on(
        "post-start",
        &format!("test -S '{base}.qmp' && test -s '{base}.pid' && kill -0 $(cat '{base}.pid')"),
    );
    guest.on("post-stop", &format!("! test -e '{base}.pid'"));
    guest.start().ok();
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop post-stop");
}

fn a_reset_runs_no_phase(host: &Host) {
    let guest = host.vm(&Behaviour::Obeys);
    guest.start().ok();
    let before = guest.hypervisor();
    guest.command("reset", &[]).ok();
    assert_eq!((guest.hypervisor(), guest.status().as_str()), (before, "running"));
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop post-stop");
}

fn suspend_and_resume_run_no_phase(host: &Host) {
    let guest = host.vm(&Behaviour::Obeys);
    guest.start().ok();
    guest.command("suspend", &[]).ok();
    assert_eq!(guest.status(), "paused");
    guest.command("resume", &[]).ok();
    assert_eq!(guest.status(), "running");
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop post-stop");
}

fn a_locked_guest_is_not_started(host: &Host) {
    let guest = host.vm(&Behaviour::Obeys);
    guest.set(&["--lock", "backup"]);
    let unlock = format!("hint: 'qm unlock {}' takes the lock 'backup' away", guest.id());
    guest.start().fails().complains("VM is locked (backup)").prints(&unlock);
    host.qm(["set", &guest.id(), "--memory", "32"])
        .fails()
        .complains("VM is locked (backup)")
        .prints(&unlock);
    let config = format!("/nodes/pve1/qemu/{}/config", guest.id());
    host.run("pvesh", ["set", &config, "--memory", "32"]).fails().prints(&unlock);
    guest.lived("");
    guest.command("start", &["--skiplock"]).ok();
    guest.stop().fails().complains("VM is locked (backup)").prints(&unlock);
    guest.command("stop", &["--skiplock"]).ok();
    guest.command("unlock", &[]).ok();
    guest.lived("pre-start post-start pre-stop post-stop");
}
