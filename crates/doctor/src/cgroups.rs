//! Control groups: which interfaces, which controllers, and whether groups can be made.

use crate::Finding;
use crate::scene::Scene;
use crate::word::path;
use lxc::cgroup::{Cgroups, Version};
use model::GuestKind;
use rustix::fs::{Access, access};
use std::collections::BTreeSet;

/// What containers are limited and told apart by.
const CONTROLLERS: [&str; 4] = ["cpu", "cpuset", "devices", "memory"];

/// The hierarchies of this host.
pub(crate) fn hierarchies(scene: &Scene) -> Vec<Finding> {
    match Cgroups::probe() {
        Ok(cgroups) => judge(&cgroups, |mount| access(mount, Access::WRITE_OK).is_ok())
            .into_iter()
            .map(|found| found.unless(scene.needs(GuestKind::Lxc)))
            .collect(),
        Err(error) => vec![Finding::problem(
            "hierarchies",
            format!("/proc/self/mounts cannot be read: {error}"),
            "containers are kept in control groups",
            "mount -t proc proc /proc",
        )],
    }
}

fn judge(cgroups: &Cgroups, writable: impl Fn(&std::path::Path) -> bool) -> Vec<Finding> {
    let versions: BTreeSet<u8> =
        cgroups.hierarchies.iter().map(|hierarchy| number(hierarchy.version)).collect();
    let kind = match &versions.into_iter().collect::<Vec<_>>()[..] {
        [] => {
            return vec![Finding::problem(
                "hierarchies",
                "none is mounted",
                "containers are kept in control groups",
                "mount -t cgroup2 cgroup2 /sys/fs/cgroup",
            )];
        }
        [1] => "version 1",
        [2] => "version 2",
        _ => "hybrid, versions 1 and 2",
    };
    let mut found = vec![Finding::ok("hierarchies", kind)];
    let mut there = Vec::new();
    for name in CONTROLLERS {
        match cgroups.controller(name) {
            Some(version) => there.push(format!("{name} (v{})", number(version))),
            None => found.push(Finding::problem(
                format!("controller {name}"),
                "in no hierarchy",
                "containers are started without its limits, or not at all where they ask for one",
                mend(cgroups, name),
            )),
        }
    }
    if !there.is_empty() {
        found.push(Finding::ok("controllers", there.join(", ")));
    }
    let closed = cgroups.hierarchies.iter().filter(|hierarchy| !writable(&hierarchy.mount));
    found.extend(closed.map(|hierarchy| {
        let mount = path(&hierarchy.mount);
        Finding::problem(
            hierarchy.mount.display().to_string(),
            "no group can be made in it",
            "it is read-only or not delegated to who calls, and containers are kept in groups of their own",
            format!("mount -o remount,rw {mount}"),
        )
    }));
    found
}

fn number(version: Version) -> u8 {
    match version {
        Version::V1 => 1,
        Version::V2 => 2,
    }
}

/// A controller that no unified hierarchy has is mounted by itself.
fn mend(cgroups: &Cgroups, name: &str) -> String {
    match cgroups.hierarchies.iter().any(|hierarchy| hierarchy.version == Version::V1) {
        true => format!(
            "mkdir -p /sys/fs/cgroup/{name} && mount -t cgroup -o {name} cgroup /sys/fs/cgroup/{name}"
        ),
        false => format!("echo +{name} >/sys/fs/cgroup/cgroup.subtree_control"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn seen(mounts: &str, writable: bool) -> Vec<(State, String, String)> {
        let cgroups = Cgroups::from_mounts(mounts, |_| "cpu cpuset memory pids".to_owned());
        let found = judge(&cgroups, |_| writable).into_iter();
        found.map(|found| (found.state, found.about, found.mend.unwrap_or_default())).collect()
    }

    #[test]
    fn a_host_with_all_controllers_is_ready() {
        let unified = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n";
        assert!(seen(unified, true).iter().all(|(state, ..)| *state == State::Ok));
    }

    #[test]
    fn what_lacks_is_named_with_how_it_is_mounted() {
        let one = "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu,cpuset,devices 0 0\n";
        let lacking = (
            State::Problem,
            "controller memory".to_owned(),
            "mkdir -p /sys/fs/cgroup/memory && mount -t cgroup -o memory cgroup /sys/fs/cgroup/memory"
                .to_owned(),
        );
        assert!(seen(one, true).contains(&lacking));
        assert_eq!(seen("", true)[0].2, "mount -t cgroup2 cgroup2 /sys/fs/cgroup");
        assert!(seen(one, false).iter().any(|(_, _, mend)| mend == "mount -o remount,rw /sys/fs/cgroup/cpu"));
    }
}
