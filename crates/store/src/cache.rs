//! What was made of files, until they are other ones.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// A file that was changed this shortly before it was read may be changed again without its times showing it.
const TICK: Duration = Duration::from_millis(50);

/// So many files may be known before those that are gone are forgotten.
const FIRST_PRUNE: usize = 256;

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// What was made of one file. No change from outside is missed: device, inode, size and both times are looked at for every
/// answer.
#[derive(Debug)]
pub struct Cached<T> {
    kept: Mutex<Option<(Option<Stamp>, Arc<T>)>>,
}

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self { kept: Mutex::new(None) }
    }
}

impl<T> Cached<T> {
    /// What `make` makes of the file's bytes, none where there is no file; it is called only where the file is another one than
    /// before.
    ///
    /// # Errors
    /// Those of reading the file, and of `make`.
    pub fn get<E: From<io::Error>>(
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

/// What was made of each of many files, by path.
#[derive(Debug)]
pub struct FileCache<T> {
    kept: Mutex<Kept<T>>,
}

#[derive(Debug)]
struct Kept<T> {
    files: HashMap<PathBuf, Arc<Cached<T>>>,
    prune_at: usize,
}

impl<T> Default for FileCache<T> {
    fn default() -> Self {
        Self { kept: Mutex::new(Kept { files: HashMap::new(), prune_at: FIRST_PRUNE }) }
    }
}

impl<T> FileCache<T> {
    /// What `make` makes of a file's bytes; it is called only where the file is another one than before.
    ///
    /// # Errors
    /// The file is not there or cannot be read.
    pub fn get(&self, path: &Path, make: impl FnOnce(&[u8]) -> T) -> io::Result<Arc<T>> {
        let cached = self.lock().of(path);
        cached.get(path, |bytes| Ok(make(&bytes.ok_or(io::ErrorKind::NotFound)?)))
    }

    fn lock(&self) -> MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Kept<T> {
    fn of(&mut self, path: &Path) -> Arc<Cached<T>> {
        if let Some(cached) = self.files.get(path) {
            return cached.clone();
        }
        if self.files.len() >= self.prune_at {
            self.files.retain(|path, _| path.exists());
            self.prune_at = (2 * self.files.len()).max(FIRST_PRUNE);
        }
        let cached = Arc::new(Cached::default());
        self.files.insert(path.to_owned(), cached.clone());
        cached
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn wait_until_old(path: &Path) {
        while !Stamp::of(&path.metadata().unwrap()).is_old() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_file_is_read_again_only_when_it_is_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let (cache, reads) = (FileCache::default(), Cell::new(0));
        let get = || {
            let text = cache.get(&path, |bytes| {
                reads.set(reads.get() + 1);
                bytes.to_vec()
            });
            text.map(|text| text.as_ref().clone()).ok()
        };
        assert_eq!(get(), None);
        for text in ["one", "two"] {
            // Of the same size, and at once: only what is not yet trusted shows the difference.
            std::fs::write(&path, text).unwrap();
            assert_eq!(get(), Some(text.as_bytes().to_vec()));
        }
        wait_until_old(&path);
        get();
        let before = reads.get();
        assert_eq!((get(), reads.get()), (Some(b"two".to_vec()), before));
        // Another file of the same size and times in its place.
        let other = folder.path().join("other");
        std::fs::write(&other, "new").unwrap();
        let modified = path.metadata().unwrap().modified().unwrap();
        File::options().write(true).open(&other).unwrap().set_modified(modified).unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(get(), Some(b"new".to_vec()));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(get(), None);
    }

    #[test]
    fn that_there_is_no_file_is_known_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let (cached, calls) = (Cached::default(), Cell::new(0));
        let get = || {
            let there = cached.get(&path, |bytes| {
                calls.set(calls.get() + 1);
                Ok::<_, io::Error>(bytes.is_some())
            });
            *there.unwrap()
        };
        assert_eq!((get(), get(), calls.get()), (false, false, 1));
        std::fs::write(&path, "").unwrap();
        assert!(get());
        std::fs::remove_file(&path).unwrap();
        assert!(!get());
    }

    #[test]
    fn files_that_are_gone_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let cache = FileCache::default();
        let path = |number: usize| folder.path().join(number.to_string());
        (0..2 * FIRST_PRUNE).for_each(|number| std::fs::write(path(number), "x").unwrap());
        wait_until_old(&path(2 * FIRST_PRUNE - 1));
        for number in 0..2 * FIRST_PRUNE {
            cache.get(&path(number), <[u8]>::len).unwrap();
            std::fs::remove_file(path(number)).unwrap();
        }
        assert!(cache.lock().files.len() <= FIRST_PRUNE);
    }
}
