//! Making a storage ready for use, and the checks before a guest uses it (api.md 6.1).

use crate::definition::Storage;
use crate::mounts::Mounts;
use crate::{StorageError, Storages, VolumePath};
use model::{ContentType, StorageId, VolumeId};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt};
use std::path::{Path, PathBuf};

/// The content types that have a folder, in the order of their names.
const FOLDERS: [ContentType; 7] = [
    ContentType::Backup,
    ContentType::Images,
    ContentType::Import,
    ContentType::Iso,
    ContentType::Rootdir,
    ContentType::Snippets,
    ContentType::Vztmpl,
];

impl Storages {
    /// Makes a storage ready: checks that it is enabled, mounted where it must be and there, and makes the folders
    /// of its content types. Does nothing that a second call would not find done.
    ///
    /// # Errors
    /// As [`Storages::enabled`]; [`StorageError::NotMounted`], [`StorageError::Unreachable`],
    /// [`StorageError::SharedFolder`]; [`StorageError::Io`] where a folder cannot be made.
    pub fn activate(&self, id: &StorageId) -> Result<&Storage, StorageError> {
        let storage = self.enabled(id)?;
        let mounts =
            Mounts::read().map_err(StorageError::io("unable to read", Path::new("/proc/self/mountinfo")))?;
        storage.activate(&mounts)?;
        Ok(storage)
    }

    /// Makes the storages of these volumes ready, each once, and checks that the volumes are there.
    ///
    /// # Errors
    /// As [`Storages::activate`] and [`Storages::path`]; [`StorageError::NoVolume`].
    pub fn activate_volumes<'a>(
        &self,
        volumes: impl IntoIterator<Item = &'a VolumeId>,
    ) -> Result<Vec<VolumePath>, StorageError> {
        let mut ready: Vec<&StorageId> = Vec::new();
        let volumes: Vec<&VolumeId> = volumes.into_iter().collect();
        for volume in &volumes {
            if !ready.contains(&volume.storage()) {
                let storage = self.enabled(volume.storage())?;
                // Block devices are there or not; whoever set them up keeps them active.
                if storage.kind.is_folder() {
                    self.activate(volume.storage())?;
                }
                ready.push(volume.storage());
            }
        }
        volumes.into_iter().map(|volume| self.existing(volume)).collect()
    }

    /// The path of a volume that is there.
    ///
    /// # Errors
    /// As [`Storages::path`]; [`StorageError::NoVolume`].
    pub fn existing(&self, volume: &VolumeId) -> Result<VolumePath, StorageError> {
        let found = self.path(volume)?;
        let folder = self.get(volume.storage())?.kind.is_folder();
        let dataset = found.format.as_deref() == Some("subvol");
        match fs::metadata(&found.path) {
            Ok(meta) if folder || dataset || meta.file_type().is_block_device() => Ok(found),
            _ => Err(StorageError::NoVolume(volume.clone())),
        }
    }
}

impl Storage {
    /// A storage that does not answer is unreachable, which is said after two seconds.
    pub(crate) fn activate(&self, mounts: &Mounts) -> Result<(), StorageError> {
        let (storage, seen) = (self.clone(), mounts.clone());
        let done = mounts.ask(self.root()?, move |root| storage.make_ready(root, &seen));
        done.unwrap_or_else(|| Err(self.unreachable()))
    }

    fn make_ready(&self, root: &Path, mounts: &Mounts) -> Result<(), StorageError> {
        if let Some(point) = &self.mount_point {
            let real = mounts.ask(point, |point| fs::canonicalize(point).ok());
            let real = real.ok_or_else(|| self.unreachable())?;
            if !real.is_some_and(|real| mounts.is_mount(&real)) {
                return Err(StorageError::NotMounted { storage: self.id.clone(), path: point.clone() });
            }
        }
        if !root.is_dir() {
            let make = self.create_base && !self.kind.is_mounted();
            if !make || make_folder(root).is_err() || !root.is_dir() {
                return Err(self.unreachable());
            }
        }
        if self.create_subfolders {
            for content in FOLDERS {
                if self.allows(content)
                    || (content == ContentType::Backup && self.allows(ContentType::Rootdir))
                {
                    make_folder(&self.folder(content)?)?;
                }
            }
        }
        let mut seen: Vec<PathBuf> = Vec::new();
        for content in FOLDERS.into_iter().filter(|content| self.allows(*content)) {
            let Ok(path) = fs::canonicalize(self.folder(content)?) else { continue };
            if seen.contains(&path) {
                return Err(StorageError::SharedFolder { storage: self.id.clone(), path });
            }
            seen.push(path);
        }
        Ok(())
    }

