//! Looking whether a storage could be used, which changes nothing: no folder is made.

use crate::Storage;
use crate::mounts::Mounts;
use model::ContentType;
use rustix::fs::{Access, access};
use std::path::{Path, PathBuf};

/// What was seen of a storage with a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Where it must be mounted and is not.
    pub unmounted: Option<PathBuf>,
    /// Whether its folder is there.
    pub there: bool,
    /// Whether who asks may write to it: permissions, and a file system that is not read-only.
    pub writable: bool,
    /// The size of its file system and what an ordinary user may still take, in bytes.
    pub space: (u64, u64),
    /// The folder of its snippets, where it allows them and that folder is not there.
    pub no_snippets: Option<PathBuf>,
}

impl Storage {
    /// Looks at it; none for one without a folder. May hang as long as the storage does.
    #[must_use]
    pub fn look(&self) -> Option<Seen> {
        let root = self.path.as_deref()?;
        let mounts = Mounts::read().unwrap_or_default();
        let is_mounted = |point: &Path| point.canonicalize().is_ok_and(|point| mounts.is_mount(&point));
        let unmounted = self.mount_point.clone().filter(|point| !is_mounted(point));
        let snippets = self.folder(ContentType::Snippets).ok().filter(|_| self.allows(ContentType::Snippets));
        let space = rustix::fs::statvfs(root).map_or((0, 0), |fs| {
            let bytes = |blocks: u64| blocks.saturating_mul(fs.f_frsize);
            (bytes(fs.f_blocks), bytes(fs.f_bavail))
        });
        Some(Seen {
            unmounted,
            there: root.is_dir(),
            writable: access(root, Access::WRITE_OK).is_ok(),
            space,
            no_snippets: snippets.filter(|folder| !folder.is_dir()),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::storages;
    use model::Layout;
    use std::fs;

    #[test]
    fn a_storage_is_looked_at_and_stays_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
        fs::create_dir(at("here")).unwrap();
        let all = storages(
            &Layout::new("/"),
            &[
                ("dir", "here", &[("path", &at("here")), ("content", "snippets")]),
                ("dir", "gone", &[("path", &at("gone"))]),
                ("dir", "unmounted", &[("path", &at("here")), ("is_mountpoint", "1")]),
                ("lvm", "block", &[("vgname", "vg0")]),
            ],
        );
        let look = |id: &str| all.get(&id.parse().unwrap()).unwrap().look();
        let here = look("here").unwrap();
        assert!(here.there && here.writable && here.space.0 > 0 && here.unmounted.is_none());
        assert_eq!(here.no_snippets, Some(at("here/snippets").into()));
        assert!(!look("gone").unwrap().there);
        assert_eq!(look("unmounted").unwrap().unmounted, Some(at("here").into()));
        assert_eq!(look("block"), None);
        assert!(fs::read_dir(at("here")).unwrap().next().is_none() && !fs::exists(at("gone")).unwrap());
    }
}
