use crate::{ConfigStore, StoreError};
use config::settings::Settings;
use std::path::Path;
use std::{fs, io};

impl ConfigStore {
    /// What holds for all nodes: `datacenter.cfg`. Without a file nothing is set.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn datacenter(&self) -> Result<Settings, StoreError> {
        read(&self.layout().pve().join("datacenter.cfg"))
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
    match fs::read(path) {
        Ok(raw) => Ok(Settings::parse(&raw)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Settings::default()),
        Err(source) => Err(StoreError::io("read", path, source)),
    }
}
