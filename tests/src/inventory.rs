//! What there is of a guest on the host: processes, mounts, interfaces, control groups, loop devices and files, so that two
//! moments can be compared.

use crate::guest::Guest;
use crate::host::{Host, cgroups, interfaces};
use crate::proc;
use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What a start may leave below the root: its record, and the version of QEMU that it found.
const RECORD: [&str; 3] = ["var/lib/hookvisor", "var/log", "run/hookvisor/qemu-version"];

/// Each start writes what LXC is told anew: only that it is there counts.
const TOLD: &str = "var/lib/lxc";

/// What a container's init writes while it boots, which is the guest's own.
const INIT: &str = ".subvol/run/";

/// A line for each thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory(BTreeSet<String>);

impl Inventory {
    /// Looks at the host.
    #[must_use]
    pub fn of(host: &Host, guest: &Guest<'_>) -> Self {
        let mut lines = BTreeSet::new();
        let processes = proc::of_root(host.scratch()).into_iter();
        lines.extend(processes.map(|process| format!("process {} {}", process.pid, process.cmdline)));
        let scratch = host.scratch().to_string_lossy().into_owned();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        lines.extend(
            mounts.lines().filter(|line| line.contains(&scratch)).map(|line| format!("mount {line}")),
        );
        for bridge in host.bridges() {
            let ports = names(&format!("/sys/class/net/{bridge}/brif"));
            lines.insert(format!("bridge {bridge} {} {ports:?}", state(&bridge)));
        }
        let own = interfaces(host.root(), guest.vmid()).into_iter();
        lines.extend(own.map(|name| format!("interface {name} {}", state(&name))));
        lines.extend(
            cgroups(host.root(), guest.vmid()).into_iter().map(|path| format!("cgroup {}", path.display())),
        );
        for device in names("/sys/block") {
            let file = fs::read_to_string(format!("/sys/block/{device}/loop/backing_file"));
            let file = file.unwrap_or_default();
            lines
                .extend(file.contains(&scratch).then(|| format!("loop device {device} {}", file.trim_end())));
        }
        files(host.root(), host.root(), &mut lines);
        Self(lines)
    }

    /// What another one has more (`+`) and less (`-`).
    #[must_use]
    pub fn changes(&self, later: &Self) -> Vec<String> {
        let more = later.0.difference(&self.0).map(|line| format!("+ {line}"));
        let less = self.0.difference(&later.0).map(|line| format!("- {line}"));
        more.chain(less).collect()
    }
}

fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Which interface it is, how it is set up, and on which bridge.
fn state(interface: &str) -> String {
    let folder = Path::new("/sys/class/net").join(interface);
    let words = ["ifindex", "flags", "mtu"].map(|file| {
        let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
        format!("{file} {}", text.trim())
    });
    let master = fs::read_link(folder.join("master")).unwrap_or_default();
    // A bridge's own address is that of one of its ports.
    let bridge = folder.join("bridge").is_dir();
    let address = fs::read_to_string(folder.join("address")).ok().filter(|_| !bridge).unwrap_or_default();
    format!("{} address {:?} master {}", words.join(" "), address.trim(), master.display())
}

fn files(root: &Path, folder: &Path, lines: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let below = path.strip_prefix(root).unwrap_or(&path);
        let (Ok(metadata), false) =
            (entry.metadata(), RECORD.iter().any(|record| below == Path::new(record)) || by_init(below))
        else {
            continue;
        };
        let content = match metadata.is_file() && !below.starts_with(TOLD) {
            true => format!("{} bytes, hash {:x}", metadata.len(), hash(&path, metadata.len())),
            false => fs::read_link(&path).unwrap_or_default().display().to_string(),
        };
        let (mode, owner) = (metadata.mode(), metadata.uid());
        lines.insert(format!("file {} {mode:o} of {owner} {content}", below.display()));
        if metadata.is_dir() {
            files(root, &path, lines);
        }
    }
}

fn by_init(path: &Path) -> bool {
    path.to_string_lossy().contains(INIT)
}

/// Of an image of a disk the size has to do.
fn hash(path: &Path, size: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    if size <= 1 << 20 {
        fs::read(path).unwrap_or_default().hash(&mut hasher);
    }
    hasher.finish()
}
