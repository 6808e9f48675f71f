//! Small file operations that the writers share.

use crate::FileError;
use model::Vmid;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// Brings a folder's entries to disk.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes a folder and those above it that are missing, and brings the new ones' entries to disk.
pub(crate) fn create_dirs(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(Path::new("/"));
    create_dirs(parent)?;
    match fs::create_dir(path) {
        Ok(()) => sync_dir(parent),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// The guests that entries of a folder are named after, VMID and suffix; none where there is no such folder.
pub(crate) fn vmids(folder: &Path, suffix: &str) -> Result<Vec<Vmid>, FileError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FileError::at("read", folder)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(FileError::at("read", folder))?.file_name();
        found.extend(name.to_str().and_then(|name| name.strip_suffix(suffix)?.parse::<Vmid>().ok()));
    }
    Ok(found)
}

/// Appends `line`, which has no line end, as one line in one write(2). `file` must be open for reading and with
/// O_APPEND. Where an earlier write was torn (full disk, loss of power), the line begins with a line end, so
/// that what is torn stays a line of its own.
pub(crate) fn append_line(file: BorrowedFd<'_>, line: &[u8]) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(line.len() + 2);
    if !ends_a_line(file)? {
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(line);
    bytes.push(b'\n');
    let written = rustix::io::retry_on_intr(|| rustix::io::write(file, &bytes))?;
    // The rest cannot follow: another process may have appended in between.
    if written == bytes.len() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
}

/// Whether the file is empty or its last byte is a line end.
pub(crate) fn ends_a_line(file: impl AsFd) -> io::Result<bool> {
    let size = u64::try_from(rustix::fs::fstat(&file)?.st_size).unwrap_or(0);
    let mut last = [0];
    Ok(size == 0 || rustix::io::pread(&file, &mut last, size - 1)? == 0 || last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_after_a_torn_one_stands_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/file");
        create_dirs(path.parent().unwrap()).unwrap();
        fs::write(&path, "torn").unwrap();
        let file = File::options().read(true).append(true).open(&path).unwrap();
        append_line(file.as_fd(), b"one").unwrap();
        append_line(file.as_fd(), b"two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "torn\none\ntwo\n");
    }
}
