//! What a keeper does about its place in the world: the control socket, the folder of links, the record of another.

use crate::keeper::Keeper;
use model::{Boot, Event, Layout, Limit, ProcessId, Vmid};
use rustix::fs::inotify;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// This time that the host is up.
pub(crate) fn boot(layout: &Layout) -> io::Result<Boot> {
    let instance = record::instance::id(layout).map_err(io::Error::other)?;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
    Ok(Boot { instance, kernel })
}

/// Makes the folder of a guest's sockets, for its owner alone.
pub(crate) fn run_folder(layout: &Layout, vmid: Vmid) -> io::Result<PathBuf> {
    let folder = layout.run_guest(vmid);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    Ok(folder)
}

/// Listens on the control socket, and watches that its name stays.
pub(crate) fn listen(layout: &Layout, vmid: Vmid) -> io::Result<(UnixListener, Option<OwnedFd>)> {
    run_folder(layout, vmid)?;
    let path = layout.control_socket(vmid);
    // Whoever holds the run lock may take the place of a dead keeper's socket.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    listener.set_nonblocking(true)?;
    Ok((listener, watch(&path).ok()))
}

fn watch(path: &Path) -> io::Result<OwnedFd> {
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    inotify::add_watch(&watch, path, inotify::WatchFlags::ATTRIB | inotify::WatchFlags::DELETE_SELF)?;
    Ok(watch)
}

/// Makes the folder of links by which hookscripts find this installation's commands.
pub(crate) fn links(layout: &Layout) -> io::Result<()> {
    let program = process::own_program()?;
    let folder = layout.run().join("bin");
    std::fs::DirBuilder::new().recursive(true).mode(0o755).create(&folder)?;
    for name in ["hookvisor", "qm", "pct", "pvesh", "pvesm"] {
        let link = folder.join(name);
        if std::fs::read_link(&link).is_ok_and(|target| target == program) {
            continue;
        }
        let new = folder.join(format!(".{name}.{}", std::process::id()));
        let _ = std::fs::remove_file(&new);
        std::os::unix::fs::symlink(&program, &new)?;
        std::fs::rename(&new, &link)?;
    }
    Ok(())
}

impl Keeper {
    /// Makes the control socket again where its name went away, as when somebody empties `/run`.
    pub(crate) fn restore_socket(&mut self) {
        let Some(watch) = &self.watch else { return };
        let mut buffer = [std::mem::MaybeUninit::uninit(); 512];
        if inotify::Reader::new(watch, &mut buffer).next().is_err() {
            return;
        }
        if self.layout.control_socket(self.vmid).exists() {
            return;
        }
        let _ = links(&self.layout);
        if let Ok((listener, watch)) = listen(&self.layout, self.vmid) {
            self.listener = Some(listener);
            self.watch = watch;
        }
    }

    /// The call that is on record with this process.
    pub(crate) fn recorded_call(&self, process: ProcessId) -> RecordedCall {
        let contents = record::ledger::read_without_output(self.ledger.path());
        let events = contents.map(|contents| contents.events).unwrap_or_default();
        let call = events.into_iter().rev().find_map(|stamped| match stamped.event {
            Event::HookBegin { path, process: own, call, limit_ms, limit_by, tree, .. } if own == process => {
                Some(RecordedCall {
                    path: PathBuf::from(path),
                    number: call,
                    limit: limit_ms.map(|ms| Limit { after: Duration::from_millis(ms), by: limit_by }),
                    tree,
                    ran: Duration::from_millis(process::boot_millis().saturating_sub(stamped.boot_ms)),
                })
            }
            _ => None,
        });
        call.unwrap_or_default()
    }
}

/// A call of a hookscript as it is on record.
#[derive(Default)]
pub(crate) struct RecordedCall {
    pub(crate) path: PathBuf,
    /// Which call of the phase in this run it is, from 1.
    pub(crate) number: u32,
    /// How long it may run.
    pub(crate) limit: Option<Limit>,
    /// Whether everything that it forked is ended with it.
    pub(crate) tree: bool,
    /// How long ago it began.
    pub(crate) ran: Duration,
}
