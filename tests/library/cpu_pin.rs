//! cpu-pin: threads run where they shall, and governors are brought back.

use crate::pve::Pve;
use crate::scene::{as_before, file, give, killed, refused, settings_of};
use e2e::inventory::Inventory;
use e2e::suite::{QEMU, Test};
use e2e::{Behaviour, Guest, Host, Kind, tests};
use std::fs;
use std::path::PathBuf;

const SCRIPT: &str = "cpu-pin";

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: a_guest_runs_where_it_shall, a_guest_that_is_killed_gives_the_governor_back, what_cannot_be_is_refused,
            guests_share_a_governor;
        once [QEMU]: virtual_cpus_have_their_own, a_governor_that_cannot_be_set, as_pve
    )
}

/// Four CPUs with governors, in a tree of its own beside the root.
fn tree(host: &Host) -> PathBuf {
    let sysfs = host.scratch().join("sys");
    for cpu in 0..4 {
        let folder = sysfs.join(format!("devices/system/cpu/cpu{cpu}/cpufreq"));
        fs::create_dir_all(&folder).expect("a folder can be made");
        for (name, text) in [
            ("scaling_governor", if cpu == 3 { "ondemand\n" } else { "powersave\n" }),
            ("scaling_available_governors", "performance powersave ondemand\n"),
        ] {
            fs::write(folder.join(name), text).expect("a file can be written");
        }
    }
    sysfs
}

fn governors(host: &Host) -> String {
    let path = |cpu| host.scratch().join(format!("sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor"));
    let one = |cpu| fs::read_to_string(path(cpu)).expect("a governor").trim().to_owned();
    (0..4).map(one).collect::<Vec<_>>().join(" ")
}

const BEFORE: &str = "powersave powersave powersave ondemand";

/// Where a thread may run, by its id, as /proc tells.
fn allowed(thread: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{thread}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    line.unwrap_or_default().trim().to_owned()
}

/// The threads of a process by their names, each with where it may run.
fn threads(pid: u32) -> Vec<(String, String)> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs").flatten();
    let thread = |tid: String| {
        let name = fs::read_to_string(format!("/proc/{pid}/task/{tid}/comm")).unwrap_or_default();
        (name.trim().to_owned(), allowed(&tid))
    };
    entries.map(|entry| thread(entry.file_name().to_string_lossy().into_owned())).collect()
}

fn process(guest: &Guest) -> u32 {
    if guest.kind() == Kind::Vm { guest.hypervisor() } else { guest.init() }
}

fn a_guest_runs_where_it_shall(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    give(host, &guest, SCRIPT);
    settings_of(host, &guest, "pin_cpus=1");
    guest.start().ok().prints("runs on the CPUs 1");
    let pid = process(&guest);
    let all = threads(pid);
    assert!(all.iter().all(|(_, allowed)| allowed == "1"), "{all:?}");
    if kind == Kind::Container {
        guest.wait_booted();
        // What the init forks from now on is pinned as it is.
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        assert!(children.split_whitespace().all(|child| allowed(child) == "1"), "{children}");
    }
    guest.stop().ok();
}

fn virtual_cpus_have_their_own(host: &Host) {
    let guest = host.vm_with(&Behaviour::Obeys, &["--cores", "2"]);
    give(host, &guest, SCRIPT);
    settings_of(host, &guest, "pin_cpus=0-1, pin_vcpus=\"1 0 0\"");
    let output = guest.start().ok();
    output.clone().prints("the virtual CPU 0 (thread ");
    assert!([output.out(), output.err()].concat().contains("pin_vcpus has 1 more than the 2 virtual CPUs"));
    let all = threads(guest.hypervisor());
    for (name, cpus) in [("CPU 0/TCG", "1"), ("CPU 1/TCG", "0")] {
        let found = all.iter().find(|(thread, _)| thread == name);
        assert_eq!(found.map(|(_, allowed)| allowed.as_str()), Some(cpus), "{all:?}");
    }
    assert_eq!(allowed(&guest.hypervisor().to_string()), "0-1", "QEMU's first thread");
    guest.stop().ok();
}

fn a_guest_that_is_killed_gives_the_governor_back(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    give(host, &guest, SCRIPT);
    let sysfs = tree(host);
    settings_of(host, &guest, &format!("pin_cpus=0-1, pin_governor=performance, sysfs={}", sysfs.display()));
    guest.start().ok().prints("cpu-pin: CPUs 0-1 have the governor performance");
    assert_eq!(governors(host), "performance performance powersave ondemand");
    guest.stop().ok();
    guest.wait_run_end();
    assert_eq!(governors(host), BEFORE);
    let before = Inventory::of(host, &guest);
    guest.start().ok();
    killed(host, &guest, &before);
    assert_eq!(governors(host), BEFORE);
    // Whoever keeps it is killed with it, and what was asked for has changed meanwhile.
    guest.start().ok();
    guest.kill(&[guest.keeper(), guest.hypervisor()]);
    settings_of(host, &guest, &format!("sysfs={}", sysfs.display()));
    host.hookvisor(["recover"]).ok();
    guest.wait_run_end();
    assert_eq!(governors(host), BEFORE);
}

