//! All guests at once: when the host comes up and when it goes down.

use e2e::output::Output;
use e2e::suite::{BUSYBOX, LXC, QEMU, Test};
use e2e::{Behaviour, Guest, Host, Kind, tests, wait};
use std::fs;
use std::process::Command;
use std::time::Duration;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: what_a_crash_left_comes_first, down_limits_all_phases_together, a_start_under_way_is_cancelled,
            without_force_a_guest_may_live_on, a_hook_that_hangs_holds_nobody_up, a_pending_shutdown_gets_the_hosts_limit;
        once [QEMU]: a_paused_machine_is_stopped;
        once [QEMU, LXC, BUSYBOX]: order_groups_come_up_one_by_one_and_go_down_the_other_way_round;
        once [LXC, BUSYBOX]: guests_of_a_group_start_beside_each_other, no_more_at_once_than_there_are_workers,
            the_next_launch_waits_as_up_says, a_refusal_holds_nobody_up, what_others_start_is_left_to_them,
            a_script_is_waited_for_until_its_storage_is_mounted, a_storage_that_does_not_come_is_a_script_not_found,
            each_hook_has_a_limit_while_the_host_comes_up, left_over_backup_locks_go, the_nodes_delay_counts_once, only_named_guests_that_exist
    )
}

/// A container with `onboot` and these options.
fn container<'h>(host: &'h Host, options: &[&str]) -> Guest<'h> {
    host.container_with(&[&["--onboot", "1"], options].concat())
}

fn guest<'h>(host: &'h Host, kind: Kind, options: &[&str]) -> Guest<'h> {
    match kind {
        Kind::Vm => host.vm_with(&Behaviour::Obeys, &[&["--onboot", "1"], options].concat()),
        Kind::Container => container(host, options),
    }
}

/// The lines of hookvisor's own on standard error.
fn lines(output: &Output) -> Vec<String> {
    output.err().lines().map(str::to_owned).collect()
}

fn at(guest: &Guest<'_>, phase: &str) -> f64 {
    guest.wait_noted(phase, 1).at
}

/// Seconds since boot, as the hook notes them.
fn now() -> f64 {
    let text = fs::read_to_string("/proc/uptime").expect("proc(5) is mounted");
    text.split(' ').next().and_then(|up| up.parse().ok()).expect("a time")
}

/// What is set in `hooks.conf`.
fn hooks_conf(host: &Host, text: &str) {
    let path = host.at("etc/hookvisor/hooks.conf");
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
    fs::write(path, text).expect("hooks.conf can be written");
}

/// How the last task of that type ended, from the index.
fn status_of_task(host: &Host, kind: &str) -> String {
    let index = fs::read_to_string(host.at("var/log/pve/tasks/index")).expect("the index of tasks");
    let line = index.lines().rfind(|line| line.contains(&format!(":{kind}::"))).expect("a task in the index");
    line.splitn(3, ' ').nth(2).expect("a status").to_owned()
}

fn order_groups_come_up_one_by_one_and_go_down_the_other_way_round(host: &Host) {
    let second = container(host, &["--startup", "order=2"]);
    let first = host.vm_with(&Behaviour::Obeys, &["--onboot", "1", "--startup", "1,up=0"]);
    let last = container(host, &[]);
    let off = host.container();
    let [a, b, c] = [first.vmid(), second.vmid(), last.vmid()];
    let output = host.hookvisor(["startall"]).ok();
    let expected = [format!("Starting VM {a}"), format!("Starting CT {b}"), format!("Starting CT {c}")];
    assert_eq!(lines(&output), expected, "{}", output.describe());
    assert_eq!(output.out(), "", "{}", output.describe());
    assert_eq!(off.status(), "stopped");
    assert!(at(&first, "post-start") <= at(&second, "pre-start"));
    assert!(at(&second, "post-start") <= at(&last, "pre-start"));
    assert!(first.notes().iter().chain(&last.notes()).all(|note| note.start_reason == "boot"));
    assert_eq!(status_of_task(host, "startall"), "OK");

    // What runs already is left alone.
    let again = host.hookvisor(["startall"]).ok();
    assert_eq!(again.err(), "", "{}", again.describe());

    // What was started by hand is stopped like all else.
    off.start().ok();
    for guest in [&first, &second, &last, &off] {
        guest.wait_booted();
    }
    let output = host.hookvisor(["stopall"]).ok();
    let stopping = |kind: &str, vmid: u32| format!("Stopping {kind} {vmid} (timeout = 180 seconds)");
    let expected =
        [("CT", off.vmid()), ("CT", c), ("CT", b), ("VM", a)].map(|(kind, vmid)| stopping(kind, vmid));
    assert_eq!(lines(&output), expected, "{}", output.describe());
    assert!(output.took.as_secs() < 30, "{}", output.describe());
    assert!(at(&last, "post-stop") <= at(&second, "pre-stop"));
    assert!(at(&second, "post-stop") <= at(&first, "pre-stop"));
    for guest in [first, second, last] {
        guest.lived("pre-start post-start pre-stop post-stop");
        assert_eq!(guest.notes()[3].stop_cause, "host-shutdown");
    }
    assert_eq!(status_of_task(host, "stopall"), "OK");
}

