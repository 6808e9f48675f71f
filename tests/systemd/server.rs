//! The API as a unit of systemd's.

use crate::machine::{Machine, VM};
use e2e::suite::Need::{DebianPackage, DebianRoot};
use e2e::suite::{BUSYBOX, LXC, QEMU, Test};
use e2e::{Host, tests, wait};

const API: &str = "curl -sSf --unix-socket /run/hookvisor/api.sock http://localhost/api2/json";

pub(crate) fn tests() -> Vec<Test> {
    tests![once [QEMU, LXC, BUSYBOX, DebianRoot, DebianPackage]:
        what_the_server_starts_is_outside_of_its_sandbox_and_outlives_it,
        a_server_that_cannot_begin_says_why]
}

fn what_the_server_starts_is_outside_of_its_sandbox_and_outlives_it(host: &Host) {
    let machine = Machine::boot(host);
    machine.run(&format!("{API}/nodes/pve1/qemu/{VM}/status/start -X POST"));
    machine.wait_noted(&format!("{VM} post-start user"));
    let server = machine.run("systemctl show -p MainPID --value hookvisor");
    let confined = |pid: &str| {
        let text = machine.run(&format!("grep -E 'Seccomp:|NoNewPrivs:|CapBnd:' /proc/{pid}/status"));
        text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let init = confined("1");
    assert_ne!(confined(&server), init, "the server is confined");
    assert_eq!(confined(&machine.keeper(VM).to_string()), init, "a keeper that it asked for is not");
    let qemu = machine.run(&format!("cat /run/qemu-server/{VM}.pid"));
    assert_eq!(confined(&qemu), init, "nor is the guest");
    machine.notes();
    machine.run("systemctl restart hookvisor");
    assert_ne!(machine.run("systemctl show -p MainPID --value hookvisor"), server);
    assert_eq!(
        machine.run(&format!("cat /run/qemu-server/{VM}.pid; qm status {VM}")),
        format!("{qemu}\nstatus: running")
    );
    assert_eq!(machine.notes(), [""; 0], "no phase fires");
    machine.run(&format!("{API}/nodes/pve1/qemu/{VM}/status/stop -X POST"));
    machine.wait_noted(&format!("{VM} post-stop stop"));
    // No port is open until somebody says so, by the line that the unit names.
    assert!(!machine.run("ss -Hltn || true").contains(":8006"));
    machine.run("echo 'LISTEN=[::]:8006' >/etc/default/hookvisor && systemctl restart hookvisor");
    let answer = "curl -sk -o /dev/null -w %{http_code} https://127.0.0.1:8006/api2/json/version";
    assert_eq!(machine.run(answer), "401", "it is served, and wants to know who asks");
}

fn a_server_that_cannot_begin_says_why(host: &Host) {
    let machine = Machine::boot(host);
    machine.run("echo LISTEN=everywhere >/etc/default/hookvisor");
    machine.try_run("systemctl restart hookvisor").fails();
    wait::until("the reason", || {
        let status = machine.run("systemctl status --no-pager hookvisor || true");
        status.contains("Status: \"--listen 'everywhere' is no address").then_some(())
    });
    machine.run("rm /etc/default/hookvisor; systemctl reset-failed hookvisor; systemctl restart hookvisor");
}
