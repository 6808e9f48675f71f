//! Changes of a guest's options: what takes effect at once and what waits for the next start (lifecycle.md 5.4,
//! api.md 3.1).
//!
//! Every change goes to the pending section first. On a stopped guest all of it is applied then; on a running one what
//! needs nothing of the guest. The rest stays, is shown as pending, and is applied when the guest starts.

use crate::guest::{GuestConfig, Section};
use crate::options::{self, Plug};
use crate::schema::Errors;
use crate::text;
pub use crate::volumes::{add_unused, bears_number, volume, volumes};
use crate::volumes::{is_cloudinit, is_used, is_volume_key};
use model::{GuestKind, Vmid, VolumeId};
use std::collections::BTreeMap;

/// What is asked for; keys and values have been checked against the options' schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Values to set, by key.
    pub set: BTreeMap<String, String>,
    /// Keys to delete.
    pub delete: Vec<String>,
    /// Keys whose pending change is dropped.
    pub revert: Vec<String>,
    /// Whether the volumes of deleted drives are removed too, rather than kept as unused.
    pub force: bool,
}

/// What came of a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Keys that are in force now.
    pub applied: Vec<String>,
    /// What is said about keys that there are not, in Proxmox VE's words.
    pub warnings: Vec<String>,
    /// Volumes that nothing names any more and that are to be removed.
    pub freed: Vec<VolumeId>,
}

/// Why a change is refused; it displays Proxmox VE's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A drive of a guarded virtual machine.
    #[error("can't remove drive '{key}' - protection mode enabled")]
    ProtectedDrive {
        /// The drive.
        key: String,
    },
    /// A volume of a guarded container.
    #[error("can't remove CT {vmid} drive '{key}' - protection mode enabled")]
    ProtectedVolume {
        /// The container.
        vmid: Vmid,
        /// The volume.
        key: String,
    },
    /// An option that a container cannot do without.
    #[error("unable to delete required option '{key}'")]
    Required {
        /// The option.
        key: String,
    },
    /// An option that is fixed at creation.
    #[error("unable to modify read-only option: '{key}'")]
    ReadOnly {
        /// The option.
        key: String,
    },
}

/// Checks that the parts of a change name options and do not contradict each other.
///
/// # Errors
/// Proxmox VE's text under the parameter `delete` or `revert`.
pub fn check(kind: GuestKind, change: &Change) -> Result<(), Errors> {
    let refuse = |parameter: &str, text: String| {
        let mut errors = Errors::default();
        errors.add(parameter, &text);
        Err(errors)
    };
    let sets = |key: &str| change.set.keys().any(|set| canonical(kind, set) == canonical(kind, key));
    for (parameter, keys) in [("delete", &change.delete), ("revert", &change.revert)] {
        for key in keys {
            if sets(key) {
                return refuse(
                    parameter,
                    format!("you can't use '-{key}' and -{parameter} {key}' at the same time"),
                );
            }
            if options::find(kind, canonical(kind, key)).is_none() {
                return refuse(parameter, format!("unknown option '{key}'"));
            }
        }
    }
    match change.revert.iter().find(|key| change.delete.contains(key)) {
        Some(key) => {
            refuse("revert", format!("you can't use '-delete {key}' and -revert {key}' at the same time"))
        }
        None => Ok(()),
    }
}

/// Carries a change out on a configuration. `is_own` says whether a volume is the guest's.
///
/// # Errors
/// The change is refused and the configuration is as it was.
pub fn update(
    config: &mut GuestConfig,
    vmid: Vmid,
    change: &Change,
    running: bool,
    is_own: &dyn Fn(&VolumeId) -> bool,
) -> Result<Outcome, Refused> {
    let kind = config.kind;
    let mut changed = config.clone();
    let mut outcome = Outcome::default();
    for key in &change.revert {
        let key = canonical(kind, key);
        remove(&mut changed.pending, key);
        undelete(&mut changed, key);
    }
    for key in &change.delete {
        let key = canonical(kind, key);
        if !is_set(&changed.main, key) && !is_set(&changed.pending, key) {
            outcome.warnings.push(format!("cannot delete '{key}' - not set in current configuration!"));
            continue;
        }
        refuse_delete(&changed, vmid, key)?;
        remove(&mut changed.pending, key);
        unboot(&mut changed, key);
        let mut deletes = owned_deletes(&changed);
        deletes.insert(key.to_owned(), change.force);
        set_deletes(&mut changed.pending, &deletes);
    }
    for (key, value) in &change.set {
        let key = canonical(kind, key);
        if kind == GuestKind::Lxc && key == "unprivileged" && get(&changed.main, key) != Some(value) {
            return Err(Refused::ReadOnly { key: key.to_owned() });
        }
        set(&mut changed.pending, key, value);
        undelete(&mut changed, key);
    }
    tidy(&mut changed);
    for key in pending_keys(&changed) {
        // An unused volume is nothing that the guest knows of.
        if !running || options::plug(kind, &key) == Plug::Fast || is_unused(&key) {
            apply_one(&mut changed, &key, is_own, &mut outcome);
        }
    }
    *config = changed;
    Ok(outcome)
}

