//! Removing volumes.

use crate::content::{Listing, beside};
use crate::definition::Storage;
use crate::format::backup_extension;
use crate::mounts::Mounts;
use crate::{StorageError, StorageKind, Storages, VolumeName};
use model::{ContentType, VolumeId};
use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// What came of removing a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freed {
    /// It is gone.
    Removed,
    /// There was none at this path.
    Missing(PathBuf),
}

impl Storages {
    /// Removes a volume of any content type. Whether a guest uses it is not asked, as in Proxmox VE; an image that
    /// linked clones read from, a protected backup and a folder with something mounted in it are refused.
    ///
    /// A folder is renamed first, so that no half of it is ever taken for a volume.
    ///
    /// # Errors
    /// As [`Storages::activate`] and [`Storages::parse`]; [`StorageError::BaseInUse`], [`StorageError::Protected`],
    /// [`StorageError::MountedWithin`], [`StorageError::Io`].
    pub fn free(&self, volume: &VolumeId) -> Result<Freed, StorageError> {
        let name = self.parse(volume)?;
        let storage = self.get(volume.storage())?;
        let subvolume = storage.kind == StorageKind::Btrfs && name.content == ContentType::Images;
        let file =
            storage.kind.is_folder() && name.content != ContentType::Rootdir && !name.name.contains('/');
        if !file || subvolume {
            return Err(storage.unsupported("removing this volume"));
        }
        self.activate(volume.storage())?;
        let path = storage.locate(&name)?;
        let _lock = self.lock(volume.storage())?;
        if name.is_base && storage.has_clones(&name)? {
            return Err(StorageError::BaseInUse(volume.name().to_owned()));
        }
        if name.content == ContentType::Backup && beside(&path, "protected").exists() {
            let name = volume.name().to_owned();
            return Err(StorageError::Protected { name, storage: storage.id.clone() });
        }
        let freed =
            if name.format == Some("subvol") { remove_folder(&path)? } else { remove_file(&path, &name)? };
        if name.content == ContentType::Images
            && let Some(folder) = path.parent()
        {
            // It stays while the guest has other images.
            drop(fs::remove_dir(folder));
        }
        Ok(freed)
    }
}

impl Storage {
    /// Whether an image says that it is based on this one.
    fn has_clones(&self, base: &VolumeName) -> Result<bool, StorageError> {
        let mut images = Listing::default();
        self.list_images(None, &mut images)?;
        let reference = format!("../{}/{}", base.folder.as_deref().unwrap_or_default(), base.name);
        Ok(images.items.iter().any(|item| item.parent.as_deref() == Some(&reference)))
    }
}

