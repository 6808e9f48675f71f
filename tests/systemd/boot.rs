//! The host comes up and goes down.

use e2e::machine::{CT, Machine, VM};
use e2e::suite::Need::DebianPackage;
use e2e::suite::{BUSYBOX, LXC, QEMU, Test};
use e2e::{Host, tests};
use std::time::{Duration, Instant};

pub(crate) fn tests() -> Vec<Test> {
    tests![once [QEMU, LXC, BUSYBOX, DebianPackage]:
        guests_come_up_and_go_down_in_their_order,
        a_hook_that_hangs_holds_the_shutdown_no_longer_than_down,
        keepers_end_their_guests_where_nobody_else_does]
}

fn guests_come_up_and_go_down_in_their_order(host: &Host) {
    let machine = Machine::boot(host);
    machine.reboot();
    let up = |vmid| [format!("{vmid} pre-start boot"), format!("{vmid} post-start boot")];
    let down = |vmid| [format!("{vmid} pre-stop host-shutdown"), format!("{vmid} post-stop host-shutdown")];
    assert_eq!(machine.notes(), [up(VM), up(CT)].concat());
    for guest in [VM, CT] {
        assert_eq!(machine.run(&format!("systemctl is-active hookvisor-keeper@{guest}")), "active");
    }
    machine.wait_guests_booted();
    let boot =
        machine.run("journalctl -q -b 0 -n 1 -o json | grep -o '\"_BOOT_ID\":\"[0-9a-f]*' | cut -d'\"' -f4");
    machine.reboot();
    assert_eq!(machine.notes(), [down(CT), down(VM), up(VM), up(CT)].concat());
    // The journal of the boot before has it, by the unit.
    for guest in [VM, CT] {
        let said = machine.run(&format!("journalctl -q _BOOT_ID={boot} -u hookvisor-keeper@{guest} -o cat"));
        for phase in ["pre-start", "post-start", "pre-stop", "post-stop"] {
            assert!(
                said.contains(&format!("hook of {guest} in {phase}")),
                "{phase} is missing in {boot}:\n{said}\n{}",
                machine.run("journalctl --list-boots; ls -lR /var/log/journal /run/log/journal || true")
            );
            assert!(said.contains(&format!("{phase} ended: ok")), "{phase} has no end:\n{said}");
        }
        let runs = machine.run(&format!("hookvisor hooks history {guest}"));
        assert!(runs.contains("start: boot by root@pam  end: host-shutdown"), "{runs}");
    }
    assert_eq!(machine.run("systemctl --failed -q --no-legend"), "");
    machine.wait_guests_booted();
    machine.power_off();
    assert_eq!(machine.notes(), [down(CT), down(VM)].concat());
}

fn a_hook_that_hangs_holds_the_shutdown_no_longer_than_down(host: &Host) {
    let machine = Machine::boot(host);
    machine.run(&format!("pct set {CT} --startup order=2,down=3; systemctl start hookvisor-guests; qm start {VM} || true; pct start {CT} || true"));
    machine.wait_guests_booted();
    machine.notes();
    machine.on(CT, "pre-stop", "sleep 1000");
    let began = Instant::now();
    machine.power_off();
    assert!(began.elapsed() < Duration::from_secs(25), "it took {:?}", began.elapsed());
    assert_eq!(
        machine.notes(),
        [
            format!("{CT} pre-stop host-shutdown"),
            format!("{CT} post-stop host-shutdown"),
            format!("{VM} pre-stop host-shutdown"),
            format!("{VM} post-stop host-shutdown"),
        ]
    );
}

fn keepers_end_their_guests_where_nobody_else_does(host: &Host) {
    let machine = Machine::boot(host);
    machine.run(&format!("systemctl disable --now -q hookvisor-guests; qm start {VM}; pct start {CT}"));
    machine.wait_guests_booted();
    machine.notes();
    machine.power_off();
    let mut notes = machine.notes();
    notes.sort();
    let down = |vmid| [format!("{vmid} post-stop host-shutdown"), format!("{vmid} pre-stop host-shutdown")];
    assert_eq!(notes, [down(VM), down(CT)].concat());
}