/// Each waits in its `pre-start` for the other to have begun.
fn guests_of_a_group_start_beside_each_other(host: &Host) {
    let guests = [container(host, &["--startup", "5"]), container(host, &["--startup", "order=5"])];
    let meeting = host.scratch().join("meeting");
    for guest in &guests {
        guest.on(
            "pre-start",
            &format!(
                ": >'{0}.'$1\nn=0\nwhile ! [ -e '{0}.{1}' -a -e '{0}.{2}' ]; do\n  n=$((n + 1)); [ $n -lt 1000 ] || exit 1\n  sleep 0.01\ndone",
                meeting.display(),
                guests[0].vmid(),
                guests[1].vmid()
            ),
        );
    }
    host.hookvisor(["startall", "--max-workers", "2"]).ok();
    for guest in &guests {
        guest.lived("pre-start post-start");
    }
}

fn no_more_at_once_than_there_are_workers(host: &Host) {
    let guests = [container(host, &[]), container(host, &[]), container(host, &[])];
    for guest in &guests {
        guest.on("pre-start", "sleep 0.3");
    }
    fs::write(host.at("etc/pve/datacenter.cfg"), "keyboard: de\nmax_workers: 1\n")
        .expect("datacenter.cfg can be written");
    host.hookvisor(["startall"]).ok();
    for pair in guests.windows(2) {
        assert!(at(&pair[0], "post-start") <= at(&pair[1], "pre-start"), "{:?}", pair[1].notes());
    }
}

fn the_next_launch_waits_as_up_says(host: &Host) {
    let first = container(host, &["--startup", "up=2"]);
    let second = container(host, &["--startup", "up=60"]);
    let before = now();
    let output = host.hookvisor(["startall"]).ok();
    let expected = [
        format!("Starting CT {}", first.vmid()),
        "Waiting for 2 seconds (startup delay)".to_owned(),
        format!("Starting CT {}", second.vmid()),
    ];
    // Nothing waits for the last one.
    assert_eq!(lines(&output), expected, "{}", output.describe());
    assert!(at(&second, "pre-start") - before >= 1.9);
    assert!(output.took.as_secs() < 20, "{}", output.describe());
}

fn a_refusal_holds_nobody_up(host: &Host) {
    let refused = container(host, &["--startup", "1"]);
    let others = [container(host, &["--startup", "1"]), container(host, &["--startup", "2"])];
    refused.on("pre-start", "exit 3");
    let output = host.hookvisor(["startall"]).fails();
    let vmid = refused.vmid();
    let failed = format!("Starting CT {vmid} failed: hookscript error for {vmid} on pre-start: ");
    assert!(lines(&output).iter().any(|line| line.starts_with(&failed)), "{}", output.describe());
    assert_eq!(output.status.code(), Some(255));
    assert_eq!(status_of_task(host, "startall"), "WARNINGS: 1");
    for guest in others {
        assert_eq!(guest.status(), "running");
    }
    refused.lived("pre-start:exit-code-3");
}

