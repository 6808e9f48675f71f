use serde::{Deserialize, Serialize};

/// What kind of guest a VMID names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GuestKind {
    /// A QEMU virtual machine, driven by `qm`.
    Qemu,
    /// An LXC container, driven by `pct`.
    Lxc,
}

impl GuestKind {
    /// Both kinds, in the order in which they are listed.
    pub const ALL: [Self; 2] = [Self::Qemu, Self::Lxc];

    /// `qemu` or `lxc`, as in API paths and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Qemu => "qemu",
            Self::Lxc => "lxc",
        }
    }

    /// The folder of its configuration files below a node's.
    #[must_use]
    pub fn config_dir(self) -> &'static str {
        match self {
            Self::Qemu => "qemu-server",
            Self::Lxc => "lxc",
        }
    }

    /// `VM` or `CT`, as messages name it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Qemu => "VM",
            Self::Lxc => "CT",
        }
    }

    /// The prefix of its task types: `qm` or `vz`.
    #[must_use]
    pub fn task_prefix(self) -> &'static str {
        match self {
            Self::Qemu => "qm",
            Self::Lxc => "vz",
        }
    }
}
