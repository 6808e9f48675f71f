use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, RenameFlags, ResolveFlags, Uid, fchmod, fchown, mkdirat, openat,
    openat2, renameat_with, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

/// A container's files, seen from the host: no link in them leads out of its root.
#[derive(Debug)]
pub struct Inside {
    root: OwnedFd,
    shift: u32,
}

const WITHIN: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);

impl Inside {
    /// Opens a root. What is made in it belongs to the id `shift`, the container's root.
    ///
    /// # Errors
    /// Those of opening a folder.
    pub fn open(root: &Path, shift: u32) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { root: rustix::fs::open(root, flags, Mode::empty())?, shift })
    }

    /// The start of a regular file, at most a MiB; none where there is none.
    ///
    /// # Errors
    /// Those of opening and reading.
    pub fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        // Not blocking: a FIFO in its place must not be waited for.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let file = match openat2(&self.root, path, flags, Mode::empty(), WITHIN) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if !file.metadata()?.is_file() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        file.take(1 << 20).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Whether something is there.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        openat2(&self.root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), WITHIN).is_ok()
    }

    /// Replaces a file. A regular one keeps its owner and mode; a link is replaced, not followed.
    ///
    /// # Errors
    /// Those of writing, and where its folder is missing.
    pub fn write(&self, path: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
        let (folder, name) = self.parent(path)?;
        let old = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)
            .ok()
            .filter(|old| FileType::from_raw_mode(old.st_mode) == FileType::RegularFile);
        let (uid, gid, mode) =
            old.map_or((self.shift, self.shift, mode), |old| (old.st_uid, old.st_gid, old.st_mode & 0o777));
        self.replace(&folder, name, |new| {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = openat(&folder, new, flags, Mode::RUSR | Mode::WUSR)?;
            fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
            fchmod(&file, Mode::from_raw_mode(mode))?;
            File::from(file).write_all(bytes)
        })
    }

    /// Replaces a file by a symbolic link.
    ///
    /// # Errors
    /// Those of linking.
    pub fn link(&self, path: &str, target: &str) -> io::Result<()> {
        let (folder, name) = self.parent(path)?;
        self.replace(&folder, name, |new| Ok(symlinkat(target, &folder, new)?))
    }

    /// Makes a folder where none is.
    ///
    /// # Errors
    /// Those of making it, and where something else is in its place.
    pub fn make_folder(&self, path: &str, mode: u32) -> io::Result<()> {
        let (folder, name) = self.parent(path)?;
        match mkdirat(&folder, name, Mode::from_raw_mode(mode)) {
            Ok(()) => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let made = openat(&folder, name, flags, Mode::empty())?;
                fchown(&made, Some(Uid::from_raw(self.shift)), Some(Gid::from_raw(self.shift)))?;
                Ok(fchmod(&made, Mode::from_raw_mode(mode))?)
            }
            Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn parent<'a>(&self, path: &'a str) -> io::Result<(OwnedFd, &'a str)> {
        let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok((openat2(&self.root, folder, flags, Mode::empty(), WITHIN)?, name))
    }

    fn replace(
        &self,
        folder: &OwnedFd,
        name: &str,
        make: impl FnOnce(&str) -> io::Result<()>,
    ) -> io::Result<()> {
        let new = format!(".{name}.hookvisor");
        match unlinkat(folder, new.as_str(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let made = make(&new)
            .and_then(|()| Ok(renameat_with(folder, new.as_str(), folder, name, RenameFlags::empty())?));
        if made.is_err() {
            let _ = unlinkat(folder, new.as_str(), AtFlags::empty());
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn links_do_not_lead_out_of_the_root() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("root");
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::write(outer.path().join("secret"), "the host's").unwrap();
        symlink("../../secret", root.join("etc/up")).unwrap();
        symlink(outer.path(), root.join("abs")).unwrap();
        symlink("/etc", root.join("conf")).unwrap();
        let inside = Inside::open(&root, 0).unwrap();
        assert_eq!(inside.read("etc/up").unwrap(), None);
        assert_eq!(inside.read("abs/secret").unwrap(), None);
        assert!(inside.write("abs/secret", b"x", 0o644).is_err());
        // An absolute link means the container's own root.
        inside.write("conf/hostname", b"ct\n", 0o644).unwrap();
        assert_eq!(fs::read(root.join("etc/hostname")).unwrap(), b"ct\n");
        // A link is replaced rather than followed.
        inside.write("etc/up", b"own", 0o600).unwrap();
        assert_eq!(inside.read("etc/up").unwrap().unwrap(), b"own");
        assert_eq!(fs::read(outer.path().join("secret")).unwrap(), b"the host's");
        assert_eq!(fs::read_dir(root.join("etc")).unwrap().count(), 2);
    }

    #[test]
    fn a_file_keeps_its_mode() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("shadow");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let inside = Inside::open(root.path(), rustix::process::getuid().as_raw()).unwrap();
        inside.write("shadow", b"new", 0o644).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }
}
