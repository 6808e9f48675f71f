//! The folders in which the tests work, below the one of the machine's disks: a run that was cut short leaves them to the
//! next, which begins by taking them away.

use crate::prepared;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Goes to where all of them are. They are named from there, as a socket's path must be short.
pub(crate) fn enter() {
    let Some(place) = place() else { return };
    let _ = fs::remove_dir_all(&place);
    let entered = fs::create_dir(&place).and_then(|()| std::env::set_current_dir(&place));
    entered.unwrap_or_else(|error| panic!("{}: {error}", place.display()));
}

/// Takes all of them away.
pub(crate) fn leave() {
    if let Some(place) = place() {
        let _ = fs::remove_dir_all(place);
    }
}

fn place() -> Option<PathBuf> {
    prepared::folder().map(|folder| folder.join("run"))
}

/// A folder that is gone when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let folder = Self(NEXT.fetch_add(1, Ordering::Relaxed).to_string().into());
        fs::create_dir(&folder.0).expect("a folder can be made");
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
