//! Reboots: asked for through hookvisor, or the guest's own.

use e2e::suite::{BUSYBOX, LXC, QEMU, Test};
use e2e::{Behaviour, Host, Kind, tests, wait};

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: a_reboot_command_is_a_stop_and_a_start, a_reboot_that_the_guest_ignores;
        once [QEMU]: a_reset_from_inside_runs_no_phase, a_refused_restart_leaves_the_machine_stopped;
        once [LXC, BUSYBOX]: a_reboot_from_inside_a_container_runs_no_phase, it_applies_pending_changes
    )
}

fn a_reboot_command_is_a_stop_and_a_start(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    let first = guest.hypervisor();
    guest.wait_booted();
    guest.command("reboot", &["--timeout", "20"]).ok();
    guest.wait_noted("post-start", 2);
    guest.wait_status("running");
    assert_ne!(guest.hypervisor(), first);
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop post-stop pre-start post-start pre-stop post-stop");
    let notes = guest.notes();
    assert_eq!(
        (notes[3].stop_cause.as_str(), notes[4].start_reason.as_str()),
        ("reboot", "reboot"),
        "{notes:?}"
    );
}

/// As at Proxmox VE: a machine lives on, a container is killed and started again (lifecycle.md 3.5).
fn a_reboot_that_the_guest_ignores(host: &Host, kind: Kind) {
    match kind {
        Kind::Vm => {
            let guest = host.vm(&Behaviour::Ignores);
            guest.start().ok();
            guest.command("reboot", &["--timeout", "1"]).fails();
            assert_eq!(guest.status(), "running");
            guest.stop().ok();
            guest.lived("pre-start post-start pre-stop pre-stop post-stop");
        }
        Kind::Container => {
            let guest = host.container();
            guest.start().ok();
            guest.exec(&["touch", "/etc/ignore"]).ok();
            guest.command("reboot", &["--timeout", "1"]).ok();
            guest.wait_noted("post-start", 2);
            assert_eq!(guest.status(), "running");
            guest.stop().ok();
            guest.lived("pre-start post-start pre-stop post-stop pre-start post-start pre-stop post-stop");
        }
    }
}

fn a_reset_from_inside_runs_no_phase(host: &Host) {
    let guest = host.vm(&Behaviour::ResetsOnce { ticks: 12 });
    guest.start().ok();
    let before = guest.hypervisor();
    guest.monitor().wait_event("RESET");
    guest.wait_booted();
    assert_eq!((guest.hypervisor(), guest.status().as_str()), (before, "running"));
    guest.shutdown(&["--timeout", "20"]).ok();
    guest.lived("pre-start post-start pre-stop post-stop");
}

/// As at Proxmox VE: the command has succeeded once the guest is down.
fn a_refused_restart_leaves_the_machine_stopped(host: &Host) {
    let guest = host.vm(&Behaviour::Obeys);
    guest.start().ok();
    guest.on("pre-start", "exit 9");
    guest.wait_booted();
    guest.command("reboot", &["--timeout", "20"]);
    guest.wait_noted("pre-start", 2);
    guest.wait_status("stopped");
    guest.lived("pre-start post-start pre-stop post-stop pre-start:exit-code-9");
}

fn a_reboot_from_inside_a_container_runs_no_phase(host: &Host) {
    let guest = host.container();
    guest.start().ok();
    let (starter, init) = (guest.hypervisor(), guest.init());
    guest.exec(&["reboot", "-f"]);
    wait::until("the container to be up again", || {
        (guest.hypervisor() != starter && guest.init() != init && guest.status() == "running").then_some(())
    });
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop post-stop");
}

fn it_applies_pending_changes(host: &Host) {
    let guest = host.container();
    guest.start().ok();
    let init = guest.init();
    guest.set(&["--hostname", "other"]);
    guest.exec(&["reboot", "-f"]);
    wait::until("the container to be up again", || (guest.init() != init).then_some(()));
    wait::until("the new name", || guest.exec(&["hostname"]).out().contains("other").then_some(()));
    guest.stop().ok();
    assert!(!guest.config().contains("pending"), "{}", guest.config());
}
