//! The names and addresses that a certificate of this server must carry.

use model::NodeName;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// This node, the host, and the addresses at which the server is reached: the one it listens at, or all of the host's.
pub(crate) fn served(node: &NodeName, listen: IpAddr) -> Vec<String> {
    let mut names: BTreeSet<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    names.insert(node.to_string());
    names.insert(rustix::system::uname().nodename().to_string_lossy().into_owned());
    if listen.is_unspecified() {
        // Without the list the certificate still carries the names.
        let all = if_addrs::get_if_addrs().unwrap_or_default();
        names.extend(all.iter().map(if_addrs::Interface::ip).filter(is_reachable).map(|ip| ip.to_string()));
    } else {
        names.insert(listen.to_string());
    }
    names.into_iter().filter(|name| !name.is_empty()).collect()
}

/// A link-local IPv6 address means nothing without its interface.
fn is_reachable(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => true,
        IpAddr::V6(ip) => !ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_is_listened_at_is_named() {
        let node = "pve1".parse().unwrap();
        let names = served(&node, "192.0.2.7".parse().unwrap());
        for name in ["192.0.2.7", "127.0.0.1", "::1", "localhost", "pve1"] {
            assert!(names.iter().any(|there| there == name), "{name} in {names:?}");
        }
        assert!(!served(&node, "0.0.0.0".parse().unwrap()).iter().any(|name| name == "0.0.0.0"));
    }
}