/// Makes everything that is pending hold, as a start does. A volume of the guest that nothing names any more becomes
/// `unusedN`; those that come back were to be removed with their keys. `is_own` says whether a volume is the guest's.
pub fn apply(config: &mut GuestConfig, is_own: &dyn Fn(&VolumeId) -> bool) -> Vec<VolumeId> {
    let mut outcome = Outcome::default();
    tidy(config);
    for key in pending_keys(config) {
        apply_one(config, &key, is_own, &mut outcome);
    }
    outcome.freed
}

/// Makes what is pending for one key hold, for example because the running guest has taken it over.
pub fn apply_one(
    config: &mut GuestConfig,
    key: &str,
    is_own: &dyn Fn(&VolumeId) -> bool,
    outcome: &mut Outcome,
) {
    let deleted = undelete(config, key);
    let value = take(&mut config.pending, key);
    if deleted.is_none() && value.is_none() {
        return;
    }
    let before = take(&mut config.main, key);
    if let Some(value) = value {
        set(&mut config.main, key, &value);
    }
    outcome.applied.push(key.to_owned());
    let volume = before.and_then(|before| volume(config.kind, key, &before));
    let Some(volume) = volume.filter(|volume| is_own(volume)) else { return };
    if deleted != Some(true) && !is_unused(key) && !is_cloudinit(&volume) {
        add_unused(config, &volume);
    } else if !is_used(config, &volume) {
        outcome.freed.push(volume);
    }
}

/// The options as they will be after the next start: what `qm config` shows.
#[must_use]
pub fn merged(config: &GuestConfig) -> Section {
    let mut merged = config.main.clone();
    for key in deletes(&config.pending).keys() {
        remove(&mut merged, key);
    }
    for key in config.pending.options.keys().map(String::as_str).filter(|key| *key != "delete") {
        set(&mut merged, key, get(&config.pending, key).unwrap_or_default());
    }
    if let Some(description) = &config.pending.description {
        merged.description = Some(description.clone());
    }
    merged
}

/// What is in force and what is pending for one key: a line or two of `qm pending`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The key.
    pub key: String,
    /// The value in force.
    pub value: Option<String>,
    /// The value that is pending.
    pub pending: Option<String>,
    /// Whether its deletion is pending: with force or not.
    pub delete: Option<bool>,
}

/// All keys with what is in force and what is pending, by key.
#[must_use]
pub fn list(config: &GuestConfig) -> Vec<Item> {
    let deletes = deletes(&config.pending);
    let mut keys: Vec<&str> = config.main.options.keys().map(String::as_str).collect();
    keys.extend(config.pending.options.keys().map(String::as_str).filter(|key| *key != "delete"));
    keys.extend(deletes.keys());
    if config.main.description.is_some() || config.pending.description.is_some() {
        keys.push("description");
    }
    keys.sort_unstable();
    keys.dedup();
    let item = |key: &str| Item {
        key: key.to_owned(),
        value: get(&config.main, key).map(str::to_owned),
        pending: get(&config.pending, key).map(str::to_owned),
        delete: deletes.get(key).copied(),
    };
    keys.into_iter().map(item).collect()
}

/// The keys that a pending section takes away, with whether their volumes go too.
#[must_use]
pub fn deletes(pending: &Section) -> BTreeMap<&str, bool> {
    text::split_list(pending.get("delete").unwrap_or_default())
        .map(|word| word.strip_prefix('!').map_or((word, false), |key| (key, true)))
        .filter(|(key, _)| !key.is_empty())
        .collect()
}

/// Sets the list of keys that a pending section takes away.
pub fn set_deletes(pending: &mut Section, deletes: &BTreeMap<String, bool>) {
    let words: Vec<String> =
        deletes.iter().map(|(key, force)| if *force { format!("!{key}") } else { key.clone() }).collect();
    if words.is_empty() {
        pending.remove("delete");
    } else {
        pending.set("delete", words.join(","));
    }
}

