//! Who may change what of a guest's configuration, key by key (api.md 2.4).
//!
//! What a key is now counts as well as what it becomes: a CD drive may not be made of a disk, nor a disk taken away, by somebody
//! who may only change CDs. Root may do everything; its tokens may not.

use super::approval;
use crate::{ApiError, Context, Refusal};
use config::format::{Format, is_drive_name, new_volume};
use config::pending::Change;
use config::{GuestConfig, options, pending, property};
use model::{ContentType, GuestKind, Vmid, VolumeId};
use std::collections::BTreeMap;

/// A change of a guest, and who is to be asked about it.
pub(crate) struct Asked<'a, 'o> {
    pub(crate) context: &'a Context<'o>,
    pub(crate) kind: GuestKind,
    pub(crate) vmid: Vmid,
    /// The pool that a new guest joins: rights on it do as well.
    pub(crate) pool: Option<&'a str>,
    /// The guest as it is; none where it is being made.
    pub(crate) config: Option<&'a GuestConfig>,
}

/// What a key needs.
enum Needs {
    /// One of these privileges on the guest.
    Any(&'static [&'static str]),
    /// To be root@pam.
    Root,
}

const CPU: Needs = Needs::Any(&["VM.Config.CPU"]);
const MEMORY: Needs = Needs::Any(&["VM.Config.Memory"]);
const HARDWARE: Needs = Needs::Any(&["VM.Config.HWType"]);
const OPTIONS: Needs = Needs::Any(&["VM.Config.Options"]);
const DISK: Needs = Needs::Any(&["VM.Config.Disk"]);
const CDROM: Needs = Needs::Any(&["VM.Config.CDROM"]);
const NETWORK: Needs = Needs::Any(&["VM.Config.Network"]);
const CLOUDINIT: Needs = Needs::Any(&["VM.Config.Cloudinit", "VM.Config.Network"]);
const POWER: Needs = Needs::Any(&["VM.PowerMgmt"]);

impl Asked<'_, '_> {
    /// Refuses a change of which the caller may not do all.
    ///
    /// # Errors
    /// Proxmox VE's text about the first key that it may not change.
    pub(crate) fn check(&self, change: &Change) -> Result<(), ApiError> {
        let away = change.delete.iter().chain(&change.revert).map(|key| (key.as_str(), None));
        let set = change.set.iter().map(|(key, value)| (key.as_str(), Some(value.as_str())));
        set.chain(away).try_for_each(|(key, value)| self.check_key(key, value))
    }

