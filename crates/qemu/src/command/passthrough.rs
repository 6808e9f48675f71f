//! Devices of the host that the guest gets: USB and PCI.

use super::{Build, CommandError, Slot, Value, props::Props};

impl Build<'_> {
    /// The tablet, which makes a remote pointer follow the local one, and devices of the host.
    pub(super) fn usb(&mut self) -> Result<(), CommandError> {
        if self.main.flag("tablet", !self.vga.is_serial()) {
            let bus = if self.machine.q35 { "ehci" } else { "uhci" };
            self.device(Value::new(format!("usb-tablet,id=tablet,bus={bus}.0,port=1")));
        }
        let devices: Vec<(u32, &str)> = self.main.indexed("usb").collect();
        if devices.is_empty() {
            return Ok(());
        }
        self.device_at(Value::new("qemu-xhci,p2=15,p3=15,id=xhci"), Slot::Xhci);
        for (index, text) in devices {
            let key = format!("usb{index}");
            let props = Props::parse(&key, text)?;
            if props.get("mapping").is_some() {
                return Err(CommandError::unsupported(&key, "mapping: resource mappings are not known here"));
            }
            let place = Value::new(format!("usb-host,bus=xhci.0,port={}", index + 1));
            let device = match props.get("host").unwrap_or_default() {
                "spice" => {
                    return Err(CommandError::unsupported(
                        &key,
                        "'spice' needs SPICE, which is not served here",
                    ));
                }
                host => match (host.split_once(':'), host.split_once('-')) {
                    (Some((vendor, product)), _) if is_hex(vendor) && is_hex(product) => {
                        let id = |text: &str| format!("0x{}", text.trim_start_matches("0x"));
                        place.set("vendorid", id(vendor)).set("productid", id(product))
                    }
                    (None, Some((bus, port))) if is_port(bus, port) => {
                        place.set("hostbus", bus).set("hostport", port)
                    }
                    _ => return Err(props.invalid("host", "VENDOR:PRODUCT or BUS-PORT")),
                },
            };
            let device = device.set("id", &key).set_some("bootindex", self.boot.index(&key));
            self.device(device);
        }
        Ok(())
    }

    /// PCI devices of the host; the caller binds them to vfio-pci before QEMU is run.
    pub(super) fn pci(&mut self) -> Result<(), CommandError> {
        for (index, text) in self.main.indexed("hostpci") {
            let key = format!("hostpci{index}");
            let props = Props::parse(&key, text)?;
            if !self.facts.iommu {
                return Err(CommandError::missing(
                    &key,
                    "an IOMMU is needed, and none is in use (/sys/kernel/iommu_groups is empty)",
                ));
            }
            for name in ["mapping", "mdev"] {
                if props.get(name).is_some() {
                    return Err(CommandError::unsupported(&key, format!("{name} is not known here")));
                }
            }
            if props.flag("legacy-igd") == Some(true) {
                return Err(CommandError::unsupported(&key, "legacy-igd is not known here"));
            }
            let pcie = props.flag("pcie") == Some(true);
            if pcie && !self.machine.q35 {
                return Err(CommandError::invalid(&key, "q35 machine model is not enabled"));
            }
            let keep = props.get("driver") == Some("keep");
            let host = props.get("host").ok_or_else(|| CommandError::invalid(&key, "missing 'host'"))?;
            let mut functions = Vec::new();
            for address in host.split(';') {
                let found = self.facts.lookup.pci(address);
                if found.is_empty() {
                    return Err(CommandError::missing(&key, format!("no PCI device found for '{address}'")));
                }
                functions.extend(found);
            }
            let port = self.port(index, pcie);
            let several = functions.len() > 1;
            for (number, function) in functions.iter().enumerate() {
                let id = if several { format!("{key}.{number}") } else { key.clone() };
                let suffix = if several { format!(".{number}") } else { String::new() };
                let mut device = Value::new("vfio-pci").set("host", &function.address).set("id", id);
                device = device.raw(&format!("{port}{suffix}"));
                if several && number == 0 {
                    device = device.raw("multifunction=on");
                }
                if number == 0 {
                    if props.flag("rombar") == Some(false) {
                        device = device.raw("rombar=0");
                    }
                    if let Some(file) = props.get("romfile") {
                        device = device.set("romfile", format_args!("/usr/share/kvm/{file}"));
                    }
                    if props.flag("x-vga") == Some(true) {
                        device = device.raw("x-vga=on");
                    }
                    device = device.set_some("bootindex", self.boot.index(&key));
                }
                for name in ["vendor-id", "device-id", "sub-vendor-id", "sub-device-id"] {
                    device = device.set_some(&format!("x-pci-{name}"), props.get(name));
                }
                self.device(device);
                if !keep && function.driver.as_deref() != Some("vfio-pci") {
                    self.pci_devices.push(function.address.clone());
                }
            }
        }
        Ok(())
    }

    /// Where a passed through device sits: `bus=…,addr=0x…`.
    fn port(&mut self, index: u32, pcie: bool) -> String {
        if pcie {
            if index >= 4 {
                let n = index - 4;
                self.device(Value::new(format!(
                    "pcie-root-port,id=ich9-pcie-port-{0},bus=pcie.0,addr=0x{1:x}.0x{2:x},multifunction=on,\
                     port={0},chassis={0},x-speed=16,x-width=32",
                    index + 1,
                    0x10 + n / 8,
                    n % 8
                )));
            }
            return format!("bus=ich9-pcie-port-{},addr=0x0", index + 1);
        }
        match Slot::HostPci(index).place() {
            Some((bus, address)) => format!("bus=pci.{bus},addr=0x{address:x}"),
            None => "bus=pci.2".to_owned(),
        }
    }
}

fn is_hex(text: &str) -> bool {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_port(bus: &str, port: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    number(bus) && port.split('.').all(number)
}
