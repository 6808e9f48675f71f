use crate::{GuestKind, NodeName, Upid, Vmid};
use std::path::{Path, PathBuf};

/// Where everything lies below the root, which `HOOKVISOR_ROOT` moves (docs/design.md, "Files").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout below `root`, an absolute path.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The root itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether this is the host's own root.
    #[must_use]
    pub fn is_host(&self) -> bool {
        self.root == Path::new("/")
    }

    /// A path that is absolute in the documentation, below this root.
    #[must_use]
    pub fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The folder of Proxmox VE's configuration.
    #[must_use]
    pub fn pve(&self) -> PathBuf {
        self.at("etc/pve")
    }

    /// A guest's configuration file, relative to [`Layout::pve`], as messages name it.
    #[must_use]
    pub fn guest_config_name(node: &NodeName, kind: GuestKind, vmid: Vmid) -> String {
        format!("nodes/{node}/{}/{vmid}.conf", kind.config_dir())
    }

    /// A guest's configuration file.
    #[must_use]
    pub fn guest_config(&self, node: &NodeName, kind: GuestKind, vmid: Vmid) -> PathBuf {
        self.pve().join(Self::guest_config_name(node, kind, vmid))
    }

    /// The lock file that guards a guest's configuration (lifecycle.md 2.1 and 3.1).
    #[must_use]
    pub fn config_lock(&self, kind: GuestKind, vmid: Vmid) -> PathBuf {
        match kind {
            GuestKind::Qemu => self.at(format!("var/lock/qemu-server/lock-{vmid}.conf")),
            GuestKind::Lxc => self.at(format!("run/lock/lxc/pve-config-{vmid}.lock")),
        }
    }

    /// The storage configuration.
    #[must_use]
    pub fn storage_cfg(&self) -> PathBuf {
        self.pve().join("storage.cfg")
    }

    /// The folder of pid files and sockets of virtual machines, where hookscripts expect them.
    #[must_use]
    pub fn run_qemu(&self) -> PathBuf {
        self.at("run/qemu-server")
    }

    /// A file of a virtual machine at run time: `pid`, `qmp`, `qga`, `vnc`, `serial0` …
    #[must_use]
    pub fn run_qemu_file(&self, vmid: Vmid, suffix: &str) -> PathBuf {
        self.run_qemu().join(format!("{vmid}.{suffix}"))
    }

    /// The folder for hookvisor's own state of this boot.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.at("run/hookvisor")
    }

    /// The folder of one guest's sockets and FIFOs.
    #[must_use]
    pub fn run_guest(&self, vmid: Vmid) -> PathBuf {
        self.run().join(vmid.to_string())
    }

    /// The keeper's control socket.
    #[must_use]
    pub fn control_socket(&self, vmid: Vmid) -> PathBuf {
        self.run_guest(vmid).join("control")
    }

    /// The keeper's own monitor of a virtual machine.
    #[must_use]
    pub fn monitor_socket(&self, vmid: Vmid) -> PathBuf {
        self.run_guest(vmid).join("monitor")
    }

    /// The folder of hookvisor's own state that outlives a boot.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.at("var/lib/hookvisor")
    }

    /// The folder of ledgers of runs that have not ended.
    #[must_use]
    pub fn runs(&self) -> PathBuf {
        self.state().join("runs")
    }

    /// The ledger of a guest's run.
    #[must_use]
    pub fn ledger(&self, vmid: Vmid) -> PathBuf {
        self.runs().join(format!("{vmid}.jsonl"))
    }

    /// The file whose lock the keeper of a guest holds for the whole run.
    #[must_use]
    pub fn run_lock(&self, vmid: Vmid) -> PathBuf {
        self.runs().join(format!("{vmid}.lock"))
    }

    /// The folder of a guest's ended runs, a ledger each.
    #[must_use]
    pub fn history(&self, vmid: Vmid) -> PathBuf {
        self.state().join("history").join(vmid.to_string())
    }

    /// The random value that names this boot of the host.
    #[must_use]
    pub fn instance(&self) -> PathBuf {
        self.run().join("instance")
    }

    /// The folder of task logs, their index and the list of active ones.
    #[must_use]
    pub fn tasks(&self) -> PathBuf {
        self.at("var/log/pve/tasks")
    }

    /// The log of one task.
    #[must_use]
    pub fn task_log(&self, upid: &Upid) -> PathBuf {
        self.tasks().join(upid.folder()).join(upid.to_string())
    }

    /// The record that is kept where no journal is.
    #[must_use]
    pub fn fallback_record(&self) -> PathBuf {
        self.at("var/log/hookvisor/records.jsonl")
    }

    /// LXC's folder of containers.
    #[must_use]
    pub fn lxc(&self) -> PathBuf {
        self.at("var/lib/lxc")
    }
}