fn a_hook_that_hangs_holds_nobody_up(host: &Host, kind: Kind) {
    let stuck = guest(host, kind, &["--startup", "order=1,up=0"]);
    let other = container(host, &["--startup", "2"]);
    stuck.on("pre-start", "exec sleep 1000");
    hooks_conf(host, "[host]\ntimeout = 1s\n");
    let output = host.hookvisor(["startall"]).fails();
    assert!(output.took.as_secs() < 20, "{}", output.describe());
    assert_eq!(other.status(), "running");
    // It may have taken half of what it takes.
    stuck.lived("pre-start:timed-out post-stop");
    assert_eq!(stuck.notes()[1].stop_cause, "start-failed");
}

fn each_hook_has_a_limit_while_the_host_comes_up(host: &Host) {
    let guest = container(host, &[]);
    guest.start().ok();
    guest.kill(&[guest.keeper(), guest.hypervisor(), guest.init()]);
    host.hookvisor(["startall"]).ok();
    guest.stop().ok();
    let limits = guest.ledgers().into_iter().flat_map(|ledger| {
        let text = fs::read_to_string(ledger).expect("a ledger can be read");
        let events: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect();
        let begun = events.into_iter().filter(|event| event["event"] == "hook-begin");
        begun.map(|event| format!("{}:{}", event["phase"].as_str().unwrap_or_default(), event["limit_ms"]))
    });
    // Somebody's own start, and what the crash left of it; then the host's.
    let expected = "pre-start:null post-start:null post-stop:120000 \
                    pre-start:120000 post-start:120000 pre-stop:null post-stop:null";
    assert_eq!(limits.collect::<Vec<_>>().join(" "), expected);
}

fn what_a_crash_left_comes_first(host: &Host, kind: Kind) {
    let crashed = guest(host, kind, &["--startup", "order=2,up=0"]);
    let other = container(host, &["--startup", "1"]);
    crashed.start().ok();
    let mut victims = vec![crashed.keeper(), crashed.hypervisor()];
    if kind == Kind::Container {
        victims.push(crashed.init());
    }
    crashed.kill(&victims);
    fs::remove_dir_all(host.at("run"))
        .and_then(|()| fs::create_dir(host.at("run")))
        .expect("/run can be emptied");
    crashed.on("post-stop", "sleep 0.5; read -r up rest </proc/uptime; echo done $up");
    let output = host.hookvisor(["startall"]).ok();
    assert!(lines(&output)[0].starts_with("Recovering "), "{}", output.describe());
    crashed.forget("post-stop");
    crashed.lived("pre-start post-start post-stop pre-start post-start");
    assert_eq!(crashed.notes()[2].stop_cause, "host-crash");
    let given_back = crashed.phases()[2].stdout.last().cloned().expect("a line of post-stop");
    let given_back = String::from_utf8(given_back).expect("a text");
    let given_back: f64 = given_back.strip_prefix("done ").expect("a time").parse().expect("a time");
    assert!(given_back <= at(&other, "pre-start"));
}

fn down_limits_all_phases_together(host: &Host, kind: Kind) {
    let stuck = guest(host, kind, &["--startup", "order=2,down=2"]);
    let other = container(host, &["--startup", "1"]);
    stuck.start().ok();
    other.start().ok();
    other.wait_booted();
    stuck.on("pre-stop", "exec sleep 1000");
    let output = host.hookvisor(["stopall"]).ok();
    let label = if kind == Kind::Vm { "VM" } else { "CT" };
    assert_eq!(lines(&output)[0], format!("Stopping {label} {} (timeout = 2 seconds)", stuck.vmid()));
    assert!((2..20).contains(&output.took.as_secs()), "{}", output.describe());
    let forced =
        format!("{label} {}: no time is left for it to shut down: it is ended by force", stuck.vmid());
    assert_eq!(lines(&output)[1], forced, "{}", output.describe());
    stuck.lived("pre-start post-start pre-stop:timed-out post-stop");
    assert_eq!(stuck.notes()[3].stop_cause, "host-shutdown");
    other.lived("pre-start post-start pre-stop post-stop");
}

