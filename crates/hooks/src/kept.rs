//! What hookscripts were run with: their own bytes and the configurations of their guests, each once, named by its SHA-256.
//! So a run of the history can be looked into, and made again, after both have changed.

use crate::digest::Digest;
use model::{Layout, RunId};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The largest file that is kept, in bytes.
pub const LARGEST: u64 = 16 << 20;

/// How much longer than the oldest run that is on record something is kept.
const MARGIN: Duration = Duration::from_secs(24 * 60 * 60);

/// Keeps some bytes. What is there already is only marked as used.
///
/// # Errors
/// Those of making the folder and of writing the file.
pub fn keep(layout: &Layout, bytes: &[u8]) -> io::Result<Digest> {
    let digest = Digest::of(bytes);
    let path = path(layout, digest);
    if !is_used(&path) {
        write(layout, &path, bytes)?;
    }
    Ok(digest)
}

/// Keeps a file of which the digest is known. One that is too large, or has changed since, is not kept.
///
/// # Errors
/// Those of reading the file, of making the folder and of writing the copy.
pub fn keep_file(layout: &Layout, digest: Digest, file: &Path) -> io::Result<()> {
    let path = path(layout, digest);
    if is_used(&path) {
        return Ok(());
    }
    let mut bytes = Vec::new();
    File::open(file)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if Digest::of(&bytes) == digest { write(layout, &path, &bytes) } else { Ok(()) }
}

/// What was kept; none where it was not, or is damaged.
///
/// # Errors
/// Those of reading the file.
pub fn read(layout: &Layout, digest: Digest) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path(layout, digest)) {
        Ok(bytes) => Ok(Some(bytes).filter(|bytes| Digest::of(bytes) == digest)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes what no run that is on record can have used: what was last used well before the oldest of them.
///
/// # Errors
/// Those of reading the folder and of removing files.
pub fn collect(layout: &Layout, oldest: Option<&RunId>) -> io::Result<usize> {
    let Some(oldest) = oldest else { return Ok(0) };
    let limit = UNIX_EPOCH + Duration::from_millis(oldest.millis());
    let limit = limit.checked_sub(MARGIN).unwrap_or(UNIX_EPOCH);
    let entries = match fs::read_dir(layout.kept()) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry?;
        let used: SystemTime = entry.metadata()?.modified()?;
        if used < limit {
            fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn path(layout: &Layout, digest: Digest) -> PathBuf {
    layout.kept().join(digest.to_string())
}

/// Whether the file is there; it counts as used just now then.
fn is_used(path: &Path) -> bool {
    let now = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
    };
    rustix::fs::utimensat(CWD, path, &now, AtFlags::empty()).is_ok()
}

fn write(layout: &Layout, path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(layout.kept())?;
    store::replace(path, bytes, 0o600)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_kept_is_there_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let digest = keep(&layout, b"text").unwrap();
        assert_eq!(keep(&layout, b"text").unwrap(), digest);
        assert_eq!(read(&layout, digest).unwrap().as_deref(), Some(&b"text"[..]));
        let file = path(&layout, digest);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(layout.kept()).unwrap().count(), 1);
        fs::write(&file, "something else").unwrap();
        assert_eq!(read(&layout, digest).unwrap(), None);
        assert_eq!(read(&layout, Digest::of(b"never")).unwrap(), None);
    }

    #[test]
    fn a_file_is_kept_as_long_as_it_is_what_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let script = folder.path().join("script");
        fs::write(&script, "#!/bin/sh\n").unwrap();
        let digest = Digest::of(b"#!/bin/sh\n");
        keep_file(&layout, digest, &script).unwrap();
        fs::write(&script, "changed").unwrap();
        keep_file(&layout, digest, &script).unwrap();
        assert_eq!(read(&layout, digest).unwrap().unwrap(), b"#!/bin/sh\n");
        let other = Digest::of(b"other");
        keep_file(&layout, other, &script).unwrap();
        assert_eq!(read(&layout, other).unwrap(), None);
    }

    #[test]
    fn what_no_run_can_have_used_goes() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let (old, new) = (keep(&layout, b"old").unwrap(), keep(&layout, b"new").unwrap());
        let long_ago = SystemTime::now() - MARGIN * 3;
        File::options().write(true).open(path(&layout, old)).unwrap().set_modified(long_ago).unwrap();
        assert_eq!(collect(&layout, None).unwrap(), 0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let run = RunId::new(u64::try_from(now.as_millis()).unwrap(), 0);
        assert_eq!(collect(&layout, Some(&run)).unwrap(), 1);
        assert_eq!(read(&layout, old).unwrap(), None);
        assert!(read(&layout, new).unwrap().is_some());
    }
}
