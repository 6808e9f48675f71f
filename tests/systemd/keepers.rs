//! Keepers as units of systemd's.

use e2e::machine::{CT, Machine, VM};
use e2e::suite::Need::DebianPackage;
use e2e::suite::{BUSYBOX, LXC, QEMU, Test};
use e2e::{Host, tests, wait};

pub(crate) fn tests() -> Vec<Test> {
    tests![once [QEMU, LXC, BUSYBOX, DebianPackage]:
        a_keeper_that_is_killed_eight_times_keeps_its_guest,
        a_keeper_that_memory_runs_out_for_is_begun_anew,
        the_journal_takes_every_line_of_a_script_that_prints_a_lot,
        units_and_control_groups_are_those_of_proxmox_ve]
}

fn a_keeper_that_is_killed_eight_times_keeps_its_guest(host: &Host) {
    let machine = Machine::boot(host);
    machine.run(&format!("qm start {VM}; pct start {CT}"));
    let hypervisors =
        || machine.run(&format!("cat /run/qemu-server/{VM}.pid; pgrep -x lxc-start || pidof lxc-start"));
    let before = hypervisors();
    machine.notes();
    for guest in [VM, CT] {
        for _ in 0..8 {
            let killed = machine.keeper(guest);
            machine.run(&format!("kill -KILL {killed}"));
            // Nobody asks about the guest: systemd alone sees to it.
            wait::until("another keeper", || {
                let next = machine.keeper(guest);
                (next != 0 && next != killed).then_some(())
            });
        }
    }
    assert_eq!(hypervisors(), before, "the guests have not noticed");
    assert_eq!(machine.notes(), [""; 0], "and their hookscripts neither");
    for guest in [VM, CT] {
        let told = machine.run(&format!("journalctl -q -x --no-pager -u hookvisor-keeper@{guest}"));
        for subject in [
            "A hookscript begins",
            "A hookscript has ended well",
            "A guest's keeper had died, and another one goes on",
        ] {
            assert!(told.contains(&format!("Subject: {subject}")), "'{subject}' is not in\n{told}");
        }
    }
    machine.run(&format!("kill -KILL $(cat /run/qemu-server/{VM}.pid); kill -KILL $(pidof lxc-start)"));
    for guest in [VM, CT] {
        wait::until("the post-stop of what was killed", || {
            let text = std::fs::read_to_string(machine.at("/var/log/notes")).unwrap_or_default();
            text.contains(&format!("{guest} post-stop")).then_some(())
        });
    }
    for guest in [VM, CT] {
        wait::until("the end of the unit", || {
            (machine.run(&format!("systemctl is-active hookvisor-keeper@{guest} || true")) == "inactive")
                .then_some(())
        });
    }
}

/// The kernel's own choice: in a control group that something fills, the keeper is the first to go.
fn a_keeper_that_memory_runs_out_for_is_begun_anew(host: &Host) {
    let machine = Machine::boot(host);
    machine.run(&format!("qm start {VM}; pct start {CT}"));
    machine.notes();
    for guest in [VM, CT] {
        let killed = machine.keeper(guest);
        let kills = machine.run(&format!(
            "group=/sys/fs/cgroup/memory; limit=memory.limit_in_bytes; kills=memory.oom_control
             if [ ! -d $group ]; then
                group=/sys/fs/cgroup; limit=memory.max; kills=memory.events
                echo +memory >$group/cgroup.subtree_control
             fi
             mkdir $group/full
             echo 32M >$group/full/$limit
             echo 1000 >/proc/{killed}/oom_score_adj
             echo {killed} >$group/full/cgroup.procs
             sh -c \"echo \\$\\$ >$group/full/cgroup.procs; exec tail /dev/zero\" || :
             sed -n 's/^oom_kill //p' $group/full/$kills
             until rmdir $group/full; do sleep 0.1; done 2>/dev/null"
        ));
        // The second one is what filled it.
        assert_eq!(kills, "2");
        wait::until("another keeper", || (![0, killed].contains(&machine.keeper(guest))).then_some(()));
    }
    assert_eq!(machine.notes(), [""; 0]);
    machine.run(&format!("qm stop {VM}; pct stop {CT}"));
    let stopped = |vmid| [format!("{vmid} pre-stop stop"), format!("{vmid} post-stop stop")];
    assert_eq!(machine.notes(), [stopped(VM), stopped(CT)].concat());
}

