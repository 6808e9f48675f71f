use model::{Layout, Vmid};
use std::path::PathBuf;

/// Where the files of one container at run time lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The folder of LXC's containers, `lxc-start -P`.
    pub lxc: PathBuf,
    /// This container's folder in it.
    pub folder: PathBuf,
    /// LXC's configuration, which each start writes anew.
    pub config: PathBuf,
    /// The seccomp rules of an unprivileged container.
    pub seccomp: PathBuf,
    /// Where a root file system is mounted that is no folder; only inside lxc-start's mount namespace.
    pub rootfs: PathBuf,
    /// Where mount points are mounted before the container binds them; only inside that namespace, too.
    pub stage: PathBuf,
    /// What LXC's hooks have reported, a line each.
    pub signals: PathBuf,
    /// The FIFO that wakes whoever waits for a report.
    pub wake: PathBuf,
    /// LXC's log of this start.
    pub log: PathBuf,
    /// What the programs said that LXC's hooks ran in this start.
    pub hook_errors: PathBuf,
}

impl Paths {
    /// The paths of a container below a root.
    #[must_use]
    pub fn new(layout: &Layout, vmid: Vmid) -> Self {
        let lxc = layout.lxc();
        let folder = lxc.join(vmid.to_string());
        let run = layout.run_guest(vmid);
        Self {
            config: folder.join("config"),
            seccomp: folder.join("rules.seccomp"),
            rootfs: folder.join("rootfs"),
            stage: folder.join("mounts"),
            signals: run.join("lxc.signals"),
            wake: run.join("lxc.wake"),
            log: run.join("lxc.log"),
            hook_errors: run.join("lxc.stderr"),
            lxc,
            folder,
        }
    }
}