    /// As [`Asked::check`] for the settings of a new guest.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn check_set(&self, set: &BTreeMap<String, String>) -> Result<(), ApiError> {
        set.iter().try_for_each(|(key, value)| self.check_key(key, Some(value)))
    }

    fn check_key(&self, key: &str, new: Option<&str>) -> Result<(), ApiError> {
        if self.context.is_root() {
            return Ok(());
        }
        if key == "hookscript" {
            return approval::permit(self, new);
        }
        // Another name of the same drive.
        let key = super::update::alias(key);
        let old = self.config.and_then(|config| {
            let waiting = config.pending.get(key);
            waiting.or_else(|| config.main.get(key))
        });
        match self.kind {
            GuestKind::Qemu => self.check_machine(key, old, new),
            GuestKind::Lxc => self.check_container(key, old, new),
        }
    }

    /// Whether the caller has one of these privileges on the guest, or on the pool that it joins.
    ///
    /// # Errors
    /// Proxmox VE's text.
    pub(crate) fn require(&self, any_of: &[&str]) -> Result<(), ApiError> {
        let by_pool =
            self.pool.is_some_and(|pool| self.context.authority.has_any(&format!("/pool/{pool}"), any_of));
        if by_pool { Ok(()) } else { self.context.require(&format!("/vms/{}", self.vmid), any_of) }
    }

    fn check_machine(&self, key: &str, old: Option<&str>, new: Option<&str>) -> Result<(), ApiError> {
        // What is not there and does not come is asked about all the same.
        let values = [old, new.or(Some("").filter(|_| old.is_none()))];
        let needs: Vec<Needs> = values.into_iter().flatten().map(|value| machine_key(key, value)).collect();
        if needs.iter().any(|needs| matches!(needs, Needs::Root)) {
            let device = is_device(key) && (old.is_some() || new.is_some());
            let refused = if device { Refusal::RootOnlyDevice } else { Refusal::RootOnly };
            return Err(refused(key.to_owned()).into());
        }
        for privileges in
            needs.iter().filter_map(|needs| if let Needs::Any(any) = needs { Some(*any) } else { None })
        {
            self.require(privileges)?;
        }
        let Some(new) = new else { return Ok(()) };
        match family(key) {
            "startup" => self.context.require("/", &["Sys.Modify"]),
            "net" => self.check_bridge(key, new),
            "usb" | "hostpci" => self.check_mapping(key, new),
            "vmstatestorage" => {
                self.context.require(&format!("/storage/{new}"), &["Datastore.AllocateSpace"])
            }
            _ if is_disk(key) => self.check_volume(key, new),
            _ => Ok(()),
        }
    }

    fn check_container(&self, key: &str, old: Option<&str>, new: Option<&str>) -> Result<(), ApiError> {
        let only_root = |what: &str| Err(ApiError::Denied(format!("{what} is only allowed for root@pam")));
        match family(key) {
            "dev" => return only_root("configuring device passthrough"),
            "features" => return self.check_features(old, new),
            "rootfs" | "mp" | "unused" => {
                self.require(&["VM.Config.Disk"])?;
                for value in [old, new].into_iter().flatten() {
                    if let Some(kind) = host_mount(key, value) {
                        return only_root(&format!("mount point type {kind}"));
                    }
                }
                return new.map_or(Ok(()), |new| self.check_volume(key, new));
            }
            "unprivileged" => {
                self.require(&["VM.Config.Options"])?;
                // Whoever is root in a privileged container is not far from being root on the host.
                return match new {
                    Some("1") => Ok(()),
                    _ => self.context.require("/", &["Sys.Modify"]),
                };
            }
            _ => {}
        }
        let needed: &[&str] = match family(key) {
            "cores" | "cpulimit" | "cpuunits" => &["VM.Config.CPU"],
            "memory" | "swap" => &["VM.Config.Memory"],
            "net" | "hostname" | "nameserver" | "searchdomain" => &["VM.Config.Network"],
            _ => &["VM.Config.Options"],
        };
        self.require(needed)?;
        match (family(key), new) {
            ("net", Some(new)) => self.check_bridge(key, new),
            _ => Ok(()),
        }
    }

    /// Nesting alone is harmless, and that in unprivileged containers alone.
    fn check_features(&self, old: Option<&str>, new: Option<&str>) -> Result<(), ApiError> {
        let others = |value: Option<&str>| -> Vec<String> {
            let parts = value.unwrap_or_default().split(',').map(str::trim);
            let mut parts: Vec<String> = parts
                .filter(|part| !part.is_empty() && !part.starts_with("nesting="))
                .map(str::to_owned)
                .collect();
            parts.sort();
            parts
        };
        if others(old) != others(new) {
            let text = "changing feature flags (except nesting) is only allowed for root@pam";
            return Err(ApiError::Denied(text.to_owned()));
        }
        // A new one is checked as what it is going to be elsewhere; unprivileged is the default.
        if self.config.is_some_and(|config| !config.main.flag("unprivileged", false)) {
            let text = "changing feature flags for privileged container is only allowed for root@pam";
            return Err(ApiError::Denied(text.to_owned()));
        }
        self.require(&["VM.Allocate"])
    }

    /// Who may use a bridge.
    fn check_bridge(&self, key: &str, value: &str) -> Result<(), ApiError> {
        let part = |name| part(self.kind, key, value, name);
        let Some(bridge) = part("bridge") else { return Ok(()) };
        let tag = part("tag").map(|tag| format!("/{tag}")).unwrap_or_default();
        self.context.require(&format!("/sdn/zones/localnetwork/{bridge}{tag}"), &["SDN.Use"])
    }

    fn check_mapping(&self, key: &str, value: &str) -> Result<(), ApiError> {
        let kind = if family(key) == "usb" { "usb" } else { "pci" };
        match part(self.kind, key, value, "mapping") {
            Some(name) => self.context.require(&format!("/mapping/{kind}/{name}"), &["Mapping.Use"]),
            None => Ok(()),
        }
    }

    /// Who may put a volume into a guest: whoever may use the storage for a new one; the guest's own are free.
    fn check_volume(&self, key: &str, value: &str) -> Result<(), ApiError> {
        let file = source(self.kind, key, value);
        let file = file.as_str();
        if file == "none" {
            return Ok(());
        }
        if file == "cdrom" {
            return self.context.require("/", &["Sys.Console"]);
        }
        if let Some(from) = part(self.kind, key, value, "import-from") {
            self.check_source(&from)?;
        }
        if let Some((storage, _)) = new_volume(file) {
            return match storage {
                Some(storage) => self.space(storage),
                None => self.space("local"),
            };
        }
        if file.strip_suffix(":cloudinit").is_some_and(|storage| !storage.contains(':')) {
            return self.space(file.trim_end_matches(":cloudinit"));
        }
        let kept = self.config.is_some_and(|config| {
            config.main.get(key).is_some_and(|old| source(self.kind, key, old) == file)
        });
        if kept { Ok(()) } else { self.check_source(file) }
    }

    fn space(&self, storage: &str) -> Result<(), ApiError> {
        self.context.require(&format!("/storage/{storage}"), &["Datastore.AllocateSpace"])
    }

    /// Who may use a volume that is there.
    pub(crate) fn check_source(&self, volume: &str) -> Result<(), ApiError> {
        if self.context.is_root() {
            return Ok(());
        }
        let Ok(volume) = volume.parse::<VolumeId>() else { return Err(Refusal::ArbitraryPath.into()) };
        let on = format!("/storage/{}", volume.storage());
        let found = self.context.storages()?.path(&volume)?;
        match found.content {
            ContentType::Iso | ContentType::Vztmpl | ContentType::Import => {
                self.context.require(&on, &["Datastore.AllocateSpace", "Datastore.Audit"])
            }
            _ if found.owner == Some(self.vmid) && pending::bears_number(&volume, self.vmid) => Ok(()),
            _ => self.context.require(&on, &["Datastore.Allocate"]),
        }
    }
}

