//! What is mounted where, from `/proc/self/mountinfo` (proc(5)).

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io, thread};

/// How long a file system behind a network may take to answer before it counts as unreachable.
const PATIENCE: Duration = Duration::from_secs(2);

/// The mounts that this process sees, in the order in which they were made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mounts(Vec<Mount>);

#[derive(Debug, Clone)]
struct Mount {
    at: PathBuf,
    kind: String,
}

impl Mounts {
    /// Reads them.
    pub(crate) fn read() -> io::Result<Self> {
        fs::read("/proc/self/mountinfo").map(|raw| Self::parse(&raw))
    }

    fn parse(raw: &[u8]) -> Self {
        let line = |line: &[u8]| {
            let mut fields = line.split(|b| *b == b' ');
            let at = PathBuf::from(unescape(fields.nth(4)?));
            let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
            Some(Mount { at, kind: String::from_utf8_lossy(kind).into_owned() })
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

    /// Whether the file system of this path may keep a caller waiting for ever.
    fn may_hang(&self, path: &Path) -> bool {
        let inner = self.0.iter().rev().filter(|mount| path.starts_with(&mount.at));
        inner.max_by_key(|mount| mount.at.components().count()).is_some_and(|mount| {
            let kind = mount.kind.as_str();
            kind.starts_with("nfs")
                || kind.starts_with("fuse")
                || matches!(
                    kind,
                    "cifs" | "smb3" | "ceph" | "9p" | "autofs" | "lustre" | "glusterfs" | "afs" | "ncpfs"
                )
        })
    }

    /// Asks the file system of `path`, but not for longer than two seconds where it may hang; none then.
    ///
    /// The thread that hangs is left to itself. Only paths on such file systems cost a thread at all. Symbolic links
    /// into one are not seen through: to follow them may hang as well.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        path: &Path,
        question: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> Option<T> {
        if !self.may_hang(path) {
            return Some(question(path));
        }
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let path = path.to_owned();
        thread::Builder::new().stack_size(64 << 10).spawn(move || drop(sender.send(question(&path)))).ok()?;
        receiver.recv_timeout(PATIENCE).ok()
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
    fn only_the_innermost_mount_decides_whether_a_path_may_hang() {
        let mounts = Mounts::parse(RAW);
        for (path, hangs) in [
            ("/var/lib/vz", false),
            ("/mnt/pve/nas/snippets/x", true),
            ("/mnt/pve/nas2", false),
            ("/mnt/pve/nas/local/x", false),
        ] {
            assert_eq!(mounts.may_hang(Path::new(path)), hangs, "{path}");
        }
    }

    #[test]
    fn this_process_sees_its_root() {
        assert!(Mounts::read().unwrap().is_mount(Path::new("/")));
    }
}
