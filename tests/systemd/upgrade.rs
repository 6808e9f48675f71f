//! The Debian package where systemd is at work: installed, upgraded and downgraded under guests that run, removed.

use crate::machine::{CT, Machine, NEW, OLD, VM};
use e2e::suite::Need::{DebianPackage, DebianRoot};
use e2e::suite::{BUSYBOX, LXC, QEMU, Test};
use e2e::{Host, tests, wait};

pub(crate) fn tests() -> Vec<Test> {
    tests![once [QEMU, LXC, BUSYBOX, DebianRoot, DebianPackage]:
        an_installation_enables_and_starts_what_it_should_and_a_removal_stops_it,
        guests_live_through_upgrade_and_downgrade]
}

/// The units that the host starts.
const ENABLED: &str = "hookvisor hookvisor-guests hookvisor-recover";

fn an_installation_enables_and_starts_what_it_should_and_a_removal_stops_it(host: &Host) {
    let machine = Machine::boot(host);
    assert_eq!(machine.run(&format!("systemctl is-enabled {ENABLED}")), "enabled\nenabled\nenabled");
    assert_eq!(machine.run("systemctl is-active hookvisor hookvisor-guests"), "active\nactive");
    assert_eq!(machine.notes(), [""; 0], "no guest is started by an installation");
    machine.run(&format!("systemctl disable -q hookvisor-guests; qm start {VM}; pct start {CT}"));
    machine
        .try_run("dpkg --remove hookvisor")
        .fails()
        .complains("not removed while guests run: 100 (tiny), 200");
    assert_eq!(machine.run("systemctl is-active hookvisor hookvisor-guests"), "active\nactive");
    machine.install(NEW).ok();
    assert_eq!(
        machine.try_run("systemctl is-enabled hookvisor-guests").out().trim(),
        "disabled",
        "as the admin said"
    );
    machine.run(&format!("qm stop {VM}; pct stop {CT}"));
    machine.run("dpkg --force-unsafe-io --remove hookvisor");
    let left = machine.try_run("systemctl is-active hookvisor hookvisor-guests").out();
    assert_eq!(left, "inactive\ninactive\n");
    machine.run("! pidof hookvisor");
    assert_eq!(machine.run("systemctl --failed -q --no-legend"), "");
}

fn guests_live_through_upgrade_and_downgrade(host: &Host) {
    let machine = Machine::boot(host);
    machine.run(&format!("qm start {VM}; pct start {CT}"));
    machine.wait_guests_booted();
    let keepers = || [machine.keeper(VM), machine.keeper(CT)];
    let hypervisors = || machine.run(&format!("cat /run/qemu-server/{VM}.pid; pidof lxc-start"));
    let (kept, ran) = (keepers(), hypervisors());
    machine.notes();
    for version in [NEW, OLD, OLD] {
        let server = machine.run("systemctl show -p MainPID --value hookvisor");
        machine.install(version).ok();
        let installed = machine.run("dpkg-query -W -f '${db:Status-Status} ${Version}' hookvisor");
        assert_eq!(installed, format!("installed {}", version.0));
        // The server is another process, of the program that is installed now.
        let next =
            machine.run("systemctl is-active -q hookvisor; systemctl show -p MainPID --value hookvisor");
        assert_ne!(next, server);
        assert_eq!(machine.run(&format!("readlink /proc/{next}/exe")), "/usr/bin/hookvisor");
        let socket = "curl -sSf --unix-socket /run/hookvisor/api.sock";
        let path = format!("http://localhost/api2/json/nodes/pve1/lxc/{CT}/status/current");
        let answer = machine.run(&format!("{socket} {path}"));
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("an answer is JSON");
        assert_eq!(answer["data"]["status"], "running", "{answer}");
        assert_eq!((keepers(), hypervisors()), (kept, ran.clone()), "guests and keepers are the same");
        assert_eq!(machine.notes(), [""; 0], "no phase fires");
    }
    // The keeper of before bears one of the program that is installed now.
    machine.install(NEW).ok();
    machine.run(&format!("pct reboot {CT}; kill -KILL {}", kept[0]));
    wait::until("another keeper", || (![0, kept[0]].contains(&machine.keeper(VM))).then_some(()));
    assert_eq!(machine.run(&format!("qm status {VM}")), "status: running");
    let now = keepers();
    let running = machine.run(&format!("readlink /proc/{}/exe /proc/{}/exe", now[0], now[1]));
    assert_eq!(running, "/usr/bin/hookvisor\n/usr/bin/hookvisor");
    assert_eq!(machine.notes().len(), 4, "the reboot alone is a matter of the hookscript");
    machine.install(OLD).ok();
    machine.run(&format!("qm stop {VM}; pct stop {CT}"));
    let stopped = |vmid| [format!("{vmid} pre-stop stop"), format!("{vmid} post-stop stop")];
    assert_eq!(machine.notes(), [stopped(VM), stopped(CT)].concat());
    assert_eq!(machine.run("systemctl --failed -q --no-legend"), "");
}
