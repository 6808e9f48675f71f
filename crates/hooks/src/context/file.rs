//! The context as a file.

use super::Context;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The context of a call cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write '{path}': {source}")]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// Writes the context of a call called `name` into the run's folder, for its owner alone, and says where it is.
///
/// The file is replaced as a whole, so that a child which an earlier call of that name left behind reads either. It is not
/// made to last: a loss of power takes the run's folder with it.
///
/// # Errors
/// Those of writing the file; none is left then, or the earlier one.
pub fn write(context: &Context, folder: &Path, name: &str) -> Result<PathBuf, WriteError> {
    let path = folder.join(format!("{name}.json"));
    let new = folder.join(format!(".{name}.json.{}.new", std::process::id()));
    let written = write_beside(context, &new).and_then(|()| fs::rename(&new, &path));
    match written {
        Ok(()) => Ok(path),
        Err(source) => {
            // Nothing more can be done about it; its name shows what it is.
            _ = fs::remove_file(&new);
            Err(WriteError { path, source })
        }
    }
}

fn write_beside(context: &Context, new: &Path) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(context)?;
    text.push(b'\n');
    // Left behind by a process of the same pid that died here.
    match fs::remove_file(new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?.write_all(&text)
}

/// Removes the context of a call that nobody needs any more.
pub fn remove(folder: &Path, name: &str) {
    // What is left goes with the run's folder.
    _ = fs::remove_file(folder.join(format!("{name}.json")));
}