/// What a key of a virtual machine needs with a value.
fn machine_key(key: &str, value: &str) -> Needs {
    match family(key) {
        "cores" | "cpu" | "cpulimit" | "cpuunits" | "numa" | "smp" | "sockets" | "vcpus" => CPU,
        "allow-ksm" | "balloon" | "memory" | "shares" => MEMORY,
        "acpi" | "audio" | "hotplug" | "kvm" | "machine" | "rng" | "scsihw" | "smbios" | "tablet" | "vga"
        | "watchdog" => HARDWARE,
        "agent" | "autostart" | "bios" | "description" | "keyboard" | "localtime" | "migrate_downtime"
        | "migrate_speed" | "name" | "onboot" | "ostype" | "protection" | "reboot" | "startdate"
        | "startup" | "tags" | "tdf" | "template" => OPTIONS,
        "freeze" => POWER,
        "boot" | "bootdisk" | "vmstatestorage" => DISK,
        "net" => NETWORK,
        "cicustom" | "cipassword" | "citype" | "ciupgrade" | "ciuser" | "ipconfig" | "nameserver"
        | "searchdomain" | "sshkeys" => CLOUDINIT,
        "serial" if value == "socket" => HARDWARE,
        "usb" if part(GuestKind::Qemu, key, value, "host").as_deref() == Some("spice") => HARDWARE,
        "usb" | "hostpci" if part(GuestKind::Qemu, key, value, "mapping").is_some() => HARDWARE,
        _ if is_disk(key) && is_cdrom(key, value) => CDROM,
        _ if is_disk(key) => DISK,
        _ => Needs::Root,
    }
}