fn the_journal_takes_every_line_of_a_script_that_prints_a_lot(host: &Host) {
    let machine = Machine::boot(host);
    machine.on(VM, "pre-start", "seq 1 60000");
    machine.run(&format!("qm start {VM} >/dev/null"));
    machine.on(VM, "pre-start", "");
    machine.run(&format!("qm stop {VM}; qm start {VM}; qm stop {VM}"));
    let told = machine.run(&format!("journalctl -q -t hookscript GUEST_VMID={VM} -o cat"));
    let numbers = told.lines().filter_map(|line| line.parse::<u32>().ok());
    assert!(numbers.eq(1..=60000), "lines are missing");
    // Whoever comes after it is not told less of.
    assert_eq!(told.matches(&format!("hook of {VM} in post-stop")).count(), 2, "{told}");
    assert_eq!(machine.run("journalctl -q --grep Suppressed || true"), "");
}

fn units_and_control_groups_are_those_of_proxmox_ve(host: &Host) {
    let machine = Machine::boot(host);
    machine.run(&format!("qm set {VM} --cpuunits 300 --cpulimit 0.5; qm start {VM}; pct start {CT}"));
    let scope =
        machine.run(&format!("systemctl show {VM}.scope -p Slice,ActiveState,CPUWeight,CPUQuotaPerSecUSec"));
    for line in ["Slice=qemu.slice", "ActiveState=active", "CPUWeight=300", "CPUQuotaPerSecUSec=500ms"] {
        assert!(scope.lines().any(|have| have == line), "{line} is not in\n{scope}");
    }
    let group = machine.run(&format!("cat /proc/$(cat /run/qemu-server/{VM}.pid)/cgroup"));
    assert!(group.contains(&format!("/qemu.slice/{VM}.scope")), "{group}");
    let group = machine.run("cat /proc/$(pidof lxc-start)/cgroup");
    assert!(group.contains(&format!("/lxc.monitor/{CT}")), "{group}");
    // A reboot is another keeper in the same unit.
    let before = machine.keeper(CT);
    machine.notes();
    machine.run(&format!("pct reboot {CT}"));
    assert_ne!(machine.keeper(CT), before);
    assert_eq!(machine.notes().len(), 4);
    // Another target that does not know of them ends neither keeper nor guest.
    let keepers = [VM, CT].map(|guest| machine.keeper(guest));
    machine.notes();
    machine.run("systemctl isolate multi-user.target");
    assert_eq!([VM, CT].map(|guest| machine.keeper(guest)), keepers);
    assert_eq!(machine.run(&format!("qm status {VM}; pct status {CT}")), "status: running\nstatus: running");
    assert_eq!(machine.notes(), [""; 0]);
    // What is told is the unit's.
    let said = machine.run(&format!("journalctl -q -u hookvisor-keeper@{CT} -o cat"));
    assert_eq!(said.matches(&format!("hook of {CT} in post-start")).count(), 2, "{said}");
    // Nobody stops a keeper by mistake, and nobody starts one without a guest.
    machine.try_run(&format!("systemctl stop hookvisor-keeper@{CT}")).fails();
    assert_eq!(machine.run(&format!("pct status {CT}")), "status: running");
    machine.run("systemctl start hookvisor-keeper@999");
    wait::until("the reason", || {
        machine.run("journalctl -q -u hookvisor-keeper@999 -o cat").contains("nothing to keep").then_some(())
    });
    machine.run(&format!("qm stop {VM}; pct stop {CT}"));
    assert_eq!(machine.run("systemctl --failed -q --no-legend"), "");
}
