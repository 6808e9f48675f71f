//! The systemd journal, as a stream of records that never makes its writer wait.
//!
//! A record that the journal does not take at once waits in a bounded queue. When that is full, further records
//! are counted, and one record tells how many were lost when the queue has drained. When the journal has gone
//! away and does not come back, and where there never was one, the records go to a file
//! ([`model::Layout::fallback_record`]) with the same fields. `HOOKVISOR_JOURNAL=NAME` picks the journal of the
//! namespace NAME.

mod entry;
mod fallback;
mod records;
mod spool;
mod target;
mod wire;

pub use entry::{Entry, Priority};
pub use records::{Ended, HOOK_IDENTIFIER, IDENTIFIER, Scene, message_id, task_began, task_ended};
pub use target::{InvalidNamespace, namespace};

pub(crate) use entry::TIME_FIELD;
pub(crate) use target::socket;

use crate::instance::{self, InstanceError};
use crate::{FileError, clock};
use fallback::Fallback;
use model::{Layout, Vmid};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, getpid};
use spool::Spool;
use std::collections::VecDeque;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;
use wire::SendError;

/// How many bytes of records may wait for the journal.
pub const QUEUE_BYTES: usize = 1024 * 1024;

/// How long a journal that was there may be away before its records go to the file, in milliseconds: a restart
/// of journald takes less.
const AWAY_MILLIS: u64 = 2000;

/// How long a journal that takes nothing is waited for by those who wait, in milliseconds ([`Journal::pause`]).
const STUCK_MILLIS: u64 = 1000;

/// How often a journal that went away is looked for while records wait.
const RETRY: Duration = Duration::from_millis(100);

