//! Binds PCI devices of the host to vfio-pci, the driver that passes them on to a guest.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The kernel's view of the PCI bus.
pub const SYSFS: &str = "/sys/bus/pci";

/// Why a device could not be bound.
#[derive(Debug, thiserror::Error)]
pub enum VfioError {
    /// The driver is not there.
    #[error("cannot pass on PCI device '{address}': the kernel has no driver 'vfio-pci' (module not loaded)")]
    NoDriver {
        /// The device.
        address: String,
    },
    /// The kernel refused a step.
    #[error("cannot pass on PCI device '{address}': cannot write '{path}'")]
    Write {
        /// The device.
        address: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It went through the steps and is bound to another driver, or to none.
    #[error("cannot pass on PCI device '{address}': it is not bound to 'vfio-pci'")]
    NotBound {
        /// The device.
        address: String,
    },
}

/// Takes a device from its driver and gives it to vfio-pci; `sysfs` is [`SYSFS`].
///
/// # Errors
/// Each names the device.
pub fn bind(sysfs: &Path, address: &str) -> Result<(), VfioError> {
    let device = sysfs.join("devices").join(address);
    let bound = || {
        fs::read_link(device.join("driver")).is_ok_and(|link| link.file_name() == Some("vfio-pci".as_ref()))
    };
    if bound() {
        return Ok(());
    }
    if !sysfs.join("drivers/vfio-pci").exists() {
        return Err(VfioError::NoDriver { address: address.to_owned() });
    }
    let write = |path: PathBuf, text: &str| {
        fs::write(&path, text).map_err(|source| VfioError::Write {
            address: address.to_owned(),
            path,
            source,
        })
    };
    write(device.join("driver_override"), "vfio-pci")?;
    if device.join("driver").exists() {
        write(device.join("driver/unbind"), address)?;
    }
    write(sysfs.join("drivers_probe"), address)?;
    if bound() { Ok(()) } else { Err(VfioError::NotBound { address: address.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_device_that_does_not_get_there_is_named() {
        let sysfs = tempfile::tempdir().unwrap();
        let (address, root) = ("0000:01:00.0", sysfs.path());
        let device = root.join("devices").join(address);
        fs::create_dir_all(&device).unwrap();
        let error = bind(root, address).unwrap_err();
        assert!(
            matches!(&error, VfioError::NoDriver { .. }) && error.to_string().contains(address),
            "{error}"
        );

        // Taken from its driver and offered anew, but nobody took it.
        for driver in ["nvidia", "vfio-pci"] {
            fs::create_dir_all(root.join("drivers").join(driver)).unwrap();
        }
        symlink(root.join("drivers/nvidia"), device.join("driver")).unwrap();
        assert!(matches!(bind(root, address), Err(VfioError::NotBound { .. })));
        let text = |path: &str| fs::read_to_string(root.join(path)).unwrap();
        assert_eq!(text("drivers/nvidia/unbind"), address);
        assert_eq!(text(&format!("devices/{address}/driver_override")), "vfio-pci");
        assert_eq!(text("drivers_probe"), address);

        fs::remove_file(device.join("driver")).unwrap();
        symlink(root.join("drivers/vfio-pci"), device.join("driver")).unwrap();
        bind(root, address).unwrap();
        assert!(!root.join("drivers/vfio-pci/unbind").exists());
    }
}
