//! Root file systems of containers, made from template archives or folders.
//!
//! The volume exists and is empty: a folder, or an image or device that becomes ext4. Where anything fails it is empty
//! again. An unprivileged container's files are unpacked inside its user namespace, so that their owners are right and
//! an archive can do no more than the container could.

mod archive;
mod detect;
mod files;
mod image;
mod inside;
mod interfaces;
mod password;

pub use archive::ArchiveError;
pub use detect::DetectError;
pub use files::{HostNames, Interface, Settings};
pub use image::{Mounted, with_mounted};
pub use inside::Inside;

use crate::configuration::{ConfigurationError, Source};
use crate::{Tools, fields, subid};
use config::Section;
use model::Vmid;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

/// What a root file system is made from.
#[derive(Debug, Clone, Copy)]
pub enum Template<'a> {
    /// An archive: tar, plain or packed by gzip, xz, zstd, bzip2 or lzop.
    Archive(&'a Path),
    /// A folder, which is copied.
    Folder(&'a Path),
}

/// A root file system to be made.
#[derive(Debug)]
pub struct Create<'a> {
    /// The container.
    pub vmid: Vmid,
    /// Its configuration: `unprivileged`, `rootfs`, `hostname`, `netN` and so on. Without an `ostype` it is detected.
    pub main: &'a Section,
    /// What it is made from.
    pub template: Template<'a>,
    /// The volume, which is empty.
    pub volume: &'a Source,
    /// Root's password.
    pub password: Option<&'a str>,
    /// Public keys that may log in as root, a line each.
    pub ssh_keys: Option<&'a str>,
    /// Whether it is enough that tar could unpack some of it.
    pub ignore_unpack_errors: bool,
}

/// What was found in the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The `ostype`, as configured or found.
    pub ostype: String,
    /// The `arch`, as configured or found; `amd64` where none could be.
    pub arch: String,
}

