use crate::cgroup::Cgroups;
use model::Layout;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Everything that a container's LXC configuration depends on besides its own configuration.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Where everything lies.
    pub layout: Layout,
    /// The places of `rootfs` and the `mpN`, by option.
    pub volumes: BTreeMap<String, Source>,
    /// The bridges of the host.
    pub bridges: BTreeMap<String, Bridge>,
    /// The devices that `devN` name, by path.
    pub devices: BTreeMap<String, Device>,
    /// The hierarchies of control groups.
    pub cgroups: Cgroups,
    /// The processors that are online.
    pub cpus: Vec<u32>,
    /// Whether root may map the ids of unprivileged containers.
    pub id_map: bool,
    /// Whether the kernel has AppArmor switched on and its parser is there.
    pub apparmor: bool,
    /// The folder of LXC's `common.conf` and `userns.conf`.
    pub includes: PathBuf,
}

/// What is mounted for a mount point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A folder of the host: a volume of its own, or a bind mount.
    Folder(PathBuf),
    /// A file that holds a file system.
    Image(PathBuf),
    /// A block device that holds a file system.
    Device(PathBuf),
}

/// A bridge of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bridge {
    /// Whether it filters VLANs.
    pub vlan_aware: bool,
}

/// A device node of the host, stat(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Whether it is a block device; else a character device.
    pub block: bool,
    /// Its major number.
    pub major: u32,
    /// Its minor number.
    pub minor: u32,
}

impl Device {
    /// `b` or `c`.
    pub(crate) fn letter(self) -> char {
        if self.block { 'b' } else { 'c' }
    }
}
