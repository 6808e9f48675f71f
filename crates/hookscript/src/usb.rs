//! The host's USB devices in sysfs.

use crate::Result;
use crate::sysfs::{hex, link_name, read};
use std::path::{Path, PathBuf};

/// A USB device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its name in sysfs, by bus and ports: `1-4.2`.
    pub name: String,
    /// The maker's number.
    pub vendor: u32,
    /// The maker's number for the product.
    pub product: u32,
    /// The bus, and the number on it: `/dev/bus/usb/001/004`.
    pub bus: u32,
    /// See [`Device::bus`].
    pub number: u32,
    /// What it calls itself.
    pub title: Option<String>,
    /// Its serial number.
    pub serial: Option<String>,
    /// The driver that has it.
    pub driver: Option<String>,
    folder: PathBuf,
}

/// All of them, by name.
///
/// # Errors
/// Where the bus cannot be read.
pub fn devices() -> Result<Vec<Device>> {
    devices_in(Path::new("/sys"))
}

/// As [`devices`], of another tree than `/sys`.
///
/// # Errors
/// As [`devices`].
pub fn devices_in(sys: &Path) -> Result<Vec<Device>> {
    let folder = sys.join("bus/usb/devices");
    let entries = std::fs::read_dir(&folder).map_err(crate::error::at("read", &folder))?;
    // Interfaces of devices stand beside them and have no maker.
    let mut devices: Vec<Device> = entries.flatten().filter_map(|entry| Device::read(entry.path())).collect();
    devices.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Ok(devices)
}

/// The devices of that maker and product: `046d:c52b`, as in `usb0: host=046d:c52b`.
///
/// # Errors
/// Where the bus cannot be read.
pub fn find(vendor: u32, product: u32) -> Result<Vec<Device>> {
    Ok(devices()?.into_iter().filter(|device| (device.vendor, device.product) == (vendor, product)).collect())
}

impl Device {
    fn read(folder: PathBuf) -> Option<Self> {
        let decimal = |name: &str| read(&folder.join(name))?.parse().ok();
        Some(Self {
            name: folder.file_name()?.to_string_lossy().into_owned(),
            vendor: hex(&folder.join("idVendor"))?,
            product: hex(&folder.join("idProduct"))?,
            bus: decimal("busnum")?,
            number: decimal("devnum")?,
            title: read(&folder.join("product")),
            serial: read(&folder.join("serial")),
            driver: link_name(&folder.join("driver")),
            folder,
        })
    }

    /// Its folder in sysfs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its device file.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        PathBuf::from(format!("/dev/bus/usb/{:03}/{:03}", self.bus, self.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn devices_are_found_among_their_interfaces() {
        let sys = tempfile::tempdir().unwrap();
        let bus = sys.path().join("bus/usb/devices");
        fs::create_dir_all(bus.join("1-4:1.0")).unwrap();
        fs::create_dir_all(bus.join("1-4")).unwrap();
        let attributes = [
            ("idVendor", "046d"),
            ("idProduct", "c52b"),
            ("busnum", "1"),
            ("devnum", "4"),
            ("product", "Receiver"),
        ];
        for (name, text) in attributes {
            fs::write(bus.join("1-4").join(name), format!("{text}\n")).unwrap();
        }
        let all = devices_in(sys.path()).unwrap();
        let [device] = &all[..] else { panic!("{all:?}") };
        assert_eq!((device.vendor, device.product, device.serial.as_deref()), (0x046d, 0xc52b, None));
        assert_eq!(
            (device.title.as_deref(), device.file().to_str()),
            (Some("Receiver"), Some("/dev/bus/usb/001/004"))
        );
        assert!(devices_in(Path::new("/nowhere")).is_err());
    }
}
