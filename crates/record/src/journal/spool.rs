//! The records that wait for a journal which is behind, once more in a file: the death of their process does not lose
//! them. Whoever comes after it sends them, those that were on their way for a second time.

use super::{Entry, QUEUE_BYTES};
use rustix::fs::{FlockOperation, OFlags, flock};
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// Beyond this size the file is written anew with what still waits.
const MOST_BYTES: usize = 4 * QUEUE_BYTES;

/// The file. Nothing hangs on it: what cannot be written to it waits in memory alone.
#[derive(Debug)]
pub(super) struct Spool {
    path: PathBuf,
    /// Locked by whose records these are; none while nothing waits.
    file: Option<File>,
    size: usize,
}

impl Spool {
    /// The file at `path`, with what an earlier process left in it.
    pub(super) fn at(path: PathBuf) -> (Self, Vec<Entry>) {
        let mut spool = Self { path, file: None, size: 0 };
        let mut bytes = Vec::new();
        let left = spool.open(false).and_then(|mut file| {
            file.read_to_end(&mut bytes)?;
            Ok(file)
        });
        spool.file = left.ok();
        spool.size = bytes.len();
        (spool, entries(&bytes))
    }

    /// Puts the newest of the queue into it.
    pub(super) fn add(&mut self, queue: &VecDeque<Entry>) {
        let Some(newest) = queue.back() else { return };
        if self.file.is_none() {
            self.file = self.open(true).ok();
        }
        let Some(file) = &mut self.file else { return };
        let written = if self.size > MOST_BYTES {
            let all: Vec<u8> = queue.iter().flat_map(framed).collect();
            self.size = all.len();
            file.set_len(0).and_then(|()| file.write_all(&all))
        } else {
            let one = framed(newest);
            self.size += one.len();
            file.write_all(&one)
        };
        if written.is_err() {
            self.clear();
        }
    }

    /// Nothing waits any more.
    pub(super) fn clear(&mut self) {
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.path);
        }
        self.size = 0;
    }

    /// Opens the file, unless another process has its records in it.
    fn open(&self, create: bool) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(create).mode(0o600);
        let file = options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(&self.path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(file)
    }
}

/// A record with its length in front.
fn framed(entry: &Entry) -> Vec<u8> {
    let datagram = entry.datagram();
    let mut bytes = u32::try_from(datagram.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
    bytes.extend_from_slice(&datagram);
    bytes
}

/// The records in a file, as far as it is whole.
fn entries(mut bytes: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let Some((datagram, rest)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize) else {
            break;
        };
        entries.extend(Entry::from_datagram(datagram));
        bytes = rest;
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Priority;

    #[test]
    fn what_waits_is_there_for_whoever_comes_after() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("unsent");
        let (mut spool, nothing) = Spool::at(path.clone());
        assert!(nothing.is_empty() && !path.exists());
        let mut queue = VecDeque::new();
        for text in ["one", "two\nlines"] {
            queue.push_back(Entry::new(Priority::Info, "test", text).field("RAW", [0xff, b'\n']));
            spool.add(&queue);
        }
        let (_, of_another) = Spool::at(path.clone());
        assert!(of_another.is_empty(), "their process lives");
        drop(spool);
        let whole = fs::read(&path).unwrap();
        let (mut spool, left) = Spool::at(path.clone());
        assert_eq!(left, Vec::from(queue.clone()));
        spool.clear();
        assert!(!path.exists());
        // A process that died while it wrote.
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert_eq!(Spool::at(path).1, [queue[0].clone()]);
    }

    #[test]
    fn it_does_not_grow_while_the_journal_is_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("unsent");
        let (mut spool, _) = Spool::at(path.clone());
        let mut queue = VecDeque::from([Entry::new(Priority::Info, "test", "x".repeat(100_000))]);
        for _ in 0..100 {
            queue.rotate_left(1);
            spool.add(&queue);
        }
        assert!(fs::metadata(&path).unwrap().len() < 2 * MOST_BYTES as u64);
    }
}
