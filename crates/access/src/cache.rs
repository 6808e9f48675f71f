//! A file and what was made of it, read again when it is another one.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// A file that was changed this shortly before it was read may be changed again without its times showing it.
const TICK: Duration = Duration::from_millis(50);

/// What tells one state of a file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    size: u64,
    changed: [(i64, i64); 2],
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        let changed = [(meta.mtime(), meta.mtime_nsec()), (meta.ctime(), meta.ctime_nsec())];
        Self { file: (meta.dev(), meta.ino()), size: meta.size(), changed }
    }

    fn is_old(&self) -> bool {
        let [.., (seconds, nanos)] = self.changed;
        let changed = Duration::new(seconds.unsigned_abs(), u32::try_from(nanos).unwrap_or(0));
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|now| now > changed + TICK)
    }
}

/// What was made of a file.
#[derive(Debug)]
pub(crate) struct Cached<T> {
    kept: Mutex<Option<(Option<Stamp>, Arc<T>)>>,
}

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self { kept: Mutex::new(None) }
    }
}

impl<T> Cached<T> {
    /// What `make` makes of the file's bytes; none where there is no file.
    pub(crate) fn get<E: From<io::Error>>(
        &self,
        path: &Path,
        make: impl FnOnce(Option<Vec<u8>>) -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let there = match path.metadata() {
            Ok(meta) => Some(Stamp::of(&meta)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        if let Some((stamp, made)) = &*self.kept.lock().unwrap_or_else(PoisonError::into_inner)
            && *stamp == there
        {
            return Ok(made.clone());
        }
        let (stamp, bytes) = match File::open(path) {
            Ok(mut file) => {
                let stamp = Stamp::of(&file.metadata()?);
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes)?;
                (Some(stamp), Some(bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => (None, None),
            Err(error) => return Err(error.into()),
        };
        let made = Arc::new(make(bytes)?);
        if stamp.as_ref().is_none_or(Stamp::is_old) {
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some((stamp, made.clone()));
        }
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_file_is_read_again_only_when_it_is_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let (cached, reads) = (Cached::default(), Cell::new(0));
        let get = || {
            let text = cached.get(&path, |bytes| {
                reads.set(reads.get() + 1);
                Ok::<_, io::Error>(bytes)
            });
            text.unwrap().as_ref().clone()
        };
        assert_eq!((get(), get(), reads.get()), (None, None, 1));
        for text in ["one", "two"] {
            // Of the same size, and at once: only what is not yet trusted shows the difference.
            std::fs::write(&path, text).unwrap();
            assert_eq!(get(), Some(text.as_bytes().to_vec()));
        }
        while !Stamp::of(&path.metadata().unwrap()).is_old() {
            std::thread::yield_now();
        }
        get();
        let before = reads.get();
        assert_eq!((get(), reads.get()), (Some(b"two".to_vec()), before));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(get(), None);
    }
}