/// The journal cannot be written to.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The name in `HOOKVISOR_JOURNAL` is none.
    #[error(transparent)]
    Namespace(#[from] InvalidNamespace),
    /// What every record is marked with cannot be had.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The fallback's folder cannot be made.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The way to the journal.
pub struct Journal {
    /// The journal's socket; none: only the file.
    target: Option<PathBuf>,
    link: Link,
    fallback: Fallback,
    /// Fields of every record.
    stamp: Vec<(&'static str, String)>,
    queue: VecDeque<Entry>,
    queued: usize,
    /// What waits, for whoever comes after this process; none where nobody does.
    spool: Option<Spool>,
    lost: Lost,
    /// When the journal last took a record, or the queue began, on the boot clock in milliseconds.
    taken: u64,
    /// The process that opened it: a forked child leaves its parent's queue alone.
    owner: Pid,
}

enum Link {
    Open(OwnedFd),
    /// Since when there is none, on the boot clock in milliseconds; none when there never was.
    Down(Option<u64>),
}

/// Records that were lost and not yet told of.
#[derive(Debug, Default)]
struct Lost {
    count: u64,
    /// The guest whose records they are, where they are all of one.
    guest: Option<Vec<u8>>,
}

impl Lost {
    fn add(&mut self, entry: &Entry) {
        let guest = entry.value("GUEST_VMID");
        if self.count == 0 {
            self.guest = guest.map(<[u8]>::to_vec);
        } else if self.guest.as_deref() != guest {
            self.guest = None;
        }
        self.count += 1;
    }

    fn entry(&self) -> Entry {
        records::lost(self.count).field_if("GUEST_VMID", self.guest.as_ref())
    }
}

enum Delivery {
    Done,
    Later,
    Failed,
}

impl Journal {
    /// Opens the journal that the environment picks. That it is not there is no error: see the module.
    ///
    /// # Errors
    /// Where `HOOKVISOR_JOURNAL` names no namespace, and where the root's ids can be neither read nor made.
    pub fn open(layout: &Layout) -> Result<Self, JournalError> {
        let target = socket(namespace()?.as_deref());
        Ok(Self::open_at(layout, target, stamp(layout)?))
    }

    /// A journal that only writes the file, marked with what can be had: for a stop that must go on where
    /// [`Journal::open`] fails.
    #[must_use]
    pub fn fallback_only(layout: &Layout) -> Self {
        let mut journal = Self::open_at(layout, PathBuf::new(), stamp(layout).unwrap_or_default());
        journal.target = None;
        journal
    }

    fn open_at(layout: &Layout, target: PathBuf, stamp: Vec<(&'static str, String)>) -> Self {
        let link = wire::connect(&target).map_or(Link::Down(None), Link::Open);
        Self {
            target: Some(target),
            link,
            fallback: Fallback::new(layout.fallback_record()),
            stamp,
            queue: VecDeque::new(),
            queued: 0,
            spool: None,
            lost: Lost::default(),
            taken: 0,
            owner: getpid(),
        }
    }

    /// Goes on with what an earlier process had to say of a guest and did not get to send, and leaves what waits to the next
    /// one.
    #[must_use]
    pub fn of_guest(mut self, layout: &Layout, vmid: Vmid) -> Self {
        let (spool, left) = Spool::at(layout.unsent_records(vmid));
        self.queued += left.iter().map(Entry::size).sum::<usize>();
        self.queue.extend(left);
        self.spool = Some(spool);
        self.flush();
        self
    }

    /// Sends a record, or queues it. Never waits.
    pub fn send(&mut self, entry: Entry) {
        let entry = self.stamped(entry);
        self.flush();
        if self.lost.count > 0 {
            self.lost.add(&entry);
        } else if !self.queue.is_empty() {
            self.enqueue(entry);
        } else {
            match self.deliver(&entry) {
                Delivery::Done => {}
                Delivery::Later => self.enqueue(entry),
                Delivery::Failed => self.lost.add(&entry),
            }
        }
    }

    /// Sends what waits, as far as the journal takes it. Never waits.
    pub fn flush(&mut self) {
        while let Some(entry) = self.queue.pop_front() {
            match self.deliver(&entry) {
                Delivery::Later => {
                    self.queue.push_front(entry);
                    return;
                }
                Delivery::Done => {}
                Delivery::Failed => self.lost.add(&entry),
            }
            self.queued -= entry.size();
        }
        if let Some(spool) = &mut self.spool {
            spool.clear();
        }
        if self.lost.count > 0 {
            let entry = self.stamped(self.lost.entry());
            match self.deliver(&entry) {
                Delivery::Done => self.lost = Lost::default(),
                Delivery::Later => {
                    self.lost = Lost::default();
                    self.enqueue(entry);
                }
                Delivery::Failed => {}
            }
        }
    }

    /// The socket to wait for: when it can be written to, [`Journal::flush`] gets on. None where nothing waits,
    /// and where the journal has gone away (then [`Journal::retry_in`]).
    #[must_use]
    pub fn pending_fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.link {
            Link::Open(fd) if !self.queue.is_empty() => Some(fd.as_fd()),
            _ => None,
        }
    }

    /// After what time to call [`Journal::flush`] again though there is no socket to wait for.
    #[must_use]
    pub fn retry_in(&self) -> Option<Duration> {
        (!self.queue.is_empty() && matches!(self.link, Link::Down(_))).then_some(RETRY)
    }

    /// How long to leave the hookscripts' outputs unread, at most, so that a journal which is slower than they
    /// are does not lose their lines; call [`Journal::flush`] meanwhile. None where the queue is less than half
    /// full, and where the journal has taken nothing for a second: nobody waits for one that is stuck.
    #[must_use]
    pub fn pause(&self) -> Option<Duration> {
        let behind = self.queued > QUEUE_BYTES / 2 && matches!(self.link, Link::Open(_));
        let left = (self.taken + STUCK_MILLIS).saturating_sub(clock::boot_millis());
        (behind && left > 0).then(|| Duration::from_millis(left))
    }

    /// How many bytes of records wait, of [`QUEUE_BYTES`] at most.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.queued
    }

    /// Ends the stream: sends what waits, waiting at most `limit` for a journal that is slow; the rest goes to
    /// the file.
    pub fn close(mut self, limit: Duration) {
        let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let deadline = clock::boot_millis().saturating_add(millis);
        loop {
            self.flush();
            let left = deadline.saturating_sub(clock::boot_millis());
            if self.queue.is_empty() || left == 0 {
                return;
            }
            let wait = self.retry_in().map_or(left, |retry| left.min(retry.as_millis() as u64));
            let timeout = Timespec {
                tv_sec: i64::try_from(wait / 1000).unwrap_or(i64::MAX),
                tv_nsec: (wait % 1000) as i64 * 1_000_000,
            };
            match self.pending_fd() {
                Some(fd) => {
                    let _ = poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], Some(&timeout));
                }
                None => std::thread::sleep(Duration::from_millis(wait)),
            }
        }
    }

    fn stamped(&self, mut entry: Entry) -> Entry {
        for (name, value) in &self.stamp {
            entry.push(name, value.as_bytes());
        }
        entry
    }

    fn enqueue(&mut self, entry: Entry) {
        let size = entry.size();
        if self.queued + size > QUEUE_BYTES && !self.queue.is_empty() {
            self.lost.add(&entry);
        } else {
            if self.queue.is_empty() {
                self.taken = clock::boot_millis();
            }
            self.queued += size;
            self.queue.push_back(entry);
            if let Some(spool) = &mut self.spool {
                spool.add(&self.queue);
            }
        }
    }

    fn deliver(&mut self, entry: &Entry) -> Delivery {
        // Twice: a journal that was restarted is there again, at the same place but with another socket.
        for _ in 0..2 {
            let Some(fd) = self.connected() else { break };
            match wire::send(fd, entry) {
                Ok(()) => {
                    self.taken = clock::boot_millis();
                    return Delivery::Done;
                }
                Err(SendError::Full) => return Delivery::Later,
                Err(SendError::Gone) => self.link = Link::Down(Some(clock::boot_millis())),
                Err(SendError::Refused) => return self.deliver_to_file(entry),
            }
        }
        match self.link {
            Link::Down(Some(since)) if clock::boot_millis().saturating_sub(since) < AWAY_MILLIS => {
                Delivery::Later
            }
            _ => self.deliver_to_file(entry),
        }
    }

    fn connected(&mut self) -> Option<BorrowedFd<'_>> {
        if let (Link::Down(_), Some(target)) = (&self.link, &self.target) {
            self.link = Link::Open(wire::connect(target)?);
        }
        match &self.link {
            Link::Open(fd) => Some(fd.as_fd()),
            Link::Down(_) => None,
        }
    }

    fn deliver_to_file(&self, entry: &Entry) -> Delivery {
        if self.fallback.append(entry).is_ok() { Delivery::Done } else { Delivery::Failed }
    }
}

impl Drop for Journal {
    /// What still waits goes to the file, as nobody will be there to send it.
    fn drop(&mut self) {
        if self.owner != getpid() {
            return;
        }
        self.flush();
        for entry in std::mem::take(&mut self.queue) {
            if self.fallback.append(&entry).is_err() {
                self.lost.add(&entry);
            }
        }
        if self.lost.count > 0 {
            let _ = self.fallback.append(&self.stamped(self.lost.entry()));
        }
        if let Some(spool) = &mut self.spool {
            spool.clear();
        }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("target", &self.target)
            .field("queued", &self.queued)
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}

fn stamp(layout: &Layout) -> Result<Vec<(&'static str, String)>, InstanceError> {
    let (instance, root) = (instance::id(layout)?, instance::root_id(layout)?);
    Ok(vec![("HOOKVISOR_INSTANCE", instance), (crate::log::ROOT_FIELD, root)])
}

#[cfg(test)]
mod tests;
