use crate::{FileError, files};
use model::{Layout, Vmid};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

/// A watch on the folder of ledgers of runs that have not ended.
pub(super) struct Watch {
    fd: OwnedFd,
    folder: PathBuf,
}

/// Whose ledgers changed.
pub(super) enum Changed {
    /// Nobody's, for as long as was waited.
    None,
    /// These guests'.
    These(BTreeSet<Vmid>),
    /// Anybody's: there was more than the kernel keeps.
    Any,
}

impl Watch {
    /// The folder is made where it is missing, so that there is something to watch.
    pub(super) fn new(layout: &Layout) -> Result<Self, FileError> {
        let folder = layout.runs();
        files::create_dirs(&folder).map_err(FileError::at("create", &folder))?;
        let failed = |error: Errno| FileError::at("watch", &folder)(error.into());
        let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(failed)?;
        let events = WatchFlags::MODIFY
            | WatchFlags::CREATE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE;
        inotify::add_watch(&fd, &folder, events).map_err(failed)?;
        Ok(Self { fd, folder })
    }

    /// Waits for changes, so long at most.
    pub(super) fn wait(&self, limit: Duration) -> Result<Changed, FileError> {
        let failed = |error: Errno| FileError::at("watch", &self.folder)(error.into());
        let seconds = i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
        let limit = Timespec { tv_sec: seconds, tv_nsec: limit.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&self.fd, PollFlags::IN)], Some(&limit)) {
            Ok(0) => return Ok(Changed::None),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(failed(error)),
        }
        let mut buffer = [std::mem::MaybeUninit::uninit(); 8192];
        let mut reader = inotify::Reader::new(&self.fd, &mut buffer);
        let mut guests = BTreeSet::new();
        loop {
            match reader.next() {
                Ok(event) if event.events().contains(ReadFlags::QUEUE_OVERFLOW) => return Ok(Changed::Any),
                Ok(event) => {
                    let name = event.file_name().and_then(|name| name.to_str().ok());
                    guests.extend(name.and_then(|name| name.strip_suffix(".jsonl")?.parse::<Vmid>().ok()));
                }
                Err(Errno::AGAIN) => return Ok(Changed::These(guests)),
                Err(Errno::INTR) => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }
}
