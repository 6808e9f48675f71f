//! One function of a PCI device, with how it goes to the guest and back.

use crate::kernel::write;
use crate::settings::Settings;
use hookscript::pci::{Device, device_in};
use hookscript::serde_json::{Value, json};
use hookscript::{Resource, Result, Sharing, wait};
use std::time::Duration;

/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// A function at one address.
pub(crate) struct Function<'s> {
    settings: &'s Settings,
    address: String,
}

impl<'s> Function<'s> {
    pub(crate) fn of(settings: &'s Settings, address: &str) -> Self {
        Self { settings, address: address.to_owned() }
    }

    fn device(&self) -> Result<Device> {
        device_in(&self.settings.sysfs, &self.address)
    }

    fn bus(&self, name: &str, text: &str) -> Result<()> {
        write(&self.settings.sysfs.join("bus/pci").join(name), text, self.settings.limit)
    }

    fn set(&self, device: &Device, name: &str, text: &str) -> Result<()> {
        write(&device.folder().join(name), text, self.settings.limit)
    }

    fn wait(&self, what: &str, so: impl Fn() -> bool) -> Result<()> {
        let what = format!("{} to {what}", self.address);
        wait::until(&what, self.settings.limit, PAUSE, || Ok(so().then_some(())))
    }

    /// A device whose link is dead reads as ones only. Whoever touches it then may hang in the kernel.
    fn is_dead(device: &Device) -> bool {
        std::fs::read(device.folder().join("config")).is_ok_and(|bytes| bytes.starts_with(&[0xff; 4]))
    }

    /// Takes it from its driver, and has none but this one take it.
    fn bind(&self, device: &Device, driver: &str) -> Result<()> {
        if device.bound_to().as_deref() == Some(driver) {
            return Ok(());
        }
        if let Some(old) = device.bound_to() {
            self.bus(&format!("drivers/{old}/unbind"), &self.address)?;
            self.wait(&format!("leave the driver {old}"), || device.bound_to().is_none())?;
        }
        self.set(device, "driver_override", driver)?;
        self.bus("drivers_probe", &self.address)?;
        self.wait(&format!("come to the driver {driver}"), || device.bound_to().as_deref() == Some(driver))
    }

    fn unbind(&self, device: &Device) -> Result<()> {
        match device.bound_to() {
            Some(old) => {
                self.bus(&format!("drivers/{old}/unbind"), &self.address)?;
                self.wait(&format!("leave the driver {old}"), || device.bound_to().is_none())
            }
            None => Ok(()),
        }
    }

    /// Has the bus looked at until the device is there.
    fn find(&self) -> Result<Device> {
        if self.device().is_err() {
            self.bus("rescan", "1")?;
            self.wait("be found on the bus again", || self.device().is_ok())?;
        }
        self.device()
    }
}

impl Resource for Function<'_> {
    fn name(&self) -> String {
        self.address.clone()
    }

    fn sharing(&self) -> Sharing {
        Sharing::Exclusive
    }

    fn look(&self) -> Result<Value> {
        let device = self.device()?;
        if Self::is_dead(&device) {
            return Err("it does not answer on the bus (its link is dead), and is not touched: switch the host off and on".into());
        }
        let known = device.attribute("reset_method");
        if let Some(wanted) = &self.settings.reset_method
            && known.is_none()
        {
            return Err(format!(
                "it has no reset_method to set to '{wanted}': the kernel is older than 5.15"
            )
            .into());
        }
        let only =
            device.attribute("driver_override").filter(|text| !["", "(null)"].contains(&text.as_str()));
        Ok(json!({"driver": device.driver, "driver_override": only, "reset_method": known}))
    }

    fn take(&self, _: &Value) -> Result<()> {
        let device = self.device()?;
        if let Some(method) = &self.settings.reset_method {
            self.set(&device, "reset_method", method)?;
        }
        self.bind(&device, &self.settings.driver)
    }

    fn give_back(&self, was: &Value) -> Result<()> {
        let text = |name: &str| was[name].as_str();
        let mut device = self.find()?;
        if Self::is_dead(&device) {
            return Err("it does not answer on the bus (its link is dead), and is left as it is: switch the host off and on".into());
        }
        if self.settings.rescan && device.bound_to().as_deref() == Some(self.settings.driver.as_str()) {
            self.unbind(&device)?;
            self.set(&device, "remove", "1")?;
            self.wait("leave the bus", || self.device().is_err())?;
            device = self.find()?;
        }
        match text("driver") {
            Some(driver) => self.bind(&device, driver)?,
            None => self.unbind(&device)?,
        }
        let only = text("driver_override").map_or_else(|| "\n".to_owned(), str::to_owned);
        self.set(&device, "driver_override", &only)?;
        match text("reset_method") {
            Some(method) if device.attribute("reset_method").as_deref() != Some(method) => {
                self.set(&device, "reset_method", method)
            }
            _ => Ok(()),
        }
    }
}
