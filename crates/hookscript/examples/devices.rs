//! The devices of the host that the guest is to have: PCI devices of its configuration, and a USB device by its numbers.

use hookscript::{log, pci, run, usb};
use std::process::ExitCode;

fn main() -> ExitCode {
    run(|call| {
        let config = call.guest()?.config;
        for (number, _) in config.numbered("hostpci") {
            let parts = config.parts(&format!("hostpci{number}"));
            let address = parts.get("host").or_else(|| parts.get("")).map_or("", String::as_str);
            let device = pci::device(address)?;
            log::info(format!(
                "{} is with {:?}, in group {:?}",
                device.address, device.driver, device.iommu_group
            ));
        }
        for stick in usb::find(0x0951, 0x1666)? {
            log::info(format!("the stick is {}", stick.file().display()));
        }
        Ok(())
    })
}
