//! Pending changes: told, and made to hold (lifecycle.md 5.4 end; 2.2 step 8, 3.2 step 2).

use crate::guest::{GuestConfig, Section};
use crate::property;
use crate::{format, options, text};
use model::{GuestKind, VolumeId};
use std::collections::BTreeMap;

/// The keys that a pending section takes away, with whether their volumes go too.
#[must_use]
pub fn deletes(pending: &Section) -> BTreeMap<&str, bool> {
    let words = text::split_list(pending.get("delete").unwrap_or_default());
    words.map(|word| word.strip_prefix('!').map_or((word, false), |key| (key, true))).collect()
}

/// Sets the list of keys that a pending section takes away.
pub fn set_deletes(pending: &mut Section, deletes: &BTreeMap<String, bool>) {
    let words: Vec<String> =
        deletes.iter().map(|(key, forced)| if *forced { format!("!{key}") } else { key.clone() }).collect();
    if words.is_empty() {
        pending.remove("delete");
    } else {
        pending.set("delete", words.join(","));
    }
}

/// What will hold: the main section with the pending changes.
#[must_use]
pub fn merged(config: &GuestConfig) -> Section {
    let mut section = config.main.clone();
    for key in deletes(&config.pending).keys() {
        section.remove(key);
    }
    for (key, value) in config.pending.options.iter().filter(|(key, _)| *key != "delete") {
        section.set(key, value.clone());
    }
    section
}

/// Makes the pending changes hold. A volume of the guest that nothing names any more becomes `unusedN`; those that
/// come back were to be removed with their keys. `is_own` says whether a volume is the guest's.
pub fn apply(config: &mut GuestConfig, is_own: &dyn Fn(&VolumeId) -> bool) -> Vec<VolumeId> {
    let mut remove = Vec::new();
    let pending = std::mem::take(&mut config.pending);
    for (key, forced) in deletes(&pending) {
        let Some(value) = config.main.remove(key) else { continue };
        let Some(volume) = volume(config.kind, key, &value).filter(|volume| is_own(volume)) else { continue };
        if forced || key.starts_with("unused") {
            remove.push(volume);
        } else {
            add_unused(config, &volume);
        }
    }
    for (key, value) in pending.options.iter().filter(|(key, _)| *key != "delete") {
        let before = config.main.get(key).and_then(|before| volume(config.kind, key, before));
        config.main.set(key, value.clone());
        if let Some(before) = before.filter(|before| is_own(before)) {
            add_unused(config, &before);
        }
    }
    remove
}

/// The volume that a drive, mount point or `unusedN` is made of; none for other keys, for what is in a CD drive, and
/// for folders and devices of the host.
#[must_use]
pub fn volume(kind: GuestKind, key: &str, value: &str) -> Option<VolumeId> {
    let property = options::find(kind, key)?;
    let format::Format::Properties(fields) = property.format? else {
        return if key.starts_with("unused") { value.parse().ok() } else { None };
    };
    let is_volume = match kind {
        GuestKind::Qemu => format::is_drive_name(key) || key.starts_with("unused") || is_state_disk(key),
        GuestKind::Lxc => matches!(property.name, "rootfs" | "mp" | "unused"),
    };
    let values = property::parse(value, fields).ok().filter(|_| is_volume)?;
    if values.get("media") == Some("cdrom") {
        return None;
    }
    values.get("file").or_else(|| values.get("volume"))?.parse().ok()
}

fn is_state_disk(key: &str) -> bool {
    matches!(key, "efidisk0" | "tpmstate0")
}

/// Every volume that the configuration names, by key.
#[must_use]
pub fn volumes(kind: GuestKind, section: &Section) -> Vec<(String, VolumeId)> {
    let named = section.options.iter();
    named.filter_map(|(key, value)| Some((key.clone(), volume(kind, key, value)?))).collect()
}

/// Keeps a volume that nothing names any more as the first free `unusedN`.
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

    fn machine(main: &[(&str, &str)], pending: &[(&str, &str)]) -> GuestConfig {
        let mut config = GuestConfig::new(GuestKind::Qemu);
        main.iter().for_each(|(key, value)| config.main.set(key, *value));
        pending.iter().for_each(|(key, value)| config.pending.set(key, *value));
        config
    }

    fn shown(section: &Section) -> Vec<String> {
        section.options.iter().map(|(key, value)| format!("{key}={value}")).collect()
    }

    #[test]
    fn changes_and_deletions_are_laid_over_what_holds() {
        let config = machine(
            &[("memory", "64"), ("cores", "2"), ("name", "x")],
            &[("memory", "128"), ("vga", "std"), ("delete", "cores")],
        );
        assert_eq!(shown(&merged(&config)), ["memory=128", "name=x", "vga=std"]);
        let mut config = config;
        assert!(apply(&mut config, &|_| true).is_empty());
        assert_eq!(shown(&config.main), ["memory=128", "name=x", "vga=std"]);
        assert!(config.pending.is_empty());
    }

    #[test]
    fn a_volume_that_no_key_names_any_more_is_kept_as_unused() {
        let mut config = machine(
            &[
                ("scsi0", "local:100/vm-100-disk-0.raw,size=1G"),
                ("scsi1", "local:100/vm-100-disk-1.raw,size=1G"),
                ("scsi2", "local:100/vm-100-disk-2.raw,size=1G"),
                ("ide2", "local:iso/x.iso,media=cdrom"),
            ],
            &[("scsi0", "local:100/vm-100-disk-3.raw,size=2G"), ("delete", "scsi1,!scsi2,ide2")],
        );
        let removed = apply(&mut config, &|_| true);
        assert_eq!(removed, ["local:100/vm-100-disk-2.raw".parse().unwrap()]);
        assert_eq!(
            shown(&config.main),
            [
                "scsi0=local:100/vm-100-disk-3.raw,size=2G",
                "unused0=local:100/vm-100-disk-1.raw",
                "unused1=local:100/vm-100-disk-0.raw",
            ]
        );
    }

    #[test]
    fn a_new_limit_on_the_same_volume_leaves_nothing_unused() {
        let mut config = machine(
            &[("scsi0", "local:100/vm-100-disk-0.raw,size=1G")],
            &[("scsi0", "local:100/vm-100-disk-0.raw,size=1G,ro=1")],
        );
        apply(&mut config, &|_| true);
        assert_eq!(shown(&config.main), ["scsi0=local:100/vm-100-disk-0.raw,size=1G,ro=1"]);
    }
}
