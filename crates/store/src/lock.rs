use crate::{ConfigStore, StoreError};
use model::{GuestKind, Vmid};
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long to sleep between attempts: flock(2) can wait for ever or not at all.
const STEP: Duration = Duration::from_millis(10);

/// The lock of a guest's configuration, Proxmox VE's own; it is held until this is dropped.
#[derive(Debug)]
pub struct ConfigLock {
    kind: GuestKind,
    vmid: Vmid,
    _file: File,
}

impl ConfigLock {
    /// The kind of guest that is locked.
    #[must_use]
    pub fn kind(&self) -> GuestKind {
        self.kind
    }

    /// The guest that is locked.
    #[must_use]
    pub fn vmid(&self) -> Vmid {
        self.vmid
    }
}

impl ConfigStore {
    /// Locks a guest's configuration. Where others hold it, `say` gets `trying to acquire lock...` and, once it is
    /// had, ` OK`, a line each without its end.
    ///
    /// # Errors
    /// `can't lock file '…' - got timeout` after `timeout`, and what the system says.
    pub fn lock(
        &self,
        kind: GuestKind,
        vmid: Vmid,
        timeout: Duration,
        say: &mut dyn FnMut(&str),
    ) -> Result<ConfigLock, StoreError> {
        let path = self.layout().config_lock(kind, vmid);
        let begin = Instant::now();
        let mut waiting = false;
        loop {
            if let Some(file) = attempt(&path)? {
                if waiting {
                    say(" OK");
                }
                return Ok(ConfigLock { kind, vmid, _file: file });
            }
            if !waiting {
                waiting = true;
                say("trying to acquire lock...");
            }
            let left = timeout.saturating_sub(begin.elapsed());
            if left.is_zero() {
                return Err(StoreError::LockTimeout { path });
            }
            std::thread::sleep(STEP.min(left));
        }
    }
}

/// Takes the lock if nobody has it. There are hookscripts that remove the file of a held lock: a lock of a file that
/// is no longer the one of that name is none.
fn attempt(path: &Path) -> Result<Option<File>, StoreError> {
    let failed = |source| StoreError::io("open the lock file", path, source);
    let file = open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(source)) => return Err(StoreError::io("lock", path, source)),
    }
    let own = file.metadata().map_err(failed)?;
    let current =
        std::fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (own.dev(), own.ino()));
    Ok(current.then_some(file))
}

/// The folder is gone after each boot of the host.
fn open(path: &Path) -> std::io::Result<File> {
    let open = || OpenOptions::new().create(true).append(true).open(path);
    match (open(), path.parent()) {
        (Err(error), Some(folder)) if error.kind() == std::io::ErrorKind::NotFound => {
            std::fs::create_dir_all(folder)?;
            open()
        }
        (result, _) => result,
    }
}
