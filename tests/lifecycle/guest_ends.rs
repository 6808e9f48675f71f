//! Ends that nobody asked for: no `pre-stop`, but `post-stop` always.

use e2e::suite::{BUSYBOX, LXC, QEMU, Test};
use e2e::{Behaviour, Host, Kind, tests};

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: the_guest_powers_itself_off, the_hypervisor_is_killed;
        once [QEMU]: the_monitor_is_told_to_quit, the_hypervisor_crashes;
        once [LXC, BUSYBOX]: the_init_is_killed, the_init_ends
    )
}

fn the_guest_powers_itself_off(host: &Host, kind: Kind) {
    let guest = match kind {
        Kind::Vm => host.vm(&Behaviour::PowersOff { ticks: 4 }),
        Kind::Container => host.container(),
    };
    guest.start().ok();
    if kind == Kind::Container {
        guest.exec(&["poweroff", "-f"]);
    }
    guest.wait_run_end();
    assert_eq!(guest.status(), "stopped");
    guest.lived("pre-start post-start post-stop");
    assert_eq!(guest.notes()[2].stop_cause, "guest-poweroff");
}

fn the_hypervisor_is_killed(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    let init = (kind == Kind::Container).then(|| guest.init());
    guest.kill(&[guest.hypervisor()]);
    guest.wait_run_end();
    assert_eq!(guest.status(), "stopped");
    guest.lived("pre-start post-start post-stop");
    assert_eq!(guest.notes()[2].stop_cause, "killed");
    assert!(!init.is_some_and(e2e::proc::alive), "the container's init is gone with it");
    // It can be started again at once.
    guest.start().ok();
    guest.stop().ok();
}

fn the_monitor_is_told_to_quit(host: &Host) {
    let guest = host.vm(&Behaviour::Obeys);
    guest.start().ok();
    guest.monitor().ask("quit", &serde_json::json!({}));
    guest.wait_run_end();
    guest.lived("pre-start post-start post-stop");
}

fn the_hypervisor_crashes(host: &Host) {
    let guest = host.vm(&Behaviour::Obeys);
    guest.start().ok();
    e2e::proc::signal(guest.hypervisor(), rustix::process::Signal::ABORT);
    guest.wait_run_end();
    guest.lived("pre-start post-start post-stop");
    assert_eq!(guest.notes()[2].stop_cause, "crash");
}

fn the_init_is_killed(host: &Host) {
    let guest = host.container();
    guest.start().ok();
    guest.kill(&[guest.init()]);
    guest.wait_run_end();
    guest.lived("pre-start post-start post-stop");
    guest.start().ok();
    guest.stop().ok();
}

/// An init that ends by itself, for example because its last program crashed.
fn the_init_ends(host: &Host) {
    let guest = host.container();
    let init =
        host.at(&format!("var/lib/vz/images/{id}/subvol-{id}-disk-0.subvol/sbin/init", id = guest.vmid()));
    std::fs::write(&init, "#!/bin/sh\nread -t 1 x </dev/zero\nexit 7\n")
        .expect("the container's init can be replaced");
    guest.start().ok();
    guest.wait_run_end();
    guest.lived("pre-start post-start post-stop");
}
