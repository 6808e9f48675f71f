//! File systems in images and devices.

use super::CreateError;
use super::archive::{failed, how};
use crate::configuration::Source;
use crate::tools;
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_bind, mount_change, unmount};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Makes a new ext4 file system whose root folder belongs to the container's root.
pub(super) fn format(path: &Path, shift: u32) -> Result<(), CreateError> {
    let program = "mkfs.ext4";
    let tool = tools::find(program).ok_or(super::ArchiveError::Missing { program, package: "e2fsprogs" })?;
    let output = Command::new(tool)
        .args(["-q", "-F", "-E", &format!("root_owner={shift}:{shift}")])
        .arg(path)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(program, &error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().map(str::trim).rfind(|line| !line.is_empty());
    Err(CreateError::Program { program, said: said.map_or_else(|| how(output.status), str::to_owned) })
}

/// How long files of a volume may stay open after the work with them.
const HELD: Duration = Duration::from_secs(10);

/// The folder where a volume's files are, for as long as `work` runs.
pub type Mounted<'a> = &'a Path;

/// Runs `work` with the files of a volume: a folder as it is, an image or device mounted where only the calling thread
/// and what it executes see it. The kernel unmounts it with the thread, whatever happens; a loop device goes with it.
///
/// The calling thread keeps its private mount namespace, so it must be one that ends with the work.
///
/// # Errors
/// Those of mounting, with the words of mount(8), and of unmounting.
pub fn with_mounted<T>(volume: &Source, work: impl FnOnce(Mounted<'_>) -> T) -> io::Result<T> {
    let (path, how): (&PathBuf, &[&str]) = match volume {
        Source::Folder(path) => return Ok(work(path)),
        Source::Image(path) => (path, &["-o", "loop"]),
        Source::Device(path) => (path, &[]),
    };
    private_mounts()?;
    // Any folder would do as the place; this one is on every host and nothing here needs what it hides.
    let place = Path::new("/mnt");
    mount_bind(place, place)?;
    let output = Command::new("mount")
        .args(how)
        .arg(path)
        .arg(place)
        .env("PATH", tools::PATH)
        .env("LC_ALL", "C")
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let result = work(place);
    // Unmounted here and not left to the kernel, so that everything is on the volume when this returns.
    unmount_once_free(place)?;
    Ok(result)
}

/// Unmounts as soon as nobody holds a file of it open. A process that another thread is just about to execute holds copies of
/// all that is open here until it has; the kernel tells nobody when that is over.
fn unmount_once_free(place: &Path) -> io::Result<()> {
    let deadline = Instant::now() + HELD;
    loop {
        match unmount(place, UnmountFlags::empty()) {
            Err(Errno::BUSY) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            done => return Ok(done?),
        }
    }
}

#[expect(unsafe_code, reason = "unshare(2)")]
fn private_mounts() -> io::Result<()> {
    // SAFETY: a new mount namespace changes no descriptors and no memory.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    Ok(())
}
