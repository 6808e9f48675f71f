//! The removal of a guest with all that is its own (api.md 3.1).
//!
//! The run lock is held from the look at the guest's state to the end, so no start comes in between. The
//! configuration goes last: what was interrupted can be repeated.

use super::update::LOCK_WAIT;
use super::{approval, purge};
use crate::context::check_lock;
use crate::task::{self, Task};
use crate::{ApiError, Context, Refusal, lifecycle};
use config::{GuestConfig, pending};
use keeper::Request;
use model::{GuestKind, Vmid, VolumeId};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::path::Path;
use storage::{ContentFilter, Storages};

/// What to remove, and how.
pub(crate) struct Destruction {
    pub(crate) kind: GuestKind,
    pub(crate) vmid: Vmid,
    /// Whether a lock in the configuration is ignored.
    pub(crate) skiplock: bool,
    /// Whether a running container is stopped first.
    pub(crate) force: bool,
    /// Whether volumes go that only their names say to be the guest's.
    pub(crate) unreferenced: bool,
    /// Whether backups, replication and high availability forget it, too.
    pub(crate) purge: bool,
}

/// Removes a guest.
pub(crate) fn destroy(context: &Context<'_>, how: &Destruction) -> Result<Value, ApiError> {
    let config = context.read(how.kind, how.vmid)?;
    lifecycle::recover(context, how.vmid)?;
    check(context, how, &config)?;
    let kind = match how.kind {
        GuestKind::Qemu => "qmdestroy",
        GuestKind::Lxc => "vzdestroy",
    };
    task::run(context, kind, &how.vmid.to_string(), |task| {
        let line = format!("destroy {} {}: {}", how.kind.label(), how.vmid, task.upid());
        context.journal(&line, Some(how.vmid));
        if how.force && lifecycle::is_kept(context, how.vmid) {
            let user = context.user.clone();
            let stop = Request::Stop { user, skiplock: true, timeout: None };
            lifecycle::ask(context, how.kind, how.vmid, &stop)?;
        }
        let _run = run_lock(context, how)?;
        let lock = context.store.lock(how.kind, how.vmid, LOCK_WAIT, &mut |line| task.say(line))?;
        let config = context.read(how.kind, how.vmid)?;
        check_lock(&config, how.skiplock)?;
        check(context, how, &config)?;
        remove_volumes(context, task, how, &config)?;
        remove_leftovers(context, how)?;
        purge::forget(context, how.kind, how.vmid, how.purge)?;
        context.store.remove(&lock)?;
        approval::forget(context, how.vmid)
    })
}

fn check(context: &Context<'_>, how: &Destruction, config: &GuestConfig) -> Result<(), ApiError> {
    let (kind, vmid) = (how.kind, how.vmid);
    if config.main.flag("protection", false) {
        return Err(Refusal::Protected { kind, vmid }.into());
    }
    purge::check(context, kind, vmid, how.purge)?;
    if lifecycle::is_running(context, vmid) && !how.force {
        return Err(match kind {
            GuestKind::Qemu => Refusal::VmRuns(vmid).into(),
            GuestKind::Lxc => Refusal::ContainerRuns(vmid).into(),
        });
    }
    if how.force { Ok(()) } else { lifecycle::must_rest(context, kind, vmid) }
}

/// The run lock, which a keeper holds for a whole run: at once, or not at all.
fn run_lock(context: &Context<'_>, how: &Destruction) -> Result<File, ApiError> {
    let path = context.store.layout().run_lock(how.vmid);
    let failed = |source| ApiError::File { what: "unable to open", path: path.clone(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => {
            let state = lifecycle::state(context, how.vmid);
            let phase = state.phase.map_or(state.stage, |phase| phase.to_string());
            Err(Refusal::Busy { kind: how.kind, vmid: how.vmid, phase }.into())
        }
    }
}

fn remove_volumes(
    context: &Context<'_>,
    task: &Task<'_, '_>,
    how: &Destruction,
    config: &GuestConfig,
) -> Result<(), ApiError> {
    let storages = context.storages()?;
    let sections = config.snapshots.values().chain([&config.main, &config.pending]);
    let named = sections.flat_map(|section| pending::volumes(how.kind, section)).map(|(_, volume)| volume);
    let states = config.snapshots.values().filter_map(|snapshot| snapshot.get("vmstate")?.parse().ok());
    let mut own: BTreeSet<VolumeId> =
        named.chain(states).filter(|volume| pending::bears_number(volume, how.vmid)).collect();
    if how.unreferenced {
        own.extend(unreferenced(&storages, how.vmid));
    }
    for volume in own {
        // One that cannot be removed must not keep the guest alive; it is named.
        if let Err(error) = storages.free(&volume) {
            task.say(&format!("Could not remove disk '{volume}', check manually: {error}"));
        }
    }
    Ok(())
}

fn unreferenced(storages: &Storages, vmid: Vmid) -> Vec<VolumeId> {
    let filter = ContentFilter { content: None, vmid: Some(vmid) };
    let lists = storages.ids().filter_map(|id| storages.list(id, filter, &|_| None).ok());
    let items = lists.flat_map(|listing| listing.items);
    let images = items.filter(|item| {
        item.vmid == Some(vmid)
            && matches!(item.content, model::ContentType::Images | model::ContentType::Rootdir)
    });
    images.map(|item| item.volume).collect()
}

/// What belongs to the guest outside its storages: LXC's folder, files of its last run, its firewall rules. Its
/// history stays: it tells what happened.
fn remove_leftovers(context: &Context<'_>, how: &Destruction) -> Result<(), ApiError> {
    let layout = context.store.layout();
    let gone = |path: &Path, result: std::io::Result<()>| match result {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(ApiError::File { what: "unable to remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    };
    if how.kind == GuestKind::Lxc {
        let folder = layout.lxc().join(how.vmid.to_string());
        refuse_mounts(&folder)?;
        gone(&folder, std::fs::remove_dir_all(&folder))?;
    }
    let run = layout.run_guest(how.vmid);
    gone(&run, std::fs::remove_dir_all(&run))?;
    let firewall = layout.pve().join("firewall").join(format!("{}.fw", how.vmid));
    gone(&firewall, std::fs::remove_file(&firewall))
}

/// What is mounted below a folder is not the folder's to remove.
fn refuse_mounts(folder: &Path) -> Result<(), ApiError> {
    let list = Path::new("/proc/self/mountinfo");
    let text = std::fs::read_to_string(list).map_err(|source| ApiError::File {
        what: "unable to read",
        path: list.to_owned(),
        source,
    })?;
    // proc(5): the fifth field is the mount point, with octal escapes for blanks, which no path here has.
    let mut mounts = text.lines().filter_map(|line| line.split(' ').nth(4));
    match mounts.find(|mount| Path::new(mount).starts_with(folder)) {
        Some(mount) => Err(Refusal::Mounted(mount.to_owned()).into()),
        None => Ok(()),
    }
}
