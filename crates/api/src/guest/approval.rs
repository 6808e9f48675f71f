//! Hookscripts that others than root set: only approved ones, and only where they have the privilege for it.

use super::rights::Asked;
use crate::{ApiError, Context, Refusal};
use access::roles::HOOKSCRIPT;
use hooks::approvals::{self, Approvals};
use model::{GuestKind, Vmid, VolumeId};

/// Refuses a change of the hookscript to somebody who is not root: in Proxmox VE's words, and where the privilege is there, with
/// what is wrong with the script after them.
pub(super) fn permit(asked: &Asked<'_, '_>, script: Option<&str>) -> Result<(), ApiError> {
    let refused = |why: &str| match asked.kind {
        GuestKind::Qemu => {
            ApiError::from(Refusal::Hookscript(format!("only root can set 'hookscript' config{why}")))
        }
        GuestKind::Lxc => {
            ApiError::Denied(format!("changing the hookscript is only allowed for root@pam{why}"))
        }
    };
    if asked.require(&[HOOKSCRIPT]).is_err() {
        return Err(refused(""));
    }
    let Some(script) = script else { return Ok(()) };
    let because = |problem: &dyn std::fmt::Display| refused(&format!(": {problem}"));
    let volume = script.parse::<VolumeId>().map_err(|error| because(&error))?;
    let storages = asked.context.storages()?;
    approvals::check_settable(asked.context.store.layout(), &storages, &volume)
        .map_err(|problem| because(&problem))
}

/// Has a script that somebody else than root is about to set need approval from now on, for this guest.
pub(crate) fn bind(context: &Context<'_>, vmid: Vmid, script: Option<&str>) -> Result<(), ApiError> {
    match script.and_then(|script| script.parse::<VolumeId>().ok()) {
        Some(volume) if !context.is_root() => {
            change(context, |all| drop_result(all.bound.insert((vmid, volume))))
        }
        _ => Ok(()),
    }
}

/// Frees a script that root has set itself for a guest.
pub(crate) fn release(context: &Context<'_>, vmid: Vmid, script: Option<&str>) -> Result<(), ApiError> {
    match script.and_then(|script| script.parse::<VolumeId>().ok()) {
        Some(volume) if context.is_root() && is_known(context) => {
            change(context, |all| drop_result(all.bound.remove(&(vmid, volume))))
        }
        _ => Ok(()),
    }
}

/// Forgets a guest that is gone.
pub(super) fn forget(context: &Context<'_>, vmid: Vmid) -> Result<(), ApiError> {
    if is_known(context) {
        change(context, |all| all.bound.retain(|(guest, _)| *guest != vmid))
    } else {
        Ok(())
    }
}

/// Where nothing was ever approved there is nothing to undo.
fn is_known(context: &Context<'_>) -> bool {
    context.store.layout().approvals().exists()
}

fn change(context: &Context<'_>, change: impl FnOnce(&mut Approvals)) -> Result<(), ApiError> {
    Ok(Approvals::change(context.store.layout(), change)?)
}

/// Whether something was there already is all the same.
fn drop_result(_: bool) {}
