use model::{Layout, NodeName, VolumeId};
use qemu::command::{Begin, Facts, Firmware, FirmwareKind, Image, Lookup, LookupError, PciFunction, Version};
use std::path::{Path, PathBuf};

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
