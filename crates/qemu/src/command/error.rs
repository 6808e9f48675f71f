use super::facts::LookupError;

/// Why no command line can be made of a configuration. Nothing has been touched then.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A value cannot be read.
    #[error("unable to parse value of '{key}' - {why}")]
    Invalid {
        /// The option.
        key: String,
        /// What is wrong with its value.
        why: String,
    },
    /// A property string cannot be read.
    #[error("unable to parse value of '{key}' - {source}")]
    Property {
        /// The option.
        key: String,
        /// What is wrong with its value.
        source: config::property::PropertyError,
    },
    /// The option asks for something that is not done here.
    #[error("option '{key}' cannot be honoured: {what}")]
    Unsupported {
        /// The option.
        key: String,
        /// What it asks for, and why it is not to be had.
        what: String,
    },
    /// The option needs something that this host does not have.
    #[error("option '{key}' cannot be honoured on this host: {missing}")]
    Missing {
        /// The option.
        key: String,
        /// What is missing.
        missing: String,
    },
    /// Hardware virtualisation is configured, which it is by default, but the host has none.
    #[error(
        "KVM virtualisation configured, but not available. Either disable in VM configuration or enable in BIOS."
    )]
    NoKvm,
    /// More virtual CPUs than the host has CPUs.
    #[error("MAX {allowed} vcpus allowed per VM on this node")]
    TooManyCpus {
        /// The CPUs of the host.
        allowed: u32,
    },
    /// The machine's version is not known to the QEMU that is installed.
    #[error(
        "Installed QEMU version '{installed}' is too old to run machine type '{machine}', please upgrade node '{node}'"
    )]
    MachineTooNew {
        /// The version of QEMU.
        installed: String,
        /// The machine that the configuration names.
        machine: String,
        /// This host.
        node: String,
    },
    /// The nodes' memory does not add up.
    #[error("total memory for NUMA nodes must be equal to vm static memory")]
    NumaMemory,
    /// Huge pages come with NUMA nodes only.
    #[error("numa needs to be enabled to use hugepages")]
    HugepagesWithoutNuma,
    /// A volume cannot be had; the storage's own words.
    #[error("{source}")]
    Volume {
        /// The option that names it.
        key: String,
        /// What the storage says.
        source: LookupError,
    },
    /// A socket's path is longer than the kernel takes, and the folder was not given as a descriptor.
    #[error("path of socket '{path}' is longer than the 107 bytes that the kernel takes")]
    SocketPath {
        /// The path.
        path: String,
    },
}

impl CommandError {
    pub(super) fn invalid(key: &str, why: impl Into<String>) -> Self {
        Self::Invalid { key: key.to_owned(), why: why.into() }
    }

    pub(super) fn unsupported(key: &str, what: impl Into<String>) -> Self {
        Self::Unsupported { key: key.to_owned(), what: what.into() }
    }

    pub(super) fn missing(key: &str, missing: impl Into<String>) -> Self {
        Self::Missing { key: key.to_owned(), missing: missing.into() }
    }
}
