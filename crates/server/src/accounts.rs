//! Hearing of changes in who may do what: the kernel tells of files that are replaced in the folders where accounts are.

use model::Layout;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;
use tokio::sync::watch;

/// Tells who asks once something may have changed.
pub(crate) struct Accounts {
    folders: [PathBuf; 2],
    changes: Mutex<Option<watch::Sender<()>>>,
}

impl Accounts {
    pub(crate) fn new(layout: &Layout) -> Self {
        let pve = layout.pve();
        Self { folders: [pve.join("priv"), pve], changes: Mutex::default() }
    }

    /// Marked as changed with each change from now on. Where the kernel cannot tell, it never is.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = &*changes {
            return there.subscribe();
        }
        let (sender, receiver) = watch::channel(());
        if let Ok(fd) = self.watch() {
            let (told, thread) = (sender.clone(), thread::Builder::new().name("accounts".to_owned()));
            let _ = thread.spawn(move || tell(&fd, &told));
        }
        *changes = Some(sender);
        receiver
    }

    fn watch(&self) -> io::Result<OwnedFd> {
        let fd = inotify::init(CreateFlags::CLOEXEC)?;
        let events = WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO | WatchFlags::DELETE;
        for folder in self.folders.iter().filter(|folder| folder.is_dir()) {
            inotify::add_watch(&fd, folder, events)?;
        }
        Ok(fd)
    }
}

/// Which file it was does not matter.
fn tell(fd: &OwnedFd, changes: &watch::Sender<()>) {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = inotify::Reader::new(fd, &mut buffer);
    loop {
        match reader.next() {
            Ok(_) => changes.send_replace(()),
            Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}
