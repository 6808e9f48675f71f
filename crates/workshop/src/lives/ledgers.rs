//! The ledgers of a life's runs, held open from their beginning on: a script that removes every file there is does not
//! remove what is on record of it.

use model::{Layout, Vmid};
use record::ledger::{self, Stamped};
use rustix::fs::inotify;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Those that are known so far.
pub(super) struct Ledgers {
    layout: Layout,
    held: Arc<Mutex<Vec<(Vmid, File)>>>,
}

impl Ledgers {
    /// Opens each that is made from now on.
    pub(super) fn hold(layout: &Layout) -> io::Result<Self> {
        let folder = layout.runs();
        fs::create_dir_all(&folder)?;
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC)?;
        inotify::add_watch(&watch, &folder, inotify::WatchFlags::CREATE)?;
        let ledgers = Self { layout: layout.clone(), held: Arc::default() };
        let held = Arc::clone(&ledgers.held);
        std::thread::Builder::new().stack_size(256 << 10).spawn(move || {
            let mut buffer = [MaybeUninit::uninit(); 4096];
            let mut reader = inotify::Reader::new(&watch, &mut buffer);
            while let Ok(event) = reader.next() {
                let name = event.file_name().and_then(|name| name.to_str().ok());
                let vmid = name.and_then(|name| name.strip_suffix(".jsonl")?.parse::<Vmid>().ok());
                if let Some((vmid, file)) = vmid.zip(name.and_then(|name| File::open(folder.join(name)).ok()))
                {
                    held.lock().unwrap_or_else(PoisonError::into_inner).push((vmid, file));
                }
            }
        })?;
        Ok(ledgers)
    }

    /// What the runs of a guest have on record, in their order.
    pub(super) fn of(&self, vmid: Vmid) -> Vec<Vec<Stamped>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let own = held.iter().filter(|(of, _)| *of == vmid);
        let mut paths: Vec<PathBuf> =
            own.map(|(_, file)| format!("/proc/self/fd/{}", file.as_raw_fd()).into()).collect();
        // One that was over before it could be opened.
        let entries = fs::read_dir(self.layout.history(vmid)).into_iter().flatten().flatten();
        paths.extend(
            entries
                .map(|entry| entry.path())
                .filter(|path| path.extension().is_some_and(|end| end == "jsonl")),
        );
        paths.push(self.layout.ledger(vmid));
        let mut seen = BTreeSet::new();
        paths.retain(|path| fs::metadata(path).is_ok_and(|meta| seen.insert((meta.dev(), meta.ino()))));
        let read = |path: &PathBuf| ledger::read(path).map(|contents| contents.events).unwrap_or_default();
        let mut runs: Vec<Vec<Stamped>> = paths.iter().map(read).collect();
        runs.sort_by_key(|events| events.first().map(|first| first.time_ms));
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Event;
    use record::ledger::Ledger;
    use std::time::{Duration, Instant};

    #[test]
    fn a_ledger_that_is_removed_is_read_all_the_same_and_one_that_is_moved_once() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let ledgers = Ledgers::hold(&layout).unwrap();
        let vmid: Vmid = 100.try_into().unwrap();
        let until_held = |count: usize| {
            let deadline = Instant::now() + Duration::from_secs(10);
            while ledgers.held.lock().unwrap().len() < count {
                assert!(Instant::now() < deadline, "no ledger was seen");
                std::thread::yield_now();
            }
        };
        let note = |text: &str| Event::Note { text: text.to_owned() };
        let first = Ledger::create(&layout.ledger(vmid)).unwrap();
        first.append(&note("first")).unwrap();
        until_held(1);
        first.finish(&layout.history(vmid).join("run.jsonl")).unwrap();
        let second = Ledger::create(&layout.ledger(vmid)).unwrap();
        until_held(2);
        fs::remove_file(layout.ledger(vmid)).unwrap();
        second.append(&note("second")).unwrap();
        let runs = ledgers.of(vmid);
        assert_eq!(runs.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(runs[1][0].event, note("second"));
    }
}