/// Why no root file system could be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The volume holds something.
    #[error("'{}' is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// An option of the container.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A program failed.
    #[error("{program} failed: {said}")]
    Program {
        /// Which.
        program: &'static str,
        /// Its own words, or how it ended.
        said: String,
    },
    /// A file of the host or of the container.
    #[error("{what} '{}': {source}", path.display())]
    File {
        /// What was done to it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A password or key that cannot be set.
    #[error("{0}")]
    Login(&'static str),
}

impl CreateError {
    fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}

/// Makes it. `say` gets Proxmox VE's lines for the task.
///
/// # Errors
/// Those of each step; the volume is empty then.
pub fn create(
    request: &Create<'_>,
    tools: &Tools,
    say: &mut dyn FnMut(&str),
) -> Result<Created, CreateError> {
    let settings = Settings::new(request.vmid, request.main)?;
    let shift = shift(request.main)?;
    let (Source::Folder(path) | Source::Image(path) | Source::Device(path)) = request.volume;
    if !is_empty(request.volume).map_err(CreateError::file("cannot read", path))? {
        return Err(CreateError::NotEmpty(path.clone()));
    }
    let result = match request.volume {
        Source::Folder(folder) => fill(request, &settings, tools, folder, shift, say),
        Source::Image(path) | Source::Device(path) => image::format(path, shift).and_then(|()| {
            // The work is done by the thread that sees the mount; this one passes its words on.
            let (lines, heard) = mpsc::channel::<String>();
            std::thread::scope(|scope| {
                let work = scope.spawn(|| {
                    let lines = lines;
                    let mut say = |line: &str| drop(lines.send(line.to_owned()));
                    let fill = |root: &Path| fill(request, &settings, tools, root, shift, &mut say);
                    with_mounted(request.volume, fill)
                });
                heard.iter().for_each(|line| say(&line));
                match work.join() {
                    Ok(result) => {
                        result.map_err(CreateError::file("cannot mount", path)).and_then(|filled| filled)
                    }
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            })
        }),
    };
    if result.is_err() {
        clear(request.volume);
    }
    result
}

/// Writes what a container's files say of its configuration ([`Settings`]) into its volume, before a start. The container
/// must not run.
///
/// # Errors
/// An option that cannot be read, or those of mounting and writing; files before the one that failed are written.
pub fn refresh(vmid: Vmid, main: &Section, volume: &Source) -> Result<(), CreateError> {
    let ostype = main.get("ostype").unwrap_or("unmanaged");
    if ostype == "unmanaged" {
        return Ok(());
    }
    let (settings, shift) = (Settings::new(vmid, main)?, shift(main)?);
    let (Source::Folder(path) | Source::Image(path) | Source::Device(path)) = volume;
    let apply = |root: &Path| settings.apply(&Inside::open(root, shift)?, ostype, &HostNames::probe());
    let failed = || CreateError::file("cannot write the settings of", path);
    if let Source::Folder(root) = volume {
        return apply(root).map_err(failed());
    }
    // Only the thread that does it sees the mount.
    let done = std::thread::scope(|scope| scope.spawn(|| with_mounted(volume, apply)).join());
    match done {
        Ok(result) => result.and_then(|applied| applied).map_err(failed()),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// The id on the volume of what is root's in the container.
fn shift(main: &Section) -> Result<u32, ConfigurationError> {
    let rootfs = main.get("rootfs").map(|value| fields::read("rootfs", value)).transpose();
    let rootfs =
        rootfs.map_err(|source| ConfigurationError::Property { key: "rootfs".to_owned(), source })?;
    let passthrough = rootfs.is_some_and(|rootfs| rootfs.get("idmap") == Some("passthrough"));
    Ok(if main.flag("unprivileged", false) && !passthrough { subid::FIRST } else { 0 })
}

fn fill(
    request: &Create<'_>,
    settings: &Settings,
    tools: &Tools,
    folder: &Path,
    shift: u32,
    say: &mut dyn FnMut(&str),
) -> Result<Created, CreateError> {
    chown(folder, Some(shift), Some(shift))
        .map_err(CreateError::file("cannot change the owner of", folder))?;
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder, mode).map_err(CreateError::file("cannot change the mode of", folder))?;
    archive::unpack(request.template, folder, shift, request.ignore_unpack_errors, tools, say)?;
    let root = Inside::open(folder, shift).map_err(CreateError::file("cannot open", folder))?;
    let ostype = request.main.get("ostype").map_or_else(|| detect::ostype(&root), str::to_owned);
    let arch = match request.main.get("arch") {
        Some(arch) => arch.to_owned(),
        None => detect::arch(&root).map(str::to_owned).unwrap_or_else(|error| {
            say(&format!("Architecture detection failed: {error}"));
            say("Falling back to amd64.");
            say("Use `pct set VMID --arch ARCH` to change.");
            "amd64".to_owned()
        }),
    };
    let within = |what| CreateError::file(what, folder);
    settings.apply(&root, &ostype, &HostNames::probe()).map_err(within("cannot write the settings of"))?;
    if let Some(password) = request.password {
        password::set(&root, password)?;
    }
    if let Some(keys) = request.ssh_keys {
        password::authorize(&root, keys)?;
    }
    Ok(Created { ostype, arch })
}

/// Whether a folder has no entry, or what could be a file system only nought.
fn is_empty(volume: &Source) -> io::Result<bool> {
    match volume {
        Source::Folder(path) => Ok(fs::read_dir(path)?.next().is_none()),
        Source::Image(path) | Source::Device(path) => {
            let mut start = Vec::new();
            io::Read::read_to_end(&mut io::Read::take(fs::File::open(path)?, 128 << 10), &mut start)?;
            Ok(start.iter().all(|byte| *byte == 0))
        }
    }
}

fn clear(volume: &Source) {
    match volume {
        Source::Folder(path) => {
            for entry in fs::read_dir(path).into_iter().flatten().flatten() {
                let path = entry.path();
                let folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let _ = if folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            }
        }
        Source::Image(path) => {
            if let Ok(file) = fs::File::options().write(true).open(path)
                && let Ok(metadata) = file.metadata()
            {
                let _ = file.set_len(0).and_then(|()| file.set_len(metadata.len()));
            }
        }
        Source::Device(path) => {
            if let Ok(mut file) = fs::File::options().write(true).open(path) {
                let _ = io::Write::write_all(&mut file, &[0; 128 << 10]);
            }
        }
    }
}
