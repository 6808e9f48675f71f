//! QEMU's command line on this host.

use config::GuestConfig;
use model::{Layout, NodeName, Vmid, VolumeId};
use qemu::command::{Begin, Facts, Firmware, FirmwareKind, Image, Lookup, LookupError, PciFunction, Version};
use qemu::{CommandLine, binary, command_line, probe};
use rustix::fs::OFlags;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use storage::Storages;
use store::ConfigStore;

/// The first descriptor that QEMU is passed.
const FIRST_FD: i32 = 20;

/// The command line that a start would use.
///
/// # Errors
/// Why the configuration cannot be started, in the words of the start's task.
pub fn show_command(store: &ConfigStore, vmid: Vmid, config: &GuestConfig) -> Result<CommandLine, String> {
    let program = binary::find_binary().map_err(|error| error.to_string())?;
    let version = version(store.layout(), &program)?;
    let storages = Storages::load(store).map_err(|error| error.to_string())?;
    let (layout, node): (&Layout, &NodeName) = (store.layout(), store.node());
    let facts = Facts {
        layout,
        node,
        program: &program,
        version,
        arch: std::env::consts::ARCH,
        cpus: probe::cpus(),
        kvm_default: true,
        kvm: probe::kvm(),
        io_uring: probe::io_uring(),
        vhost_net: probe::vhost_net(),
        iommu: probe::iommu(),
        render_node: probe::render_node(),
        network_roms: probe::network_roms(),
        firewall: probe::firewall(layout, vmid),
        splash: probe::splash(),
        first_fd: FIRST_FD,
        begin: Begin::Cold,
        lookup: &HostLookup { storages },
    };
    command_line(config, vmid, &facts).map_err(|error| error.to_string())
}

/// The version of QEMU, which it takes 20 ms to tell: kept as long as the binary stays the same.
fn version(layout: &Layout, program: &Path) -> Result<Version, String> {
    let file =
        fs::metadata(program).map_err(|error| format!("cannot look at '{}': {error}", program.display()))?;
    let mark = format!("{} {} {} {}", program.display(), file.ino(), file.mtime(), file.size());
    let cache = layout.run().join("qemu-version");
    let known = fs::read_to_string(&cache).ok().and_then(|text| {
        let (seen, version) = text.split_once('\n')?;
        let mut numbers = version.trim().split('.').map(|number| number.parse::<u32>().ok());
        (seen == mark).then_some(())?;
        Some(Version { major: numbers.next()??, minor: numbers.next()??, micro: numbers.next()?? })
    });
    if let Some(version) = known {
        return Ok(version);
    }
    let version = binary::version(program).map_err(|error| error.to_string())?;
    // Without it the next start takes a little longer.
    let _ = store::replace(&cache, format!("{mark}\n{version}\n").as_bytes(), 0o600);
    Ok(version)
}

/// What the command line asks of this host.
struct HostLookup {
    storages: Storages,
}

impl Lookup for HostLookup {
    fn volume(&self, id: &VolumeId) -> Result<Image, LookupError> {
        let volume = self.storages.existing(id)?;
        let direct = rustix::fs::open(
            &volume.path,
            OFlags::RDONLY | OFlags::DIRECT | OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        );
        Ok(Image { path: volume.path, format: volume.format, direct: direct.is_ok() })
    }

    fn firmware(&self, kind: FirmwareKind) -> Option<Firmware> {
        probe::firmware(kind)
    }

    fn hugepages(&self, kib: u64) -> Option<PathBuf> {
        probe::hugepages(kib)
    }

    fn pci(&self, address: &str) -> Vec<PciFunction> {
        probe::pci(address)
    }

    fn bridge_mtu(&self, bridge: &str) -> Option<u32> {
        probe::bridge_mtu(bridge)
    }
}
