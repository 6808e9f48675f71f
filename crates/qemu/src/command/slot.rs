//! Where each device sits on the guest's PCI buses.
//!
//! A guest's operating system knows its cards by their place, so these are Proxmox VE's: a disk image that moves from
//! there finds its network card under the same name.

use super::option::Value;

/// Something that sits on a PCI bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// The `n`th display, 0 to 3.
    Vga(u32),
    Balloon,
    Watchdog,
    /// A controller of many SCSI disks, 0 to 4.
    ScsiHw(u32),
    /// The controller of the one SCSI disk `n`, 0 to 30.
    VirtioScsi(u32),
    Ahci,
    Agent,
    Clipboard,
    /// A virtio disk, 0 to 15.
    Virtio(u32),
    /// A network card, 0 to 31.
    Net(u32),
    /// A passed through device, 0 to 15.
    HostPci(u32),
    Xhci,
    Rng,
    Audio,
    SharedMemory,
    /// A further bridge, 1 to 4, which carries the bus of that number.
    Bridge(u32),
}

impl Slot {
    /// Bus and device number; none where the index is past the last.
    pub(super) fn place(self) -> Option<(u32, u32)> {
        Some(match self {
            Self::Vga(0) => (0, 0x02),
            Self::Vga(n @ 1..=3) => (0, 0x17 + n),
            Self::Balloon => (0, 0x03),
            Self::Watchdog => (0, 0x04),
            Self::ScsiHw(n @ 0..=1) => (0, 0x05 + n),
            Self::ScsiHw(n @ 2..=4) => (4, n - 1),
            Self::VirtioScsi(n @ 0..=30) => (3, 1 + n),
            Self::Ahci => (0, 0x07),
            Self::Agent => (0, 0x08),
            Self::Clipboard => (0, 0x09),
            Self::Virtio(n @ 0..=5) => (0, 0x0a + n),
            Self::Virtio(n @ 6..=15) => (2, n - 5),
            Self::Net(n @ 0..=5) => (0, 0x12 + n),
            Self::Net(n @ 6..=31) => (1, n - 5),
            Self::HostPci(n @ 0..=1) => (0, 0x10 + n),
            Self::HostPci(n @ 2..=3) => (0, 0x19 + n),
            Self::HostPci(n @ 4..=15) => (2, 0x09 + n),
            Self::Xhci => (1, 0x1b),
            Self::Rng => (1, 0x1d),
            Self::Audio => (2, 0x0c),
            Self::SharedMemory => (2, 0x0b),
            Self::Bridge(1) => (0, 0x1e),
            Self::Bridge(2) => (0, 0x1f),
            Self::Bridge(3) => (0, 0x05),
            Self::Bridge(4) => (1, 0x1c),
            Self::Vga(_)
            | Self::ScsiHw(_)
            | Self::VirtioScsi(_)
            | Self::Virtio(_)
            | Self::Net(_)
            | Self::HostPci(_)
            | Self::Bridge(_) => return None,
        })
    }
}

/// The buses that are in use, beside those that every guest has.
#[derive(Debug, Default)]
pub(super) struct Buses {
    third: bool,
    fourth: bool,
}

impl Buses {
    /// Puts a device in its place.
    pub(super) fn put(&mut self, device: Value, slot: Slot) -> Value {
        let Some((bus, address)) = slot.place() else { return device };
        self.third |= bus == 3;
        self.fourth |= bus == 4;
        device.raw(&format!("bus=pci.{bus},addr=0x{address:x}"))
    }

    /// The bridges that carry the buses in use. A q35 machine has the first three anyway.
    pub(super) fn bridges(&self, q35: bool) -> impl Iterator<Item = Value> {
        let (third, fourth) = (self.third, self.fourth);
        (1..=4).filter(move |&n| if n < 4 { !q35 && (n < 3 || third) } else { fourth }).map(move |n| {
            let device =
                Value::new("pci-bridge").raw(&format!("id=pci.{n},chassis_nr={}", n + u32::from(q35)));
            match Slot::Bridge(n).place() {
                Some((bus, address)) => device.raw(&format!("bus=pci.{bus},addr=0x{address:x}")),
                None => device,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn no_two_devices_share_a_place() {
        let mut all = vec![
            Slot::Balloon,
            Slot::Watchdog,
            Slot::Ahci,
            Slot::Agent,
            Slot::Clipboard,
            Slot::Xhci,
            Slot::Rng,
            Slot::Audio,
            Slot::SharedMemory,
        ];
        type Family = fn(u32) -> Slot;
        let families: [(Family, u32); 7] = [
            (Slot::Vga, 4),
            (Slot::ScsiHw, 5),
            (Slot::VirtioScsi, 31),
            (Slot::Virtio, 16),
            (Slot::Net, 32),
            (Slot::HostPci, 16),
            (Slot::Bridge, 5),
        ];
        for (make, count) in families {
            all.extend((0..count).map(make).filter(|slot| slot.place().is_some()));
            assert_eq!(make(count).place(), None);
        }
        let mut seen = BTreeMap::new();
        for slot in all {
            let (bus, device) = slot.place().unwrap();
            assert!(bus <= 4 && (1..=31).contains(&device), "{slot:?}");
            // The controller of many disks and the bus of single ones are never there together.
            let clash = seen.insert((bus, device), slot);
            let expected = matches!((clash, slot), (Some(Slot::ScsiHw(0)), Slot::Bridge(3)));
            assert!(clash.is_none() || expected, "{slot:?} and {clash:?}");
        }
    }
}
