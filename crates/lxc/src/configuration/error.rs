use config::property::PropertyError;

/// Why a container's configuration cannot be made into LXC's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// An option that every container needs.
    #[error("{key}: the option is missing")]
    Missing {
        /// The option.
        key: String,
    },
    /// A property string that cannot be read.
    #[error("{key}: {source}")]
    Property {
        /// The option.
        key: String,
        /// What is wrong with it.
        source: PropertyError,
    },
    /// A value of the wrong form.
    #[error("{key}: value '{value}' is not valid: expected {expected}")]
    Value {
        /// The option, with the part of it: `net0.ip`.
        key: String,
        /// The value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A value that no line of LXC's configuration can hold.
    #[error("{key}: value has a line break or another control character, or is not UTF-8")]
    Unprintable {
        /// The option, or LXC's key.
        key: String,
    },
    /// An option that cannot be honoured.
    #[error("{key}: {why}")]
    Unsupported {
        /// The option, with the part of it.
        key: String,
        /// Why.
        why: &'static str,
    },
    /// Quotas need real root; Proxmox VE's text.
    #[error("Quotas are not supported by unprivileged containers.")]
    Quota,
    /// A volume whose place is not known.
    #[error("{key}: volume '{volume}' has not been resolved")]
    Unresolved {
        /// The option.
        key: String,
        /// Its volume.
        volume: String,
    },
    /// A bridge that is not there; Proxmox VE's text.
    #[error("bridge '{bridge}' does not exist")]
    NoBridge {
        /// The option.
        key: String,
        /// The bridge.
        bridge: String,
    },
    /// VLANs on a bridge that does not filter them.
    #[error(
        "{key}: bridge '{bridge}' is not VLAN aware (vlan_filtering), so VLANs cannot be set on its ports"
    )]
    NoVlans {
        /// The option.
        key: String,
        /// The bridge.
        bridge: String,
    },
    /// A name that is too long for a network interface.
    #[error("{key}: the host's side would be called '{name}', which is longer than 15 characters")]
    InterfaceName {
        /// The option.
        key: String,
        /// The name.
        name: String,
    },
    /// A device that is not there, or is no device.
    #[error("{key}: '{path}' is not a device of this host")]
    NoDevice {
        /// The option.
        key: String,
        /// Its path.
        path: String,
    },
    /// A limit that this kernel cannot set.
    #[error("{key}: this kernel offers no control group controller '{controller}'")]
    NoController {
        /// The option.
        key: String,
        /// The controller.
        controller: &'static str,
    },
    /// The host's ids for unprivileged containers are not reserved.
    #[error(
        "unprivileged: root may not use the ids of unprivileged containers: the line '{}' is missing in /etc/subuid or \
         /etc/subgid",
        crate::subid::LINE
    )]
    NoIdMap,
    /// A raw setting that hookvisor makes itself.
    #[error("{key}: cannot be set here, {hint}")]
    Managed {
        /// LXC's key.
        key: String,
        /// What to do instead.
        hint: &'static str,
    },
}
