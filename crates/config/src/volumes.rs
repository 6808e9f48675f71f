//! Which volumes a guest's configuration names.

use crate::format::{self, Format};
use crate::guest::{GuestConfig, Section};
use crate::{options, property};
use model::{GuestKind, Vmid, VolumeId};

/// Whether a key's value names a volume: drives, mount points, what is unused.
#[must_use]
pub fn is_volume_key(kind: GuestKind, key: &str) -> bool {
    let name = key.trim_end_matches(|c: char| c.is_ascii_digit());
    let family = |families: &[&str]| name != key && families.contains(&name);
    match kind {
        GuestKind::Qemu => {
            format::is_drive_name(key) || matches!(key, "efidisk0" | "tpmstate0") || family(&["unused"])
        }
        GuestKind::Lxc => key == "rootfs" || family(&["mp", "unused"]),
    }
}

/// The volume that a drive, mount point or `unusedN` is made of; none for other keys, for what is in a CD drive, and
/// for folders and devices of the host.
#[must_use]
pub fn volume(kind: GuestKind, key: &str, value: &str) -> Option<VolumeId> {
    let property = options::find(kind, key).filter(|_| is_volume_key(kind, key))?;
    let Some(Format::Properties(fields)) = property.format else { return None };
    let values = property::parse(value, fields).ok()?;
    let name = match kind {
        GuestKind::Qemu if values.get("media") == Some("cdrom") => return None,
        GuestKind::Qemu => values.get("file")?,
        GuestKind::Lxc => values.get("volume")?,
    };
    name.parse().ok()
}

/// Every volume that a section names, by key.
#[must_use]
pub fn volumes(kind: GuestKind, section: &Section) -> Vec<(String, VolumeId)> {
    let named = section.options.iter();
    named.filter_map(|(key, value)| Some((key.clone(), volume(kind, key, value)?))).collect()
}

/// Whether a volume is named in the configuration, pending changes and snapshots included.
#[must_use]
pub fn is_used(config: &GuestConfig, volume: &VolumeId) -> bool {
    let sections = [&config.main, &config.pending].into_iter().chain(config.snapshots.values());
    sections.flat_map(|section| volumes(config.kind, section)).any(|(_, named)| named == *volume)
}

/// Whether a volume's name says that it is a guest's: `vm-100-…`, or any file in the folder `100`.
#[must_use]
pub fn bears_number(volume: &VolumeId, vmid: Vmid) -> bool {
    let mut parts = volume.name().rsplit('/');
    let (name, folder) = (parts.next().unwrap_or_default(), parts.next());
    let prefixed = ["vm", "base", "subvol", "basevol"];
    prefixed.iter().any(|word| name.starts_with(&format!("{word}-{vmid}-")))
        || folder == Some(vmid.to_string().as_str())
}

/// Whether a volume is the drive that cloud-init's data is written to, which can always be made again.
#[must_use]
pub fn is_cloudinit(volume: &VolumeId) -> bool {
    let name = volume.name().rsplit('/').next().unwrap_or_default();
    let rest = name.strip_prefix("vm-").map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    rest.is_some_and(|rest| rest == "-cloudinit" || rest.starts_with("-cloudinit."))
}

/// Keeps a volume that no other key names as the first free `unusedN`; where all are taken it is left to itself.
pub fn add_unused(config: &mut GuestConfig, volume: &VolumeId) {
    if volumes(config.kind, &config.main).iter().any(|(_, named)| named == volume) {
        return;
    }
    let free = (0..256).map(|index| format!("unused{index}")).find(|key| config.main.get(key).is_none());
    if let Some(key) = free {
        config.main.set(&key, volume.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_found_in_values_and_an_image_is_none() {
        let volume = |kind, key, value| volume(kind, key, value).map(|volume| volume.to_string());
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            volume(GuestKind::Qemu, "scsi0", "local:100/vm-100-disk-0.raw,size=1G"),
            some("local:100/vm-100-disk-0.raw")
        );
        assert_eq!(volume(GuestKind::Qemu, "ide2", "local:iso/x.iso,media=cdrom"), None);
        assert_eq!(volume(GuestKind::Qemu, "ide2", "none,media=cdrom"), None);
        assert_eq!(volume(GuestKind::Qemu, "scsihw", "lsi"), None);
        assert_eq!(
            volume(GuestKind::Lxc, "mp0", "tank:subvol-200-disk-1,mp=/srv"),
            some("tank:subvol-200-disk-1")
        );
        assert_eq!(volume(GuestKind::Lxc, "mp0", "/srv,mp=/srv"), None);
    }

    #[test]
    fn a_guest_owns_what_bears_its_number() {
        let owned = |volume: &str| bears_number(&volume.parse().unwrap(), "100".parse().unwrap());
        assert!(
            owned("local:100/vm-100-disk-0.raw") && owned("lvm:vm-100-disk-0") && owned("local:100/mine.raw")
        );
        assert!(
            owned("local:9/base-9-disk-0.qcow2/100/vm-100-disk-0.qcow2") && owned("tank:basevol-100-disk-0")
        );
        assert!(
            !owned("local:101/vm-101-disk-0.raw")
                && !owned("lvm:vm-1001-disk-0")
                && !owned("local:iso/100.iso")
        );
    }

    #[test]
    fn a_cloud_init_drive_is_known_by_its_name() {
        for (name, is) in [
            ("local:100/vm-100-cloudinit.qcow2", true),
            ("lvm:vm-100-cloudinit", true),
            ("lvm:vm-100-disk-0", false),
        ] {
            assert_eq!(is_cloudinit(&name.parse().unwrap()), is, "{name}");
        }
    }
}
