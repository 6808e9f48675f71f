//! `qm create`: a new virtual machine, with what Proxmox VE adds to what was asked for (api.md 3.1).

use crate::guest::{self, approval, claim::Claim, fresh, rights::Asked, update, volumes::Completion};
use crate::method::{Method, Returns, Scope, Verb};
use crate::nodes::unsupported;
use crate::schema::AT_NODE;
use crate::task::{self, Task};
use crate::{ApiError, Context, Params, Permission, lifecycle, pools};
use ::config::Section;
use ::config::format::is_drive_name;
use ::config::options::{all, qemu};
use ::config::property;
use model::{GuestKind, Vmid};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

const KIND: GuestKind = GuestKind::Qemu;

/// `qm create`
pub static CREATE: Method = Method {
    path: "/nodes/{node}/qemu",
    verb: Verb::Post,
    description: "Makes a virtual machine.",
    parameters: &[AT_NODE, &qemu::CREATE, &qemu::OPTIONS],
    permission: Permission::User,
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: create,
};

/// Restores, imports and what needs a cluster.
const UNSERVED: &[&str] =
    &["archive", "bwlimit", "force", "ha-managed", "import-working-storage", "live-restore", "unique"];

fn create(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    unsupported(params, UNSERVED)?;
    let vmid = params.vmid();
    let asked: BTreeMap<String, String> = params
        .iter()
        .filter(|(key, _)| ::config::schema::find(all(KIND), key).is_some())
        .map(|(key, value)| (update::alias(key).to_owned(), value.joined()))
        .collect();
    let rights = Asked { context, kind: KIND, vmid, pool: params.text("pool"), config: None };
    rights.require(&["VM.Allocate"])?;
    if params.flag("start", false) {
        rights.require(&["VM.PowerMgmt"])?;
    }
    rights.check_set(&asked)?;
    pools::check(context, params)?;
    let script = asked.get("hookscript").cloned();
    let claim = Claim::take(context, KIND, vmid)?;
    let upid = task::run(context, "qmcreate", &vmid.to_string(), |task| {
        claim.fill(|config, made| {
            approval::bind(context, vmid, script.as_deref())?;
            let mut set = asked;
            let say = |bytes: &[u8]| task.write(bytes);
            let storage = params.storage("storage");
            let completion =
                Completion { context, kind: KIND, vmid, storage, shift: 0, creating: true, say: &say };
            completion.all(&mut set, made)?;
            for (key, value) in &set {
                guest::set(config, key, value);
            }
            add_defaults(&mut config.main)
        })?;
        approval::release(context, vmid, script.as_deref())?;
        pools::join(context, params, vmid)?;
        if params.flag("start", false) {
            start(context, task, vmid);
        }
        Ok(())
    })?;
    Ok(upid)
}

/// A start of its own, whose end is not the creation's (api.md 3.1).
pub(crate) fn start(context: &Context<'_>, task: &Task<'_, '_>, vmid: Vmid) {
    task.say("Execute autostart");
    let Some(kind) = context.store.find(vmid) else { return };
    if let Err(error) = lifecycle::start(context, kind, vmid, false, None) {
        task.say(&error.told());
        if let ApiError::Task { upid: Some(upid), .. } = &error {
            task.say(&format!("more is in the log of {upid}"));
        }
    }
}

/// What every machine has.
fn add_defaults(main: &mut Section) -> Result<(), ApiError> {
    let random = |source| ApiError::File { what: "unable to read", path: "/dev/urandom".into(), source };
    if main.get("boot").is_none_or(str::is_empty) && main.get("bootdisk").is_none() {
        main.set("boot", boot_order(main));
    }
    if main.get("smbios1").is_none() {
        main.set("smbios1", format!("uuid={}", fresh::uuid().map_err(random)?));
    }
    if main.get("vmgenid").is_none() && main.get("arch") != Some("aarch64") {
        main.set("vmgenid", fresh::uuid().map_err(random)?);
    }
    main.set(
        "meta",
        meta(version(), SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_secs())),
    );
    Ok(())
}

/// QEMU's version; none where it is not installed.
fn version() -> Option<String> {
    let version = ::qemu::binary::find_binary().and_then(|path| ::qemu::binary::version(&path)).ok()?;
    Some(version.to_string())
}

fn meta(qemu: Option<String>, ctime: u64) -> String {
    let qemu = qemu.map(|version| format!("creation-qemu={version},")).unwrap_or_default();
    format!("{qemu}ctime={ctime}")
}

/// The first disk, the first CD drive, the first network interface; nothing where there is none of them.
fn boot_order(main: &Section) -> String {
    let is_cdrom = |value: &str| {
        property::parse(value, &::config::options::IDE).is_ok_and(|drive| drive.get("media") == Some("cdrom"))
    };
    let drives: Vec<(&str, bool)> = boot_keys()
        .filter_map(|key| main.options.get_key_value(&key))
        .map(|(key, value)| (key.as_str(), is_cdrom(value)))
        .collect();
    let first =
        |cdrom: bool| drives.iter().find(|(_, there)| *there == cdrom).map(|(key, _)| (*key).to_owned());
    let net = main.indexed("net").next().map(|(index, _)| format!("net{index}"));
    let devices: Vec<String> = [first(false), first(true), net].into_iter().flatten().collect();
    if devices.is_empty() { String::new() } else { format!("order={}", devices.join(";")) }
}

/// Drives in the order in which Proxmox VE looks at them.
pub(crate) fn boot_keys() -> impl Iterator<Item = String> {
    ["ide", "scsi", "virtio", "sata"]
        .into_iter()
        .flat_map(|bus| (0..31).map(move |index| format!("{bus}{index}")))
        .filter(|key| is_drive_name(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::config::GuestConfig;

    fn machine(pairs: &[(&str, &str)]) -> GuestConfig {
        let mut config = GuestConfig::new(KIND);
        pairs.iter().for_each(|(key, value)| config.main.set(key, *value));
        config
    }

    #[test]
    fn a_machine_boots_from_its_first_disk_then_cdrom_then_network() {
        for (pairs, want) in [
            (&[][..], ""),
            (&[("scsi0", "local:100/vm-100-disk-0.raw,size=4G")][..], "order=scsi0"),
            (
                &[
                    ("ide2", "local:iso/x.iso,media=cdrom,size=1M"),
                    ("net1", "virtio=BC:24:11:00:00:00"),
                    ("scsi1", "local:100/vm-100-disk-1.raw,size=4G"),
                    ("virtio0", "local:100/vm-100-disk-0.raw,size=4G"),
                ][..],
                "order=scsi1;ide2;net1",
            ),
        ] {
            assert_eq!(boot_order(&machine(pairs).main), want);
        }
    }

    #[test]
    fn defaults_do_not_replace_what_was_asked_for() {
        let mut config = machine(&[("boot", "order=net0"), ("smbios1", "uuid=x"), ("vmgenid", "0")]);
        add_defaults(&mut config.main).unwrap();
        assert_eq!(config.main.get("boot"), Some("order=net0"));
        assert_eq!((config.main.get("smbios1"), config.main.get("vmgenid")), (Some("uuid=x"), Some("0")));
        assert_eq!(meta(Some("7.2.22".into()), 1_795_374_719), "creation-qemu=7.2.22,ctime=1795374719");
    }
}
