//! Who may see and remove which volume (api.md 2.4).

use crate::{ApiError, Context};
use model::{ContentType, StorageId, Vmid};

const SEES: &[&str] = &["Datastore.Audit", "Datastore.AllocateSpace"];

/// Whether the caller may see a volume. `of` is the guest whose volumes were asked for.
pub(super) fn may_see(
    context: &Context<'_>,
    storage: &StorageId,
    content: ContentType,
    owner: Option<Vmid>,
    of: Option<Vmid>,
) -> bool {
    let path = format!("/storage/{storage}");
    let on_storage = |any_of| context.authority.has_any(&path, any_of);
    let on_guest = |vmid: Vmid, any_of| context.authority.has_any(&format!("/vms/{vmid}"), any_of);
    if on_storage(&["Datastore.Allocate"]) {
        return true;
    }
    match (content, owner) {
        (ContentType::Iso | ContentType::Vztmpl | ContentType::Import, _) => on_storage(SEES),
        (_, Some(owner)) if of == Some(owner) => true,
        (ContentType::Backup, Some(owner)) => {
            on_storage(&["Datastore.AllocateSpace"]) && on_guest(owner, &["VM.Backup"])
        }
        (ContentType::Images | ContentType::Rootdir, Some(owner)) => {
            on_storage(SEES) && on_guest(owner, &["VM.Audit", "VM.Config.Disk"])
        }
        _ => false,
    }
}

/// Refuses a caller that may not see a volume.
pub(super) fn check_sees(
    context: &Context<'_>,
    storage: &StorageId,
    content: ContentType,
    owner: Option<Vmid>,
) -> Result<(), ApiError> {
    if may_see(context, storage, content, owner, None) {
        return Ok(());
    }
    let needed = match (content, owner) {
        (ContentType::Iso | ContentType::Vztmpl | ContentType::Import, _) => SEES.join("|"),
        _ => "Datastore.Allocate".to_owned(),
    };
    Err(ApiError::Denied(format!("/storage/{storage}, {needed}")))
}

/// Refuses a caller that may not remove a volume.
pub(super) fn check_removes(
    context: &Context<'_>,
    storage: &StorageId,
    content: ContentType,
    owner: Option<Vmid>,
) -> Result<(), ApiError> {
    check_sees(context, storage, content, owner)?;
    let path = format!("/storage/{storage}");
    match owner {
        Some(owner)
            if content == ContentType::Backup
                && !context.authority.has_any(&path, &["Datastore.Allocate"]) =>
        {
            context.require(&path, &["Datastore.AllocateSpace"])?;
            context.require(&format!("/vms/{owner}"), &["VM.Backup"])
        }
        _ => context.require(&path, &["Datastore.Allocate"]),
    }
}