fn a_start_under_way_is_cancelled(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.on("pre-start", "exec sleep 1000");
    let start = guest.spawn("start", &[]);
    guest.wait_noted("pre-start", 1);
    let output = host.hookvisor(["stopall"]).ok();
    assert!(output.took.as_secs() < 15, "{}", output.describe());
    let _ = start.finish().fails();
    guest.lived("pre-start:aborted post-stop");
    assert_eq!(guest.notes()[1].stop_cause, "start-failed");
}

/// A guest that does not obey, started.
fn ignoring(host: &Host, kind: Kind) -> Guest<'_> {
    let guest = match kind {
        Kind::Vm => host.vm(&Behaviour::Ignores),
        Kind::Container => host.container(),
    };
    guest.start().ok();
    if kind == Kind::Container {
        guest.exec(&["touch", "/etc/ignore"]).ok();
    }
    guest
}

fn without_force_a_guest_may_live_on(host: &Host, kind: Kind) {
    let guest = ignoring(host, kind);
    let output = host.hookvisor(["stopall", "--timeout", "1", "--force-stop", "0"]).fails();
    let vmid = guest.vmid();
    output.complains(&match kind {
        Kind::Vm => format!("Stopping VM {vmid} failed: VM quit/powerdown failed - got timeout"),
        Kind::Container => format!("Stopping CT {vmid} failed: container did not stop"),
    });
    assert_eq!(guest.status(), "running");
    // The limit was that stop's alone.
    guest.on("pre-stop", "sleep 1.5");
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop pre-stop post-stop");
}

fn a_paused_machine_is_stopped(host: &Host) {
    let guest = host.guest(Kind::Vm);
    guest.start().ok();
    guest.command("suspend", &[]).ok();
    let output = host.hookvisor(["stopall"]).ok();
    assert!(output.took.as_secs() < 10, "{}", output.describe());
    guest.lived("pre-start post-start pre-stop post-stop");
}

/// A shutdown without a limit, and of a guest that does not obey, ends with the host's.
fn a_pending_shutdown_gets_the_hosts_limit(host: &Host, kind: Kind) {
    let guest = ignoring(host, kind);
    let pending = guest.spawn("shutdown", &["--timeout", "50"]);
    guest.wait_noted("pre-stop", 1);
    let output = host.hookvisor(["stopall", "--timeout", "1"]).ok();
    assert!(output.took.as_secs() < 20, "{}", output.describe());
    let label = if kind == Kind::Vm { "VM" } else { "CT" };
    let forced = format!("{label} {}: it has not shut down within ", guest.vmid());
    assert!(lines(&output)[1].starts_with(&forced), "{}", output.describe());
    let log = host.hookvisor(["log", &guest.vmid().to_string()]).ok();
    assert!(log.out().contains(&forced), "{}", log.describe());
    let _ = pending.finish();
    guest.lived("pre-start post-start pre-stop post-stop");
}

fn what_others_start_is_left_to_them(host: &Host) {
    let first = container(host, &["--startup", "order=1,up=1"]);
    let taken = container(host, &["--startup", "2"]);
    let ended = container(host, &["--startup", "3"]);
    let booting = host.spawn("hookvisor", ["startall"]);
    first.wait_noted("pre-start", 1);
    taken.start().ok();
    let output = booting.finish().ok();
    let unexpected = format!("Starting CT {}", taken.vmid());
    assert!(!lines(&output).contains(&unexpected), "{}", output.describe());
    taken.lived("pre-start post-start");
    assert_eq!(taken.notes()[0].start_reason, "user");
    assert_eq!(ended.status(), "running");
}

/// A hookscript on a storage that must be mounted, and the folder where that is.
fn storage_to_come(host: &Host) -> (Guest<'_>, std::path::PathBuf) {
    let point = host.scratch().join("nas");
    fs::create_dir(&point).expect("a folder can be made");
    let cfg = host.at("etc/pve/storage.cfg");
    let text = fs::read_to_string(&cfg).unwrap_or_default();
    let nas = format!("dir: nas\n\tpath {}\n\tcontent snippets\n\tis_mountpoint 1\n", point.display());
    fs::write(&cfg, format!("{text}\n{nas}")).expect("storage.cfg can be written");
    let guest = container(host, &[]);
    let config = guest.config().replace("local:snippets/", "nas:snippets/");
    fs::write(guest.config_path(), config).expect("a configuration can be written");
    (guest, point)
}

