use super::source::{Journalctl, has_fields};
use super::{Filter, LogError, LogRecord};
use crate::{FileError, instance, journal};
use model::Layout;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};

/// How many records are shown before those to come, where the filter does not say.
const BEFORE: usize = 10;

/// Hands over the last records that match, and then those to come as they come, from the journal and from the file.
/// The order is each source's own. Starts two threads. Ends where neither source is there.
///
/// # Errors
/// Where a source is there but cannot be read.
pub fn follow(layout: &Layout, filter: &Filter, take: &mut dyn FnMut(LogRecord)) -> Result<(), LogError> {
    let Some(root_id) = instance::existing_root_id(layout)? else { return Ok(()) };
    let fields = filter.fields(root_id);
    let last = filter.last.unwrap_or(BEFORE);
    let namespace = journal::namespace()?;
    let mut journal = Journalctl::follow(layout, namespace.as_deref(), &fields, last)?;
    let mut tail = Tail::new(layout.fallback_record(), fields);
    let watch = tail.watch()?;
    let (from_journal, records) = mpsc::channel();
    let from_file = from_journal.clone();
    std::thread::spawn(
        move || while journal.next().is_some_and(|record| from_journal.send(record).is_ok()) {},
    );
    std::thread::spawn(move || {
        if let Err(error) = tail.follow(watch.as_ref(), last, &from_file) {
            let _ = from_file.send(Err(error.into()));
        }
    });
    records.into_iter().try_for_each(|record| record.map(&mut *take))
}

/// The end of a file that grows, and that another one may replace.
struct Tail {
    path: PathBuf,
    file: Option<File>,
    /// A line that has begun.
    part: Vec<u8>,
    fields: Vec<(&'static str, String)>,
}

impl Tail {
    fn new(path: PathBuf, fields: Vec<(&'static str, String)>) -> Self {
        Self { path, file: None, part: Vec::new(), fields }
    }

    /// A watch for changes, on the folder: the file may not be there yet. None where there is no folder.
    fn watch(&self) -> Result<Option<OwnedFd>, FileError> {
        let Some(folder) = self.path.parent().filter(|folder| folder.is_dir()) else { return Ok(None) };
        let failed = |error: rustix::io::Errno| FileError::at("watch", folder)(error.into());
        let watch = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(failed)?;
        let events = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO;
        inotify::add_watch(&watch, folder, events).map_err(failed)?;
        Ok(Some(watch))
    }

    fn follow(
        &mut self,
        watch: Option<&OwnedFd>,
        last: usize,
        to: &Sender<Result<LogRecord, LogError>>,
    ) -> Result<(), FileError> {
        let before = self.read()?;
        let first = before.len().saturating_sub(last);
        let mut new = before.into_iter().skip(first).collect::<Vec<_>>();
        loop {
            for record in new {
                if to.send(Ok(record)).is_err() {
                    return Ok(());
                }
            }
            let Some(watch) = watch else { return Ok(()) };
            wait(watch).map_err(FileError::at("watch", &self.path))?;
            new = self.read()?;
        }
    }

    /// The records that have come since the last call.
    fn read(&mut self) -> Result<Vec<LogRecord>, FileError> {
        let mut records = Vec::new();
        self.read_on(&mut records)?;
        if self.is_replaced() {
            self.file = None;
            self.part.clear();
            self.read_on(&mut records)?;
        }
        Ok(records)
    }

    fn read_on(&mut self, records: &mut Vec<LogRecord>) -> Result<(), FileError> {
        if self.file.is_none() {
            match File::open(&self.path) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(FileError::at("open", &self.path)(error)),
            }
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = file.read(&mut buffer).map_err(FileError::at("read", &self.path))?;
            if count == 0 {
                return Ok(());
            }
            self.part.extend_from_slice(&buffer[..count]);
            let Some(end) = self.part.iter().rposition(|byte| *byte == b'\n') else { continue };
            let rest = self.part.split_off(end + 1);
            let lines = std::mem::replace(&mut self.part, rest);
            let found = lines.split(|byte| *byte == b'\n').filter_map(LogRecord::parse);
            records.extend(found.filter(|record| has_fields(record, &self.fields)));
        }
    }

    fn is_replaced(&self) -> bool {
        let inode = |meta: io::Result<std::fs::Metadata>| meta.ok().map(|meta| (meta.dev(), meta.ino()));
        let there = inode(std::fs::metadata(&self.path));
        let own = self.file.as_ref().and_then(|file| inode(file.metadata()));
        there.is_some() && own != there
    }
}

/// Waits for changes and takes them from the queue.
fn wait(watch: &OwnedFd) -> io::Result<()> {
    let mut fds = [PollFd::new(watch, PollFlags::IN)];
    match poll(&mut fds, None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
    let mut reader = inotify::Reader::new(watch, &mut buffer);
    while reader.next().is_ok() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::path::Path;

    fn write(path: &Path, text: &str) {
        let mut file = File::options().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn line(root: &str, message: &str) -> String {
        format!("{{\"__REALTIME_TIMESTAMP\":\"1\",\"ROOT\":\"{root}\",\"MESSAGE\":\"{message}\"}}\n")
    }

    #[test]
    fn lines_come_whole_and_over_a_change_of_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("records.jsonl");
        let mut tail = Tail::new(path.clone(), vec![("ROOT", "a".into())]);
        let messages = |tail: &mut Tail| -> Vec<String> {
            let records = tail.read().unwrap();
            records.iter().map(|record| String::from_utf8_lossy(record.message()).into_owned()).collect()
        };
        assert!(messages(&mut tail).is_empty());
        let second = line("a", "two");
        write(&path, &(line("a", "one") + &line("b", "another root's") + &second[..20]));
        assert_eq!(messages(&mut tail), ["one"]);
        write(&path, &second[20..]);
        std::fs::rename(&path, dir.path().join("records.jsonl.1")).unwrap();
        write(&path, &line("a", "three"));
        assert_eq!(messages(&mut tail), ["two", "three"]);
    }

    #[test]
    fn who_follows_is_woken_by_a_write() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("records.jsonl");
        write(&path, &(line("a", "old") + &line("a", "last")));
        let mut tail = Tail::new(path.clone(), vec![("ROOT", "a".into())]);
        let watch = tail.watch().unwrap();
        let (to, records) = mpsc::channel();
        let follower = std::thread::spawn(move || tail.follow(watch.as_ref(), 1, &to));
        let next = || String::from_utf8_lossy(records.recv().unwrap().unwrap().message()).into_owned();
        assert_eq!(next(), "last");
        write(&path, &line("a", "new"));
        assert_eq!(next(), "new");
        drop(records);
        write(&path, &line("a", "unheard"));
        follower.join().unwrap().unwrap();
    }
}
