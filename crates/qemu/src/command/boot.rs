use super::{CommandError, drive::Drive, props::Props};
use config::Section;

/// The order in which the firmware tries devices: Proxmox VE's numbers, which leave room between kinds.
#[derive(Debug, Default)]
pub(super) struct BootOrder {
    order: Vec<(String, u32)>,
}

impl BootOrder {
    pub(super) fn read(main: &Section, drives: &[Drive]) -> Result<Self, CommandError> {
        let props = Props::of(main, "boot")?;
        if let Some(list) = props.get("order") {
            let devices = list.split(';').filter(|device| !device.is_empty());
            return Ok(Self { order: devices.map(str::to_owned).zip(100..).collect() });
        }
        let letters = props.get("legacy").unwrap_or("cdn");
        let group = |letter: char| letters.find(letter).map(|place| 100 * (place as u32 + 1));
        let mut order = Vec::new();
        // Without a bootdisk the first disk is it.
        let first = drives.iter().find(|drive| !drive.cdrom).map(|drive| drive.name.clone());
        if let Some(base) = group('c') {
            order.extend(main.get("bootdisk").map(str::to_owned).or(first).map(|disk| (disk, base)));
        }
        if let Some(base) = group('d') {
            order.extend(
                drives.iter().filter(|drive| drive.cdrom).map(|drive| drive.name.clone()).zip(base..),
            );
        }
        if let Some(base) = group('n') {
            order.extend(main.indexed("net").map(|(index, _)| format!("net{index}")).zip(base..));
        }
        Ok(Self { order })
    }

    /// The `bootindex` of a device, where it is to be booted from.
    pub(super) fn index(&self, device: &str) -> Option<u32> {
        self.order.iter().find(|(name, _)| name == device).map(|(_, index)| *index)
    }
}
