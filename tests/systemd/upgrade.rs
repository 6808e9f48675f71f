//! The Debian package where systemd is at work: installed, upgraded and downgraded under guests that run, removed.

use e2e::machine::{CT, Machine, NEW, OLD, VM};
use e2e::suite::Need::DebianPackage;
use e2e::suite::{BUSYBOX, LXC, QEMU, Test};
use e2e::{Host, tests, wait};

pub(crate) fn tests() -> Vec<Test> {
    tests![once [QEMU, LXC, BUSYBOX, DebianPackage]:
        an_installation_enables_and_starts_what_it_should_and_a_removal_stops_it,
        guests_live_through_upgrade_and_downgrade,
        a_tarball_serves_as_the_package_does]
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
    machine.install(NEW).ok();
    let again = machine.try_run("systemctl is-active hookvisor hookvisor-guests").out();
    assert_eq!(
        again, "active\ninactive\n",
        "what is installed again is started again, unless it was disabled"
    );
}

fn guests_live_through_upgrade_and_downgrade(host: &Host) {
    let machine = Machine::boot(host);
    machine.run(&format!("qm start {VM}; pct start {CT}"));
    machine.wait_guests_booted();
    let keepers = || [machine.keeper(VM), machine.keeper(CT)];
    let hypervisors = || machine.run(&format!("cat /run/qemu-server/{VM}.pid; pidof lxc-start"));
    let (kept, ran) = (keepers(), hypervisors());
    let program = |pid: u32| machine.run(&format!("/proc/{pid}/exe --version"));
    let of = |(version, _): (&str, &str)| format!("hookvisor {version}");
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
        assert_eq!(program(next.parse().expect("a pid")), of(version));
        assert_eq!(machine.run("hookvisor --version"), of(version));
        let socket = "curl -sSf --unix-socket /run/hookvisor/api.sock";
        let path = format!("http://localhost/api2/json/nodes/pve1/lxc/{CT}/status/current");
        let answer = machine.run(&format!("{socket} {path}"));
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("an answer is JSON");
        assert_eq!(answer["data"]["status"], "running", "{answer}");
        assert_eq!((keepers(), hypervisors()), (kept, ran.clone()), "guests and keepers are the same");
        assert_eq!(kept.map(program), [of(OLD), of(OLD)], "of the program that they were begun with");
        assert_eq!(machine.notes(), [""; 0], "no phase fires");
    }
    // The keeper of before bears one of the program that is installed now.
    machine.install(NEW).ok();
    machine.run(&format!("pct reboot {CT}; kill -KILL {}", kept[0]));
    wait::until("another keeper", || (![0, kept[0]].contains(&machine.keeper(VM))).then_some(()));
    assert_eq!(machine.run(&format!("qm status {VM}")), "status: running");
    let now = keepers();
    assert_eq!(now.map(program), [of(NEW), of(NEW)]);
    assert_eq!(machine.notes().len(), 4, "the reboot alone is a matter of the hookscript");
    // What the new one has written the old one reads.
    machine.install(OLD).ok();
    machine.run(&format!("kill -KILL {}", now[0]));
    wait::until("another keeper", || (![0, now[0]].contains(&machine.keeper(VM))).then_some(()));
    assert_eq!([machine.keeper(VM), now[1]].map(program), [of(OLD), of(NEW)]);
    machine.run(&format!("qm stop {VM}; pct stop {CT}"));
    let stopped = |vmid| [format!("{vmid} pre-stop stop"), format!("{vmid} post-stop stop")];
    assert_eq!(machine.notes(), [stopped(VM), stopped(CT)].concat());
    assert_eq!(machine.run("systemctl --failed -q --no-legend"), "");
}

/// As the page about installing says, in the package's place.
fn a_tarball_serves_as_the_package_does(host: &Host) {
    let machine = Machine::boot(host);
    machine.run("systemctl disable -q --now hookvisor hookvisor-guests hookvisor-recover; dpkg --remove hookvisor; ! command -v qm");
    machine.unpack_tarball();
    machine.run(
        "systemctl daemon-reload; systemctl enable -q --now hookvisor-guests; journalctl --update-catalog",
    );
    assert_eq!(machine.run("command -v qm"), "/usr/local/bin/qm");
    assert_eq!(machine.run("hookvisor --version"), format!("hookvisor {}", NEW.0));
    machine.wait_guests_booted();
    machine.notes();
    machine.reboot();
    machine.wait_guests_booted();
    let keeper = machine.keeper(VM);
    assert_eq!(machine.run(&format!("readlink /proc/{keeper}/exe")), "/usr/local/bin/hookvisor");
    machine.run("hookvisor stopall");
    let down = |vmid| ["pre-stop", "post-stop"].map(|phase| format!("{vmid} {phase} host-shutdown"));
    let up = |vmid| ["pre-start", "post-start"].map(|phase| format!("{vmid} {phase} boot"));
    assert_eq!(machine.notes(), [down(CT), down(VM), up(VM), up(CT), down(CT), down(VM)].concat());
    assert!(
        machine
            .run("journalctl -x -q -o short --no-pager -t hookvisor")
            .contains("Subject: A hookscript has ended well")
    );
    assert_eq!(machine.run("systemctl --failed -q --no-legend"), "");
}
