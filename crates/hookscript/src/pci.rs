//! The host's PCI devices in sysfs.

use crate::sysfs::{hex, link_name, read, write};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// A PCI device: one function at one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// `0000:01:00.0`.
    pub address: String,
    /// The maker's number.
    pub vendor: u32,
    /// The maker's number for the device.
    pub device: u32,
    /// Class, subclass and interface: `0x030000` is a display controller.
    pub class: u32,
    /// The driver that has it.
    pub driver: Option<String>,
    /// Its IOMMU group: what is in one group goes to one guest.
    pub iommu_group: Option<u32>,
    folder: PathBuf,
    bus: PathBuf,
}

/// All of them, by address.
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
    let folder = sys.join("bus/pci/devices");
    let entries = std::fs::read_dir(&folder).map_err(crate::error::at("read", &folder))?;
    let mut devices: Vec<Device> = entries
        .flatten()
        .map(|entry| Device::read(sys, &entry.file_name().to_string_lossy()))
        .collect::<Result<_>>()?;
    devices.sort_unstable_by(|one, other| one.address.cmp(&other.address));
    Ok(devices)
}

/// The device at an address, with or without its domain: `0000:01:00.0`, `01:00.0`.
///
/// # Errors
/// Where none is there.
pub fn device(address: &str) -> Result<Device> {
    device_in(Path::new("/sys"), address)
}

/// As [`device`], of another tree than `/sys`.
///
/// # Errors
/// As [`device`].
pub fn device_in(sys: &Path, address: &str) -> Result<Device> {
    let whole = if address.split(':').count() == 2 { format!("0000:{address}") } else { address.to_owned() };
    if whole.contains('/') {
        return Err(format!("'{address}' is no PCI address").into());
    }
    Device::read(sys, &whole)
}

impl Device {
    fn read(sys: &Path, address: &str) -> Result<Self> {
        let bus = sys.join("bus/pci");
        let folder = bus.join("devices").join(address);
        let number = |name: &str| {
            hex(&folder.join(name)).ok_or_else(|| Error::from(format!("no PCI device is at {address}")))
        };
        Ok(Self {
            address: address.to_owned(),
            vendor: number("vendor")?,
            device: number("device")?,
            class: number("class")?,
            driver: link_name(&folder.join("driver")),
            iommu_group: link_name(&folder.join("iommu_group")).and_then(|group| group.parse().ok()),
            folder,
            bus,
        })
    }

    /// Its folder in sysfs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// An attribute: `reset_method`, `numa_node`. None where it has none of that name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<String> {
        read(&self.folder.join(name))
    }

    /// Writes an attribute.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set(&self, name: &str, value: &str) -> Result<()> {
        write(&self.folder.join(name), value)
    }

    /// The driver that has it now; it may have changed since the device was found.
    #[must_use]
    pub fn bound_to(&self) -> Option<String> {
        link_name(&self.folder.join("driver"))
    }

    /// Takes it from its driver. Nothing happens where it has none.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn unbind(&self) -> Result<()> {
        match self.bound_to() {
            Some(driver) => write(&self.bus.join("drivers").join(driver).join("unbind"), &self.address),
            None => Ok(()),
        }
    }

    /// Gives it to a driver and to no other from now on, by `driver_override` (the kernel's ABI, sysfs-bus-pci). The driver's
    /// module must be loaded.
    ///
    /// # Errors
    /// What the kernel says, or that the device is not the driver's afterwards.
    pub fn bind(&self, driver: &str) -> Result<()> {
        if self.bound_to().as_deref() == Some(driver) {
            return Ok(());
        }
        self.unbind()?;
        self.set("driver_override", driver)?;
        write(&self.bus.join("drivers_probe"), &self.address)?;
        match self.bound_to() {
            Some(now) if now == driver => Ok(()),
            now => Err(format!(
                "{} is not with the driver {driver} but with {}",
                self.address,
                now.as_deref().unwrap_or("none")
            )
            .into()),
        }
    }

    /// Lets any driver have it that fits, and has the kernel look for one.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn release(&self) -> Result<()> {
        self.unbind()?;
        self.set("driver_override", "\n")?;
        write(&self.bus.join("drivers_probe"), &self.address)
    }

    /// Takes the device off the bus, as if it were pulled; [`rescan`] finds it again.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn remove(&self) -> Result<()> {
        self.set("remove", "1")
    }

    /// Whether it is on the bus.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.folder.exists()
    }
}

