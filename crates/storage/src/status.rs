//! How full the storages are (api.md 3.3 and 5.5).

use crate::mounts::Mounts;
use crate::{Storage, StorageError, Storages};
use model::{ContentType, StorageId};
use std::path::Path;

/// One storage's state. All sizes are bytes, and 0 while it is not active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageStatus {
    /// The storage.
    pub storage: StorageId,
    /// Its type, as `storage.cfg` names it.
    pub kind: &'static str,
    /// What it may hold.
    pub content: Vec<ContentType>,
    /// Whether all hosts see the same volumes.
    pub shared: bool,
    /// Whether this host may use it by its configuration.
    pub enabled: bool,
    /// Whether it can be used now.
    pub active: bool,
    /// The size of its file system.
    pub total: u64,
    /// What is taken of it.
    pub used: u64,
    /// What an ordinary user may still take.
    pub available: u64,
    /// Why it is not active, where it should be.
    pub problem: Option<String>,
}

/// Which storages to report on; everything is reported where nothing is set.
#[derive(Debug, Clone, Default)]
pub struct StatusFilter {
    /// Only this one.
    pub storage: Option<StorageId>,
    /// Only enabled ones that allow one of these.
    pub content: Vec<ContentType>,
    /// Only enabled ones.
    pub enabled: bool,
}

impl Storages {
    /// The state of the storages, in the order of their ids. Storages are made ready for it, as for any use.
    ///
    /// # Errors
    /// [`StorageError::NoStorage`] where the filter names one that is not there.
    pub fn status(&self, filter: &StatusFilter) -> Result<Vec<StorageStatus>, StorageError> {
        if let Some(id) = &filter.storage {
            self.get(id)?;
        }
        let mounts =
            Mounts::read().map_err(StorageError::io("unable to read", Path::new("/proc/self/mountinfo")))?;
        let wanted = self.ids().filter(|id| filter.storage.as_ref().is_none_or(|only| only == *id));
        let mut found = Vec::new();
        for storage in wanted.filter_map(|id| self.get(id).ok()) {
            let enabled = storage.check_enabled(self.node()).is_ok();
            let allowed = filter.content.is_empty() || filter.content.iter().any(|c| storage.allows(*c));
            if !allowed || (!enabled && (filter.enabled || !filter.content.is_empty())) {
                continue;
            }
            found.push(storage.status(enabled, &mounts));
        }
        Ok(found)
    }
}

impl Storage {
    fn status(&self, enabled: bool, mounts: &Mounts) -> StorageStatus {
        let mut status = StorageStatus {
            storage: self.id.clone(),
            kind: self.kind.as_str(),
            content: self.content.clone(),
            shared: self.shared,
            enabled,
            active: false,
            total: 0,
            used: 0,
            available: 0,
            problem: None,
        };
        if !enabled {
            return status;
        }
        match self.activate(mounts).and_then(|()| self.space(mounts)) {
            Ok((total, used, available)) => {
                (status.active, status.total, status.used, status.available) = (true, total, used, available);
            }
            Err(error) => status.problem = Some(error.to_string()),
        }
        status
    }

    /// Size, taken and free bytes of the file system of its folder: statvfs(3).
    fn space(&self, mounts: &Mounts) -> Result<(u64, u64, u64), StorageError> {
        let root = self.root()?;
        let unreachable = || StorageError::Unreachable { storage: self.id.clone(), path: root.to_owned() };
        let answer = mounts.ask(root, |root| rustix::fs::statvfs(root)).ok_or_else(unreachable)?;
        let fs = answer.map_err(StorageError::io("unable to read the file system of", root))?;
        let bytes = |blocks: u64| blocks.saturating_mul(fs.f_frsize);
        Ok((bytes(fs.f_blocks), bytes(fs.f_blocks.saturating_sub(fs.f_bfree)), bytes(fs.f_bavail)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::storages;
    use model::Layout;

    #[test]
    fn active_disabled_and_broken_storages_are_told_apart() {
        let root = tempfile::tempdir().unwrap();
        let all = storages(
            &Layout::new(root.path()),
            &[
                ("dir", "off", &[("path", "/off"), ("disable", "")]),
                ("dir", "other", &[("path", "/other"), ("nodes", "pve2")]),
                ("dir", "gone", &[("path", "/nonexistent/store"), ("mkdir", "0"), ("content", "iso")]),
                ("lvm", "vg", &[("vgname", "vg0")]),
            ],
        );
        let report = |filter: &StatusFilter| {
            let found = all.status(filter).unwrap();
            found
                .into_iter()
                .map(|s| (s.storage.to_string(), s.enabled, s.active, s.total > 0))
                .collect::<Vec<_>>()
        };
        let row = |id: &str, enabled, active| (id.to_owned(), enabled, active, active);
        assert_eq!(
            report(&StatusFilter::default()),
            [
                row("gone", true, false),
                row("local", true, true),
                row("off", false, false),
                row("other", false, false),
                row("vg", true, false)
            ]
        );
        let iso = StatusFilter { content: vec![ContentType::Iso], ..StatusFilter::default() };
        assert_eq!(report(&iso), [row("gone", true, false), row("local", true, true)]);
        let one = StatusFilter { storage: Some("gone".parse().unwrap()), ..StatusFilter::default() };
        assert_eq!(
            all.status(&one).unwrap()[0].problem.as_deref(),
            Some(
                "unable to activate storage 'gone' - directory '/nonexistent/store' does not exist or is unreachable"
            )
        );
        let nope = StatusFilter { storage: Some("nope".parse().unwrap()), ..StatusFilter::default() };
        assert_eq!(all.status(&nope).unwrap_err().to_string(), "storage 'nope' does not exist");
    }
}
