//! Putting a file on a storage, whole or not at all.
//!
//! Everything happens beneath the storage's own folder: a name or a link that leads out of it is refused by the kernel
//! when the folder is opened, and later changes of links do not matter, because the folder stays open.

use crate::definition::Storage;
use crate::{StorageError, Storages, VolumeName};
use model::{ContentType, StorageId, VolumeId};
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, linkat, open, openat, openat2, renameat, unlinkat,
};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where a file is to be put.
#[derive(Debug, Clone)]
pub struct Placement {
    /// The folder that the file goes to, for messages.
    pub path: PathBuf,
    /// The volume that it becomes.
    pub volume: VolumeId,
    name: String,
    content: ContentType,
}

impl Storages {
    /// Checks that a storage takes a file of this content and name, and makes the storage ready for it.
    ///
    /// # Errors
    /// As [`Storages::activate`]; [`StorageError::Content`] where the storage does not allow the content type,
    /// [`StorageError::DirectoryName`] for a name that is none of that type.
    pub fn placement(
        &self,
        id: &StorageId,
        content: ContentType,
        name: &str,
    ) -> Result<Placement, StorageError> {
        let storage = self.enabled(id)?;
        if !storage.kind.is_folder() {
            return Err(storage.unsupported("putting files there"));
        }
        if !storage.allows(content) {
            return Err(StorageError::Content { storage: id.clone(), content });
        }
        let text = format!("{content}/{name}");
        let parsed = VolumeName::parse(&text)?;
        let volume =
            VolumeId::new(id.clone(), &text).filter(|_| parsed.content == content && parsed.name == name);
        let volume = volume.ok_or_else(|| StorageError::DirectoryName(text.clone()))?;
        let storage = self.activate(id)?;
        Ok(Placement { path: storage.locate(&parsed)?, volume, name: parsed.name, content })
    }

    /// Puts a copy of a file in its place, on disk when this returns. Without `replace` a volume that is there stays.
    ///
    /// `read` is called with each part of the file as it is copied.
    ///
    /// # Errors
    /// [`StorageError::VolumeExists`]; [`StorageError::Io`] where the disk is full, the folder leads out of the storage,
    /// or the system refuses otherwise. What was there stays then.
    pub fn place(
        &self,
        placement: &Placement,
        source: &mut File,
        mode: u32,
        replace: bool,
        check: &mut dyn Copying,
    ) -> Result<(), StorageError> {
        let storage = self.get(placement.volume.storage())?;
        let failed = |errno: io::Error| match errno.raw_os_error() {
            Some(code) if Errno::from_raw_os_error(code) == Errno::EXIST => {
                StorageError::VolumeExists(placement.volume.clone())
            }
            _ => StorageError::io("unable to write", &placement.path)(errno),
        };
        let folder = storage.open_beneath(placement.content)?;
        let mut new = New::make(&folder).map_err(failed)?;
        copy(source, &mut new.file, check).map_err(failed)?;
        check.end().map_err(StorageError::Checksum)?;
        rustix::fs::fchmod(&new.file, Mode::from_raw_mode(mode)).map_err(|errno| failed(errno.into()))?;
        new.file.sync_all().map_err(failed)?;
        new.settle(&placement.name, replace).map_err(failed)?;
        rustix::fs::fsync(&folder).map_err(|errno| failed(errno.into()))
    }
}

/// Looks at what is copied.
pub trait Copying {
    /// Takes the next part.
    fn part(&mut self, bytes: &[u8]);
    /// Says whether what was copied may be put in its place.
    ///
    /// # Errors
    /// Why not.
    fn end(&mut self) -> Result<(), String>;
}

impl Storage {
    /// Opens the folder of a content type without leaving the storage's folder by any link.
    fn open_beneath(&self, content: ContentType) -> Result<OwnedFd, StorageError> {
        let root = self.root()?;
        let path = self.folder(content)?;
        let below = path.strip_prefix(root).unwrap_or(Path::new("."));
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
        let base =
            open(root, flags, Mode::empty()).map_err(StorageError::io("unable to open folder", root))?;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        openat2(base, below, flags, Mode::empty(), resolve)
            .map_err(StorageError::io("unable to open folder", &path))
    }
}

const BUFFER: usize = 1 << 18;

fn copy(source: &mut File, target: &mut File, check: &mut dyn Copying) -> io::Result<()> {
    use std::io::{Read, Write};
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = match source.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        check.part(&buffer[..count]);
        target.write_all(&buffer[..count])?;
    }
}

/// A file that has no name until it is whole, or, where the file system has no such files, a hidden one.
struct New<'f> {
    folder: &'f OwnedFd,
    file: File,
    hidden: Option<String>,
}

impl<'f> New<'f> {
    fn make(folder: &'f OwnedFd) -> io::Result<Self> {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o600);
        match openat(folder, ".", flags | OFlags::TMPFILE, mode) {
            Ok(file) => return Ok(Self { folder, file: file.into(), hidden: None }),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
        let name = hidden_name();
        let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let file = openat(folder, &name, flags, mode)?.into();
        Ok(Self { folder, file, hidden: Some(name) })
    }

    /// Gives the file its name in one step.
    fn settle(mut self, name: &str, replace: bool) -> io::Result<()> {
        if !replace {
            return self.link(name);
        }
        if self.hidden.is_none() {
            let hidden = hidden_name();
            self.link(&hidden)?;
            self.hidden = Some(hidden);
        }
        if let Some(hidden) = &self.hidden {
            renameat(self.folder, hidden, self.folder, name)?;
            self.hidden = None;
        }
        Ok(())
    }

    fn link(&self, name: &str) -> io::Result<()> {
        match &self.hidden {
            Some(hidden) => linkat(self.folder, hidden, self.folder, name, AtFlags::empty())?,
            None => {
                let own = format!("/proc/self/fd/{}", self.file.as_fd().as_raw_fd());
                linkat(CWD, own, self.folder, name, AtFlags::SYMLINK_FOLLOW)?;
            }
        }
        Ok(())
    }
}

impl Drop for New<'_> {
    fn drop(&mut self) {
        if let Some(hidden) = &self.hidden {
            // Nothing more can be done about it; a name with a dot in front is not listed.
            let _ = unlinkat(self.folder, hidden, AtFlags::empty());
        }
    }
}