fn what_cannot_be_is_refused(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    give(host, &guest, SCRIPT);
    let sysfs = tree(host).display().to_string();
    fs::remove_dir_all(host.scratch().join("sys/devices/system/cpu/cpu2/cpufreq")).expect("it is there");
    settings_of(host, &guest, &format!("pin_cpus=0, sysfs={sysfs}"));
    guest.start().ok();
    guest.stop().ok();
    guest.wait_run_end();
    for (params, why) in [
        ("pin_cpus=0-7", "this host has no CPU 4-7; it has 0-3"),
        ("pin_cpus=all", "'all' is no list of CPUs, such as 0-3,8"),
        (
            "pin_cpus=\"0,1,2\", pin_governor=performance",
            "the governor of CPU 2: it has none: no driver scales its frequency",
        ),
        (
            "pin_cpus=1, pin_governor=fast",
            "the governor of CPU 1: 'fast' is none of those that it can have: performance powersave ondemand",
        ),
    ] {
        settings_of(host, &guest, &format!("{params}, sysfs={sysfs}"));
        refused(host, &guest, why);
    }
    let first =
        fs::read_to_string(host.scratch().join("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
    assert_eq!(
        first.expect("a governor").trim(),
        "powersave",
        "what was taken before the refusal is given back"
    );
}

/// The governor cannot be written: a file that is none.
fn a_governor_that_cannot_be_set(host: &Host) {
    let guest = host.guest(Kind::Vm);
    give(host, &guest, SCRIPT);
    let sysfs = tree(host);
    let path = sysfs.join("devices/system/cpu/cpu1/cpufreq/scaling_governor");
    settings_of(host, &guest, &format!("pin_cpus=0-1, pin_governor=performance, sysfs={}", sysfs.display()));
    guest.start().ok();
    guest.stop().ok();
    guest.wait_run_end();
    let before = Inventory::of(host, &guest);
    e2e::output::run(std::process::Command::new("mount").args(["--bind", "-o", "ro"]).args([&path, &path]))
        .ok();
    let output = guest.start().fails();
    let said = [output.out(), output.err()].concat();
    e2e::output::run(std::process::Command::new("umount").arg(&path)).ok();
    assert!(said.contains("the governor of CPU 1: cannot write 'performance' to"), "{said}");
    guest.wait_run_end();
    assert_eq!(governors(host), BEFORE);
    as_before(host, &guest, &before);
}

fn guests_share_a_governor(host: &Host, kind: Kind) {
    let (guest, other) = (host.guest(kind), host.guest(Kind::Vm));
    let sysfs = tree(host);
    let params = format!("pin_cpus=0, pin_governor=performance, sysfs={}", sysfs.display());
    crate::scene::settings(host, &[("host", &params)]);
    for guest in [&guest, &other] {
        give(host, guest, SCRIPT);
        guest.start().ok();
    }
    guest.kill(&[guest.hypervisor()]);
    guest.wait_run_end();
    assert!(governors(host).starts_with("performance "), "{}", governors(host));
    other.stop().ok();
    other.wait_run_end();
    assert_eq!(governors(host), BEFORE);
}

fn as_pve(host: &Host) {
    let (pve, guest) = (Pve::of(host), host.guest(Kind::Vm));
    let (script, sysfs) = (file(SCRIPT), tree(host));
    let call = |phase| pve.call(&script, guest.vmid(), phase);
    call("pre-start").ok().prints("nothing to do");
    pve.settings(&format!(
        "[guest {}]\nparams = pin_vcpus=1, pin_governor=performance, sysfs={}\n",
        guest.vmid(),
        sysfs.display()
    ));
    call("pre-start").ok();
    assert_eq!(governors(host), "powersave performance powersave ondemand");
    guest.start().ok();
    call("post-start").ok().prints("the virtual CPU 0 (thread ");
    let all = threads(guest.hypervisor());
    assert!(all.contains(&("CPU 0/TCG".to_owned(), "1".to_owned())), "{all:?}");
    call("pre-stop").ok();
    guest.kill(&[guest.hypervisor()]);
    call("post-stop").ok();
    call("post-stop").ok();
    assert_eq!(governors(host), BEFORE);
    // A start that failed, and got no end.
    call("pre-start").ok();
    call("pre-start").ok().prints("gives back what it held");
    call("post-stop").ok();
    assert_eq!(governors(host), BEFORE);
    assert_eq!(pve.left(), [""; 0]);
}