/// Has the kernel look for devices that it does not know yet.
///
/// # Errors
/// What the kernel says.
pub fn rescan() -> Result<()> {
    rescan_in(Path::new("/sys"))
}

/// As [`rescan`], of another tree than `/sys`.
///
/// # Errors
/// As [`rescan`].
pub fn rescan_in(sys: &Path) -> Result<()> {
    write(&sys.join("bus/pci/rescan"), "1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn tree() -> tempfile::TempDir {
        let sys = tempfile::tempdir().unwrap();
        let bus = sys.path().join("bus/pci");
        for (address, device, driver) in
            [("0000:01:00.0", "0x1b80", Some("nouveau")), ("0000:00:02.0", "0x0412", None)]
        {
            let folder = bus.join("devices").join(address);
            fs::create_dir_all(&folder).unwrap();
            for (name, text) in [("vendor", "0x10de"), ("device", device), ("class", "0x030000")] {
                fs::write(folder.join(name), format!("{text}\n")).unwrap();
            }
            for name in ["driver_override", "remove", "reset_method"] {
                fs::write(folder.join(name), "flr bus\n").unwrap();
            }
            symlink("../../../../kernel/iommu_groups/7", folder.join("iommu_group")).unwrap();
            if let Some(driver) = driver {
                let folder_of_driver = bus.join("drivers").join(driver);
                fs::create_dir_all(&folder_of_driver).unwrap();
                fs::write(folder_of_driver.join("unbind"), "").unwrap();
                symlink(&folder_of_driver, folder.join("driver")).unwrap();
            }
        }
        fs::write(bus.join("rescan"), "").unwrap();
        fs::write(bus.join("drivers_probe"), "").unwrap();
        sys
    }

    #[test]
    fn devices_are_found() {
        let sys = tree();
        let all = devices_in(sys.path()).unwrap();
        assert_eq!(
            all.iter().map(|one| one.address.as_str()).collect::<Vec<_>>(),
            ["0000:00:02.0", "0000:01:00.0"]
        );
        let one = device_in(sys.path(), "01:00.0").unwrap();
        assert_eq!((one.vendor, one.device, one.class >> 16), (0x10de, 0x1b80, 3));
        assert_eq!((one.driver.as_deref(), one.iommu_group), (Some("nouveau"), Some(7)));
        assert_eq!(one.attribute("reset_method").as_deref(), Some("flr bus"));
        let none = device_in(sys.path(), "02:00.0").unwrap_err().to_string();
        assert_eq!(none, "no PCI device is at 0000:02:00.0");
        assert!(device_in(sys.path(), "../../0").is_err());
    }

    #[test]
    fn what_is_asked_of_the_kernel() {
        let sys = tree();
        let text = |path: &str| fs::read_to_string(sys.path().join("bus/pci").join(path)).unwrap();
        let one = device_in(sys.path(), "01:00.0").unwrap();
        // Nobody binds here, and that is said.
        let error = one.bind("vfio-pci").unwrap_err().to_string();
        assert_eq!(error, "0000:01:00.0 is not with the driver vfio-pci but with nouveau");
        assert_eq!(text("drivers/nouveau/unbind"), "0000:01:00.0");
        assert!(text("devices/0000:01:00.0/driver_override").starts_with("vfio-pci"));
        assert_eq!(text("drivers_probe"), "0000:01:00.0");
        one.remove().unwrap();
        rescan_in(sys.path()).unwrap();
        assert_eq!(text("rescan"), "1");
        let other = device_in(sys.path(), "00:02.0").unwrap();
        other.unbind().unwrap();
        assert!(other.set("nothing", "1").unwrap_err().to_string().starts_with("cannot write '1' to"));
    }
}
