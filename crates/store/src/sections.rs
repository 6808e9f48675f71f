use crate::replace::replace;
use crate::{ConfigStore, StoreError};
use config::sections::Sections;
use std::fs::{self, File};
use std::io;
use std::path::Path;

impl ConfigStore {
    /// What a file of sections below `/etc/pve` says; nothing where there is none.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn sections(&self, name: &str) -> Result<Sections, StoreError> {
        read(&self.layout().pve().join(name)).map(|raw| Sections::parse(&raw))
    }

    /// Changes such a file in one step that nobody who uses this can come in between. A file that would not change is left
    /// alone, and none is made.
    ///
    /// # Errors
    /// The file cannot be read or written; what was there stays.
    pub fn change_sections(&self, name: &str, change: impl FnOnce(&mut Sections)) -> Result<(), StoreError> {
        let folder = self.layout().pve();
        let guard = File::open(&folder).map_err(|source| StoreError::io("open", &folder, source))?;
        guard.lock().map_err(|source| StoreError::io("lock", &folder, source))?;
        let path = folder.join(name);
        let before = Sections::parse(&read(&path)?);
        let mut after = before.clone();
        change(&mut after);
        if after == before {
            return Ok(());
        }
        replace(&path, after.print().as_bytes(), 0o640)
            .map_err(|source| StoreError::io("write", &path, source))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    match fs::read(path) {
        Ok(raw) => Ok(raw),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(StoreError::io("read", path, source)),
    }
}
