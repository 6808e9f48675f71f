//! What a guest has of the host's network, with how it is taken and brought back.

use crate::tc;
use hookscript::serde_json::Value;
use hookscript::{Resource, Result, Sharing};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// An interface of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) name: String,
    /// It comes and goes with the guest, and all that is on it.
    pub(crate) of_guest: bool,
}

impl Device {
    fn folder(&self) -> PathBuf {
        Path::new("/sys/class/net").join(&self.name)
    }

    fn is_there(&self) -> bool {
        self.folder().exists()
    }
}

/// One thing that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Thing {
    /// The place for filters at a device: the queueing discipline `clsact`.
    Classes { device: Device },
    /// Filters that copy what a device receives and sends to another.
    Mirror { from: Device, to: Device },
    /// An entry in a device's own forwarding table.
    Entry { mac: String, device: Device },
    /// Which frames for the bridge itself it forwards all the same.
    Mask { device: Device, bits: u16 },
}

impl Thing {
    fn devices(&self) -> Vec<&Device> {
        match self {
            Self::Mirror { from, to } => vec![from, to],
            Self::Classes { device } | Self::Entry { device, .. } | Self::Mask { device, .. } => vec![device],
        }
    }

    /// Its interfaces that come with the guest.
    pub(crate) fn of_guest(&self) -> Vec<&str> {
        self.devices()
            .into_iter()
            .filter(|device| device.of_guest)
            .map(|device| device.name.as_str())
            .collect()
    }

    /// What is the host's own is there.
    pub(crate) fn check(&self) -> Result<()> {
        for device in self.devices().into_iter().filter(|device| !device.of_guest) {
            if !device.is_there() {
                return Err(format!("net-tap: this host has no interface {}", device.name).into());
            }
            if matches!(self, Self::Mask { .. }) && !device.folder().join("bridge").exists() {
                return Err(
                    format!("net-tap: {} is no bridge, and has no group_fwd_mask", device.name).into()
                );
            }
        }
        Ok(())
    }

    /// What is known of a thing by the name under which it is on file: enough to bring it back.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let device = |name: &str| Device { name: name.to_owned(), of_guest: false };
        let (kind, rest) = name.split_once(' ')?;
        Some(match kind {
            "clsact" => Self::Classes { device: device(rest) },
            "mirror" => {
                let (from, to) = rest.split_once('>')?;
                Self::Mirror { from: device(from), to: device(to) }
            }
            "fdb" => {
                let (mac, on) = rest.split_once(' ')?;
                Self::Entry { mac: mac.to_owned(), device: device(on) }
            }
            "group_fwd_mask" => Self::Mask { device: device(rest), bits: 0 },
            _ => return None,
        })
    }

    /// Where a device has its mask: a bridge, or one port of it.
    fn mask(device: &Device) -> PathBuf {
        let own = device.folder().join("bridge/group_fwd_mask");
        if own.exists() { own } else { device.folder().join("brport/group_fwd_mask") }
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Classes { device } => write!(f, "filters can be set at {}", device.name),
            Self::Mirror { from, to } => {
                write!(f, "what {} receives and sends is copied to {}", from.name, to.name)
            }
            Self::Entry { mac, device } => write!(f, "{} forwards to {mac}", device.name),
            Self::Mask { device, bits } => write!(f, "group_fwd_mask of {} has {bits:#x}", device.name),
        }
    }
}

impl Resource for Thing {
    fn name(&self) -> String {
        match self {
            Self::Classes { device } => format!("clsact {}", device.name),
            Self::Mirror { from, to } => format!("mirror {}>{}", from.name, to.name),
            Self::Entry { mac, device } => format!("fdb {mac} {}", device.name),
            Self::Mask { device, .. } => format!("group_fwd_mask {}", device.name),
        }
    }

    fn sharing(&self) -> Sharing {
        match self {
            Self::Classes { .. } | Self::Mask { .. } => Sharing::Shared,
            Self::Mirror { .. } | Self::Entry { .. } => Sharing::Separate,
        }
    }

    fn look(&self) -> Result<Value> {
        Ok(match self {
            Self::Classes { device } => tc::has_classes(&device.name)?.into(),
            Self::Mirror { from, .. } => tc::free_preference(&from.name)?.into(),
            Self::Entry { mac, device } => tc::has_entry(mac, &device.name)?.into(),
            Self::Mask { device, .. } => read(&Self::mask(device))?.into(),
        })
    }

    fn take(&self, was: &Value) -> Result<()> {
        match self {
            Self::Classes { device } if tc::has_classes(&device.name)? => Ok(()),
            Self::Classes { device } => tc::add_classes(&device.name),
            Self::Mirror { from, to } => {
                tc::add_mirror(&from.name, &to.name, was.as_u64().unwrap_or_default())
            }
            Self::Entry { .. } if *was == true => Ok(()),
            Self::Entry { mac, device } => tc::entry("add", mac, &device.name),
            Self::Mask { device, bits } => {
                let path = Self::mask(device);
                write(&path, read(&path)? | bits)
            }
        }
    }

    fn give_back(&self, was: &Value) -> Result<()> {
        if !self.devices().first().is_some_and(|device| device.is_there()) {
            return Ok(());
        }
        match self {
            Self::Classes { .. } if *was == true => Ok(()),
            Self::Classes { device } => tc::remove_classes(&device.name),
            Self::Mirror { from, .. } => tc::remove_mirror(&from.name, was.as_u64().unwrap_or_default()),
            Self::Entry { mac, device } if *was == false && tc::has_entry(mac, &device.name)? => {
                tc::entry("del", mac, &device.name)
            }
            Self::Entry { .. } => Ok(()),
            Self::Mask { device, .. } => {
                let (path, mask) =
                    (Self::mask(device), was.as_u64().and_then(|mask| u16::try_from(mask).ok()));
                if path.exists() { write(&path, mask.unwrap_or_default()) } else { Ok(()) }
            }
        }
    }
}

fn read(path: &Path) -> Result<u16> {
    let text =
        fs::read_to_string(path).map_err(|error| format!("cannot read '{}': {error}", path.display()))?;
    let digits = text.trim().trim_start_matches("0x");
    u16::from_str_radix(digits, 16).map_err(|_| format!("'{}' has no mask: {text}", path.display()).into())
}

fn write(path: &Path, mask: u16) -> Result<()> {
    let written = fs::write(path, format!("{mask:#x}"));
    written.map_err(|error| {
        format!("the kernel does not take {mask:#x} for '{}': {error}", path.display()).into()
    })
}
