use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Replaces a file's content in one step: readers see the old content or the new one, a crash leaves one of the two,
/// and any failure leaves the old one. `mode` is the new file's, whatever the umask.
///
/// # Errors
/// What the system says: no space, no permission, no such folder.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let new = write_beside(path, bytes, mode)?;
    fs::rename(&new.path, path)?;
    new.keep();
    sync_folder(path)
}

/// Like [`replace`], but refuses where the file exists.
pub(crate) fn create(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let new = write_beside(path, bytes, mode)?;
    fs::hard_link(&new.path, path)?;
    drop(new);
    sync_folder(path)
}

/// Makes a folder's entries last.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file that is removed unless it is kept.
struct New {
    path: PathBuf,
    kept: bool,
}

impl New {
    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for New {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing more can be done about it; its name shows what it is.
            _ = fs::remove_file(&self.path);
        }
    }
}

/// Writes a hidden file in the same folder, all of it on disk.
fn write_beside(path: &Path, bytes: &[u8], mode: u32) -> io::Result<New> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let beside = folder(path).join(format!(".{name}.{}.{count}.new", std::process::id()));
        let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside) {
            Ok(file) => file,
            // Left behind by a process of the same pid that died here.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        };
        let new = New { path: beside, kept: false };
        file.write_all(bytes)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        return Ok(new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn entries(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn the_file_is_replaced_with_its_mode_and_nothing_stays_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        replace(&path, b"old", 0o640).unwrap();
        replace(&path, b"new", 0o644).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o644);
        assert_eq!(entries(folder.path()), 1);
    }

    #[test]
    fn a_failed_rename_leaves_everything_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), b"x").unwrap();
        replace(&path, b"new", 0o644).unwrap_err();
        assert_eq!((entries(folder.path()), fs::read(path.join("inside")).unwrap()), (1, b"x".to_vec()));
    }

    #[test]
    fn creating_over_a_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        create(&path, b"first", 0o640).unwrap();
        assert_eq!(create(&path, b"second", 0o640).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!((fs::read(&path).unwrap(), entries(folder.path())), (b"first".to_vec(), 1));
    }

    /// A limit on the size of files stands in for a full disk: the write ends half way.
    #[test]
    fn a_write_cut_short_leaves_the_old_file() {
        const FOLDER: &str = "STORE_TEST_FULL_DISK";
        if let Some(folder) = std::env::var_os(FOLDER) {
            let path = Path::new(&folder).join("f");
            let error = replace(&path, &[b'x'; 100_000], 0o640).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        fs::write(&path, b"old").unwrap();
        let this_test = "replace::tests::a_write_cut_short_leaves_the_old_file";
        let output = Command::new("sh")
            .args(["-c", r#"trap "" XFSZ; ulimit -f 8; exec "$@""#, "sh"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", this_test, "--nocapture"])
            .env(FOLDER, folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
        assert_eq!((fs::read(&path).unwrap(), entries(folder.path())), (b"old".to_vec(), 1));
    }
}
