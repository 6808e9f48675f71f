//! `PUT …/config`: a change of a guest's configuration (api.md 3.1, lifecycle.md 4.3).
//!
//! The order is Proxmox VE's, because it decides which error is told: the request itself, the hookscript, who may,
//! the configuration lock, the digest, the guest's lock. Nothing is changed before all of it holds.

use super::approval;
use super::rights::Asked;
use super::volumes::{self, Made};
use crate::context::check_lock;
use crate::nodes::qemu::power::root_only;
use crate::{ApiError, Context, Given, Params, Refusal, lifecycle};
use config::GuestConfig;
use config::pending::{self, Change};
use model::{GuestKind, Stream, Vmid, VolumeId};
use std::time::Duration;

/// How long a configuration's lock is waited for (lifecycle.md 2.1).
pub(crate) const LOCK_WAIT: Duration = Duration::from_secs(10);

/// Parameters that say how to change, not what.
const CONTROL: &[&str] = &[
    "node",
    "vmid",
    "background_delay",
    "delete",
    "digest",
    "force",
    "import-working-storage",
    "revert",
    "skiplock",
];

/// All that can be said about a change without the guest's lock.
pub(crate) fn check_request(
    kind: GuestKind,
    context: &Context<'_>,
    params: &Params,
) -> Result<Change, ApiError> {
    root_only(context, params, &["skiplock"])?;
    let change = read(kind, params)?;
    // What is there is read for those who may not do everything; under the lock it is looked at again.
    let config = if context.is_root() { None } else { Some(context.read(kind, params.vmid())?) };
    let who = || check_who(kind, context, params.vmid(), config.as_ref(), &change);
    check_hookscript(kind, context, change.set.get("hookscript"), who)?;
    who()?;
    Ok(change)
}

/// Takes the lock out of a guest's configuration; one without a lock stays as it is.
pub(crate) fn unlock(kind: GuestKind, context: &Context<'_>, vmid: Vmid) -> Result<(), ApiError> {
    let lock = context.store.lock(kind, vmid, LOCK_WAIT, &mut |line| context.warn(line))?;
    let mut config = context.read(kind, vmid)?;
    if config.main.remove("lock").is_some() {
        let digest = config.digest.clone();
        context.store.write(&lock, &config, Some(&digest))?;
    }
    let program = if kind == GuestKind::Qemu { "qm" } else { "pct" };
    context.journal(&format!("executed '{program} unlock {vmid}'"), Some(vmid));
    Ok(())
}

/// Changes a guest's configuration.
pub(crate) fn update(kind: GuestKind, context: &Context<'_>, params: &Params) -> Result<(), ApiError> {
    let vmid = params.vmid();
    let mut change = check_request(kind, context, params)?;
    let lock = context.store.lock(kind, vmid, LOCK_WAIT, &mut |line| context.warn(line))?;
    let mut config = context.read(kind, vmid)?;
    check_digest(&config, params.text("digest"))?;
    check_lock(&config, params.flag("skiplock", false))?;
    check_who(kind, context, vmid, Some(&config), &change)?;
    if kind == GuestKind::Qemu {
        announce(context, vmid, params);
    }
    let mut made = Made::default();
    let script = change.set.get("hookscript").cloned();
    let done = (|| {
        approval::bind(context, vmid, script.as_deref())?;
        volumes::complete(context, &config, vmid, &mut change.set, &mut made)?;
        let running = lifecycle::is_running(context, vmid);
        let own = |volume: &VolumeId| pending::bears_number(volume, vmid);
        let outcome = pending::update(&mut config, vmid, &change, running, &own).map_err(Refusal::Change)?;
        outcome.warnings.iter().for_each(|warning| context.warn(warning));
        let digest = config.digest.clone();
        context.store.write(&lock, &config, Some(&digest))?;
        approval::release(context, vmid, script.as_deref())?;
        Ok(outcome.freed)
    })();
    match done {
        Ok(gone) => {
            for volume in gone {
                if let Err(error) = context.storages()?.free(&volume) {
                    context.warn(&format!("cannot remove volume '{volume}': {error}"));
                }
            }
            Ok(())
        }
        Err(error) => {
            made.undo(context);
            Err(error)
        }
    }
}