/// A key without its index.
fn family(key: &str) -> &str {
    key.trim_end_matches(|c: char| c.is_ascii_digit())
}

fn is_device(key: &str) -> bool {
    matches!(family(key), "serial" | "usb" | "hostpci")
}

fn is_drive(key: &str) -> bool {
    is_drive_name(key) || matches!(key, "efidisk0" | "tpmstate0")
}

fn is_disk(key: &str) -> bool {
    is_drive(key) || (family(key) == "unused" && key != "unused")
}

/// Whether a drive holds a CD; cloud-init's is a drive of its own.
fn is_cdrom(key: &str, value: &str) -> bool {
    let kind = GuestKind::Qemu;
    part(kind, key, value, "media").as_deref() == Some("cdrom")
        || matches!(source(kind, key, value).as_str(), "none" | "cdrom")
}

/// The value of a part of a property string, as the option's own grammar reads it.
fn part(kind: GuestKind, key: &str, value: &str, name: &str) -> Option<String> {
    let Some(Format::Properties(fields)) = options::find(kind, key)?.format else { return None };
    property::parse(value, fields).ok()?.get(name).map(str::to_owned)
}

/// What a drive or mount point is made of.
fn source(kind: GuestKind, key: &str, value: &str) -> String {
    let name = if kind == GuestKind::Qemu && is_drive(key) { "file" } else { "volume" };
    part(kind, key, value, name)
        .or_else(|| part(kind, key, value, "file"))
        .unwrap_or_else(|| value.to_owned())
}

/// How a mount point is called that is a folder or a device of the host.
fn host_mount(key: &str, value: &str) -> Option<&'static str> {
    let source = source(GuestKind::Lxc, key, value);
    match source {
        _ if source.starts_with("/dev/") => Some("device"),
        _ if source.starts_with('/') => Some("bind"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_of_a_machine_is_somebodys() {
        let only_root: Vec<&str> = options::all(GuestKind::Qemu)
            .iter()
            .filter(|option| !matches!(option.name, "serial" | "usb" | "hostpci" | "hookscript"))
            .filter(|option| {
                let key =
                    if option.count.is_some() { format!("{}0", option.name) } else { option.name.to_owned() };
                matches!(machine_key(crate::guest::update::alias(&key), ""), Needs::Root)
            })
            .map(|option| option.name)
            .collect();
        // api.md 2.4: "every key not listed".
        let want = [
            "affinity",
            "amd-sev",
            "arch",
            "args",
            "hugepages",
            "intel-tdx",
            "ivshmem",
            "keephugepages",
            "lock",
            "parallel",
            "spice_enhancements",
            "virtiofs",
            "vmgenid",
        ];
        assert_eq!(only_root, want);
    }

    #[test]
    fn a_cd_is_told_from_a_disk() {
        for (value, cd) in [
            ("none,media=cdrom", true),
            ("media=cdrom,file=local:iso/x.iso", true),
            ("cdrom", true),
            ("local:100/vm-100-disk-0.raw,size=1G", false),
            ("file=local:4", false),
        ] {
            assert_eq!(is_cdrom("ide2", value), cd, "{value}");
        }
        for (value, kind) in
            [("/srv,mp=/x", Some("bind")), ("mp=/x,volume=/dev/sdb", Some("device")), ("local:4,mp=/x", None)]
        {
            assert_eq!(host_mount("mp0", value), kind, "{value}");
        }
    }
}
