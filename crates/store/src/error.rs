use model::{GuestKind, InvalidId, NodeName, StorageId, Vmid};
use std::io;
use std::path::{Path, PathBuf};

/// Why something could not be read, changed or locked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The root holds no configuration.
    #[error("no configuration in '{}': lay it out with 'hookvisor init'", path.display())]
    NoLayout {
        /// The folder that was looked for.
        path: PathBuf,
    },
    /// A real Proxmox VE is on this host.
    #[error("this host runs Proxmox VE ('{}' is there): use another root (HOOKVISOR_ROOT)", sign.display())]
    RealProxmox {
        /// What gives it away.
        sign: PathBuf,
    },
    /// The link to the node's folder names no node.
    #[error("link '{}' does not lead to a node's folder", path.display())]
    Node {
        /// The link.
        path: PathBuf,
        /// What is wrong with the name.
        source: InvalidId,
    },
    /// The guest has no configuration.
    #[error("Configuration file '{name}' does not exist")]
    NoConfig {
        /// The file, relative to `/etc/pve`.
        name: String,
    },
    /// The number is taken.
    #[error("{}{} {vmid} already exists on node '{node}'", refusal(*.wanted, *.vmid), kind.label())]
    Exists {
        /// The number.
        vmid: Vmid,
        /// The kind of guest that was to be created.
        wanted: GuestKind,
        /// The kind of guest that has it.
        kind: GuestKind,
        /// The node that has it.
        node: NodeName,
    },
    /// No number is free.
    #[error("unable to get any free VMID in range [{lower}, {upper})")]
    NoFreeVmid {
        /// The lowest number that was looked at.
        lower: u32,
        /// The number that is the first one above.
        upper: u32,
    },
    /// The lock was held by others for too long.
    #[error("can't lock file '{}' - got timeout", path.display())]
    LockTimeout {
        /// The lock's file.
        path: PathBuf,
    },
    /// A virtual machine's configuration was changed since it was read.
    #[error("checksum mismatch (file change by other user?)")]
    Checksum {
        /// The file.
        path: PathBuf,
    },
    /// Another configuration was changed since it was read.
    #[error("detected modified configuration - file changed by other user? Try again.")]
    Modified {
        /// The file.
        path: PathBuf,
    },
    /// A value would break the file.
    #[error(transparent)]
    Newline(#[from] config::guest::InvalidNewline),
    /// There is no such storage.
    #[error("storage '{0}' does not exist")]
    NoStorage(StorageId),
    /// The system refused.
    #[error("cannot {action} '{}'", path.display())]
    Io {
        /// What was to be done.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl StoreError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}

/// Proxmox VE says more for virtual machines.
fn refusal(wanted: GuestKind, vmid: Vmid) -> String {
    match wanted {
        GuestKind::Qemu => format!("unable to create VM {vmid} - "),
        GuestKind::Lxc => String::new(),
    }
}