fn remove_file(path: &Path, name: &VolumeName) -> Result<Freed, StorageError> {
    match fs::symlink_metadata(path) {
        Ok(meta) if !meta.is_dir() => {}
        Ok(_) => return Ok(Freed::Missing(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Freed::Missing(path.to_owned())),
        Err(error) => return Err(StorageError::io("unable to remove", path)(error)),
    }
    if name.is_base {
        clear_immutable(path);
    }
    fs::remove_file(path).map_err(StorageError::io("unable to remove", path))?;
    if name.content == ContentType::Backup {
        // What stands beside a backup and means nothing without it; it need not be there.
        drop(fs::remove_file(beside(path, "notes")));
        if let Some(stem) = backup_extension(&name.name).and_then(|end| name.name.strip_suffix(end)) {
            drop(fs::remove_file(path.with_file_name(format!("{stem}log"))));
        }
    }
    Ok(Freed::Removed)
}

/// Bases of linked clones are marked immutable where the file system can do so. Where this fails, removing tells.
fn clear_immutable(path: &Path) {
    let cleared = File::open(path).and_then(|file| {
        let flags = ioctl_getflags(&file)?;
        if flags.contains(IFlags::IMMUTABLE) {
            ioctl_setflags(&file, flags - IFlags::IMMUTABLE)?;
        }
        Ok(())
    });
    drop(cleared);
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> StorageError {
    StorageError::io("unable to remove", path)
}

fn remove_folder(path: &Path) -> Result<Freed, StorageError> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => {
            // A link to a folder elsewhere: only the link is the volume.
            fs::remove_file(path).map_err(failed(path))?;
            return Ok(Freed::Removed);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Freed::Missing(path.to_owned())),
        Err(error) => return Err(failed(path)(error)),
    }
    let real = fs::canonicalize(path).map_err(failed(path))?;
    let mounts = Mounts::read().map_err(failed(Path::new("/proc/self/mountinfo")))?;
    if let Some(mount) = mounts.within(&real) {
        return Err(StorageError::MountedWithin { path: path.to_owned(), mount: mount.to_owned() });
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let doomed = path.with_file_name(format!(".removed-{}-{name}", std::process::id()));
    fs::rename(path, &doomed).map_err(failed(path))?;
    fs::remove_dir_all(&doomed).map_err(failed(&doomed))?;
    Ok(Freed::Removed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::storages;
    use model::Layout;

    struct Fixture {
        _root: tempfile::TempDir,
        all: Storages,
        base: PathBuf,
    }

    impl Fixture {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let all = storages(&Layout::new(root.path()), &[]);
            let base = all.activate(&"local".parse().unwrap()).unwrap().path.clone().unwrap();
            Self { _root: root, all, base }
        }

        fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
            let path = self.base.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, bytes).unwrap();
            path
        }

        fn free(&self, volume: &str) -> Result<Freed, String> {
            self.all.free(&volume.parse().unwrap()).map_err(|error| error.to_string())
        }
    }

    #[test]
    fn files_go_and_the_guests_folder_with_the_last_of_them() {
        let at = Fixture::new();
        let first = at.write("images/100/vm-100-disk-0.raw", b"x");
        at.write("images/100/vm-100-disk-1.raw", b"x");
        assert_eq!(at.free("local:100/vm-100-disk-0.raw"), Ok(Freed::Removed));
        assert!(!first.exists() && at.base.join("images/100").exists());
        assert_eq!(at.free("local:100/vm-100-disk-1.raw"), Ok(Freed::Removed));
        assert!(!at.base.join("images/100").exists() && at.base.join("images").exists());
        assert_eq!(
            at.free("local:100/vm-100-disk-1.raw"),
            Ok(Freed::Missing(at.base.join("images/100/vm-100-disk-1.raw")))
        );
    }

    #[test]
    fn snippets_go_one_by_one_and_their_folder_stays() {
        let at = Fixture::new();
        let elsewhere = at.write("elsewhere", b"x");
        let link = at.base.join("snippets/link.sh");
        std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
        fs::create_dir(at.base.join("snippets/sub")).unwrap();
        assert_eq!(at.free("local:snippets/link.sh"), Ok(Freed::Removed));
        assert!(elsewhere.exists() && fs::symlink_metadata(&link).is_err());
        assert_eq!(at.free("local:snippets/sub"), Ok(Freed::Missing(at.base.join("snippets/sub"))));
        assert!(at.base.join("snippets/sub").exists());
        let refused = "unable to parse directory volume name 'snippets/..'".to_owned();
        assert_eq!(at.free("local:snippets/.."), Err(refused));
    }

    #[test]
    fn a_folder_goes_with_all_it_holds_but_not_with_what_links_point_to() {
        let at = Fixture::new();
        let elsewhere = at.write("elsewhere/file", b"x");
        at.write("images/200/subvol-200-disk-0.subvol/etc/passwd", b"x");
        let folder = at.base.join("images/200/subvol-200-disk-0.subvol");
        std::os::unix::fs::symlink(elsewhere.parent().unwrap(), folder.join("link")).unwrap();
        assert_eq!(at.free("local:200/subvol-200-disk-0.subvol"), Ok(Freed::Removed));
        assert!(elsewhere.exists() && !at.base.join("images/200").exists());
    }

    #[test]
    fn a_base_stays_while_a_clone_reads_from_it() {
        let at = Fixture::new();
        let base = at.write("images/100/base-100-disk-0.raw", b"x");
        let mut clone = b"QFI\xfb\0\0\0\x03\0\0\0\0\0\0\0\x20\0\0\0\x1a\0\0\0\x10\0\0\0\0\0\x10\0\0".to_vec();
        clone.extend(b"../100/base-100-disk-0.raw");
        at.write("images/101/vm-101-disk-0.qcow2", &clone);
        let in_use = "base volume '100/base-100-disk-0.raw' is still in use by linked clones";
        assert_eq!(at.free("local:100/base-100-disk-0.raw"), Err(in_use.to_owned()));
        assert!(base.exists());
        assert_eq!(at.free("local:100/base-100-disk-0.raw/101/vm-101-disk-0.qcow2"), Ok(Freed::Removed));
        assert_eq!(at.free("local:100/base-100-disk-0.raw"), Ok(Freed::Removed));
    }

    #[test]
    fn a_backup_goes_with_its_notes_unless_it_is_protected() {
        let at = Fixture::new();
        let stem = "vzdump-qemu-100-2026_01_31-12_00_00";
        for end in ["vma.zst", "vma.zst.notes", "vma.zst.protected", "log"] {
            at.write(&format!("dump/{stem}.{end}"), b"x");
        }
        let volume = format!("local:backup/{stem}.vma.zst");
        let refused = format!("cannot remove protected volume 'backup/{stem}.vma.zst' on 'local'");
        assert_eq!(at.free(&volume), Err(refused));
        fs::remove_file(at.base.join(format!("dump/{stem}.vma.zst.protected"))).unwrap();
        assert_eq!(at.free(&volume), Ok(Freed::Removed));
        assert_eq!(fs::read_dir(at.base.join("dump")).unwrap().count(), 0);
    }
}
