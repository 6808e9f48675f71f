use super::Entry;
use crate::files;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Beyond this size the file is put aside as `….1`, in the place of the one before.
const ROTATE_BYTES: u64 = 64 * 1024 * 1024;

/// The file for records where no journal is: a JSON object a line, with the fields of the journal, in the form
/// of `journalctl -o json`.
#[derive(Debug)]
pub(super) struct Fallback {
    path: PathBuf,
    rotate_bytes: u64,
}

impl Fallback {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, rotate_bytes: ROTATE_BYTES }
    }

    pub(super) fn append(&self, entry: &Entry) -> io::Result<()> {
        let mut file = self.open()?;
        if file.metadata()?.len() > self.rotate_bytes && self.rotate(&file).is_ok() {
            file = self.open()?;
        }
        files::append_line(file.as_fd(), &entry.json())
    }

    fn open(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o640);
        match options.open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                files::create_dirs(self.path.parent().unwrap_or(Path::new("/")))?;
                options.open(&self.path)
            }
            other => other,
        }
    }

    /// Puts the file aside, unless another process just did.
    fn rotate(&self, file: &File) -> io::Result<()> {
        flock(file, FlockOperation::LockExclusive)?;
        if fs::metadata(&self.path).is_ok_and(|now| file.metadata().is_ok_and(|was| now.ino() == was.ino())) {
            fs::rename(&self.path, older(&self.path))?;
        }
        Ok(())
    }
}

/// Where the file before is.
fn older(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Priority;

    #[test]
    fn a_full_file_is_put_aside_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log/records.jsonl");
        let fallback = Fallback { path: path.clone(), rotate_bytes: 300 };
        let sizes: Vec<usize> = (0..4)
            .map(|_| {
                fallback.append(&Entry::new(Priority::Info, "test", "x".repeat(200))).unwrap();
                fs::read_to_string(&path).unwrap().lines().count()
            })
            .collect();
        assert_eq!(sizes, [1, 1, 1, 1]);
        assert_eq!(fs::read_to_string(older(&path)).unwrap().lines().count(), 1);
        assert!(fs::read_to_string(&path).unwrap().ends_with("}\n"));
    }
}
