//! One change at a time in a storage.

use crate::{StorageError, Storages};
use model::StorageId;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait for another process that changes the storage.
const PATIENCE: Duration = Duration::from_secs(10);

/// Held while volumes are named or removed; given back by closing.
#[derive(Debug)]
pub(crate) struct StorageLock {
    _file: File,
}

impl Storages {
    /// Takes the lock of a storage, in the file that Proxmox VE uses for it.
    pub(crate) fn lock(&self, id: &StorageId) -> Result<StorageLock, StorageError> {
        let folder = self.layout.at("var/lock/pve-manager");
        fs::create_dir_all(&folder).map_err(StorageError::io("unable to create folder", &folder))?;
        take(&folder.join(format!("pve-storage-{id}")), PATIENCE)
    }
}

fn take(path: &Path, patience: Duration) -> Result<StorageLock, StorageError> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    let file = file.map_err(StorageError::io("unable to open lock file", path))?;
    let deadline = Instant::now() + patience;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(StorageLock { _file: file }),
            Err(Errno::WOULDBLOCK | Errno::INTR) if Instant::now() < deadline => {
                // flock(2) has no way to wait with a limit.
                thread::sleep(Duration::from_millis(10));
            }
            Err(Errno::WOULDBLOCK | Errno::INTR) => return Err(StorageError::LockTimeout(path.to_owned())),
            Err(error) => return Err(StorageError::io("unable to lock", path)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_held_times_out_and_one_that_is_given_back_is_free() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pve-storage-local");
        let held = take(&path, Duration::ZERO).unwrap();
        assert_eq!(
            take(&path, Duration::from_millis(30)).unwrap_err().to_string(),
            format!("can't lock file '{}' - got timeout", path.display())
        );
        drop(held);
        // A child that another test forks may hold it for a moment longer.
        take(&path, PATIENCE).unwrap();
    }
}
