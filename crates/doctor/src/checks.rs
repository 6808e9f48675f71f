//! All checks, and how they are made.

use crate::scene::Scene;
use crate::word::path;
use crate::{Finding, State, apart};
use crate::{
    bridges, calls, cgroups, configurations, containers, hooks_conf, kernel, kvm, locks, machines, record,
    runs, scripts, server, storages, units, workshop,
};
use model::Layout;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long all of it may take. A storage that hangs is given up earlier, by those who ask it.
const LIMIT: Duration = Duration::from_secs(9);

/// How long the root's own files may take.
const ROOT_LIMIT: Duration = Duration::from_secs(3);

/// Looks at something and says what it found.
type Check = fn(&Scene) -> Vec<Finding>;

/// Checks that stand together.
struct Group {
    name: &'static str,
    checks: &'static [(&'static str, Check)],
}

/// What is quickly looked at and everybody is told in passing, without a limit, where it is a problem.
const IN_PASSING: [Check; 4] = [machines::program, containers::program, containers::ids, kernel::devices];

const GROUPS: &[Group] = &[
    Group {
        name: "kernel",
        checks: &[
            ("namespaces", kernel::namespaces),
            ("devices", kernel::devices),
            ("modules", kernel::modules),
        ],
    },
    Group { name: "control groups", checks: &[("hierarchies", cgroups::hierarchies)] },
    Group {
        name: "virtual machines",
        checks: &[("QEMU", machines::program), ("machines", machines::named), ("KVM", kvm::runs_a_guest)],
    },
    Group { name: "containers", checks: &[("LXC", containers::program), ("ids", containers::ids)] },
    Group { name: "network", checks: &[("bridges", bridges::named)] },
    Group { name: "storages", checks: &[("storages", storages::each)] },
    Group {
        name: "hookscripts",
        checks: &[
            ("snippets", scripts::volumes),
            ("hooks.d", scripts::drop_ins),
            ("hooks.conf", hooks_conf::readable),
        ],
    },
    Group {
        name: "guests",
        checks: &[
            ("configurations", configurations::readable),
            ("locks", locks::held),
            ("runs", runs::kept),
            ("calls", calls::running),
        ],
    },
    Group { name: "record", checks: &[("journal", record::journal), ("fallback", record::fallback)] },
    Group { name: "workshop", checks: &[("sandbox", workshop::sandbox)] },
    Group {
        name: "services",
        checks: &[
            ("certificate", server::certificate),
            ("log-in", server::accounts),
            ("clock", server::clock),
            ("systemd", units::of_host),
        ],
    },
];

/// All that was found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether there is no problem.
    pub ready: bool,
    /// What was looked at, by group, in the order of the groups.
    pub groups: Vec<GroupReport>,
}

/// What was found in a group of checks.
#[derive(Debug, Serialize)]
pub struct GroupReport {
    /// Its name.
    pub group: &'static str,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Makes all checks of a root and its host. Takes no longer than some seconds, whatever hangs.
#[must_use]
pub fn examine(layout: &Layout) -> Report {
    let root = apart::each(vec![layout.clone()], ROOT_LIMIT, Scene::look);
    let mut groups = vec![GroupReport { group: "root", findings: root_of(layout, &root) }];
    // A root that does not answer hangs whoever asks it: what needs none is told all the same.
    let seen = root.into_iter().find_map(|(_, scene)| scene).unwrap_or_else(|| Scene::bare(layout));
    let scene = Arc::new(seen);
    let all: Vec<(&'static str, &'static str, Check)> = GROUPS
        .iter()
        .flat_map(|group| group.checks.iter().map(|(about, check)| (group.name, *about, *check)))
        .collect();
    let answers = apart::each(all, LIMIT, move |(_, _, check)| check(&scene));
    for (asked, found) in answers {
        let (group, about, _) = *asked;
        let findings = found.unwrap_or_else(|| vec![silent(about)]);
        match groups.last_mut().filter(|last| last.group == group) {
            Some(last) => last.findings.extend(findings),
            None => groups.push(GroupReport { group, findings }),
        }
    }
    groups.retain(|group| !group.findings.is_empty());
    let ready = groups.iter().flat_map(|group| &group.findings).all(|found| found.state < State::Problem);
    Report { ready, groups }
}

fn root_of(layout: &Layout, seen: &[(Arc<Layout>, Option<Scene>)]) -> Vec<Finding> {
    let root = layout.root().display().to_string();
    match seen.iter().find_map(|(_, scene)| scene.as_ref()) {
        Some(scene) => match (&scene.store, &scene.broken) {
            (Ok(store), None) => vec![Finding::ok(root, format!("laid out for node '{}'", store.node()))],
            (Ok(_), Some(why)) => {
                let mend = format!("ls -l {}", path(&layout.pve()));
                vec![Finding::problem(root, why, "no guest can be found", mend)]
            }
            (Err(why), _) => {
                vec![Finding::problem(root, why, "no guest can be made without", "hookvisor init")]
            }
        },
        None => {
            let what = format!("does not answer within {} s", ROOT_LIMIT.as_secs());
            let mend = format!("stat -f {}", path(&layout.pve()));
            vec![Finding::problem(root, what, "nothing can be told of its guests", mend)]
        }
    }
}

/// A check that has not come to its end.
fn silent(about: &str) -> Finding {
    let what = format!("could not be looked at within {} s", LIMIT.as_secs());
    Finding::problem(about, what, "something that it asks hangs", "dmesg | tail -n 20")
}

/// What is to be said of `hooks.conf` though it can be read, for guests that have one of these scripts: parameters that no
/// script names.
#[must_use]
pub fn settings(layout: &Layout, scripts: &[PathBuf]) -> Vec<Finding> {
    let notes = hooks_conf::of_scripts(&Scene::look(layout), scripts).into_iter();
    notes.filter(|found| found.state == State::Note).collect()
}

/// What the host lacks that the root's guests need, a line each; what any guest could need where there is none yet.
#[must_use]
pub fn missing(layout: &Layout) -> Vec<String> {
    let scene = Scene::look(layout);
    let found = IN_PASSING.iter().flat_map(|check| check(&scene));
    let found = found.filter(|found| found.state == State::Problem);
    let line = |found: Finding| {
        let mend = found.mend.map(|mend| format!(" ({mend})")).unwrap_or_default();
        format!("{}: {}{mend}", found.about, found.what)
    };
    found.map(line).collect()
}