fn owned_deletes(config: &GuestConfig) -> BTreeMap<String, bool> {
    deletes(&config.pending).into_iter().map(|(key, force)| (key.to_owned(), force)).collect()
}

/// Takes a key off the list of deletions; says whether its volume was to go, if it was on the list.
fn undelete(config: &mut GuestConfig, key: &str) -> Option<bool> {
    let mut deletes = owned_deletes(config);
    let force = deletes.remove(key)?;
    set_deletes(&mut config.pending, &deletes);
    Some(force)
}

/// Drops pending changes that would change nothing.
fn tidy(config: &mut GuestConfig) {
    let same = |key: &String| config.main.options.get(key) == config.pending.options.get(key);
    let unchanged: Vec<String> = config.pending.options.keys().filter(|key| same(key)).cloned().collect();
    for key in unchanged {
        config.pending.options.remove(&key);
    }
    if config.pending.description.is_some() && config.pending.description == config.main.description {
        config.pending.description = None;
    }
    let mut deletes = owned_deletes(config);
    deletes.retain(|key, _| is_set(&config.main, key) && get(&config.pending, key).is_none());
    set_deletes(&mut config.pending, &deletes);
}

/// Deletions first, then values, each by key.
fn pending_keys(config: &GuestConfig) -> Vec<String> {
    let mut keys: Vec<String> = owned_deletes(config).into_keys().collect();
    keys.extend(config.pending.options.keys().filter(|key| *key != "delete").cloned());
    keys.extend(config.pending.description.as_ref().map(|_| "description".to_owned()));
    keys
}

fn refuse_delete(config: &GuestConfig, vmid: Vmid, key: &str) -> Result<(), Refused> {
    let key = key.to_owned();
    let protected = config.main.flag("protection", false) && is_volume_key(config.kind, &key);
    match config.kind {
        GuestKind::Lxc if key == "rootfs" => Err(Refused::Required { key }),
        GuestKind::Lxc if key == "unprivileged" => Err(Refused::ReadOnly { key }),
        GuestKind::Lxc if protected => Err(Refused::ProtectedVolume { vmid, key }),
        GuestKind::Qemu if protected => Err(Refused::ProtectedDrive { key }),
        GuestKind::Lxc | GuestKind::Qemu => Ok(()),
    }
}

/// A deleted device leaves the list of devices to boot from.
fn unboot(config: &mut GuestConfig, key: &str) {
    let boot = get(&config.pending, "boot").or_else(|| get(&config.main, "boot")).unwrap_or_default();
    let Some(order) = boot.strip_prefix("order=") else { return };
    let devices: Vec<&str> = order.split(';').collect();
    if config.kind == GuestKind::Qemu && devices.contains(&key) {
        let left: Vec<&str> = devices.into_iter().filter(|device| *device != key).collect();
        // A list without devices is written as a value of white space, which means none.
        let boot = if left.is_empty() { " ".to_owned() } else { format!("order={}", left.join(";")) };
        set(&mut config.pending, "boot", &boot);
    }
}

fn is_unused(key: &str) -> bool {
    key.starts_with("unused")
}

/// `cdrom` is another name of `ide2`.
fn canonical(kind: GuestKind, key: &str) -> &str {
    if kind == GuestKind::Qemu && key == "cdrom" { "ide2" } else { key }
}

/// The description is a field of its own; everything else is an option.
fn get<'a>(section: &'a Section, key: &str) -> Option<&'a str> {
    if key == "description" { section.description.as_deref() } else { section.get(key) }
}

/// Whether a section has a value of a key, or a line of it that was not understood.
fn is_set(section: &Section, key: &str) -> bool {
    get(section, key).is_some() || section.not_understood(key).next().is_some()
}

fn set(section: &mut Section, key: &str, value: &str) {
    if key == "description" {
        section.description = Some(value.to_owned());
    } else {
        section.set(key, value);
    }
}

fn remove(section: &mut Section, key: &str) {
    if key == "description" {
        section.description = None;
    } else {
        section.remove(key);
    }
}

/// Removes a value and says it.
fn take(section: &mut Section, key: &str) -> Option<String> {
    let value = get(section, key).map(str::to_owned);
    remove(section, key);
    value
}

#[cfg(test)]
mod tests;
