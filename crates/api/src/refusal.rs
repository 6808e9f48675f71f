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
    /// Users, groups, roles and tokens.
    #[error(transparent)]
    Account(#[from] crate::access::Refused),
    /// Pools.
    #[error(transparent)]
    Pool(#[from] crate::pools::Refused),
    /// The path names another node.
    #[error("no such cluster node '{0}'")]
    NoNode(String),
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
    /// Somebody else's configuration names it.
    #[error("unable to remove {} {vmid} - used in HA resources and purge parameter not set.", kind.label())]
    HighlyAvailable {
        /// Its kind.
        kind: GuestKind,
        /// The guest.
        vmid: Vmid,
    },
    /// Somebody else's configuration names it.
    #[error("There is a replication job '{job}' for guest '{vmid}' - Please remove that first.")]
    Replicated {
        /// The job.
        job: String,
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
    /// A key whose value names a device of the host, which only root@pam may give away.
    #[error("only root can set '{0}' config for real devices")]
    RootOnlyDevice(String),
    /// An approval that was never given.
    #[error("script '{0}' is not approved")]
    NotApproved(model::VolumeId),
    /// A file or device of the host where a volume should be.
    #[error("Only root can pass arbitrary filesystem paths.")]
    ArbitraryPath,
    /// A change of a configuration.
    #[error(transparent)]
    Change(#[from] config::pending::Refused),
    /// A snapshot that is not there.
    #[error("snapshot '{0}' does not exist")]
    NoSnapshot(String),
    /// No pool has this name.
    #[error("no such pool '{0}'")]
    NoPool(String),
    /// Nothing is highly available.
    #[error("no such resource '{0}'")]
    NoResource(String),
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
    /// A storage, or something on it, is not changed.
    #[error("{0}")]
    Storage(String),
    /// Waiting for the guest's end took too long.
    #[error("wait failed - got timeout")]
    WaitTimeout,
    /// This build or host lacks something.
    #[error("{0}")]
    Missing(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ApiError;

    /// Clients match on these texts.
    #[test]
    fn texts_are_those_that_clients_match_on() {
        let vmid: Vmid = "100".parse().unwrap();
        let [vm, ct] = GuestKind::ALL;
        let node = || "pve1".parse().unwrap();
        for (refusal, text) in [
            (Refusal::NotRunning { kind: vm, vmid }, "VM 100 not running"),
            (Refusal::NotRunning { kind: ct, vmid }, "CT 100 not running"),
            (Refusal::NoReboot(vmid), "VM 100 not running"),
            (Refusal::AlreadyRunning { kind: ct, vmid }, "CT 100 already running"),
            (Refusal::ContainerNotRunning(vmid), "container '100' not running!"),
            (Refusal::Locked { kind: vm, lock: "backup".into() }, "VM is locked (backup)"),
            (Refusal::Locked { kind: ct, lock: "backup".into() }, "CT is locked (backup)"),
            (
                Refusal::NoVmHere { vmid, node: node() },
                "unable to find configuration file for VM 100 on node 'pve1'",
            ),
            (Refusal::Paused, "VM is paused - cannot shutdown"),
            (Refusal::VmRuns(vmid), "VM 100 is running - destroy failed"),
            (Refusal::ContainerRuns(vmid), "unable to destroy CT 100 - container is running"),
            (Refusal::Protected { kind: vm, vmid }, "can't remove VM 100 - protection mode enabled"),
            (Refusal::NoOptions, "no options specified"),
            (Refusal::VmDigest, "checksum mismatch (file change by other user?)"),
            (Refusal::CtDigest, "detected modified configuration - file changed by other user? Try again."),
            (Refusal::RootOnly("hookscript".into()), "only root can set 'hookscript' config"),
        ] {
            let error = ApiError::from(refusal);
            assert_eq!((error.told().as_str(), error.manner().status), (text, 500));
        }
        let denied = ApiError::Denied("changing the hookscript is only allowed for root@pam".into());
        assert_eq!(
            denied.printed(),
            "403 Permission check failed (changing the hookscript is only allowed for root@pam)\n"
        );
    }
}
