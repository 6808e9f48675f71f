//! What `systemctl status` shows of keepers, and of the unit that stops all guests, while they work.

use e2e::machine::{CT, Machine, VM};
use e2e::suite::Need::DebianPackage;
use e2e::suite::{BUSYBOX, LXC, QEMU, Test};
use e2e::{Host, tests, wait};

pub(crate) fn tests() -> Vec<Test> {
    tests![once [QEMU, LXC, BUSYBOX, DebianPackage]:
        a_keepers_line_says_what_is_waited_for_and_until_when,
        the_line_of_all_guests_says_which_are_waited_for]
}

/// The unit's line, as soon as it begins like this.
fn line(machine: &Machine, unit: &str, begin: &str) -> String {
    wait::until(&format!("'{begin}…' in the status of {unit}"), || {
        let status = machine.run(&format!("systemctl status --no-pager {unit} || true"));
        let line = status.lines().find_map(|line| line.trim().strip_prefix("Status: \"")).unwrap_or_default();
        line.starts_with(begin).then(|| line.trim_end_matches('"').to_owned())
    })
}

fn a_keepers_line_says_what_is_waited_for_and_until_when(host: &Host) {
    let machine = Machine::boot(host);
    let unit = &format!("hookvisor-keeper@{VM}");
    let seconds =
        |text: &str| machine.run(&format!("date --date='{text}' +%s")).parse::<u64>().expect("a time");
    machine.on(VM, "pre-start", "sleep 1000");
    machine.run(&format!("printf '[guest {VM}]\ntimeout = 10m\n' >/etc/hookvisor/hooks.conf"));
    let before = seconds("now");
    machine.run(&format!("qm start {VM} >/root/start 2>&1 &"));
    let told = line(&machine, unit, "pre-start: calling local:snippets/hook (pid ");
    let (pid, rest) =
        told.split_once("(pid ").and_then(|(_, rest)| rest.split_once(") since ")).expect("a pid");
    assert_eq!(machine.run(&format!("cat /proc/{pid}/comm")), "hook");
    let (since, rest) = rest.split_once(", ends at ").expect("a begin");
    let (end, by) = rest.split_once(" by its limit of ").expect("an end");
    assert_eq!(by, format!("10 min ('timeout' of [guest {VM}] in '/etc/hookvisor/hooks.conf')"));
    assert!((before..=seconds("now")).contains(&seconds(since)), "{told}");
    assert!(seconds(end).abs_diff(seconds(since)) - 600 <= 1, "{told}");
    machine.run(&format!("rm /etc/hookvisor/hooks.conf; hookvisor hooks abort {VM}"));
    machine.on(VM, "pre-start", "");
    machine.wait_noted(&format!("{VM} post-stop start-failed"));
    machine.on(VM, "post-start", "sleep 1000");
    machine.run(&format!("qm start {VM} >/root/start 2>&1 &"));
    let told = line(&machine, unit, "post-start: calling local:snippets/hook (pid ");
    assert!(told.ends_with(&format!(", without a limit; 'hookvisor hooks abort {VM}' ends it")), "{told}");
    machine.run(&format!("hookvisor hooks abort {VM}"));
    let pid = machine.run(&format!("cat /run/qemu-server/{VM}.pid"));
    line(&machine, unit, &format!("running: VM {VM} (pid {pid})"));
    // Another keeper says the same.
    machine.run(&format!("kill -KILL {}; systemctl reset-failed {unit} || true", machine.keeper(VM)));
    line(&machine, unit, &format!("running: VM {VM} (pid {pid})"));
}

fn the_line_of_all_guests_says_which_are_waited_for(host: &Host) {
    let machine = Machine::boot(host);
    machine.run(&format!("qm start {VM}; pct set {CT} --startup order=2,down=100; pct start {CT}"));
    machine.wait_guests_booted();
    machine.on(CT, "pre-stop", "until [ -e /root/go ]; do sleep 0.1; done");
    machine.run("systemctl stop --no-block hookvisor-guests");
    line(
        &machine,
        "hookvisor-guests",
        &format!("stopping: waits for CT {CT}; 'systemctl status hookvisor-keeper@"),
    );
    let told =
        line(&machine, &format!("hookvisor-keeper@{CT}"), "pre-stop: calling local:snippets/hook (pid ");
    assert!(told.contains(" by its limit of 1 min 40 s ('down' of the guest's option 'startup'"), "{told}");
    machine.run("touch /root/go");
    machine.wait_noted(&format!("{VM} post-stop host-shutdown"));
    wait::until("the end of the unit", || {
        (machine.run("systemctl is-active hookvisor-guests || true") == "inactive").then_some(())
    });
    let status = machine.run("systemctl status --no-pager hookvisor-guests || true");
    assert!(!status.contains("Status:"), "nobody is waited for: {status}");
}
