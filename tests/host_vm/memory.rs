//! The kernel runs out of memory and kills: a keeper, or what a hookscript does.

use crate::guest::{CONTAINER, GUESTS, Guest, VM};
use crate::machine::Machine;
use e2e::suite::{Need, QEMU, Test};
use e2e::tests;

pub(crate) fn tests() -> Vec<Test> {
    tests!(bare [QEMU, Need::HostMachine]: a_keeper_without_memory_is_begun_anew_until_there_is_some, a_hook_that_takes_all_memory_takes_nobody_along)
}

/// How often the kernel has killed in the control group of a keeper.
fn killed(machine: &mut Machine, guest: Guest) -> u32 {
    let look = format!("dmesg | grep -c 'oom-kill:.*hookvisor-keeper@{}.service'", guest.vmid);
    machine.run(&look, crate::agent::LIMIT).text.trim().parse().expect("a number")
}

fn keeper(machine: &mut Machine, guest: Guest) -> String {
    machine.sh(&format!("systemctl show -p MainPID --value hookvisor-keeper@{}", guest.vmid))
}

fn a_keeper_without_memory_is_begun_anew_until_there_is_some() {
    let mut machine = Machine::ready();
    GUESTS.iter().for_each(|guest| guest.start(&mut machine));
    let hypervisors = GUESTS.map(|guest| guest.process(&mut machine, "launch"));
    for (guest, hypervisor) in GUESTS.into_iter().zip(hypervisors) {
        let of = |machine: &mut Machine, pid: &str| machine.sh(&format!("cat /proc/{pid}/oom_score_adj"));
        let before = keeper(&mut machine, guest);
        assert_eq!(of(&mut machine, before.trim()), "-900\n", "it is the last to be killed");
        assert_eq!(of(&mut machine, &hypervisor.to_string()), "0\n", "and the guest is as any other process");
        let limit = |machine: &mut Machine, max: &str| {
            let unit = format!("hookvisor-keeper@{}", guest.vmid);
            machine.sh(&format!("systemctl set-property --runtime {unit} MemoryMax={max}"));
        };
        limit(&mut machine, "64K");
        machine.until("the kernel to kill keeper after keeper", |machine| {
            (killed(machine, guest) >= 3).then_some(())
        });
        if guest.vmid == VM {
            // While nobody can watch.
            machine.sh(&format!("kill -KILL {hypervisor}"));
        }
        limit(&mut machine, "infinity");
        if guest.vmid == VM {
            guest.wait_call(&mut machine, "post-stop", true);
            machine.until("the end of the run", |machine| {
                (machine.run(&format!("[ -e {} ]", guest.ledger()), crate::agent::LIMIT).code != 0)
                    .then_some(())
            });
            // Why it went nobody saw.
            guest.lived(&mut machine, "pre-start post-start post-stop:unknown");
        } else {
            machine.until("a keeper that lives on", |machine| {
                let now = keeper(machine, guest);
                let status = machine.run(&format!("pct status {CONTAINER}"), crate::agent::LIMIT).text;
                (now != before && now != "0\n" && status == "status: running\n").then_some(())
            });
            assert_eq!(guest.process(&mut machine, "launch"), hypervisor);
            machine.sh(&format!("pct stop {CONTAINER}"));
            guest.lived(&mut machine, "pre-start post-start pre-stop post-stop:stop");
        }
    }
}

fn a_hook_that_takes_all_memory_takes_nobody_along() {
    let mut machine = Machine::ready();
    machine.write(
        "/etc/systemd/system/hookvisor-keeper@.service.d/memory.conf",
        b"[Service]\nMemoryMax=150M\nMemorySwapMax=0\n",
    );
    machine.sh("systemctl daemon-reload");
    for guest in GUESTS {
        guest.on(&mut machine, "post-start", "tail /dev/zero");
        guest.start(&mut machine);
        assert!(killed(&mut machine, guest) > 0, "the kernel has killed");
        let restarts =
            machine.sh(&format!("systemctl show -p NRestarts --value hookvisor-keeper@{}", guest.vmid));
        assert_eq!(restarts, "0\n", "but not the keeper");
        machine.sh(&format!("{} stop {}", guest.command, guest.vmid));
        guest.lived(&mut machine, "pre-start post-start pre-stop post-stop:stop");
    }
}
