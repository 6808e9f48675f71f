//! What the tests of this crate share: a host of known facts, and the configurations in `golden/`.

use config::GuestConfig;
use model::{GuestKind, Layout, NodeName, Vmid, VolumeId};
use qemu::command::{Begin, Facts, Firmware, FirmwareKind, Image, Lookup, LookupError, PciFunction, Version};
use std::path::{Path, PathBuf};

/// The guest of all tests.
pub(crate) fn vmid() -> Vmid {
    "100".parse().unwrap()
}

/// A configuration by the text of its file, which must be understood.
pub(crate) fn read(text: &str) -> GuestConfig {
    let (config, warnings) = config::parse(GuestKind::Qemu, vmid(), text.as_bytes());
    assert!(warnings.is_empty(), "{}", warnings.iter().map(ToString::to_string).collect::<String>());
    config
}

/// The configurations in `golden/`, by name.
pub(crate) fn goldens() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "conf"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    found.sort();
    found
}

/// Where they are.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// A host that has everything, except where a test takes something away.
pub(crate) struct Known {
    pub(crate) layout: Layout,
    pub(crate) node: NodeName,
    pub(crate) lookup: KnownLookup,
}

impl Default for Known {
    fn default() -> Self {
        Self { layout: Layout::new("/"), node: "pve1".parse().unwrap(), lookup: KnownLookup::default() }
    }
}

impl Known {
    pub(crate) fn facts(&self) -> Facts<'_> {
        Facts {
            layout: &self.layout,
            node: &self.node,
            program: Path::new("/usr/bin/kvm"),
            version: Version { major: 7, minor: 2, micro: 22 },
            arch: "x86_64",
            cpus: 64,
            kvm_default: true,
            kvm: true,
            io_uring: true,
            vhost_net: true,
            iommu: true,
            render_node: true,
            network_roms: true,
            firewall: false,
            splash: None,
            first_fd: 10,
            begin: Begin::Cold,
            lookup: &self.lookup,
        }
    }
}

/// Answers as a host would that has every volume and every piece of firmware.
pub(crate) struct KnownLookup {
    pub(crate) firmware: bool,
    pub(crate) hugepages: bool,
}

impl Default for KnownLookup {
    fn default() -> Self {
        Self { firmware: true, hugepages: true }
    }
}

impl Lookup for KnownLookup {
    fn volume(&self, id: &VolumeId) -> Result<Image, LookupError> {
        if id.name().contains("missing") {
            return Err(format!("volume '{id}' does not exist").into());
        }
        let base = Path::new("/var/lib/vz");
        Ok(match id.name().strip_prefix("iso/") {
            Some(name) => Image { path: base.join("template/iso").join(name), format: None, direct: true },
            None => Image {
                path: base.join("images").join(id.name()),
                format: id.name().rsplit_once('.').map(|(_, format)| format.to_owned()),
                direct: true,
            },
        })
    }

    fn firmware(&self, kind: FirmwareKind) -> Option<Firmware> {
        let base = Path::new("/usr/share/OVMF");
        let size = if kind.large { "_4M" } else { "" };
        self.firmware.then(|| Firmware {
            code: base.join(format!("OVMF_CODE{size}{}.fd", if kind.secure { ".secboot" } else { "" })),
            vars: base.join(format!("OVMF_VARS{size}{}.fd", if kind.enrolled { ".ms" } else { "" })),
            vars_size: if kind.large { 540_672 } else { 131_072 },
        })
    }

    fn hugepages(&self, kib: u64) -> Option<PathBuf> {
        (self.hugepages && kib == 2048).then(|| PathBuf::from("/run/hugepages/kvm/2048kB"))
    }

    fn pci(&self, address: &str) -> Vec<PciFunction> {
        let function = |address: &str, driver: &str| PciFunction {
            address: address.to_owned(),
            driver: Some(driver.to_owned()),
        };
        match address {
            "01:00" => vec![function("0000:01:00.0", "nvidia"), function("0000:01:00.1", "vfio-pci")],
            "0000:02:00.0" | "02:00.0" => vec![function("0000:02:00.0", "ixgbe")],
            "03:00.0" => vec![function("0000:03:00.0", "xhci_hcd")],
            _ => Vec::new(),
        }
    }

    fn bridge_mtu(&self, bridge: &str) -> Option<u32> {
        match bridge {
            "vmbr0" => Some(1500),
            "vmbr1" => Some(9000),
            _ => None,
        }
    }
}
