//! Reads and replaces the files below `/etc/pve`, under Proxmox VE's locks, and lays out an empty root.
//!
//! Guests are changed by reading, changing and writing back under the guest's lock, with the digest that was read:
//! an edit from outside in between is refused, never lost.

mod access;
mod cache;
mod error;
mod guests;
mod init;
mod lock;
mod replace;
mod sections;
mod settings;
mod storages;

pub use access::{AccessLock, secrets_path};
pub use cache::{Cached, FileCache};
pub use error::StoreError;
pub use init::{Done, InitError, init_root, refuse_real_proxmox};
pub use lock::ConfigLock;
pub use replace::replace;

use model::{Layout, NodeName};

/// The configuration below one root.
#[derive(Debug, Clone)]
pub struct ConfigStore {
    layout: Layout,
    node: NodeName,
}

impl ConfigStore {
    /// Opens the configuration of a root that has been laid out. The node is the one that the link `etc/pve/local`
    /// names.
    ///
    /// # Errors
    /// No layout is there, or a real Proxmox VE is.
    pub fn open(layout: Layout) -> Result<Self, StoreError> {
        refuse_real_proxmox(&layout)?;
        let link = layout.pve().join("local");
        let target = match std::fs::read_link(&link) {
            Ok(target) => target,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::NoLayout { path: layout.pve() });
            }
            Err(source) => return Err(StoreError::io("read the link", &link, source)),
        };
        let name = target.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let node = name.parse().map_err(|source| StoreError::Node { path: link, source })?;
        Ok(Self { layout, node })
    }

    /// The node whose guests are kept here.
    #[must_use]
    pub fn node(&self) -> &NodeName {
        &self.node
    }

    /// Where everything lies.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
}
