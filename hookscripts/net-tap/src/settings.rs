//! What is asked for, with the guest's interfaces by their options: `net0`.

use crate::thing::{Device, Thing};
use hookscript::{Call, Error, Guest, Result};

/// The settings of one guest, as they are written.
pub(crate) struct Settings {
    guest: Guest,
    mirror: String,
    fdb: String,
    group_fwd: String,
}

impl Settings {
    pub(crate) fn of(call: &Call) -> Result<Self> {
        let param = |name| Ok::<_, Error>(call.param(name)?.unwrap_or_default());
        let guest = call.guest()?;
        Ok(Self {
            guest,
            mirror: param("tap_mirror")?,
            fdb: param("tap_fdb")?,
            group_fwd: param("tap_group_fwd")?,
        })
    }

    /// What is to be taken, in its order.
    pub(crate) fn things(&self) -> Result<Vec<Thing>> {
        let mut things = Vec::new();
        for word in self.mirror.split_whitespace() {
            let (from, to) = word.split_once('>').ok_or_else(|| wrong("tap_mirror", word, "FROM>TO"))?;
            let (from, to) = (self.device(from)?, self.device(to)?);
            let point = Thing::Classes { device: from.clone() };
            if !things.contains(&point) {
                things.push(point);
            }
            things.push(Thing::Mirror { from, to });
        }
        for word in self.fdb.split_whitespace() {
            let (option, device) =
                word.split_once('@').ok_or_else(|| wrong("tap_fdb", word, "netN@DEVICE"))?;
            let mac = self.interface(option)?.mac.as_ref();
            let mac = mac.ok_or_else(|| format!("{option} has no address in the configuration"))?;
            things.push(Thing::Entry { mac: mac.to_ascii_lowercase(), device: self.device(device)? });
        }
        for word in self.group_fwd.split_whitespace() {
            let wrong = || wrong("tap_group_fwd", word, "BRIDGE=MASK or netN=MASK");
            let (device, mask) = word.split_once('=').ok_or_else(wrong)?;
            let bits = match mask.strip_prefix("0x") {
                Some(digits) => u16::from_str_radix(digits, 16),
                None => mask.parse(),
            };
            things.push(Thing::Mask { device: self.device(device)?, bits: bits.map_err(|_| wrong())? });
        }
        Ok(things)
    }

    /// `net0` is the guest's, any other word a device of the host.
    fn device(&self, word: &str) -> Result<Device> {
        let number = word.strip_prefix("net").is_some_and(|rest| rest.parse::<u8>().is_ok());
        if number {
            let host = self.interface(word)?.host.clone();
            let host =
                host.ok_or_else(|| format!("{word} has no interface on the host: it has no bridge"))?;
            return Ok(Device { name: host, of_guest: true });
        }
        let usual = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if word.is_empty() || word.len() > 15 || word.starts_with(['-', '.']) || !word.chars().all(usual) {
            return Err(format!("'{word}' is no name of an interface").into());
        }
        Ok(Device { name: word.to_owned(), of_guest: false })
    }

    fn interface(&self, option: &str) -> Result<&hookscript::Interface> {
        let mut interfaces = self.guest.interfaces.iter();
        interfaces.find(|one| one.option == option).ok_or_else(|| format!("the guest has no {option}").into())
    }
}

fn wrong(name: &str, word: &str, form: &str) -> Error {
    format!("{name} has '{word}', which is not {form}").into()
}
