//! Gathers the facts of this host that a command line depends on.
#![expect(unsafe_code, reason = "the system call io_uring_setup has no safe wrapper")]

use crate::command::{
    Begin, Facts, Firmware, FirmwareKind, Image, Lookup, LookupError, PciFunction, Version,
};
use model::{Layout, NodeName, Vmid, VolumeId};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The number that the first descriptor passed to QEMU gets there unless its launcher says otherwise: above those that a
/// keeper has open itself, so that none is overwritten while they are put in their places.
pub const FIRST_FD: i32 = 100;

/// The facts of this host for a cold start of a guest. A caller changes what it knows better.
#[must_use]
pub fn facts<'a>(
    layout: &'a Layout,
    node: &'a NodeName,
    vmid: Vmid,
    (program, version): (&'a Path, Version),
    lookup: &'a dyn Lookup,
) -> Facts<'a> {
    Facts {
        layout,
        node,
        program,
        version,
        arch: std::env::consts::ARCH,
        cpus: cpus(),
        kvm_default: true,
        kvm: kvm(),
        io_uring: io_uring(),
        vhost_net: vhost_net(),
        iommu: iommu(),
        render_node: render_node(),
        network_roms: network_roms(),
        firewall: firewall(layout, vmid),
        splash: splash(),
        first_fd: FIRST_FD,
        begin: Begin::Cold,
        lookup,
    }
}

/// Answers from this host, with volumes found by a function: the storages', or a test's.
#[derive(Debug, Clone, Copy)]
pub struct Host<V>(pub V);

impl<V: Fn(&VolumeId) -> Result<Image, LookupError>> Lookup for Host<V> {
    fn volume(&self, id: &VolumeId) -> Result<Image, LookupError> {
        self.0(id)
    }

    fn firmware(&self, kind: FirmwareKind) -> Option<Firmware> {
        firmware(kind)
    }

    fn hugepages(&self, kib: u64) -> Option<PathBuf> {
        hugepages(kib)
    }

    fn pci(&self, address: &str) -> Vec<PciFunction> {
        pci(address)
    }

    fn bridge_mtu(&self, bridge: &str) -> Option<u32> {
        bridge_mtu(bridge)
    }
}

/// Whether a file can be opened without the host's page cache, as [`Image::direct`] wants to know.
#[must_use]
pub fn direct(path: &Path) -> bool {
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECT | rustix::fs::OFlags::CLOEXEC;
    // Only a file system that cannot says so; any other error is for QEMU to meet.
    !matches!(rustix::fs::open(path, flags, rustix::fs::Mode::empty()), Err(rustix::io::Errno::INVAL))
}

/// Whether the kernel offers io_uring to this process; some hosts switch it off.
#[must_use]
pub fn io_uring() -> bool {
    // SAFETY: a null pointer makes the call fail in every case; which error it gives tells whether the call is there.
    let result = unsafe {
        libc::syscall(libc::SYS_io_uring_setup, 1 as libc::c_long, std::ptr::null::<libc::c_void>())
    };
    result >= 0 || io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)
}

/// Whether hardware virtualisation can be used by this process.
#[must_use]
pub fn kvm() -> bool {
    fs::File::options().read(true).write(true).open("/dev/kvm").is_ok()
}

/// Whether the kernel offers vhost-net.
#[must_use]
pub fn vhost_net() -> bool {
    Path::new("/dev/vhost-net").exists()
}

/// Whether the host has an IOMMU in use, without which no PCI device can be passed on.
#[must_use]
pub fn iommu() -> bool {
    fs::read_dir("/sys/kernel/iommu_groups").is_ok_and(|mut groups| groups.next().is_some())
}

/// Whether there is a render node.
#[must_use]
pub fn render_node() -> bool {
    fs::read_dir("/dev/dri").is_ok_and(|nodes| {
        nodes.flatten().any(|node| node.file_name().to_string_lossy().starts_with("renderD"))
    })
}

/// Whether boot ROMs for network cards are where QEMU looks for them.
#[must_use]
pub fn network_roms() -> bool {
    ["/usr/lib/ipxe/qemu", "/usr/share/qemu", "/usr/share/ipxe/qemu", "/usr/share/ipxe", "/usr/share/kvm"]
        .iter()
        .any(|folder| Path::new(folder).join("efi-virtio.rom").exists())
}

/// The CPUs of the host that are online.
#[must_use]
pub fn cpus() -> u32 {
    // SAFETY: a plain question to the C library.
    let count = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    u32::try_from(count).unwrap_or(1).max(1)
}

/// The picture that Proxmox VE shows at boot, where its package is installed.
#[must_use]
pub fn splash() -> Option<&'static Path> {
    Some(Path::new("/usr/share/qemu-server/bootsplash.jpg")).filter(|path| path.exists())
}

