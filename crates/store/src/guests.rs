use crate::replace;
use crate::{ConfigLock, ConfigStore, StoreError};
use config::{GuestConfig, Warning};
use model::{GuestKind, Layout, NodeName, Vmid};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The mode of guest configurations, as Proxmox VE has it.
const MODE: u32 = 0o640;

impl ConfigStore {
    /// The kind of a guest of this node; none where there is no such guest.
    #[must_use]
    pub fn find(&self, vmid: Vmid) -> Option<GuestKind> {
        GuestKind::ALL.into_iter().find(|kind| self.path(*kind, vmid).exists())
    }

    /// The guests of this node by number.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn list(&self) -> Result<Vec<(Vmid, GuestKind)>, StoreError> {
        let mut guests = guests_of(&self.layout().pve().join("nodes").join(self.node().as_str()))?;
        guests.sort_unstable();
        Ok(guests)
    }

    /// The guests of all nodes whose configuration is here.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn list_all(&self) -> Result<Vec<(Vmid, GuestKind, NodeName)>, StoreError> {
        let nodes = self.layout().pve().join("nodes");
        let mut all = Vec::new();
        for entry in read_folder(&nodes)? {
            let Some(node) = entry.file_name().and_then(|name| name.to_str()?.parse::<NodeName>().ok())
            else {
                continue;
            };
            all.extend(guests_of(&entry)?.into_iter().map(|(vmid, kind)| (vmid, kind, node.clone())));
        }
        all.sort_unstable();
        Ok(all)
    }

    /// The lowest number from `lower` up to below `upper` that no guest of any node has.
    ///
    /// # Errors
    /// A folder that cannot be read, or no number is free.
    pub fn next_free(&self, lower: u32, upper: u32) -> Result<Vmid, StoreError> {
        let taken = self.list_all()?;
        (lower..upper)
            .filter_map(|number| Vmid::try_from(number).ok())
            .find(|vmid| taken.binary_search_by(|(there, ..)| there.cmp(vmid)).is_err())
            .ok_or(StoreError::NoFreeVmid { lower, upper })
    }

    /// Reads a guest's configuration.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn read(&self, kind: GuestKind, vmid: Vmid) -> Result<GuestConfig, StoreError> {
        self.read_with_warnings(kind, vmid).map(|(config, _)| config)
    }

    /// Reads a guest's configuration, with what is to be said about it.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn read_with_warnings(
        &self,
        kind: GuestKind,
        vmid: Vmid,
    ) -> Result<(GuestConfig, Vec<Warning>), StoreError> {
        Ok(config::parse(kind, vmid, &self.read_raw(kind, vmid)?))
    }

    /// A guest's configuration file as it is.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn read_raw(&self, kind: GuestKind, vmid: Vmid) -> Result<Vec<u8>, StoreError> {
        let path = self.path(kind, vmid);
        fs::read(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => {
                StoreError::NoConfig { name: Layout::guest_config_name(self.node(), kind, vmid) }
            }
            _ => StoreError::io("read", &path, source),
        })
    }

    /// Writes a new guest's configuration; says its digest.
    ///
    /// # Errors
    /// The number is taken by a guest of either kind on any node, or the file cannot be written.
    pub fn create(&self, lock: &ConfigLock, config: &GuestConfig) -> Result<String, StoreError> {
        config::guest::verify(config)?;
        let (kind, vmid) = (lock.kind(), lock.vmid());
        let path = self.path(kind, vmid);
        // Two kinds have two locks: the folder of all nodes guards the numbers.
        let nodes = self.layout().pve().join("nodes");
        let guard = File::open(&nodes).map_err(|source| StoreError::io("open", &nodes, source))?;
        guard.lock().map_err(|source| StoreError::io("lock", &nodes, source))?;
        let taken = self.list_all()?.into_iter().find(|(there, ..)| *there == vmid);
        if let Some((vmid, there, node)) = taken {
            return Err(StoreError::Exists { vmid, wanted: kind, kind: there, node });
        }
        let bytes = config::print(config);
        match replace::create(&path, &bytes, MODE) {
            Ok(()) => Ok(config::digest(&bytes)),
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {
                Err(StoreError::Exists { vmid, wanted: kind, kind, node: self.node().clone() })
            }
            Err(source) => Err(StoreError::io("create", &path, source)),
        }
    }

    /// Writes a guest's configuration back; says its new digest. With `expected`, the digest that was read, an edit
    /// from outside since then is not overwritten. A file whose content would not change is left alone.
    ///
    /// # Errors
    /// The file was changed, is gone, or cannot be written; what was there stays.
    pub fn write(
        &self,
        lock: &ConfigLock,
        config: &GuestConfig,
        expected: Option<&str>,
    ) -> Result<String, StoreError> {
        config::guest::verify(config)?;
        let (kind, vmid) = (lock.kind(), lock.vmid());
        let path = self.path(kind, vmid);
        let there = self.read_raw(kind, vmid)?;
        if expected.is_some_and(|expected| expected != config::digest(&there)) {
            return Err(changed(kind, path));
        }
        let bytes = config::print(config);
        if bytes != there {
            replace::replace(&path, &bytes, MODE).map_err(|source| StoreError::io("write", &path, source))?;
        }
        Ok(config::digest(&bytes))
    }

    /// Removes a guest's configuration.
    ///
    /// # Errors
    /// There is none, or it cannot be removed.
    pub fn remove(&self, lock: &ConfigLock) -> Result<(), StoreError> {
        let path = self.path(lock.kind(), lock.vmid());
        fs::remove_file(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => StoreError::NoConfig {
                name: Layout::guest_config_name(self.node(), lock.kind(), lock.vmid()),
            },
            _ => StoreError::io("remove", &path, source),
        })?;
        replace::sync_folder(&path).map_err(|source| StoreError::io("remove", &path, source))
    }

    fn path(&self, kind: GuestKind, vmid: Vmid) -> PathBuf {
        self.layout().guest_config(self.node(), kind, vmid)
    }
}

/// Proxmox VE's two kinds say it differently.
fn changed(kind: GuestKind, path: PathBuf) -> StoreError {
    match kind {
        GuestKind::Qemu => StoreError::Checksum { path },
        GuestKind::Lxc => StoreError::Modified { path },
    }
}

/// The guests whose configuration is in a node's folder.
fn guests_of(node: &Path) -> Result<Vec<(Vmid, GuestKind)>, StoreError> {
    let mut guests = Vec::new();
    for kind in GuestKind::ALL {
        for path in read_folder(&node.join(kind.config_dir()))? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            guests.extend(name.strip_suffix(".conf").and_then(|vmid| Some((vmid.parse().ok()?, kind))));
        }
    }
    Ok(guests)
}

/// The paths in a folder; nothing where it is not there.
fn read_folder(path: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let failed = |source| StoreError::io("read the folder", path, source);
    match fs::read_dir(path) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(failed(source)),
    }
}
