use crate::replace::replace;
use crate::{ConfigStore, StoreError};
use config::storage_cfg::{self, StorageCfg, StorageWarning};
use std::fs::{self, File};
use std::io;
use std::path::Path;

impl ConfigStore {
    /// Reads the storage configuration. Without a file only `local` is there.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn storage_cfg(&self) -> Result<StorageCfg, StoreError> {
        self.storage_cfg_with_warnings().map(|(cfg, _)| cfg)
    }

    /// Reads the storage configuration, with what is to be said about it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn storage_cfg_with_warnings(&self) -> Result<(StorageCfg, Vec<StorageWarning>), StoreError> {
        Ok(storage_cfg::parse(&read(&self.layout().storage_cfg())?))
    }

    /// Changes the storage configuration in one step that others cannot come in between, and writes it.
    ///
    /// # Errors
    /// What `change` refuses, and what the system does; what was there stays.
    pub fn change_storage_cfg<T, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&mut StorageCfg) -> Result<T, E>,
    ) -> Result<T, E> {
        let _guard = self.storage_lock()?;
        let mut cfg = self.storage_cfg()?;
        let result = change(&mut cfg)?;
        self.replace_storage_cfg(&cfg)?;
        Ok(result)
    }

    /// Writes the storage configuration. With `expected`, the digest that was read, an edit from outside since then
    /// is not overwritten.
    ///
    /// # Errors
    /// The file was changed or cannot be written; what was there stays.
    pub fn write_storage_cfg(&self, cfg: &StorageCfg, expected: Option<&str>) -> Result<(), StoreError> {
        let _guard = self.storage_lock()?;
        let path = self.layout().storage_cfg();
        let there = read(&path)?;
        if expected.is_some_and(|expected| expected != config::digest(&there)) {
            return Err(StoreError::Modified { path });
        }
        self.replace_storage_cfg(cfg)
    }

    /// A lock of its own, on the folder: the file itself is replaced.
    fn storage_lock(&self) -> Result<File, StoreError> {
        let folder = self.layout().pve();
        let file = File::open(&folder).map_err(|source| StoreError::io("open", &folder, source))?;
        file.lock().map_err(|source| StoreError::io("lock", &folder, source))?;
        Ok(file)
    }

    fn replace_storage_cfg(&self, cfg: &StorageCfg) -> Result<(), StoreError> {
        let path = self.layout().storage_cfg();
        replace(&path, &storage_cfg::print(cfg), 0o640)
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