fn hidden_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    format!(".upload.{}.{}.{count}", std::process::id(), now.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::storages;
    use model::Layout;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    struct Count(usize, Result<(), String>);

    impl Copying for Count {
        fn part(&mut self, bytes: &[u8]) {
            self.0 += bytes.len();
        }

        fn end(&mut self) -> Result<(), String> {
            self.1.clone()
        }
    }

    struct Scene {
        root: tempfile::TempDir,
        all: Storages,
    }

    impl Scene {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let all = storages(&Layout::new(root.path()), &[]);
            fs::write(root.path().join("source"), "x".repeat(300_000)).unwrap();
            Self { root, all }
        }

        fn put(&self, content: ContentType, name: &str, replace: bool) -> Result<(), String> {
            self.checked(content, name, replace, Ok(()))
        }

        fn checked(
            &self,
            content: ContentType,
            name: &str,
            replace: bool,
            end: Result<(), String>,
        ) -> Result<(), String> {
            let mut source = File::open(self.root.path().join("source")).unwrap();
            let mut count = Count(0, end);
            let placement = self.all.placement(&"local".parse().unwrap(), content, name);
            let placement = placement.map_err(|error| error.to_string())?;
            let done = self.all.place(&placement, &mut source, 0o644, replace, &mut count);
            done.map(|()| assert_eq!(count.0, 300_000)).map_err(|error| error.to_string())
        }

        fn folder(&self) -> PathBuf {
            self.root.path().join("var/lib/vz/snippets")
        }

        fn names(&self) -> Vec<String> {
            let mut names: Vec<String> = fs::read_dir(self.folder())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    #[test]
    fn a_file_is_put_whole_with_its_mode() {
        let scene = Scene::new();
        scene.put(ContentType::Snippets, "a.sh", false).unwrap();
        let meta = fs::metadata(scene.folder().join("a.sh")).unwrap();
        assert_eq!((meta.len(), meta.permissions().mode() & 0o7777), (300_000, 0o644));
        let refused = scene.put(ContentType::Snippets, "a.sh", false).unwrap_err();
        assert_eq!(refused, "volume 'local:snippets/a.sh' already exists");
        scene.put(ContentType::Snippets, "a.sh", true).unwrap();
        assert_eq!(scene.names(), ["a.sh"]);
    }

    #[test]
    fn what_does_not_pass_its_check_leaves_nothing() {
        let scene = Scene::new();
        let refused = scene.checked(ContentType::Snippets, "a.sh", true, Err("checksum mismatch".into()));
        assert_eq!(refused.unwrap_err(), "checksum mismatch");
        assert!(scene.names().is_empty());
    }

    #[test]
    fn names_do_not_leave_their_folder() {
        let scene = Scene::new();
        for name in ["..", ".", "", "a/b", "../a", "a\0b", "a\nb", "/etc/passwd"] {
            assert!(scene.put(ContentType::Snippets, name, true).is_err(), "{name:?}");
        }
        for name in ["x.txt", "x.iso/..", "../x.iso"] {
            assert!(scene.put(ContentType::Iso, name, true).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_link_in_the_files_place_is_replaced_and_not_followed() {
        let scene = Scene::new();
        scene.put(ContentType::Snippets, "first", false).unwrap();
        let outside = scene.root.path().join("outside");
        fs::write(&outside, "mine").unwrap();
        symlink(&outside, scene.folder().join("a.sh")).unwrap();
        assert!(scene.put(ContentType::Snippets, "a.sh", false).unwrap_err().ends_with("already exists"));
        scene.put(ContentType::Snippets, "a.sh", true).unwrap();
        assert_eq!(fs::read_to_string(&outside).unwrap(), "mine");
        assert!(fs::symlink_metadata(scene.folder().join("a.sh")).unwrap().is_file());
    }

    #[test]
    fn a_folder_that_leads_out_of_the_storage_is_refused() {
        let scene = Scene::new();
        scene.put(ContentType::Snippets, "first", false).unwrap();
        let outside = scene.root.path().join("outside");
        fs::create_dir(&outside).unwrap();
        for target in [outside.as_path(), Path::new("../../../outside")] {
            fs::rename(scene.folder(), scene.folder().with_extension("old")).unwrap();
            symlink(target, scene.folder()).unwrap();
            let refused = scene.put(ContentType::Snippets, "a.sh", true).unwrap_err();
            assert!(refused.starts_with("unable to open folder"), "{refused}");
            assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
            fs::remove_file(scene.folder()).unwrap();
            fs::rename(scene.folder().with_extension("old"), scene.folder()).unwrap();
        }
    }

    #[test]
    fn a_storage_takes_what_its_content_allows() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("data");
        fs::create_dir(&path).unwrap();
        let path = path.to_str().unwrap();
        let all =
            storages(&Layout::new(root.path()), &[("dir", "few", &[("path", path), ("content", "iso")])]);
        let refused = all.placement(&"few".parse().unwrap(), ContentType::Snippets, "a.sh").unwrap_err();
        assert_eq!(refused.to_string(), "storage 'few' does not support 'snippets' content");
    }
}
