//! The API as a unit of systemd's.

use e2e::machine::{Machine, VM};
use e2e::suite::Need::DebianPackage;
use e2e::suite::{BUSYBOX, LXC, QEMU, Test};
use e2e::{Host, tests, wait};

const API: &str = "curl -sSf --unix-socket /run/hookvisor/api.sock http://localhost/api2/json";

pub(crate) fn tests() -> Vec<Test> {
    tests![once [QEMU, LXC, BUSYBOX, DebianPackage]:
        what_the_server_starts_is_outside_of_its_sandbox_and_outlives_it,
        a_unit_that_fails_says_why]
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

/// A unit that fails: what is done to the host, what its line says, and what mends it.
struct Fault {
    unit: &'static str,
    harm: &'static str,
    reason: &'static str,
    mend: &'static str,
    then: Then,
}

/// What systemd does about it.
#[derive(PartialEq, Eq)]
enum Then {
    /// It tries again until it goes well.
    TriesAgain,
    /// It waits for somebody who starts it again.
    Waits,
}

const FAULTS: [Fault; 10] = [
    Fault {
        unit: "hookvisor",
        harm: "echo LISTEN=everywhere >/etc/default/hookvisor",
        reason: "LISTEN=everywhere in '/etc/default/hookvisor' is no address with a port, as",
        mend: "echo 'LISTEN=[::]:8006' >/etc/default/hookvisor && systemctl restart hookvisor",
        then: Then::Waits,
    },
    Fault {
        unit: "hookvisor",
        harm: "echo LISTEN=0.0.0.0 >/etc/default/hookvisor",
        reason: "LISTEN=0.0.0.0 in '/etc/default/hookvisor' is no address with a port; '0.0.0.0:8006' is one; with that put right \
                 'systemctl restart hookvisor' serves again",
        mend: "rm /etc/default/hookvisor; systemctl restart hookvisor",
        then: Then::Waits,
    },
    Fault {
        unit: "hookvisor",
        harm: "echo 'export LISTEN=[::]:8006' >/etc/default/hookvisor",
        reason: "line 1 of '/etc/default/hookvisor': 'export LISTEN=[::]:8006' is no setting, as LISTEN=[::]:8006 is one",
        mend: "rm /etc/default/hookvisor; systemctl restart hookvisor",
        then: Then::Waits,
    },
    Fault {
        unit: "hookvisor",
        harm: "busybox nc -l -p 8006 >/dev/null 2>&1 & echo $! >/run/nc; until ss -Hltn | grep -q :8006; do sleep 0.1; done
               echo LISTEN=0.0.0.0:8006 >/etc/default/hookvisor",
        reason: "cannot listen at 0.0.0.0:8006: Address already in use (os error 98); 'ss -ltnp sport = :8006' shows who has it, \
                 and LISTEN in '/etc/default/hookvisor' may name another port",
        mend: "kill $(cat /run/nc)",
        then: Then::TriesAgain,
    },
    Fault {
        unit: "hookvisor",
        harm: "echo LISTEN=192.0.2.1:8006 >/etc/default/hookvisor",
        reason: "cannot listen at 192.0.2.1:8006: Cannot assign requested address (os error 99); 'ip address' shows those of this host",
        mend: "ip address add 192.0.2.1/32 dev lo",
        then: Then::TriesAgain,
    },
    Fault {
        unit: "hookvisor",
        harm: "unit=/run/systemd/system/hookvisor.service.d; mkdir $unit
               printf '[Service]\nCapabilityBoundingSet=~CAP_NET_BIND_SERVICE\n' >$unit/port.conf; systemctl daemon-reload
               echo LISTEN=127.0.0.1:443 >/etc/default/hookvisor",
        reason: "cannot listen at 127.0.0.1:443: Permission denied (os error 13); ports such as 443 are root's",
        mend: "rm -r /etc/default/hookvisor /run/systemd/system/hookvisor.service.d; systemctl daemon-reload",
        then: Then::TriesAgain,
    },
    Fault {
        unit: "hookvisor",
        harm: "echo LISTEN=127.0.0.1:8006 >/etc/default/hookvisor; cd /etc/pve/nodes/pve1; echo none >pve-ssl.pem; echo none >pve-ssl.key",
        reason: "'/etc/pve/nodes/pve1/pve-ssl.pem' holds no certificate in PEM",
        mend: "rm /etc/default/hookvisor /etc/pve/nodes/pve1/pve-ssl.*",
        then: Then::TriesAgain,
    },
    Fault {
        unit: "hookvisor",
        harm: "mv /run/hookvisor /run/moved; touch /run/hookvisor",
        reason: "cannot listen at '/run/hookvisor/api.sock': File exists",
        mend: "rm /run/hookvisor; mv /run/moved /run/hookvisor",
        then: Then::TriesAgain,
    },
    Fault {
        unit: "hookvisor",
        harm: "mv /etc/pve/local /etc/pve/moved",
        reason: "no configuration in '/etc/pve': lay it out with 'hookvisor init'",
        mend: "mv /etc/pve/moved /etc/pve/local",
        then: Then::TriesAgain,
    },
    Fault {
        unit: "hookvisor-recover",
        harm: "touch /var/lib/hookvisor/runs/x; mv /etc/pve/local /etc/pve/moved",
        reason: "no configuration in '/etc/pve': lay it out with 'hookvisor init'",
        mend: "mv /etc/pve/moved /etc/pve/local; systemctl restart hookvisor-recover",
        then: Then::Waits,
    },
];

fn a_unit_that_fails_says_why(host: &Host) {
    let machine = Machine::boot(host);
    for Fault { unit, harm, reason, mend, then } in FAULTS {
        machine.run(harm);
        machine.try_run(&format!("systemctl restart {unit}")).fails();
        let status = machine.run(&format!("systemctl status --no-pager {unit} || true"));
        let first = status.lines().find_map(|line| line.trim().strip_prefix("Status: \""));
        assert!(
            first.is_some_and(|line| line.starts_with(reason)),
            "'{reason}' is not what is said:\n{status}"
        );
        let state = machine.run(&format!("systemctl is-active {unit} || true"));
        assert_eq!(state, if then == Then::Waits { "failed" } else { "activating" }, "{status}");
        // It may just be begun again.
        let wanted = format!("{unit}.service: ");
        let told = wait::until_quietly(|| {
            let doctor = machine.run("hookvisor doctor || true");
            doctor.lines().any(|line| line.contains(&wanted) && line.contains(reason)).then_some(())
        });
        assert!(told.is_some(), "the doctor does not say '{reason}'");
        machine.run(mend);
        wait::until("the unit to be what it was", || {
            let state = machine.run(&format!("systemctl is-active {unit} || true"));
            // One that has done its work is not active any more.
            ["active", "inactive"].contains(&state.as_str()).then_some(())
        });
    }
    // However often somebody tries, what is right in the end is served.
    for _ in 0..8 {
        machine.try_run("echo LISTEN=8006 >/etc/default/hookvisor && systemctl restart hookvisor").fails();
    }
    machine.run("echo 'LISTEN=[::]:8006' >/etc/default/hookvisor && systemctl restart hookvisor");
    // What nothing is to be kept for ends by itself.
    machine.run("systemctl start hookvisor-keeper@999");
    wait::until("the end of a keeper without a guest", || {
        let status = machine.run("systemctl status --no-pager hookvisor-keeper@999 || true");
        (status.contains("nothing to keep") && status.contains("inactive (dead)")).then_some(())
    });
    assert_eq!(machine.run("systemctl --failed -q --no-legend"), "");
}
