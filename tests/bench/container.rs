//! (b): start and stop of a busybox container, against bare LXC.

use crate::Plan;
use crate::floor;
use crate::machine::NO_OP;
use crate::report::Report;
use e2e::{Guest, Host, Kind};
use std::fs;
use std::path::Path;
use std::process::Command;

pub(crate) fn measure(host: &Host, plan: Plan, report: &mut Report) {
    let hook = host.snippet("no-op", NO_OP);
    let script = host.at("var/lib/vz/snippets/no-op");
    let bare = container(host, 200, None);
    let hooked = container(host, 201, Some(&hook));
    bare.start().ok();
    let same = Lxc::like(host, bare.vmid());
    bare.stop().ok();
    for round in 0..=plan.rounds {
        let mut discarded = Report::default();
        let report = if round == 0 { &mut discarded } else { &mut *report };
        report.add("container: F, lxc-start -d (ms)", same.start());
        report.add("container: F, lxc-stop -k (ms)", same.stop());
        for (guest, name) in [(&bare, "no hook"), (&hooked, "one hook")] {
            report.add(&format!("pct start, {name} (ms)"), guest.start().ok().took);
            report.add(&format!("pct stop, {name} (ms)"), guest.stop().ok().took);
        }
        report.add("one hook: H, fork and exec (ms)", floor::hook(&script, 201, "pre-start"));
    }
    let h = report.median("one hook: H, fork and exec (ms)").unwrap_or_default();
    for (name, hooks) in [("no hook", 0.0), ("one hook", 1.0)] {
        for (verb, floor) in
            [("start", "container: F, lxc-start -d (ms)"), ("stop", "container: F, lxc-stop -k (ms)")]
        {
            let is = report.median(&format!("pct {verb}, {name} (ms)"));
            let at_most = report.median(floor).map(|floor| floor + 2.0 * hooks * h + 10.0);
            report.goal(&format!("pct {verb}, {name}: F + H + 10 ms"), is, at_most, "ms");
        }
    }
}

pub(crate) fn container<'h>(host: &'h Host, vmid: u32, hook: Option<&str>) -> Guest<'h> {
    let (id, template) = (vmid.to_string(), host.template());
    let mut args = vec!["create", &id, &template, "--ostype", "unmanaged", "--hostname", "bench"];
    args.extend(["--rootfs", "local:0", "--memory", "64", "--swap", "0", "--unprivileged", "0"]);
    args.extend(hook.iter().flat_map(|hook| ["--hookscript", hook]));
    host.pct(args).ok();
    host.adopt(Kind::Container, vmid)
}

/// The same container, kept by LXC alone.
struct Lxc {
    path: String,
}

const NAME: &str = "floor";

impl Lxc {
    /// Takes the configuration that hookvisor made for LXC, less the hooks by which it is told what happens.
    fn like(host: &Host, vmid: u32) -> Self {
        let made = fs::read_to_string(host.at(&format!("var/lib/lxc/{vmid}/config")));
        let made = made.expect("LXC's configuration of a running container");
        let own = |line: &&str| {
            let key = line.split('=').next().unwrap_or_default().trim();
            !key.starts_with("lxc.hook") && !key.starts_with("lxc.cgroup.dir") && !key.starts_with("lxc.log")
        };
        let text: Vec<&str> = made.lines().filter(own).collect();
        let path = host.scratch().join("lxc");
        fs::create_dir_all(path.join(NAME)).expect("a folder can be made");
        fs::write(path.join(NAME).join("config"), text.join("\n") + "\n")
            .expect("a configuration can be written");
        Self { path: path.to_string_lossy().into_owned() }
    }

    fn start(&self) -> std::time::Duration {
        floor::command(Command::new("lxc-start").args(["-d", "-n", NAME, "-P", &self.path]))
    }

    fn stop(&self) -> std::time::Duration {
        let took = floor::command(Command::new("lxc-stop").args(["-k", "-n", NAME, "-P", &self.path]));
        // lxc-stop returns before its monitor is gone.
        let path = self.path.clone();
        e2e::wait::until("the bare container's monitor to end", || {
            e2e::proc::of_root(Path::new(&path)).is_empty().then_some(())
        });
        took
    }
}
