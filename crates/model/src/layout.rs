use crate::{DropIn, GuestKind, NodeName, Upid, Vmid};
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

    /// Three lower-case letters that mark this root's names where the kernel has one space of names for all: interfaces,
    /// shared memory, abstract sockets. None for the host's own root, whose names are Proxmox VE's.
    #[must_use]
    pub fn tag(&self) -> Option<String> {
        // Prefixes that mean something to Proxmox VE's tools, or to somebody who reads a list of interfaces.
        const TAKEN: [&str; 8] = ["tap", "vet", "fwb", "fwl", "fwp", "vmb", "eth", "bon"];
        if self.is_host() {
            return None;
        }
        // FNV-1a: the tag is the same in every process and every build.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in self.root.as_os_str().as_encoded_bytes() {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        loop {
            let tag: String = [hash >> 40, hash >> 24, hash >> 8]
                .map(|part| char::from(b'a' + (part % 26) as u8))
                .iter()
                .collect();
            if !TAKEN.contains(&tag.as_str()) {
                return Some(tag);
            }
            hash = hash.wrapping_mul(0x0100_0000_01b3).wrapping_add(1);
        }
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

    /// The folder of secrets, which is its owner's alone.
    #[must_use]
    pub fn private(&self) -> PathBuf {
        self.pve().join("priv")
    }

    /// The users with their tokens, groups, pools, roles and access control lists.
    #[must_use]
    pub fn user_cfg(&self) -> PathBuf {
        self.pve().join("user.cfg")
    }

    /// The realms that users belong to.
    #[must_use]
    pub fn domains_cfg(&self) -> PathBuf {
        self.pve().join("domains.cfg")
    }

    /// The hashes of passwords of the realm `pve`.
    #[must_use]
    pub fn shadow_cfg(&self) -> PathBuf {
        self.private().join("shadow.cfg")
    }

    /// The secrets of tokens.
    #[must_use]
    pub fn token_cfg(&self) -> PathBuf {
        self.private().join("token.cfg")
    }

    /// The second factors of users.
    #[must_use]
    pub fn tfa_cfg(&self) -> PathBuf {
        self.private().join("tfa.cfg")
    }

    /// The key that signs tickets.
    #[must_use]
    pub fn ticket_key(&self) -> PathBuf {
        self.private().join("authkey.key")
    }

    /// The key that tickets are checked with, and, with `.old` after it, the one before.
    #[must_use]
    pub fn ticket_public_key(&self) -> PathBuf {
        self.pve().join("authkey.pub")
    }

    /// The key of tokens against forged requests.
    #[must_use]
    pub fn csrf_key(&self) -> PathBuf {
        self.pve().join("pve-www.key")
    }

    /// Which hookscripts others than root may set, and where they did.
    #[must_use]
    pub fn approvals(&self) -> PathBuf {
        self.state().join("approvals")
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

    /// The folder of sockets at which somebody waits for a keeper that systemd starts.
    #[must_use]
    pub fn cradles(&self) -> PathBuf {
        self.run().join("cradle")
    }

    /// The keeper's control socket.
    #[must_use]
    pub fn control_socket(&self, vmid: Vmid) -> PathBuf {
        self.run_guest(vmid).join("control")
    }

    /// The records of a guest that its journal has not taken yet.
    #[must_use]
    pub fn unsent_records(&self, vmid: Vmid) -> PathBuf {
        self.run().join(format!("{vmid}.unsent"))
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

    /// The start that follows the run of a guest, where one is owed.
    #[must_use]
    pub fn next_start(&self, vmid: Vmid) -> PathBuf {
        self.runs().join(format!("{vmid}.next"))
    }

    /// The folder of a guest's ended runs, a ledger each.
    #[must_use]
    pub fn history(&self, vmid: Vmid) -> PathBuf {
        self.state().join("history").join(vmid.to_string())
    }

    /// The folder of what hookscripts were run with: files named by the SHA-256 of what is in them.
    #[must_use]
    pub fn kept(&self) -> PathBuf {
        self.state().join("kept")
    }

    /// The random value that names this boot of the host.
    #[must_use]
    pub fn instance(&self) -> PathBuf {
        self.run().join("instance")
    }

    /// The random value that names this root for good.
    #[must_use]
    pub fn root_id(&self) -> PathBuf {
        self.state().join("id")
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

    /// hookvisor's own settings: limits and parameters of hookscripts.
    #[must_use]
    pub fn hooks_conf(&self) -> PathBuf {
        self.at("etc/hookvisor/hooks.conf")
    }

    /// The folder of hookscripts for all guests.
    #[must_use]
    pub fn hooks_d(&self) -> PathBuf {
        self.at("etc/hookvisor/hooks.d")
    }

    /// The folder of further hookscripts for one guest.
    #[must_use]
    pub fn guest_hooks_d(&self, vmid: Vmid) -> PathBuf {
        self.hooks_d().join(vmid.to_string())
    }

    /// The file of a drop-in.
    #[must_use]
    pub fn drop_in(&self, drop_in: &DropIn) -> PathBuf {
        let folder = drop_in.guest().map_or_else(|| self.hooks_d(), |vmid| self.guest_hooks_d(vmid));
        folder.join(drop_in.name())
    }

    /// The host's end of a guest's network interface `net<index>`: Proxmox VE's name in the host's own root, with the root's
    /// tag elsewhere.
    #[must_use]
    pub fn interface(&self, kind: GuestKind, vmid: Vmid, index: u32) -> String {
        let usual = match kind {
            GuestKind::Qemu => "tap",
            GuestKind::Lxc => "veth",
        };
        format!("{}{vmid}i{index}", self.tag().as_deref().unwrap_or(usual))
    }

    /// LXC's folder of containers.
    #[must_use]
    pub fn lxc(&self) -> PathBuf {
        self.at("var/lib/lxc")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_root_but_the_hosts_has_a_tag_of_its_own() {
        assert_eq!(Layout::new("/").tag(), None);
        let tags: std::collections::BTreeSet<String> =
            (0..100).map(|n| Layout::new(format!("/tmp/root-{n}")).tag().unwrap()).collect();
        assert!(tags.len() > 95, "{tags:?}");
        assert!(tags.iter().all(|tag| tag.len() == 3 && tag.bytes().all(|b| b.is_ascii_lowercase())));
        assert_eq!(Layout::new("/tmp/a").tag(), Layout::new("/tmp/a").tag());
    }
}
