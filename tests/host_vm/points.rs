//! The power goes at each point of a guest's life.

use crate::guest::{CONTAINER, GUESTS, Guest, pulled};
use crate::machine::Machine;
use e2e::suite::{Need, QEMU, Test};
use e2e::tests;

pub(crate) fn tests() -> Vec<Test> {
    tests!(bare [QEMU, Need::HostMachine]: in_pre_start, between_pre_start_and_launch, in_post_start, while_running, in_pre_stop, in_the_stop, in_post_stop, between_post_stop_and_the_runs_end, after_the_runs_end, in_a_reboot, in_a_containers_own_reboot)
}

fn start_both(machine: &mut Machine) {
    GUESTS.iter().for_each(|guest| guest.start(machine));
}

fn both_lived(story: &'static str) -> impl Fn(&mut Machine) {
    move |machine| {
        GUESTS.iter().for_each(|guest| guest.lived(machine, story));
    }
}

pub(crate) fn in_pre_start() {
    pulled(
        |machine| GUESTS.iter().for_each(|guest| guest.ask_up_to(machine, "start", "pre-start")),
        both_lived("pre-start | post-stop:host-crash"),
    );
}

pub(crate) fn between_pre_start_and_launch() {
    pulled(
        |machine| {
            for (guest, lock) in GUESTS
                .iter()
                .zip(["/var/lock/qemu-server/lock-100.conf", "/run/lock/lxc/pve-config-200.lock"])
            {
                // The configuration is read again, under its lock, before the launch.
                guest.on(machine, "pre-start", &format!("flock {lock} sleep 600 >/dev/null 2>&1 & sleep 1"));
                guest.ask(machine, "start");
                guest.wait_call(machine, "pre-start", true);
                guest.wait_ledger(machine, "\"event\":\"phase-end\"");
                // It waits for the lock for so long only.
                let keeper = guest.process(machine, "keeper");
                machine.sh(&format!("kill -STOP {keeper}"));
            }
        },
        both_lived("pre-start | post-stop:host-crash"),
    );
}

pub(crate) fn in_post_start() {
    pulled(
        |machine| GUESTS.iter().for_each(|guest| guest.ask_up_to(machine, "start", "post-start")),
        both_lived("pre-start post-start | post-stop:host-crash"),
    );
}

pub(crate) fn while_running() {
    pulled(start_both_and(|_| {}), both_lived("pre-start post-start | post-stop:host-crash"));
}

pub(crate) fn in_pre_stop() {
    pulled(
        start_both_and(|machine| {
            GUESTS.iter().for_each(|guest| guest.ask_up_to(machine, "stop", "pre-stop"))
        }),
        both_lived("pre-start post-start pre-stop | post-stop:host-crash"),
    );
}

pub(crate) fn in_the_stop() {
    pulled(
        start_both_and(|machine| {
            for guest in GUESTS {
                guest.hears_nothing(machine);
                guest.ask(machine, "shutdown");
                guest.wait_call(machine, "pre-stop", true);
                guest.wait_ledger(
                    machine,
                    "\"phase\":\"pre-stop\".*\"event\":\"phase-end\"\\|phase-end.*pre-stop",
                );
            }
        }),
        both_lived("pre-start post-start pre-stop | post-stop:host-crash"),
    );
}

pub(crate) fn in_post_stop() {
    pulled(
        start_both_and(|machine| {
            GUESTS.iter().for_each(|guest| guest.ask_up_to(machine, "stop", "post-stop"))
        }),
        both_lived("pre-start post-start pre-stop post-stop:stop"),
    );
}

/// The keeper is held as it is about to write that the run is over.
pub(crate) fn between_post_stop_and_the_runs_end() {
    pulled(
        start_both_and(|machine| {
            for guest in GUESTS {
                guest.on(machine, "post-stop", "while [ ! -e /run/held ]; do sleep 0.1; done");
                guest.ask(machine, "stop");
                guest.wait_call(machine, "post-stop", false);
                // The hook's end, the phase's end, the run's end.
                guest.hold_keeper(machine, "write", 3);
                machine.sh("touch /run/held");
                guest.wait_ledger(machine, "\"event\":\"phase-end\",\"phase\":\"post-stop\"");
                machine.sh("rm /run/held; sync");
            }
        }),
        both_lived("pre-start post-start pre-stop post-stop:stop"),
    );
}