    fn unreachable(&self) -> StorageError {
        StorageError::Unreachable { storage: self.id.clone(), path: self.path.clone().unwrap_or_default() }
    }
}

/// Makes a folder that everybody may enter, and those above it. One that is there is left as it is.
pub(crate) fn make_folder(path: &Path) -> Result<(), StorageError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(path);
    made.map_err(StorageError::io("unable to create folder", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::storages;
    use model::Layout;

    fn text<T>(result: Result<T, StorageError>) -> String {
        result.err().map(|e| e.to_string()).unwrap_or_default()
    }

    #[test]
    fn activation_makes_the_folders_of_the_contents() {
        let root = tempfile::tempdir().unwrap();
        let all = storages(
            &Layout::new(root.path()),
            &[("dir", "local", &[("path", "/var/lib/vz"), ("content", "snippets,iso,rootdir")])],
        );
        let local = all.activate(&"local".parse().unwrap()).unwrap().path.clone().unwrap();
        let mut made: Vec<_> = fs::read_dir(&local).unwrap().map(|e| e.unwrap().file_name()).collect();
        made.sort();
        assert_eq!(made, ["dump", "private", "snippets", "template"]);
        assert!(local.join("template/iso").is_dir() && !local.join("template/cache").exists());
        let hook: VolumeId = "local:snippets/hook.sh".parse().unwrap();
        assert_eq!(text(all.activate_volumes([&hook])), "volume 'local:snippets/hook.sh' does not exist");
        fs::write(local.join("snippets/hook.sh"), "").unwrap();
        assert_eq!(all.activate_volumes([&hook]).unwrap()[0].path, local.join("snippets/hook.sh"));
    }

    #[test]
    fn what_is_not_there_or_not_mounted_is_not_used() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
        let (gone, file, mount, twice) = (at("gone"), at("file"), at("mount"), at("twice"));
        fs::write(&file, "").unwrap();
        fs::create_dir(&mount).unwrap();
        let all = storages(
            &Layout::new("/"),
            &[
                ("dir", "gone", &[("path", &gone), ("create-base-path", "0")]),
                ("dir", "file", &[("path", &file)]),
                ("dir", "mount", &[("path", &mount), ("is_mountpoint", "1")]),
                (
                    "dir",
                    "twice",
                    &[("path", &twice), ("content", "iso,images"), ("content-dirs", "iso=a,images=a")],
                ),
                ("nfs", "nas", &[("path", &mount)]),
                ("dir", "made", &[("path", &gone), ("mkdir", "1")]),
            ],
        );
        let activate = |id: &str| text(all.activate(&id.parse().unwrap()));
        assert_eq!(
            activate("gone"),
            format!(
                "unable to activate storage 'gone' - directory '{gone}' does not exist or is unreachable"
            )
        );
        assert_eq!(
            activate("file"),
            format!(
                "unable to activate storage 'file' - directory '{file}' does not exist or is unreachable"
            )
        );
        for id in ["mount", "nas"] {
            assert_eq!(
                activate(id),
                format!(
                    "unable to activate storage '{id}' - directory is expected to be a mount point but is not \
                     mounted: '{mount}'"
                )
            );
        }
        assert_eq!(fs::read_dir(&mount).unwrap().count(), 0, "nothing may be made where nothing is mounted");
        assert_eq!(
            activate("twice"),
            format!("storage 'twice' uses directory {twice}/a for multiple content types")
        );
        assert_eq!(activate("made"), "");
    }
}
