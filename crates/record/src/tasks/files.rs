//! The list of active tasks and the index of ended ones.

use super::read::{Source, Task};
use crate::{FileError, files};
use model::{Layout, Upid};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// How many ended tasks the list holds beside the running ones.
const RECENT: usize = 25;

/// Beyond this size the index is put aside.
const INDEX_BYTES: u64 = 50_000;

/// The list and the index, locked.
pub(super) struct Locked<'a> {
    layout: &'a Layout,
    _lock: File,
}

fn active(layout: &Layout) -> PathBuf {
    layout.tasks().join("active")
}

fn index(layout: &Layout) -> PathBuf {
    layout.tasks().join("index")
}

fn older_index(layout: &Layout) -> PathBuf {
    layout.tasks().join("index.1")
}

/// Takes the lock, whose file is made where it is missing. It is held for a few file operations.
pub(super) fn lock(layout: &Layout) -> Result<Locked<'_>, FileError> {
    files::create_dirs(&layout.tasks()).map_err(FileError::at("create", &layout.tasks()))?;
    let path = layout.tasks().join(".active.lock");
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let lock = options.map_err(FileError::at("open", &path))?;
    rustix::io::retry_on_intr(|| flock(&lock, FlockOperation::LockExclusive))
        .map_err(|error| FileError::at("lock", &path)(error.into()))?;
    Ok(Locked { layout, _lock: lock })
}

impl Locked<'_> {
    /// Puts a task that begins at the head of the list.
    pub(super) fn add(&self, upid: &Upid) -> Result<(), FileError> {
        let mut tasks = self.list()?;
        tasks.insert(0, Task { upid: upid.clone(), ended: None, status: None });
        self.replace(tasks)
    }

    /// How a task on the list ended, if it has.
    pub(super) fn status(&self, upid: &Upid) -> Option<String> {
        self.list().ok()?.into_iter().find(|task| task.upid == *upid)?.status
    }

    /// Notes in index and list that a task has ended.
    pub(super) fn end(&self, upid: &Upid, ended: u64, status: &str) -> Result<(), FileError> {
        self.append_index(upid, ended, status)?;
        let mut tasks = self.list()?;
        tasks.retain(|task| task.upid != *upid);
        tasks.insert(0, Task { upid: upid.clone(), ended: Some(ended), status: Some(status.to_owned()) });
        self.replace(tasks)
    }

    fn list(&self) -> Result<Vec<Task>, FileError> {
        read(self.layout, Source::Active)
    }

    fn append_index(&self, upid: &Upid, ended: u64, status: &str) -> Result<(), FileError> {
        let path = index(self.layout);
        if fs::metadata(&path).is_ok_and(|meta| meta.len() > INDEX_BYTES) {
            fs::rename(&path, older_index(self.layout)).map_err(FileError::at("rename", &path))?;
        }
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o644);
        let file = options.open(&path).map_err(FileError::at("open", &path))?;
        let line = format!("{upid} {ended:08X} {status}");
        files::append_line(file.as_fd(), line.as_bytes()).map_err(FileError::at("write", &path))
    }

    /// Replaces the list. It need not outlive a loss of power, as no task does; so it is not brought to disk,
    /// which would cost every task more than all else.
    fn replace(&self, mut tasks: Vec<Task>) -> Result<(), FileError> {
        tasks.sort_by_key(|task| std::cmp::Reverse(task.upid.start_time));
        let mut recent = 0;
        tasks.retain(|task| {
            recent += usize::from(task.status.is_some());
            task.status.is_none() || recent <= RECENT
        });
        let path = active(self.layout);
        let temp = path.with_extension("tmp");
        write(&temp, &tasks).map_err(FileError::at("write", &temp))?;
        fs::rename(&temp, &path).map_err(FileError::at("replace", &path))
    }
}

fn write(path: &std::path::Path, tasks: &[Task]) -> io::Result<()> {
    let mut text = String::new();
    for Task { upid, ended, status } in tasks {
        text += &match (ended, status) {
            (Some(ended), Some(status)) => format!("{upid} 1 {ended:08X} {status}\n"),
            _ => format!("{upid} 0\n"),
        };
    }
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o644).open(path)?;
    file.write_all(text.as_bytes())
}

/// Reads the list or the index, newest line first; lines that are none are passed over.
pub(super) fn read(layout: &Layout, source: Source) -> Result<Vec<Task>, FileError> {
    let mut tasks = Vec::new();
    if source != Source::Archive {
        tasks.extend(text(active(layout))?.lines().filter_map(active_line));
    }
    if source != Source::Active {
        for path in [index(layout), older_index(layout)] {
            tasks.extend(text(path)?.lines().rev().filter_map(index_line));
        }
    }
    Ok(tasks)
}

fn text(path: PathBuf) -> Result<String, FileError> {
    match fs::read(&path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(FileError::at("read", &path)(error)),
    }
}

fn active_line(line: &str) -> Option<Task> {
    let mut fields = line.splitn(3, ' ');
    let upid = fields.next()?.parse().ok()?;
    match (fields.next()?, fields.next()) {
        ("1", Some(rest)) => {
            let (ended, status) = end(rest)?;
            Some(Task { upid, ended: Some(ended), status: Some(status) })
        }
        _ => Some(Task { upid, ended: None, status: None }),
    }
}

fn index_line(line: &str) -> Option<Task> {
    let (upid, rest) = line.split_once(' ')?;
    let (ended, status) = end(rest)?;
    Some(Task { upid: upid.parse().ok()?, ended: Some(ended), status: Some(status) })
}

fn end(text: &str) -> Option<(u64, String)> {
    let (ended, status) = text.split_once(' ').unwrap_or((text, ""));
    Some((u64::from_str_radix(ended, 16).ok()?, status.to_owned()))
}