/// The end of the run is written, but its ledger has not been put into the history.
pub(crate) fn after_the_runs_end() {
    pulled(
        start_both_and(|machine| {
            for guest in GUESTS {
                guest.on(machine, "post-stop", "while [ ! -e /run/held ]; do sleep 0.1; done");
                guest.ask(machine, "stop");
                guest.wait_call(machine, "post-stop", false);
                guest.hold_keeper(machine, "renameat2", 1);
                machine.sh("touch /run/held");
                guest.wait_ledger(machine, "\"event\":\"run-end\"");
                machine.sh("rm /run/held");
            }
        }),
        both_lived("pre-start post-start pre-stop post-stop:stop"),
    );
}

/// The second half of a reboot that was asked for.
pub(crate) fn in_a_reboot() {
    pulled(
        start_both_and(|machine| {
            for guest in GUESTS {
                guest.wait_booted(machine);
                guest.on(machine, "post-stop", "printf 'sleep 600' >/run/orders/$1.pre-start.recorder");
                guest.ask(machine, "reboot");
                guest.wait_call(machine, "post-stop", true);
                machine.until("the second pre-start", |machine| {
                    let calls = guest.calls(machine);
                    (calls.iter().filter(|call| call.phase == "pre-start").count() == 2).then_some(())
                });
            }
        }),
        both_lived("pre-start post-start pre-stop post-stop:reboot pre-start | post-stop:host-crash"),
    );
}

/// A container's own reboot, which is no phase, as it is launched again.
pub(crate) fn in_a_containers_own_reboot() {
    let [vm, container] = GUESTS;
    pulled(
        start_both_and(move |machine| {
            container.wait_booted(machine);
            machine.background(&format!("pct exec {CONTAINER} -- reboot -f"));
            container.wait_ledger(machine, "\"event\":\"restart\"");
        }),
        move |machine| {
            for guest in [vm, container] {
                guest.lived(machine, "pre-start post-start | post-stop:host-crash");
            }
        },
    );
}

/// What is done once both guests run.
pub(crate) fn start_both_and(then: impl FnOnce(&mut Machine)) -> impl FnOnce(&mut Machine) {
    move |machine| {
        start_both(machine);
        then(machine);
    }
}

impl Guest {
    /// The guest's processes are stopped: it hears no wish any more.
    #[track_caller]
    fn hears_nothing(self, machine: &mut Machine) {
        let pid = if self.vmid == CONTAINER {
            machine.sh(&format!("pct list >/dev/null; lxc-info -P /var/lib/lxc -n {} -pH", self.vmid))
        } else {
            self.process(machine, "launch").to_string()
        };
        machine.sh(&format!("kill -STOP {pid}"));
    }

    /// The keeper stays in the n-th call of a system call from now on that concerns the ledger.
    #[track_caller]
    fn hold_keeper(self, machine: &mut Machine, call: &str, nth: u32) {
        let keeper = self.process(machine, "keeper");
        let ledger = self.ledger();
        machine.background(&format!(
            "strace -p {keeper} -o /run/strace.{keeper} -P {ledger} -e trace={call} \
             -e inject={call}:delay_enter=600s:when={nth}"
        ));
        machine.until("strace to hold the keeper", |machine| {
            let traced = machine.sh(&format!("grep TracerPid /proc/{keeper}/status"));
            (!traced.trim().ends_with("\t0")).then_some(())
        });
    }

    /// Waits until the guest would hear that it shall go down.
    #[track_caller]
    pub(crate) fn wait_booted(self, machine: &mut Machine) {
        if self.vmid == CONTAINER {
            machine.until("the traps of the container's init", |machine| {
                let pid = machine.run("lxc-info -n 200 -pH", crate::agent::LIMIT).text;
                let status =
                    machine.run(&format!("grep SigCgt /proc/{}/status", pid.trim()), crate::agent::LIMIT);
                let caught = status.text.split_whitespace().nth(1).map(str::to_owned)?;
                let caught = u64::from_str_radix(&caught, 16).ok()?;
                // SIGPWR.
                (caught & (1 << 29) != 0).then_some(())
            });
            return;
        }
        machine.until("the power button to be enabled", |machine| {
            let shown = machine.run(BUTTON, crate::agent::LIMIT);
            shown.text.contains("0x0100").then_some(())
        });
    }
}

/// Shows the register that enables the power button, as QEMU's monitor has it.
const BUTTON: &str = r#"perl -MIO::Socket::UNIX -e '
    my $qmp = IO::Socket::UNIX->new("/run/qemu-server/100.qmp") or die "no monitor";
    <$qmp>;
    for my $line (q({"execute":"qmp_capabilities"}),
        q({"execute":"human-monitor-command","arguments":{"command-line":"i /h 0x602"}})) {
        print $qmp "$line\n";
        $qmp->flush;
        print scalar <$qmp>;
    }'"#;
