//! What the guest sees of who it is, and other small devices.

use super::{Build, CommandError, Slot, Value, props::Props};

impl Build<'_> {
    pub(super) fn smbios(&mut self) -> Result<(), CommandError> {
        let Some(text) = self.main.get("smbios1") else { return Ok(()) };
        let fields = ["uuid", "manufacturer", "product", "version", "serial", "sku", "family"];
        let props = Props::parse("smbios1", text)?;
        let encoded = props.flag("base64") == Some(true);
        let mut value = Value::new("type=1");
        for name in fields {
            let Some(text) = props.get(name) else { continue };
            if !encoded || name == "uuid" {
                value = value.set(name, text);
                continue;
            }
            let decoded = crate::base64::decode(text).and_then(|bytes| String::from_utf8(bytes).ok());
            value = value.set(name, decoded.ok_or_else(|| props.invalid(name, "UTF-8 text in base64"))?);
        }
        self.option("-smbios", value);
        Ok(())
    }

    /// The number by which a guest learns that it is a copy.
    pub(super) fn generation(&mut self) {
        match self.main.get("vmgenid") {
            None | Some("0") => {}
            Some("1") => self.device(Value::new("vmgenid,guid=auto")),
            Some(guid) => self.device(Value::new("vmgenid").set("guid", guid)),
        }
    }

    pub(super) fn random(&mut self) -> Result<(), CommandError> {
        let Some(text) = self.main.get("rng0") else { return Ok(()) };
        let props = Props::parse("rng0", text)?;
        let source = props.get("source").unwrap_or("/dev/urandom");
        if !["/dev/urandom", "/dev/random", "/dev/hwrng"].contains(&source) {
            return Err(props.invalid("source", "/dev/urandom, /dev/random or /dev/hwrng"));
        }
        let most = props.number("max_bytes").unwrap_or(1024);
        let period = props.number("period").unwrap_or(1000);
        self.option("-object", Value::new("rng-random").set("filename", source).raw("id=rng0"));
        let mut device = Value::new("virtio-rng-pci,rng=rng0");
        if most > 0 {
            device = device.set("max-bytes", most).set("period", period);
        }
        self.device_at(device, Slot::Rng);
        Ok(())
    }
}
