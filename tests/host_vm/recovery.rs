//! What happens when the machine is up again: the power goes once more, a script may be called again, guests start by
//! themselves, several scripts have their parts.

use crate::disk::Cache;
use crate::guest::{GUESTS, VM, comes_up, pulled};
use crate::machine::Machine;
use crate::points::start_both_and;
use e2e::suite::{Need, QEMU, Test};
use e2e::tests;
use std::time::Duration;

pub(crate) fn tests() -> Vec<Test> {
    tests!(bare [QEMU, Need::HostMachine]: goes_again_in_post_stop, goes_again_at_any_moment, post_stop_is_repeated_where_it_says_so, guests_start_by_themselves_after_post_stop, every_script_that_had_pre_start_has_post_stop, a_script_that_wants_no_pre_start_has_post_stop, any_moment, while_a_configuration_is_written)
}

pub(crate) fn goes_again_in_post_stop() {
    let mut machine = Machine::ready();
    start_both_and(|machine| {
        GUESTS.iter().for_each(|guest| guest.always_on(machine, "post-stop", "[ -e /root/on ] || sleep 600"));
        machine.sh("sync");
    })(&mut machine);
    let mut machine = machine.pull().boot(Cache::Lost);
    GUESTS.iter().for_each(|guest| guest.wait_call(&mut machine, "post-stop", false));
    comes_up(&machine.pull(), |machine| {
        machine.sh("touch /root/on");
        GUESTS.iter().for_each(|guest| guest.lived(machine, "pre-start post-start | post-stop:host-crash"));
    });
}

/// Some moments of the boot at which guests of before are being brought to their end.
pub(crate) fn goes_again_at_any_moment() {
    let mut machine = Machine::ready();
    start_both_and(|_| {})(&mut machine);
    let wreck = machine.pull();
    for delay in [0, 400, 900] {
        let machine = wreck.boot(Cache::Lost);
        std::thread::sleep(Duration::from_millis(delay));
        comes_up(&machine.pull(), |machine| {
            GUESTS.iter().for_each(|guest| guest.promise_kept(machine));
        });
    }
}

pub(crate) fn post_stop_is_repeated_where_it_says_so() {
    pulled(
        |machine| {
            machine.sh("sed -i '1a # hookvisor: retry=post-stop' /var/lib/vz/snippets/recorder; sync");
            start_both_and(|machine| {
                GUESTS.iter().for_each(|guest| guest.ask_up_to(machine, "stop", "post-stop"));
            })(machine);
        },
        |machine| {
            let story = "pre-start post-start pre-stop post-stop:stop | post-stop:stop";
            GUESTS.iter().for_each(|guest| guest.lived(machine, story));
        },
    );
}

pub(crate) fn guests_start_by_themselves_after_post_stop() {
    pulled(
        |machine| {
            for guest in GUESTS {
                machine.sh(&format!("{} set {} --onboot 1; sync", guest.command, guest.vmid));
            }
            start_both_and(|_| {})(machine);
        },
        |machine| {
            for guest in GUESTS {
                guest.lived(machine, "pre-start post-start | post-stop:host-crash pre-start post-start");
                let reasons = guest.calls(machine).into_iter().map(|call| call.reason);
                assert_eq!(reasons.collect::<Vec<_>>(), ["user", "user", "user", "boot", "boot"]);
            }
        },
    );
}

pub(crate) fn every_script_that_had_pre_start_has_post_stop() {
    pulled(
        |machine| {
            drop_in(machine, "10-outer", "# It has nothing to say.");
            GUESTS.iter().for_each(|guest| guest.ask_up_to(machine, "start", "pre-start"));
        },
        |machine| {
            let story = "pre-start/10-outer pre-start | post-stop:host-crash post-stop/10-outer:host-crash";
            GUESTS.iter().for_each(|guest| guest.lived(machine, story));
        },
    );
}

pub(crate) fn a_script_that_wants_no_pre_start_has_post_stop() {
    pulled(
        |machine| {
            drop_in(machine, "10-late", "# hookvisor: phases=post-start,post-stop");
            GUESTS.iter().for_each(|guest| guest.ask_up_to(machine, "start", "post-start"));
        },
        |machine| {
            let story = "pre-start post-start | post-stop:host-crash post-stop/10-late:host-crash";
            GUESTS.iter().for_each(|guest| guest.lived(machine, story));
        },
    );
}

/// The hook once more, for all guests, with a line of settings.
fn drop_in(machine: &mut Machine, name: &str, settings: &str) {
    machine.sh(&format!(
        "mkdir -p /etc/hookvisor/hooks.d && cd /etc/hookvisor/hooks.d &&
         sed '1a {settings}' /var/lib/vz/snippets/recorder >{name} && chmod 755 {name} && sync"
    ));
}

/// Guests start and stop over and over, and the power goes at some moment.
pub(crate) fn any_moment() {
    for delay in [900, 2300, 3700, 5300] {
        pulled(
            |machine| {
                for guest in GUESTS {
                    let (command, vmid) = (guest.command, guest.vmid);
                    machine.background(&format!(
                        "while :; do {command} start {vmid}; {command} stop {vmid}; done"
                    ));
                }
                std::thread::sleep(Duration::from_millis(delay));
            },
            |machine| GUESTS.iter().for_each(|guest| guest.promise_kept(machine)),
        );
    }
}

/// A configuration that is written when the power goes is whole: the old one or the new one.
pub(crate) fn while_a_configuration_is_written() {
    pulled(
        |machine| {
            machine.background(&format!(
                "n=0; while :; do n=$((n + 1)); qm set {VM} --name n$n --description \"$(seq 2000 | tr -d '\\n')\"; done"
            ));
            std::thread::sleep(Duration::from_millis(3000));
        },
        |machine| {
            let config = machine.sh(&format!("qm config {VM}"));
            assert!(config.contains("hookscript: local:snippets/recorder"), "{config}");
        },
    );
}
