use crate::Problem;
use model::{ContentType, VolumeId};
use rustix::fs::{Access, access};
use std::path::{Path, PathBuf};
use storage::Storages;

/// Finds the file of a hookscript and checks it, in Proxmox VE's order: content type, regular file, executable
/// (lifecycle.md 1.1). May hang as long as the storage does.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn locate(storages: &Storages, script: &VolumeId) -> Result<PathBuf, Problem> {
    let volume = storages.path(script).map_err(|error| Problem::Storage(error.to_string()))?;
    if volume.content != ContentType::Snippets {
        return Err(Problem::NotASnippet(script.to_string()));
    }
    check(script, &volume.path)?;
    Ok(volume.path)
}

/// Checks the file of a hookscript.
///
/// # Errors
/// [`Problem::NotFound`] and [`Problem::NotExecutable`].
pub fn check(script: &VolumeId, path: &Path) -> Result<(), Problem> {
    if !path.metadata().is_ok_and(|file| file.is_file()) {
        return Err(Problem::NotFound(script.to_string()));
    }
    // The effective user's view, as execve(2) will have it: for root any of the three bits will do.
    access(path, Access::EXEC_OK).map_err(|_| Problem::NotExecutable(script.to_string()))
}
