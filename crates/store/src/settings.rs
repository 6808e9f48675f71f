use crate::replace::replace;
use crate::{ConfigStore, StoreError};
use config::settings::{self, Settings};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

impl ConfigStore {
    /// What holds for all nodes: `datacenter.cfg`. Without a file nothing is set.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn datacenter(&self) -> Result<Settings, StoreError> {
        read(&self.layout().pve().join("datacenter.cfg"))
    }

    /// Changes what holds for all nodes, in one step that nobody who uses this can come in between.
    ///
    /// # Errors
    /// The file cannot be read or written; what was there stays.
    pub fn change_datacenter(
        &self,
        set: &BTreeMap<String, String>,
        delete: &[&str],
    ) -> Result<(), StoreError> {
        let folder = self.layout().pve();
        let guard = File::open(&folder).map_err(|source| StoreError::io("open", &folder, source))?;
        guard.lock().map_err(|source| StoreError::io("lock", &folder, source))?;
        let path = folder.join("datacenter.cfg");
        let before = raw(&path)?;
        let after = settings::edit(&before, set, delete);
        if after.as_bytes() == before {
            return Ok(());
        }
        replace(&path, after.as_bytes(), 0o640).map_err(|source| StoreError::io("write", &path, source))
    }

    /// What holds for this node: `nodes/<node>/config`. Without a file nothing is set.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn node_settings(&self) -> Result<Settings, StoreError> {
        read(&self.layout().pve().join("nodes").join(self.node().as_str()).join("config"))
    }
}

fn read(path: &Path) -> Result<Settings, StoreError> {
    raw(path).map(|raw| Settings::parse(&raw))
}

fn raw(path: &Path) -> Result<Vec<u8>, StoreError> {
    match fs::read(path) {
        Ok(raw) => Ok(raw),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(StoreError::io("read", path, source)),
    }
}