fn a_script_is_waited_for_until_its_storage_is_mounted(host: &Host) {
    let (guest, point) = storage_to_come(host);
    let booting = host.spawn("hookvisor", ["startall"]);
    let id = guest.id();
    wait::until("the start to wait", || {
        let status = host.hookvisor(["status"]).ok().out();
        status.lines().any(|line| line.contains(&id) && line.contains("pre-start")).then_some(())
    });
    assert!(guest.notes().is_empty());
    let mount = |args: &[&std::ffi::OsStr]| {
        let status = Command::new("mount").args(args).status().expect("mount can be run");
        assert!(status.success(), "mount {args:?}");
    };
    mount(&["--bind".as_ref(), host.at("var/lib/vz").as_os_str(), point.as_os_str()]);
    let output = booting.finish();
    guest.stop().ok();
    let umounted = Command::new("umount").arg(&point).status();
    let output = output.ok();
    assert!(umounted.is_ok_and(|status| status.success()));
    assert!(output.took < Duration::from_secs(20), "{}", output.describe());
    guest.lived("pre-start post-start pre-stop post-stop");
}

fn a_storage_that_does_not_come_is_a_script_not_found(host: &Host) {
    let (guest, _) = storage_to_come(host);
    hooks_conf(host, "[host]\ntimeout = 1s\n");
    let output = host.hookvisor(["startall"]).fails();
    let vmid = guest.vmid();
    output.complains(&format!(
        "Starting CT {vmid} failed: hookscript error for {vmid} on pre-start: script 'nas:snippets/recorder' does not exist"
    ));
    guest.lived("pre-start:not-found");
    // Only a host that comes up waits.
    let output = guest.start().fails();
    assert!(output.took < Duration::from_millis(900), "{}", output.describe());
}

fn left_over_backup_locks_go(host: &Host) {
    let guest = container(host, &[]);
    let other = container(host, &[]);
    for (guest, lock) in [(&guest, "backup"), (&other, "migrate")] {
        fs::write(guest.config_path(), format!("{}lock: {lock}\n", guest.config()))
            .expect("a lock can be written");
    }
    let output = host.hookvisor(["startall"]).fails();
    let output = output.complains(&format!("removed left over backup lock from '{}'!", guest.vmid()));
    output.complains(&format!("Starting CT {} failed: CT is locked (migrate)", other.vmid()));
    assert_eq!(guest.status(), "running");
    assert!(!guest.config().contains("lock:") && other.config().contains("lock: migrate"));
}

fn the_nodes_delay_counts_once(host: &Host) {
    let guest = container(host, &[]);
    fs::write(host.at("etc/pve/nodes/pve1/config"), "# a node\nstartall-onboot-delay: 2\n")
        .expect("the node's settings can be written");
    let output = host.hookvisor(["startall"]).ok();
    let output = output.prints_exactly("Delaying on-boot 'startall' command for 2 second(s).\n");
    assert!(output.took.as_secs() >= 2, "{}", output.describe());
    assert_eq!(guest.status(), "running");
    host.hookvisor(["startall"]).ok().prints_exactly("");
}

fn only_named_guests_that_exist(host: &Host) {
    let [named, other] = [host.container(), container(host, &[])];
    host.hookvisor(["startall", "--vms", "999999998"])
        .fails()
        .complains("400 Parameter verification failed.\nvms: guest 999999998 does not exist\n");
    host.hookvisor(["startall", "--vms", "x"]).fails().complains("vms: ");
    host.hookvisor(["startall", "--vms", &named.id()]).ok();
    assert_eq!(named.status(), "stopped", "it has no onboot");
    host.hookvisor(["startall", "--vms", &named.id(), "--force", "1"]).ok();
    assert_eq!((named.status().as_str(), other.status().as_str()), ("running", "stopped"));
    other.start().ok();
    other.wait_booted();
    host.hookvisor(["stopall", "--vms", &other.id()]).ok();
    assert_eq!((named.status().as_str(), other.status().as_str()), ("running", "stopped"));
}
