//! Which nodes there are: one.

use crate::method::{Method, Returns, Scope, Verb};
use crate::{ApiError, Context, Params, Permission};
use serde_json::{Value, json};
use std::net::{IpAddr, UdpSocket};

/// The nodes of the cluster.
pub static GET: Method = Method {
    path: "/cluster/status",
    verb: Verb::Get,
    description: "Tells which nodes there are and whether they are up.",
    parameters: &[],
    permission: Permission::Privileges { path: "/", any_of: &["Sys.Audit"] },
    returns: Returns::List(&["id", "name", "type"]),
    protected: true,
    scope: Scope::Api,
    run: tell,
};

fn tell(context: &Context<'_>, _: &Params) -> Result<Value, ApiError> {
    let name = context.node().as_str();
    Ok(json!([{
        "id": format!("node/{name}"),
        "type": "node",
        "name": name,
        "ip": address(name).to_string(),
        "local": 1,
        "nodeid": 0,
        "online": 1,
        "level": "",
    }]))
}

/// The address by which others reach this node: what `/etc/hosts` says, else the one that it would send from.
fn address(name: &str) -> IpAddr {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let sends_from = || {
        let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
        // Nothing is sent: a connected socket has taken a route. The address is one of documentation.
        socket.connect("192.0.2.1:9").ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    in_hosts(&hosts, name).or_else(sends_from).unwrap_or(IpAddr::from([127, 0, 0, 1]))
}

/// An address of a name in a file as hosts(5) has it; one that leads to the host itself is none.
fn in_hosts(hosts: &str, name: &str) -> Option<IpAddr> {
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines.filter_map(|line| line.trim().split_once(char::is_whitespace)).find_map(|(address, names)| {
        let address: IpAddr = address.parse().ok()?;
        (names.split_whitespace().any(|known| known == name) && !address.is_loopback()).then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_hosts() {
        let hosts = "127.0.0.1 localhost pve1\n# 10.0.0.1 pve1\n10.0.0.2\tpve1.lan pve1 # this\n";
        assert_eq!(in_hosts(hosts, "pve1"), Some(IpAddr::from([10, 0, 0, 2])));
        assert_eq!(in_hosts(hosts, "pve2"), None);
        assert!(!address("pve1").is_unspecified());
    }
}
