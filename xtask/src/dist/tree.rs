//! A folder that is filled with what is shipped. Modes are as they will be, whatever the umask is.

use crate::run::{command, show};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// The folder.
pub(super) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// An empty one, in the place of what was there.
    pub(super) fn new(root: PathBuf) -> Result<Self, String> {
        if root.exists() {
            fs::remove_dir_all(&root).map_err(|error| failed(&root, &error))?;
        }
        fs::create_dir_all(&root).map_err(|error| failed(&root, &error))?;
        set_mode(&root, 0o755)?;
        Ok(Self { root })
    }

    /// The folder.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Makes a folder.
    pub(super) fn folder(&self, path: &str) -> Result<PathBuf, String> {
        let mut folder = self.root.clone();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            folder.push(part);
            if !folder.is_dir() {
                fs::create_dir(&folder).map_err(|error| failed(&folder, &error))?;
                set_mode(&folder, 0o755)?;
            }
        }
        Ok(folder)
    }

    /// Writes a file that is read.
    pub(super) fn file(&self, path: &str, content: impl AsRef<[u8]>) -> Result<(), String> {
        self.write(path, content.as_ref(), 0o644)
    }

    /// Writes a file that is run.
    pub(super) fn executable(&self, path: &str, content: impl AsRef<[u8]>) -> Result<(), String> {
        self.write(path, content.as_ref(), 0o755)
    }

    /// Copies a program without its symbols.
    pub(super) fn program(&self, path: &str, from: &Path) -> Result<(), String> {
        self.executable(path, read(from)?)?;
        let copy = self.root.join(path);
        show(&mut command("strip", &["--strip-all", "--remove-section=.comment", &copy.to_string_lossy()]))
    }

    /// Makes a link.
    pub(super) fn link(&self, path: &str, to: &str) -> Result<(), String> {
        let path = self.place(path)?;
        symlink(to, &path).map_err(|error| failed(&path, &error))
    }

    /// Compresses a file as `PATH.gz`.
    pub(super) fn compress(&self, path: &str) -> Result<(), String> {
        show(&mut command("gzip", &["--best", "--no-name", &self.root.join(path).to_string_lossy()]))
    }

    /// All files, links and folders with their paths from here, sorted.
    pub(super) fn walk(&self) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).map_err(|error| failed(&folder, &error))? {
                let path = entry.map_err(|error| failed(&folder, &error))?.path();
                let own = path.strip_prefix(&self.root).unwrap_or(&path);
                found.push(own.to_string_lossy().into_owned());
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                }
            }
        }
        found.sort();
        Ok(found)
    }

    fn write(&self, path: &str, content: &[u8], mode: u32) -> Result<(), String> {
        let path = self.place(path)?;
        fs::write(&path, content).map_err(|error| failed(&path, &error))?;
        set_mode(&path, mode)
    }

    fn place(&self, path: &str) -> Result<PathBuf, String> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok(self.folder(folder)?.join(name))
    }
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// Reads a text.
pub(super) fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn set_mode(path: &Path, mode: u32) -> Result<(), String> {
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(|error| failed(path, &error))
}

/// Says what could not be made.
pub(super) fn failed(path: &Path, error: &std::io::Error) -> String {
    format!("cannot make {}: {error}", path.display())
}
