//! Refusals by the state of a guest or a storage, a variant a reason, in Proxmox VE's words (api.md 3.1, oracle.md).

use model::{GuestKind, NodeName, StorageId, Vmid};

/// Why something is not done now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing runs that could be acted on.
    #[error("{} {vmid} not running", kind.label())]
    NotRunning {
        /// Its kind.
        kind: GuestKind,
        /// The guest.
        vmid: Vmid,
    },
    /// A reboot of a container that does not run is refused in the words for a VM (api.md 3.1).
    #[error("VM {0} not running")]
    NoReboot(Vmid),
    /// It runs already.
    #[error("{} {vmid} already running", kind.label())]
    AlreadyRunning {
        /// Its kind.
        kind: GuestKind,
        /// The guest.
        vmid: Vmid,
    },
    /// `pct exec` and `pct enter` need a running container.
    #[error("container '{0}' not running!")]
    ContainerNotRunning(Vmid),
    /// Its configuration carries a lock.
    #[error("{} is locked ({lock})", kind.label())]
    Locked {
        /// Its kind.
        kind: GuestKind,
        /// The lock's name.
        lock: String,
    },
    /// A virtual machine's configuration is not on this node.
    #[error("unable to find configuration file for VM {vmid} on node '{node}'")]
    NoVmHere {
        /// The guest.
        vmid: Vmid,
        /// This node.
        node: NodeName,
    },
    /// No guest has this VMID.
    #[error("guest {0} does not exist")]
    NoGuest(Vmid),
    /// A paused virtual machine cannot obey.
    #[error("VM is paused - cannot shutdown")]
    Paused,
    /// It has to be stopped first.
    #[error("VM {0} is running - destroy failed")]
    VmRuns(Vmid),
    /// It has to be stopped first.
    #[error("unable to destroy CT {0} - container is running")]
    ContainerRuns(Vmid),
    /// The configuration says `protection: 1`.
    #[error("can't remove {} {vmid} - protection mode enabled", kind.label())]
    Protected {
        /// Its kind.
        kind: GuestKind,
        /// The guest.
        vmid: Vmid,
    },
    /// Its hooks of the last run have not ended.
    #[error("{} {vmid} is busy: its {phase} runs", kind.label())]
    Busy {
        /// Its kind.
        kind: GuestKind,
        /// The guest.
        vmid: Vmid,
        /// What runs.
        phase: String,
    },
    /// Something is mounted where files are to be removed.
    #[error("'{0}' is still mounted")]
    Mounted(String),
    /// An update that says nothing.
    #[error("no options specified")]
    NoOptions,
    /// A virtual machine's configuration changed since the caller read it.
    #[error("checksum mismatch (file change by other user?)")]
    VmDigest,
    /// A container's configuration changed since the caller read it.
    #[error("detected modified configuration - file changed by other user? Try again.")]
    CtDigest,
    /// A key is both set and deleted, or set and reverted.
    #[error("you can't use '-{key}' and '-{list} {key}' at the same time")]
    SetAndDelete {
        /// The key.
        key: String,
        /// `delete` or `revert`.
        list: &'static str,
    },
    /// A hookscript that could not run.
    #[error("{0}")]
    Hookscript(String),
    /// A key that only root@pam may touch.
    #[error("only root can set '{0}' config")]
    RootOnly(String),
    /// A change of a configuration.
    #[error(transparent)]
    Change(#[from] config::pending::Refused),
    /// A snapshot that is not there.
    #[error("snapshot '{0}' does not exist")]
    NoSnapshot(String),
    /// The storage does not take this kind of content.
    #[error("storage '{storage}' does not support {content}")]
    StorageContent {
        /// The storage.
        storage: StorageId,
        /// What was to be put there.
        content: &'static str,
    },
    /// A value that is none of what a list allows.
    #[error("unable to parse {what} '{value}'")]
    Unparsable {
        /// What it should be.
        what: &'static str,
        /// What was given.
        value: String,
    },
    /// No hookscript runs that could be aborted.
    #[error("no hookscript runs for {} {vmid}", kind.label())]
    NoHook {
        /// Its kind.
        kind: GuestKind,
        /// The guest.
        vmid: Vmid,
    },
    /// The configuration makes no command line.
    #[error("{0}")]
    CommandLine(String),
    /// Waiting for the guest's end took too long.
    #[error("wait failed - got timeout")]
    WaitTimeout,
    /// This build or host lacks something.
    #[error("{0}")]
    Missing(String),
}
