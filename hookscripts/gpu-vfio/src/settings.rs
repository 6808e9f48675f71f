//! What is asked for.

use hookscript::command::{self, Limit};
use hookscript::{Call, Guest, Result, log, pci};
use std::path::PathBuf;
use std::time::Duration;

/// The settings of one guest.
pub(crate) struct Settings {
    devices: String,
    /// The driver that hands a device to a guest.
    pub(crate) driver: String,
    /// How the kernel shall reset the devices while the guest has them.
    pub(crate) reset_method: Option<String>,
    /// Give back by taking the device off the bus and finding it anew.
    pub(crate) rescan: bool,
    /// How long the kernel may take for one step.
    pub(crate) limit: Duration,
    pub(crate) sysfs: PathBuf,
}

impl Settings {
    pub(crate) fn of(call: &Call) -> Result<Self> {
        let limit = call.param("gpu_limit")?.unwrap_or_else(|| "30".to_owned());
        let back = call.param("gpu_back")?.unwrap_or_else(|| "driver".to_owned());
        if !["driver", "rescan"].contains(&back.as_str()) {
            return Err(format!("gpu_back is '{back}', which is neither driver nor rescan").into());
        }
        Ok(Self {
            devices: call.param("gpu_devices")?.unwrap_or_default(),
            driver: call.param("gpu_driver")?.unwrap_or_else(|| "vfio-pci".to_owned()),
            reset_method: call.param("gpu_reset_method")?,
            rescan: back == "rescan",
            limit: limit
                .parse()
                .map(Duration::from_secs)
                .map_err(|_| format!("gpu_limit is '{limit}', which is no number of seconds"))?,
            sysfs: call.param("sysfs")?.unwrap_or_else(|| "/sys".to_owned()).into(),
        })
    }

    /// The addresses of the devices: those that are named, else those of the guest's `hostpciN`.
    pub(crate) fn devices(&self, guest: &Guest) -> Result<Vec<String>> {
        let mut words: Vec<String> = self.devices.split_whitespace().map(str::to_owned).collect();
        if words.is_empty() {
            for (number, _) in guest.config.numbered("hostpci") {
                let parts = guest.config.parts(&format!("hostpci{number}"));
                match parts.get("host").or_else(|| parts.get("")) {
                    Some(host) => words.extend(host.split(';').map(str::to_owned)),
                    None => log::warning(format!(
                        "gpu-vfio: hostpci{number} names no address, and is passed over"
                    )),
                }
            }
        }
        let mut addresses = Vec::new();
        for word in words {
            for address in self.functions(&word)? {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        Ok(addresses)
    }

    /// `01:00.1` is one function, `01:00` all that the device has.
    fn functions(&self, word: &str) -> Result<Vec<String>> {
        let whole = if word.split(':').count() == 2 { format!("0000:{word}") } else { word.to_owned() };
        if whole.contains('.') {
            return Ok(vec![pci::device_in(&self.sysfs, &whole)?.address]);
        }
        let all = pci::devices_in(&self.sysfs)?.into_iter().map(|device| device.address);
        let found: Vec<String> = all.filter(|address| address.split('.').next() == Some(&whole)).collect();
        if found.is_empty() { Err(format!("no PCI device is at {whole}").into()) } else { Ok(found) }
    }

    /// Sees to it that the driver is there.
    pub(crate) fn load_driver(&self) -> Result<()> {
        let folder = self.sysfs.join("bus/pci/drivers").join(&self.driver);
        if !folder.exists() && self.sysfs.as_os_str() == "/sys" {
            command::run("modprobe", [self.driver.as_str()], Limit::of(self.limit))?;
        }
        if folder.exists() { Ok(()) } else { Err(format!("the driver {} is not there", self.driver).into()) }
    }
}
