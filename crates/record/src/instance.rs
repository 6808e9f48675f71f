//! The two random values that name a root: one for each boot of the host, one for good.
//!
//! A boot id does not change when a container host restarts, so the boot has its own name in `/run`.

use crate::{FileError, files};
use model::{Boot, Layout};
use rustix::rand::{GetRandomFlags, getrandom};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The two values cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// A file or its folder cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file holds something else.
    #[error("'{}' does not hold 32 hexadecimal digits", .0.display())]
    Damaged(PathBuf),
}

/// The value that names this boot of the host: 32 hexadecimal digits, made at first use.
///
/// # Errors
/// Where the file at [`Layout::instance`] can neither be read nor made, or is damaged.
pub fn id(layout: &Layout) -> Result<String, InstanceError> {
    at(&layout.instance())
}

/// This time that the host is up: [`id`], and the kernel's boot id, proc_sys_kernel(5).
///
/// # Errors
/// As [`id`]; or where the kernel does not tell.
pub fn boot(layout: &Layout) -> Result<Boot, InstanceError> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    let kernel = fs::read_to_string(path).map_err(FileError::at("read", path))?;
    Ok(Boot { instance: id(layout)?, kernel: kernel.trim_ascii().to_owned() })
}

/// The value that names this root for good: 32 hexadecimal digits, made at first use. The records in the
/// journal carry it, as one journal may serve several roots.
///
/// # Errors
/// As [`id`], for the file at [`Layout::root_id`].
pub fn root_id(layout: &Layout) -> Result<String, InstanceError> {
    at(&layout.root_id())
}

/// What [`root_id`] has made already, if it has.
///
/// # Errors
/// Where the file is there but cannot be read, or is damaged.
pub fn existing_root_id(layout: &Layout) -> Result<Option<String>, InstanceError> {
    read(&layout.root_id())
}

fn at(path: &Path) -> Result<String, InstanceError> {
    if let Some(id) = read(path)? {
        return Ok(id);
    }
    place(path).map_err(FileError::at("create", path))?;
    // Whoever came first won.
    read(path)?.ok_or_else(|| FileError::at("read", path)(io::ErrorKind::NotFound.into()).into())
}

fn read(path: &Path) -> Result<Option<String>, InstanceError> {
    let text = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::at("read", path)(error).into()),
    };
    let id = text.trim_ascii();
    if id.len() == 32 && id.iter().all(u8::is_ascii_hexdigit) {
        Ok(Some(String::from_utf8_lossy(id).into_owned()))
    } else {
        Err(InstanceError::Damaged(path.to_owned()))
    }
}

/// Makes the file with a new value unless it is there. It appears whole or not at all.
fn place(path: &Path) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    files::create_dirs(dir)?;
    let id = random_hex()?;
    let temp = path.with_extension(format!("{}.tmp", &id[..8]));
    let linked = write_new(&temp, &id).and_then(|()| fs::hard_link(&temp, path));
    let _ = fs::remove_file(&temp);
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => files::sync_dir(dir),
    }
}

fn write_new(path: &Path, id: &str) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(format!("{id}\n").as_bytes())?;
    file.sync_all()
}

fn random_hex() -> io::Result<String> {
    let mut bytes = [0; 16];
    let mut filled = 0;
    while filled < bytes.len() {
        filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
    }
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_who_comes_at_once_gets_the_same_value() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        assert_eq!(existing_root_id(&layout).unwrap(), None);
        let ids: Vec<String> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(|| id(&layout).unwrap())).collect();
            all.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|other| *other == ids[0]), "{ids:?}");
        assert_ne!(root_id(&layout).unwrap(), ids[0]);
        assert_eq!(fs::read_dir(layout.run()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_damaged_value_is_named_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        fs::create_dir_all(layout.run()).unwrap();
        fs::write(layout.instance(), "").unwrap();
        let error = id(&layout).unwrap_err().to_string();
        assert!(error.contains("run/hookvisor/instance"), "{error}");
    }
}