/// The change that the parameters ask for.
fn read(kind: GuestKind, params: &Params) -> Result<Change, ApiError> {
    let keys = |list: &str| params.list(list).into_iter().map(|key| alias(key).to_owned()).collect();
    let asked = params.iter().filter(|(key, _)| !CONTROL.contains(key));
    let change = Change {
        set: asked.map(|(key, value)| (alias(key).to_owned(), value.joined())).collect(),
        delete: keys("delete"),
        revert: keys("revert"),
        force: params.flag("force", false),
    };
    pending::check(kind, &change).map_err(ApiError::Parameters)?;
    if change.set.is_empty() && change.delete.is_empty() && change.revert.is_empty() {
        return Err(Refusal::NoOptions.into());
    }
    Ok(change)
}

/// `cdrom` stands for `ide2`.
pub(crate) fn alias(key: &str) -> &str {
    if key == "cdrom" { "ide2" } else { key }
}

/// The hookscript must be one that could run now; nothing else of the change is done otherwise. For a container the
/// question who may is asked first.
fn check_hookscript(
    kind: GuestKind,
    context: &Context<'_>,
    script: Option<&String>,
    who: impl Fn() -> Result<(), ApiError>,
) -> Result<(), ApiError> {
    let Some(script) = script else { return Ok(()) };
    match kind {
        GuestKind::Qemu => {
            locate(context, script).map_err(|text| ApiError::parameter("hookscript", &format!("{text}\n")))
        }
        GuestKind::Lxc => {
            who()?;
            locate(context, script).map_err(|text| Refusal::Hookscript(text).into())
        }
    }
}

/// Finds a hookscript's file; an error in Proxmox VE's words otherwise.
pub(crate) fn locate(context: &Context<'_>, script: &str) -> Result<(), String> {
    let script: VolumeId = script.parse().map_err(|error: model::InvalidVolumeId| error.to_string())?;
    let storages = context.storages().map_err(|error| error.told())?;
    hooks::locate(&storages, &script).map(|_| ()).map_err(|problem| problem.to_string())
}

/// Whether the caller may make this change of a guest as it is now.
fn check_who(
    kind: GuestKind,
    context: &Context<'_>,
    vmid: Vmid,
    config: Option<&GuestConfig>,
    change: &Change,
) -> Result<(), ApiError> {
    Asked { context, kind, vmid, pool: None, config }.check(change)
}

/// Refuses a change of a configuration that is not the one that the caller has read.
pub(super) fn check_digest(config: &GuestConfig, digest: Option<&str>) -> Result<(), ApiError> {
    match (digest, config.kind) {
        (Some(digest), kind) if digest != config.digest => Err(match kind {
            GuestKind::Qemu => Refusal::VmDigest.into(),
            GuestKind::Lxc => Refusal::CtDigest.into(),
        }),
        _ => Ok(()),
    }
}

/// `update VM 100: -memory 128 -name renamed`, to the caller and the journal.
fn announce(context: &Context<'_>, vmid: Vmid, params: &Params) {
    let shown = params
        .iter()
        .filter(|(key, _)| !matches!(*key, "node" | "vmid" | "digest" | "skiplock" | "background_delay"))
        .map(|(key, value)| match (key, value) {
            ("cipassword", _) => format!("-{key} <hidden>"),
            (_, Given::One(_) | Given::Many(_)) => format!("-{key} {}", value.joined()),
        });
    let line = format!("update VM {vmid}: {}", shown.collect::<Vec<_>>().join(" "));
    context.write(Stream::Stdout, format!("{line}\n").as_bytes());
    context.journal(&format!("<{}> {line}", context.user), Some(vmid));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        let mut params = Params::default();
        for (key, value) in [("node", "pve1"), ("vmid", "100")].iter().chain(pairs) {
            params.set(key, Given::One((*value).to_owned()));
        }
        params
    }

    #[test]
    fn a_request_is_refused_in_proxmox_ves_words() {
        for (pairs, want) in [
            (&[][..], "no options specified\n"),
            (
                &[("delete", "nonsense")][..],
                "400 Parameter verification failed.\ndelete: unknown option 'nonsense'\n",
            ),
            (
                &[("delete", "name"), ("name", "x")][..],
                "400 Parameter verification failed.\n\
                 delete: you can't use '-name' and -delete name' at the same time\n",
            ),
        ] {
            assert_eq!(read(GuestKind::Qemu, &params(pairs)).unwrap_err().printed(), want);
        }
        let change = read(GuestKind::Qemu, &params(&[("cdrom", "none"), ("delete", "net0,net1")])).unwrap();
        assert_eq!(change.set.keys().collect::<Vec<_>>(), ["ide2"]);
        assert_eq!(change.delete, ["net0", "net1"]);
    }
}
