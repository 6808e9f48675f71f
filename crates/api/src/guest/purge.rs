//! What other configurations say about a guest: it goes with the guest, or keeps it (api.md 3.1).

use crate::{ApiError, Context, Refusal};
use model::{GuestKind, Vmid};

const BACKUPS: &str = "jobs.cfg";
const REPLICATION: &str = "replication.cfg";
const RESOURCES: &str = "ha/resources.cfg";
const RULES: &str = "ha/rules.cfg";

/// `vm` or `ct`, as high availability has it.
fn service(kind: GuestKind) -> &'static str {
    match kind {
        GuestKind::Qemu => "vm",
        GuestKind::Lxc => "ct",
    }
}

/// Refuses to remove a guest that is highly available or replicated, unless that is to go with it.
///
/// # Errors
/// Proxmox VE's text about what names it.
pub(super) fn check(context: &Context<'_>, kind: GuestKind, vmid: Vmid, purge: bool) -> Result<(), ApiError> {
    if purge {
        return Ok(());
    }
    let id = vmid.to_string();
    if context.store.sections(RESOURCES)?.heads().any(|head| head == (service(kind), id.as_str())) {
        return Err(Refusal::HighlyAvailable { kind, vmid }.into());
    }
    let jobs = context.store.sections(REPLICATION)?;
    match jobs.heads().find(|(_, job)| is_of(job, vmid)) {
        Some((_, job)) => Err(Refusal::Replicated { job: job.to_owned(), vmid }.into()),
        None => Ok(()),
    }
}

/// Takes a guest out of pools and access control lists, and where it is purged out of everything else that names it.
///
/// # Errors
/// A file that cannot be changed.
pub(super) fn forget(
    context: &Context<'_>,
    kind: GuestKind,
    vmid: Vmid,
    purge: bool,
) -> Result<(), ApiError> {
    context.store.lock_access()?.change_users(|cfg| {
        cfg.remove_guest(vmid);
        Ok::<_, ApiError>(())
    })?;
    if !purge {
        return Ok(());
    }
    let (id, service) = (vmid.to_string(), service(kind));
    context.store.change_sections(BACKUPS, |jobs| {
        jobs.remove_word("vmid", &id, true);
        jobs.remove_word("exclude", &id, false);
    })?;
    context.store.change_sections(REPLICATION, |jobs| jobs.remove(|_, job| is_of(job, vmid)))?;
    context
        .store
        .change_sections(RESOURCES, |all| all.remove(|kind, other| kind == service && other == id))?;
    let resource = format!("{service}:{id}");
    Ok(context.store.change_sections(RULES, |rules| rules.remove_word("resources", &resource, true))?)
}

/// Whether a job's id is `<vmid>-<number>`.
fn is_of(job: &str, vmid: Vmid) -> bool {
    job.split_once('-').is_some_and(|(guest, _)| guest == vmid.to_string())
}
