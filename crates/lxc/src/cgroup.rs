//! The control groups of containers: where they are, what runs in them, freezing, killing and removing them.
//!
//! LXC makes one group for the container and one for its monitor in every hierarchy, at names that the configuration
//! fixes. A monitor that is killed leaves them behind, and the next start would fail on them.

use model::{Layout, ProcessId, Vmid};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The two interfaces of control groups, cgroups(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A hierarchy for each controller.
    V1,
    /// The unified hierarchy.
    V2,
}

/// A mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// Its interface.
    pub version: Version,
    /// Its controllers; for a named one of version 1 none.
    pub controllers: Vec<String>,
}

/// The hierarchies of a host: version 1, version 2, or both (hybrid).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cgroups {
    /// Each of them.
    pub hierarchies: Vec<Hierarchy>,
    /// Whether memory and swap together can be limited in version 1.
    pub swap_accounting: bool,
}

impl Cgroups {
    /// Looks at this host.
    ///
    /// # Errors
    /// Where `/proc/self/mounts` cannot be read.
    pub fn probe() -> io::Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let mut found = Self::from_mounts(&mounts, |mount| {
            fs::read_to_string(mount.join("cgroup.controllers")).unwrap_or_default()
        });
        let memory = found.hierarchies.iter().find(|h| h.version == Version::V1 && h.has("memory"));
        found.swap_accounting = memory.is_some_and(|h| h.mount.join("memory.memsw.limit_in_bytes").exists());
        Ok(found)
    }

    /// Reads a table of mounts, proc_pid_mounts(5); `controllers` tells those of a unified hierarchy.
    pub fn from_mounts(mounts: &str, controllers: impl Fn(&Path) -> String) -> Self {
        let mut hierarchies: Vec<Hierarchy> = Vec::new();
        for line in mounts.lines() {
            let mut fields = line.split(' ').skip(1);
            let (Some(mount), Some(kind), Some(options)) = (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let mount = PathBuf::from(mount);
            if hierarchies.iter().any(|known| known.mount == mount) {
                continue;
            }
            let (version, controllers) = match kind {
                "cgroup2" => {
                    (Version::V2, controllers(&mount).split_whitespace().map(str::to_owned).collect())
                }
                "cgroup" => {
                    let known = |option: &&str| V1_CONTROLLERS.contains(option);
                    (Version::V1, options.split(',').filter(known).map(str::to_owned).collect())
                }
                _ => continue,
            };
            hierarchies.push(Hierarchy { mount, version, controllers });
        }
        Self { hierarchies, swap_accounting: false }
    }

    /// The interface that offers a controller; none where the kernel has none.
    #[must_use]
    pub fn controller(&self, name: &str) -> Option<Version> {
        // The device controller of version 2 is a program that LXC loads, and in no list.
        let unified_devices = name == "devices" && self.unified().is_some();
        match self.hierarchies.iter().find(|h| h.has(name)) {
            Some(hierarchy) => Some(hierarchy.version),
            None if unified_devices => Some(Version::V2),
            None => None,
        }
    }

    fn unified(&self) -> Option<&Hierarchy> {
        self.hierarchies.iter().find(|h| h.version == Version::V2)
    }

    /// The container's group in each hierarchy where it exists, then its monitor's.
    #[must_use]
    pub fn groups(&self, names: &Names) -> Vec<PathBuf> {
        let at = |name: &str| {
            self.hierarchies.iter().map(|h| h.mount.join(name)).filter(|path| path.is_dir()).collect()
        };
        let mut found: Vec<PathBuf> = at(&names.payload);
        found.extend::<Vec<PathBuf>>(at(&names.monitor));
        found
    }

    /// A file of a controller in the container's group.
    #[must_use]
    pub fn file(&self, names: &Names, controller: &str, file: &str) -> Option<PathBuf> {
        let hierarchy = self.hierarchies.iter().find(|h| h.has(controller))?;
        Some(hierarchy.mount.join(&names.payload).join(file))
    }

    /// The processes of the container, monitor not included.
    #[must_use]
    pub fn processes(&self, names: &Names) -> Vec<u32> {
        let mut pids = BTreeSet::new();
        for hierarchy in &self.hierarchies {
            collect(&hierarchy.mount.join(&names.payload), &mut pids);
        }
        pids.into_iter().collect()
    }

    /// Freezes or thaws the container and waits until the kernel says that it is done.
    ///
    /// # Errors
    /// Where the container has no group, or not all of it froze within `limit`.
    pub fn freeze(&self, names: &Names, frozen: bool, limit: Duration) -> io::Result<()> {
        if let Some(group) =
            self.unified().map(|h| h.mount.join(&names.payload)).filter(|group| group.is_dir())
        {
            let word = if frozen { "1" } else { "0" };
            fs::write(group.join("cgroup.freeze"), word)?;
            return wait_event(&group, &format!("frozen {word}"), limit);
        }
        let state = self.file(names, "freezer", "freezer.state").ok_or(io::ErrorKind::NotFound)?;
        let word = if frozen { "FROZEN" } else { "THAWED" };
        fs::write(&state, word)?;
        // Version 1 has no event for it; reading the state makes the kernel try again (freezer-subsystem.txt).
        let deadline = Instant::now() + limit;
        while fs::read_to_string(&state)?.trim() != word {
            if Instant::now() >= deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Kills every process of the container.
    pub fn kill(&self, names: &Names) {
        let unified = self.unified().map(|h| h.mount.join(&names.payload).join("cgroup.kill"));
        if unified.is_some_and(|file| fs::write(file, "1").is_ok()) {
            return;
        }
        // Frozen processes of version 1 do not die; thawed ones are killed one by one until none is left.
        if let Some(state) = self.file(names, "freezer", "freezer.state") {
            let _ = fs::write(state, "THAWED");
        }
        for pid in self.processes(names) {
            if let Some(pidfd) = process::lookup(pid).and_then(process::open) {
                process::send(&pidfd, rustix::process::Signal::KILL);
            }
        }
    }

    /// Ends what is left of a container whose monitor has gone, and removes its groups. To be called after every end
    /// and before every start. Returns how many groups there were.
    ///
    /// # Errors
    /// [`LeftOver`] where processes outlive `limit`, or a group cannot be removed.
    pub fn remove(&self, names: &Names, limit: Duration) -> Result<usize, LeftOver> {
        let deadline = Instant::now() + limit;
        loop {
            let groups = self.groups(names);
            let pids: BTreeSet<u32> = groups.iter().fold(BTreeSet::new(), |mut pids, group| {
                collect(group, &mut pids);
                pids
            });
            if pids.is_empty() {
                return self.remove_empty(groups, deadline);
            }
            self.kill(names);
            // What is left in the monitor's group is a monitor or a hook of it.
            let processes: Vec<ProcessId> = pids.into_iter().filter_map(process::lookup).collect();
            let pidfds: Vec<OwnedFd> =
                processes.iter().filter_map(|process| process::open(*process)).collect();
            for pidfd in &pidfds {
                process::send(pidfd, rustix::process::Signal::KILL);
            }
            if !wait_all(&pidfds, deadline) {
                return Err(LeftOver::Processes { group: names.payload.clone(), processes });
            }
            if pidfds.is_empty() {
                // Zombies that their parent has not reaped yet: nothing to wait on but their disappearance.
                if Instant::now() >= deadline {
                    return Err(LeftOver::Processes { group: names.payload.clone(), processes });
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }

    fn remove_empty(&self, groups: Vec<PathBuf>, deadline: Instant) -> Result<usize, LeftOver> {
        for group in &groups {
            loop {
                match remove_tree(group) {
                    Ok(()) => break,
                    // The last task is accounted for until the scheduler is done with it.
                    Err(error) if error.raw_os_error() == Some(16) && Instant::now() < deadline => {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    Err(source) => return Err(LeftOver::Group { group: group.clone(), source }),
                }
            }
        }
        Ok(groups.len())
    }
}

const V1_CONTROLLERS: [&str; 13] = [
    "blkio",
    "cpu",
    "cpuacct",
    "cpuset",
    "devices",
    "freezer",
    "hugetlb",
    "memory",
    "misc",
    "net_cls",
    "net_prio",
    "perf_event",
    "pids",
];

impl Hierarchy {
    fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|own| own == controller)
    }
}

/// The names of a container's groups below each hierarchy's mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The container's.
    pub payload: String,
    /// Its monitor's: lxc-start itself.
    pub monitor: String,
}

impl Names {
    /// Proxmox VE's names in root `/`; elsewhere the VMID carries the root's tag.
    #[must_use]
    pub fn new(layout: &Layout, vmid: Vmid) -> Self {
        let tag = layout.tag().unwrap_or_default();
        Self { payload: format!("lxc/{tag}{vmid}"), monitor: format!("lxc.monitor/{tag}{vmid}") }
    }
}

/// What could not be cleared away after a container.
#[derive(Debug, thiserror::Error)]
pub enum LeftOver {
    /// Processes that do not die.
    #[error("control group '{group}' is not empty: {}", list(processes))]
    Processes {
        /// The container's group.
        group: String,
        /// They.
        processes: Vec<ProcessId>,
    },
    /// A group that cannot be removed.
    #[error("cannot remove control group '{}'", group.display())]
    Group {
        /// Its path.
        group: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn list(processes: &[ProcessId]) -> String {
    processes.iter().map(|process| format!("pid {}", process.pid)).collect::<Vec<_>>().join(", ")
}

fn children(group: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}

fn collect(group: &Path, pids: &mut BTreeSet<u32>) {
    if let Ok(text) = fs::read_to_string(group.join("cgroup.procs")) {
        pids.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()).filter(|pid| *pid != 0));
    }
    for child in children(group) {
        collect(&child, pids);
    }
}

fn remove_tree(group: &Path) -> io::Result<()> {
    for child in children(group) {
        remove_tree(&child)?;
    }
    match fs::remove_dir(group) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn timespec(until: Instant) -> Timespec {
    let left = until.saturating_duration_since(Instant::now());
    Timespec { tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() }
}

/// Waits until all these processes have ended; false where the deadline came first.
fn wait_all(pidfds: &[OwnedFd], deadline: Instant) -> bool {
    pidfds.iter().all(|pidfd| {
        loop {
            let mut polled = [PollFd::new(pidfd, PollFlags::IN)];
            match poll(&mut polled, Some(&timespec(deadline))) {
                Ok(0) => return false,
                Err(rustix::io::Errno::INTR) => {}
                Ok(_) | Err(_) => return true,
            }
        }
    })
}

/// Waits until `cgroup.events` has a line.
fn wait_event(group: &Path, line: &str, limit: Duration) -> io::Result<()> {
    let deadline = Instant::now() + limit;
    let mut events = fs::File::open(group.join("cgroup.events"))?;
    loop {
        let mut text = String::new();
        events.rewind()?;
        events.read_to_string(&mut text)?;
        if text.lines().any(|have| have == line) {
            return Ok(());
        }
        let mut polled = [PollFd::from_borrowed_fd(events.as_fd(), PollFlags::PRI)];
        match poll(&mut polled, Some(&timespec(deadline))) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,xattr,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
";

    #[test]
    fn a_hybrid_host_has_each_controller_in_one_of_both() {
        let cgroups = Cgroups::from_mounts(HYBRID, |_| "hugetlb memory\n".to_owned());
        assert_eq!(cgroups.controller("cpu"), Some(Version::V1));
        assert_eq!(cgroups.controller("memory"), Some(Version::V2));
        assert_eq!(cgroups.controller("devices"), Some(Version::V2));
        assert_eq!(cgroups.controller("freezer"), None);
        assert_eq!(cgroups.hierarchies[1].controllers, [""; 0]);
    }

    #[test]
    fn names_carry_the_tag_of_a_root_that_is_not_the_hosts() {
        let vmid = "100".parse().unwrap();
        let host = Names::new(&Layout::new("/"), vmid);
        assert_eq!((host.payload.as_str(), host.monitor.as_str()), ("lxc/100", "lxc.monitor/100"));
        let layout = Layout::new("/tmp/x");
        assert_eq!(Names::new(&layout, vmid).payload, format!("lxc/{}100", layout.tag().unwrap()));
    }

    #[test]
    fn nested_groups_are_removed_bottom_up() {
        let root = tempfile::tempdir().unwrap();
        let mount = root.path().to_owned();
        fs::create_dir_all(mount.join("lxc/100/ns/init.scope")).unwrap();
        fs::create_dir_all(mount.join("lxc.monitor/100")).unwrap();
        fs::create_dir_all(mount.join("lxc/101")).unwrap();
        let hierarchy = Hierarchy { mount: mount.clone(), version: Version::V1, controllers: vec![] };
        let cgroups = Cgroups { hierarchies: vec![hierarchy], swap_accounting: false };
        let names = Names::new(&Layout::new("/"), "100".parse().unwrap());
        assert_eq!(cgroups.remove(&names, Duration::ZERO).unwrap(), 2);
        assert!(cgroups.groups(&names).is_empty());
        assert!(mount.join("lxc/101").exists());
    }
}
