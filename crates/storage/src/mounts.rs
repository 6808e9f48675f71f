//! What is mounted where, from `/proc/self/mountinfo` (proc(5)).

use crate::patience;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The mounts that this process sees, in the order in which they were made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mounts(Vec<Mount>);

#[derive(Debug, Clone)]
struct Mount {
    at: PathBuf,
}

impl Mounts {
    /// Reads them.
    pub(crate) fn read() -> io::Result<Self> {
        fs::read("/proc/self/mountinfo").map(|raw| Self::parse(&raw))
    }

    fn parse(raw: &[u8]) -> Self {
        let line = |line: &[u8]| {
            let at = line.split(|b| *b == b' ').nth(4)?;
            Some(Mount { at: PathBuf::from(unescape(at)) })
        };
        Self(raw.split(|b| *b == b'\n').filter_map(line).collect())
    }

    /// Whether something is mounted at exactly this path, without symbolic links.
    pub(crate) fn is_mount(&self, path: &Path) -> bool {
        self.0.iter().any(|mount| mount.at == path)
    }

    /// A mount below this path, without symbolic links, or at it.
    pub(crate) fn within(&self, path: &Path) -> Option<&Path> {
        self.0.iter().find(|mount| mount.at.starts_with(path)).map(|mount| mount.at.as_path())
    }

    /// The mount that this path is in, unless that is the root, which everything else is lost without, too.
    fn inner(&self, path: &Path) -> Option<&Path> {
        let inner = self.0.iter().rev().filter(|mount| path.starts_with(&mount.at));
        let inner = inner.max_by_key(|mount| mount.at.components().count())?;
        (inner.at != Path::new("/")).then_some(inner.at.as_path())
    }

    /// Asks the file system of `path`, but not for longer than two seconds; none then. See [`patience::ask`].
    ///
    /// Only paths on another file system than the root cost a thread at all. Symbolic links into one are not seen through: to
    /// follow them may hang as well.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        path: &Path,
        question: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> Option<T> {
        let Some(mount) = self.inner(path) else { return Some(question(path)) };
        let path = path.to_owned();
        patience::ask(mount, move || question(&path))
    }
}

/// Octal escapes of blank, tab, newline and backslash.
fn unescape(field: &[u8]) -> OsString {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        let digits = tail.get(..3).filter(|d| first == b'\\' && d.iter().all(|b| (b'0'..b'8').contains(b)));
        if let Some(digits) = digits {
            let value = digits.iter().fold(0_u32, |sum, digit| sum * 8 + u32::from(digit - b'0'));
            out.push((value & 0xff) as u8);
            rest = &tail[3..];
        } else {
            out.push(first);
            rest = tail;
        }
    }
    OsString::from_vec(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: &[u8] = b"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
        40 22 0:35 / /mnt/pve/nas rw - nfs4 nas:/export rw,vers=4.2\n\
        41 22 8:17 / /srv/a\\040b rw master:3 propagate_from:2 - xfs /dev/sdb1 rw\n\
        42 40 8:33 / /mnt/pve/nas/local rw - ext4 /dev/sdc1 rw\n";

    #[test]
    fn mounts_are_found_by_path() {
        let mounts = Mounts::parse(RAW);
        assert!(mounts.is_mount(Path::new("/srv/a b")) && !mounts.is_mount(Path::new("/srv")));
        assert_eq!(mounts.within(Path::new("/srv")), Some(Path::new("/srv/a b")));
        assert_eq!(mounts.within(Path::new("/srv/a")), None);
    }

    #[test]
    fn the_innermost_mount_is_asked_and_the_root_at_once() {
        let mounts = Mounts::parse(RAW);
        for (path, inner) in [
            ("/var/lib/vz", None),
            ("/mnt/pve/nas/snippets/x", Some("/mnt/pve/nas")),
            ("/mnt/pve/nas2", None),
            ("/mnt/pve/nas/local/x", Some("/mnt/pve/nas/local")),
        ] {
            assert_eq!(mounts.inner(Path::new(path)), inner.map(Path::new), "{path}");
        }
    }

    #[test]
    fn this_process_sees_its_root() {
        assert!(Mounts::read().unwrap().is_mount(Path::new("/")));
    }
}
