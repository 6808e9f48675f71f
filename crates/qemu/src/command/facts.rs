use model::{Layout, NodeName, VolumeId};
use std::fmt;
use std::path::{Path, PathBuf};

/// An error of whoever answers a question, in the words that the user is to see.
pub type LookupError = Box<dyn std::error::Error + Send + Sync>;

/// Everything from outside that a command line depends on.
#[derive(Clone)]
pub struct Facts<'a> {
    /// Where everything lies.
    pub layout: &'a Layout,
    /// This host.
    pub node: &'a NodeName,
    /// QEMU's binary.
    pub program: &'a Path,
    /// Its version.
    pub version: Version,
    /// The host's architecture by QEMU's name: `x86_64`, `aarch64`.
    pub arch: &'a str,
    /// The host's CPUs.
    pub cpus: u32,
    /// Whether a configuration without `kvm` asks for hardware virtualisation; Proxmox VE's default is that it does.
    pub kvm_default: bool,
    /// Whether the host offers hardware virtualisation.
    pub kvm: bool,
    /// Whether the kernel offers io_uring; drives without `aio` use it then, as at Proxmox VE, else threads.
    pub io_uring: bool,
    /// Whether the kernel offers vhost-net.
    pub vhost_net: bool,
    /// Whether the host offers an IOMMU.
    pub iommu: bool,
    /// Whether the host offers a render node, which virtio-gl needs.
    pub render_node: bool,
    /// Whether boot ROMs for network cards are installed.
    pub network_roms: bool,
    /// Whether a firewall is configured that guests' interfaces are to be put under.
    pub firewall: bool,
    /// The picture that is shown at boot, where there is one.
    pub splash: Option<&'a Path>,
    /// The number that the first descriptor passed to QEMU gets there; those after it follow.
    pub first_fd: i32,
    /// How the guest begins.
    pub begin: Begin,
    /// What has to be asked.
    pub lookup: &'a dyn Lookup,
}

/// How a guest begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// With the firmware.
    Cold,
    /// Stopped before its first instruction, to be let go through the monitor.
    Paused,
    /// From a state that comes from there, stopped until it has come; the form of QEMU's `-incoming`.
    Incoming(String),
}

/// Questions about the host that depend on the configuration.
pub trait Lookup {
    /// Where a volume's data is.
    ///
    /// # Errors
    /// The storage's, as users see it.
    fn volume(&self, id: &VolumeId) -> Result<Image, LookupError>;

    /// The UEFI firmware of a kind, where it is installed.
    fn firmware(&self, kind: FirmwareKind) -> Option<Firmware>;

    /// Where huge pages of this size in KiB can be had as files.
    fn hugepages(&self, kib: u64) -> Option<PathBuf>;

    /// The functions of a PCI device by its address, with or without a function; empty where there is none.
    fn pci(&self, address: &str) -> Vec<PciFunction>;

    /// The MTU of a bridge; none where there is no such bridge, which only the attempt to use it complains about.
    fn bridge_mtu(&self, bridge: &str) -> Option<u32>;
}

/// A disk image or device on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The file or block device.
    pub path: PathBuf,
    /// QEMU's name of its format; none for raw.
    pub format: Option<String>,
    /// Whether it can be opened without the host's page cache, which Proxmox VE's default `cache=none` asks for.
    pub direct: bool,
}

/// A kind of UEFI firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirmwareKind {
    /// 4 MiB of flash, else 2 MiB.
    pub large: bool,
    /// Built for secure boot, which needs system management mode.
    pub secure: bool,
    /// With keys enrolled.
    pub enrolled: bool,
}

/// The files of a UEFI firmware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firmware {
    /// The code.
    pub code: PathBuf,
    /// The variables that a new guest begins with.
    pub vars: PathBuf,
    /// The size of the latter in bytes.
    pub vars_size: u64,
}

/// A function of a PCI device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PciFunction {
    /// Its full address, `0000:01:00.0`.
    pub address: String,
    /// The driver it is bound to.
    pub driver: Option<String>,
}

/// A version of QEMU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second.
    pub minor: u32,
    /// The third.
    pub micro: u32,
}

impl Version {
    /// Whether it is at least this one.
    #[must_use]
    pub fn at_least(self, major: u32, minor: u32) -> bool {
        (self.major, self.minor) >= (major, minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}
