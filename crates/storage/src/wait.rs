//! Waiting for a storage that another part of the host mounts, as while the host comes up.

use crate::definition::Storage;
use crate::mounts::Mounts;
use crate::{StorageError, Storages};
use model::StorageId;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

const MOUNTS: &str = "/proc/self/mountinfo";

impl Storages {
    /// Waits until a storage is mounted where it must be and its folder is there, but no longer than `patience`. Says
    /// whether it is. The kernel tells of every change of the mounts (poll on mountinfo, proc(5)), so nothing is looked at in
    /// between. May hang as long as the storage does.
    ///
    /// # Errors
    /// As [`Storages::get`]; [`StorageError::Io`] where the mounts cannot be read.
    pub fn wait_for(&self, id: &StorageId, patience: Duration) -> Result<bool, StorageError> {
        let storage = self.get(id)?;
        let failed = || StorageError::io("unable to read", Path::new(MOUNTS));
        let deadline = Instant::now() + patience;
        // Opened before the first look: what changes after that makes it ready.
        let changes = File::open(MOUNTS).map_err(failed())?;
        loop {
            if storage.is_there(&Mounts::read().map_err(failed())?) {
                return Ok(true);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            // Nobody mounts one that is switched off.
            if left.is_zero() || storage.check_enabled(self.node()).is_err() {
                return Ok(false);
            }
            let timeout = Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(left.subsec_nanos()),
            };
            // A signal only makes the wait shorter.
            let _ = poll(&mut [PollFd::new(&changes, PollFlags::PRI)], Some(&timeout));
        }
    }
}

impl Storage {
    /// Whether it is mounted where it must be and has its folder. One without a folder always is.
    fn is_there(&self, mounts: &Mounts) -> bool {
        let mounted = self
            .mount_point
            .as_ref()
            .is_none_or(|point| point.canonicalize().is_ok_and(|point| mounts.is_mount(&point)));
        mounted && self.path.as_ref().is_none_or(|path| path.is_dir())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::storages;
    use model::Layout;

    #[test]
    fn only_what_is_not_there_is_waited_for() {
        let root = tempfile::tempdir().unwrap();
        let (here, gone) = (root.path().to_str().unwrap(), root.path().join("gone"));
        let all = storages(
            &Layout::new("/"),
            &[
                ("dir", "plain", &[("path", here)]),
                ("dir", "mounted", &[("path", "/proc"), ("is_mountpoint", "1")]),
                ("dir", "unmounted", &[("path", here), ("is_mountpoint", "1")]),
                ("dir", "gone", &[("path", gone.to_str().unwrap())]),
                ("dir", "off", &[("path", gone.to_str().unwrap()), ("disable", "1")]),
                ("lvm", "block", &[("vgname", "vg0")]),
            ],
        );
        let wait = |id: &str, patience| {
            let began = Instant::now();
            (all.wait_for(&id.parse().unwrap(), patience).unwrap(), began.elapsed())
        };
        for id in ["plain", "mounted", "block"] {
            assert!(wait(id, Duration::ZERO).0, "{id}");
        }
        assert!(!wait("off", Duration::from_secs(60)).0);
        let patience = Duration::from_millis(50);
        for id in ["unmounted", "gone"] {
            let (there, took) = wait(id, patience);
            assert!(!there && took >= patience, "{id} {took:?}");
        }
        assert!(all.wait_for(&"none".parse().unwrap(), patience).is_err());
    }
}