/// The UEFI firmware of a kind, as Debian, Proxmox VE, Fedora and Arch install it.
#[must_use]
pub fn firmware(kind: FirmwareKind) -> Option<Firmware> {
    let (code, vars): (&[&str], &[&str]) = match (kind.large, kind.secure, kind.enrolled) {
        (true, true, true) => (&["OVMF_CODE_4M.secboot.fd"], &["OVMF_VARS_4M.ms.fd"]),
        (true, true, false) => (&["OVMF_CODE_4M.secboot.fd"], &["OVMF_VARS_4M.fd"]),
        (true, false, true) => (&["OVMF_CODE_4M.fd"], &["OVMF_VARS_4M.ms.fd"]),
        (true, false, false) => {
            (&["OVMF_CODE_4M.fd", "OVMF_CODE.4m.fd"], &["OVMF_VARS_4M.fd", "OVMF_VARS.4m.fd"])
        }
        (false, _, _) => (&["OVMF_CODE.fd"], &["OVMF_VARS.fd"]),
    };
    let folders =
        ["/usr/share/OVMF", "/usr/share/pve-edk2-firmware", "/usr/share/edk2/ovmf", "/usr/share/edk2/x64"];
    folders.iter().find_map(|folder| {
        let file =
            |names: &[&str]| names.iter().map(|name| Path::new(folder).join(name)).find(|path| path.exists());
        let (code, vars) = (file(code)?, file(vars)?);
        let vars_size = fs::metadata(&vars).ok()?.len();
        Some(Firmware { code, vars, vars_size })
    })
}

/// Where huge pages of this size in KiB are mounted.
#[must_use]
pub fn hugepages(kib: u64) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    // Without a `pagesize` the mount has the kernel's default, which /proc/meminfo tells.
    let default = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("Hugepagesize:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    });
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (_, path, kind, options) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let size = options.split(',').find_map(|option| option.strip_prefix("pagesize="));
        let size = match size {
            Some(size) => size
                .strip_suffix('M')
                .and_then(|size| size.parse::<u64>().ok())
                .map(|size| size * 1024)
                .or_else(|| size.strip_suffix('G')?.parse::<u64>().ok().map(|size| size << 20)),
            None => default,
        };
        (kind == "hugetlbfs" && size == Some(kib)).then(|| PathBuf::from(path))
    })
}

/// The functions of a PCI device, by an address with or without domain and function: `01:00`, `0000:01:00.0`.
#[must_use]
pub fn pci(address: &str) -> Vec<PciFunction> {
    let full = if address.matches(':').count() == 2 { address.to_owned() } else { format!("0000:{address}") };
    let base = Path::new("/sys/bus/pci/devices");
    let Ok(entries) = fs::read_dir(base) else { return Vec::new() };
    let mut found: Vec<PciFunction> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| {
            *name == full || name.strip_prefix(full.as_str()).is_some_and(|rest| rest.starts_with('.'))
        })
        .map(|address| {
            let driver = fs::read_link(base.join(&address).join("driver")).ok();
            let driver = driver.and_then(|link| Some(link.file_name()?.to_string_lossy().into_owned()));
            PciFunction { address, driver }
        })
        .collect();
    found.sort_by(|a, b| a.address.cmp(&b.address));
    found
}

/// The MTU of a bridge.
#[must_use]
pub fn bridge_mtu(bridge: &str) -> Option<u32> {
    if bridge.contains('/') {
        return None;
    }
    fs::read_to_string(Path::new("/sys/class/net").join(bridge).join("mtu")).ok()?.trim().parse().ok()
}

/// Whether Proxmox VE's firewall is switched on for a guest: for the whole cluster and for the guest itself.
#[must_use]
pub fn firewall(layout: &Layout, vmid: Vmid) -> bool {
    let on = |path: PathBuf| fs::read_to_string(path).is_ok_and(|text| firewall_enabled(&text));
    let folder = layout.pve().join("firewall");
    on(folder.join("cluster.fw")) && on(folder.join(format!("{vmid}.fw")))
}

fn firewall_enabled(text: &str) -> bool {
    let mut inside = false;
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        if line.starts_with('[') {
            inside = line.eq_ignore_ascii_case("[options]");
        } else if let Some(value) = line.strip_prefix("enable:").filter(|_| inside) {
            return config::text::parse_boolean(value.trim()).unwrap_or(false);
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_firewall_is_on_by_its_options_section_only() {
        assert!(firewall_enabled("[OPTIONS]\n\npolicy_in: DROP\nenable: 1 # on\n"));
        assert!(!firewall_enabled("[OPTIONS]\nenable: 0\n"));
        assert!(!firewall_enabled("[RULES]\nenable: 1\n"));
        assert!(!firewall_enabled(""));
    }
}
