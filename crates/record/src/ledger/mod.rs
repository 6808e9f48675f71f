//! The ledger: one append-only file of JSON lines per run, which recovery and history go by.
//!
//! A line is `{"v":1,"crc":"…","time":…,"boot":…,"event":…}`. `crc` is the CRC-32, in eight hexadecimal digits,
//! of the bytes between the comma after it and the line's end; `time` is in milliseconds since the Unix epoch,
//! `boot` in milliseconds since the host booted. Every record is one write(2) with O_APPEND, so that processes
//! which share the file (a keeper and the hookscript's process it has forked) never mix their bytes. Nothing
//! numbers the records: their place in the file is their order.

mod line;
mod mend;
mod read;

pub use line::{Fault, Stamped, VERSION, decode, encode};
pub use mend::{RawLine, cut_tail, raw_lines, replace};
pub use read::{Contents, Damage, Reader, last, read, read_without_output};

use crate::{clock, files};
use model::Event;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// The ledger of a run, open for appending.
#[derive(Debug)]
pub struct Ledger {
    file: File,
    path: PathBuf,
    /// Whether the file's entry in its folder may not be on disk yet.
    new: Cell<bool>,
}

impl Ledger {
    /// Makes the ledger of a new run, and its folder where that is missing. It is on disk after
    /// [`Ledger::sync`].
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] where the guest's last run has not been brought to its end; and
    /// whatever the file system says.
    pub fn create(path: &Path) -> io::Result<Self> {
        files::create_dirs(parent(path))?;
        let file = options().create_new(true).open(path)?;
        Ok(Self { file, path: path.to_owned(), new: Cell::new(true) })
    }

    /// Opens the ledger of a run that goes on.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] where no run is open; and whatever the file system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = options().open(path)?;
        // Whoever made it may have died before it was brought to disk.
        Ok(Self { file, path: path.to_owned(), new: Cell::new(true) })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a record. It is not on disk before [`Ledger::sync`].
    ///
    /// # Errors
    /// Whatever the file system says; [`io::ErrorKind::StorageFull`] where only a part could be written, which
    /// readers report as damage.
    pub fn append(&self, event: &Event) -> io::Result<()> {
        append_fd(self.file.as_fd(), event)
    }

    /// Brings everything appended so far to disk, by anybody.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()?;
        if self.new.get() {
            files::sync_dir(parent(&self.path))?;
            self.new.set(false);
        }
        Ok(())
    }

    /// Another process that shares the ledger has called [`Ledger::sync`].
    pub fn is_on_disk(&self) {
        self.new.set(false);
    }

    /// Ends the ledger of a run: moves it to `history`, whose folder is made where it is missing. Nothing is brought to
    /// disk: where a loss of power undoes the move, the ledger is found with its last record and moved again.
    ///
    /// # Errors
    /// Whatever the file system says; [`io::ErrorKind::AlreadyExists`] where `history` is there. The ledger is
    /// then still where it was.
    pub fn finish(self, history: &Path) -> io::Result<()> {
        files::create_dirs(parent(history))?;
        match renameat_with(CWD, &self.path, CWD, history, RenameFlags::NOREPLACE) {
            // A file system without that flag: the run's id in the name makes a clash all but impossible.
            Err(Errno::INVAL | Errno::NOSYS) => fs::rename(&self.path, history)?,
            other => other?,
        }
        Ok(())
    }
}

impl AsFd for Ledger {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Appends a record to the ledger that `fd` is, as a forked child does with the descriptor it has inherited.
///
/// # Errors
/// As [`Ledger::append`].
pub fn append_fd(fd: BorrowedFd<'_>, event: &Event) -> io::Result<()> {
    let line = line::encode(clock::epoch_millis(), clock::boot_millis(), event)?;
    files::append_line(fd, &line)
}

/// Reading is for the look at the last byte, see [`files::append_line`].
fn options() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.read(true).append(true).mode(0o600);
    options
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(text: &str) -> Event {
        Event::Note { text: text.to_owned() }
    }

    #[test]
    fn a_ledger_goes_from_creation_to_the_history() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("runs/100.jsonl");
        let ledger = Ledger::create(&path).unwrap();
        assert_eq!(Ledger::create(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        ledger.append(&note("first")).unwrap();
        ledger.sync().unwrap();
        Ledger::open(&path).unwrap().append(&Event::Released).unwrap();

        let history = dir.path().join("history/100/0123456789abcdef.jsonl");
        ledger.finish(&history).unwrap();
        assert!(!path.exists());
        let contents = read(&history).unwrap();
        let events: Vec<_> = contents.events.into_iter().map(|stamped| stamped.event).collect();
        assert_eq!(events, [note("first"), Event::Released]);
        assert_eq!(contents.damage, []);
    }

    #[test]
    fn an_older_run_in_the_history_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (path, history) = (dir.path().join("100.jsonl"), dir.path().join("old.jsonl"));
        fs::write(&history, "old").unwrap();
        let ledger = Ledger::create(&path).unwrap();
        assert_eq!(ledger.finish(&history).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(path.exists() && fs::read(&history).unwrap() == b"old");
    }

    #[test]
    fn writers_that_share_the_file_never_mix_their_records() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("100.jsonl");
        let ledger = Ledger::create(&path).unwrap();
        let fd = ledger.as_fd();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                scope.spawn(move || {
                    for n in 0..200 {
                        append_fd(fd, &note(&format!("{writer} {n} {}", "x".repeat(n * 37)))).unwrap();
                    }
                });
            }
        });
        let contents = read(&path).unwrap();
        assert_eq!((contents.events.len(), contents.damage), (800, Vec::new()));
    }

    #[test]
    fn after_a_torn_record_the_next_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("100.jsonl");
        let ledger = Ledger::create(&path).unwrap();
        ledger.append(&note("one")).unwrap();
        ledger.append(&note("torn")).unwrap();
        let size = fs::metadata(&path).unwrap().len();
        File::options().write(true).open(&path).unwrap().set_len(size - 9).unwrap();
        let damage = Damage { line: 2, fault: Fault::Torn };
        assert_eq!(read(&path).unwrap().damage, std::slice::from_ref(&damage));

        ledger.append(&note("three")).unwrap();
        let contents = read(&path).unwrap();
        assert_eq!(contents.events.len(), 2);
        assert_eq!(contents.events[1].event, note("three"));
        assert_eq!(contents.damage, [damage]);
    }
}
