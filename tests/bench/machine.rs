//! (a) and (e): start and stop of a virtual machine without a disk.

use crate::report::Report;
use crate::{Plan, floor, libvirt};
use e2e::{Guest, Host, Kind};
use std::fs;

/// A hookscript that does nothing.
pub(crate) const NO_OP: &str = "#!/bin/sh\nexit 0\n";

pub(crate) fn measure(host: &Host, plan: Plan, report: &mut Report) {
    let hook = host.snippet("no-op", NO_OP);
    let script = host.at("var/lib/vz/snippets/no-op");
    let bare = machine(host, 100, None);
    let hooked = machine(host, 101, Some(&hook));
    let several = machine(host, 102, Some(&hook));
    drop_ins(host, &several);
    bare.start().ok();
    let same = floor::Machine::of(bare.hypervisor(), host.scratch());
    bare.stop().ok();
    let libvirt = if plan.libvirt { libvirt::Libvirt::start(host) } else { Err("not asked for".to_owned()) };
    if let Err(reason) = &libvirt {
        report.note(format!("Without libvirt: {reason}."));
    }
    for round in 0..=plan.rounds {
        // The first round warms up.
        let mut discarded = Report::default();
        let report = if round == 0 { &mut discarded } else { &mut *report };
        let (start, quit) = same.start_and_quit();
        report.add("VM: F, spawn to first answer (ms)", start);
        report.add("VM: F, quit to gone (ms)", quit);
        pair(&bare, report, "no hook");
        report.add("one hook: H, fork and exec (ms)", floor::hook(&script, 101, "pre-start"));
        pair(&hooked, report, "one hook");
        pair(&several, report, "four hooks");
        if let Ok(libvirt) = &libvirt {
            report.add("virsh start, no-op hook (ms)", libvirt.start_guest());
            report.add("virsh destroy, no-op hook (ms)", libvirt.destroy_guest());
        }
    }
    goals(report);
}

fn goals(report: &mut Report) {
    let f = [report.median("VM: F, spawn to first answer (ms)"), report.median("VM: F, quit to gone (ms)")];
    let h = report.median("one hook: H, fork and exec (ms)").unwrap_or_default();
    for (name, hooks) in [("no hook", 0.0), ("one hook", 1.0), ("four hooks", 4.0)] {
        // A start runs two phases, a stop two.
        for (verb, floor) in [("start", f[0]), ("stop", f[1])] {
            let is = report.median(&format!("qm {verb}, {name} (ms)"));
            let at_most = floor.map(|floor| floor + 2.0 * hooks * h + 10.0);
            report.goal(&format!("qm {verb}, {name}: F + H + 10 ms"), is, at_most, "ms");
        }
    }
    let total = |report: &Report, name: &str| {
        Some(
            report.median(&format!("qm start, {name} (ms)"))?
                + report.median(&format!("qm stop, {name} (ms)"))?,
        )
    };
    let one =
        total(report, "one hook").zip(total(report, "no hook")).map(|(one, none)| (one - none) / 4.0 - h);
    report.goal("one hook over fork and exec", one, Some(0.5), "ms");
}

fn pair(guest: &Guest, report: &mut Report, name: &str) {
    report.add(&format!("qm start, {name} (ms)"), guest.start().ok().took);
    report.add(&format!("qm stop, {name} (ms)"), guest.stop().ok().took);
}

/// A machine without a disk.
pub(crate) fn machine<'h>(host: &'h Host, vmid: u32, hook: Option<&str>) -> Guest<'h> {
    let id = vmid.to_string();
    let mut args = vec!["create", &id, "--name", "bench", "--memory", "16", "--kvm", "0", "--vga", "none"];
    args.extend(hook.iter().flat_map(|hook| ["--hookscript", hook]));
    host.qm(args).ok();
    host.adopt(Kind::Vm, vmid)
}

/// Three more hooks in the guest's drop-in folder.
fn drop_ins(host: &Host, guest: &Guest) {
    let folder = host.at(&format!("etc/hookvisor/hooks.d/{}", guest.vmid()));
    let called = host.scratch().join("called");
    fs::create_dir_all(&folder).expect("a folder can be made");
    let write = |text: &str| {
        for name in ["10-a", "20-b", "30-c"] {
            let path = folder.join(name);
            fs::write(&path, text).expect("a hook can be written");
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(&path, mode).expect("a mode can be set");
        }
    };
    write(&format!("#!/bin/sh\necho >>'{}'\n", called.display()));
    guest.start().ok();
    guest.stop().ok();
    let calls = fs::read(&called).map_or(0, |bytes| bytes.len());
    assert_eq!(calls, 12, "calls of three drop-ins in four phases");
    write(NO_OP);
}
