//! Facts that do not depend on the host that runs the tests.

use lxc::cgroup::Cgroups;
use lxc::{Bridge, Device, Facts, Source};
use model::Layout;
use std::path::PathBuf;

const V1: &str = "\
cgroup /sys/fs/cgroup/cpu cgroup rw,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/cpuset cgroup rw,cpuset 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup /sys/fs/cgroup/devices cgroup rw,devices 0 0
cgroup /sys/fs/cgroup/freezer cgroup rw,freezer 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
";
const V2: &str = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n";

/// The facts, as the first line of a configuration changes them.
pub(crate) fn facts(raw: &str) -> Facts {
    let wishes = raw.lines().next().and_then(|line| line.strip_prefix("# facts:")).unwrap_or("");
    let wish = |word: &str| wishes.split_whitespace().any(|have| have == word);
    let volume = |name: &str| PathBuf::from("/var/lib/vz/images/200").join(name);
    let mut cgroups = Cgroups::from_mounts(if wish("v2") { V2 } else { V1 }, |_| match wish("v2") {
        true if wish("nomemory") => "cpu".to_owned(),
        true => "cpuset cpu io memory pids".to_owned(),
        false => String::new(),
    });
    cgroups.swap_accounting = !wish("noswap");
    let root = if wish("root") { "/srv/my lab" } else { "/" };
    let rootfs = if wish("image") {
        Source::Image(volume("vm-200-disk-0.raw"))
    } else {
        Source::Folder(volume("subvol-200-disk-0.subvol"))
    };
    Facts {
        layout: Layout::new(root),
        volumes: [
            ("rootfs", rootfs),
            ("mp0", Source::Image(volume("vm-200-disk-1.raw"))),
            ("mp1", Source::Folder("/srv/it's data".into())),
            ("mp2", Source::Device("/dev/sdb1".into())),
        ]
        .map(|(key, source)| (key.to_owned(), source))
        .into(),
        bridges: [("vmbr0", false), ("vmbr1", true)]
            .map(|(name, vlan_aware)| (name.to_owned(), Bridge { vlan_aware }))
            .into(),
        devices: [
            ("/dev/net/tun", Device { block: false, major: 10, minor: 200 }),
            ("/dev/sdc", Device { block: true, major: 8, minor: 32 }),
        ]
        .map(|(path, device)| (path.to_owned(), device))
        .into(),
        cgroups,
        cpus: (0..4).collect(),
        id_map: !wish("nomap"),
        apparmor: wish("apparmor"),
        includes: "/usr/share/lxc/config".into(),
    }
}
