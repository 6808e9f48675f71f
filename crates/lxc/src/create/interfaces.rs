//! A container's network files. Static addresses are set by LXC, before its init runs, whatever the files say.

use super::Interface;
use crate::configuration::Address;

/// interfaces(5): what is said of other interfaces stays.
pub(super) fn merge(old: &str, own: &[Interface]) -> String {
    let managed = |name: &str| name == "lo" || own.iter().any(|interface| interface.name == name);
    let mut kept = String::new();
    let mut dropping = false;
    for line in old.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("iface") => dropping = words.next().is_some_and(managed),
            Some(keyword) if keyword == "auto" || keyword.starts_with("allow-") => {
                dropping = false;
                let others: Vec<&str> = words.filter(|name| !managed(name)).collect();
                if !others.is_empty() {
                    kept.push_str(&format!("{keyword} {}\n", others.join(" ")));
                }
                continue;
            }
            Some(
                "mapping" | "source" | "source-directory" | "rename" | "template" | "no-auto-down"
                | "no-scripts",
            ) => {
                dropping = false;
            }
            _ => {}
        }
        // A comment may be about what follows.
        if !dropping || line.starts_with('#') {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    let mut new = String::from("auto lo\niface lo inet loopback\niface lo inet6 loopback\n");
    for interface in own {
        let name = &interface.name;
        let v4 = if interface.ip == Address::Dhcp { "dhcp" } else { "manual" };
        let v6 = match interface.ip6 {
            Address::Dhcp => "dhcp",
            Address::Auto => "auto",
            Address::Manual | Address::Static(_) => "manual",
        };
        new.push_str(&format!("\nauto {name}\niface {name} inet {v4}\niface {name} inet6 {v6}\n"));
    }
    let kept = kept.trim();
    if kept.is_empty() { new } else { format!("{new}\n{kept}\n") }
}

/// systemd.network(5).
pub(super) fn networkd(interface: &Interface) -> String {
    let dhcp = match (&interface.ip, &interface.ip6) {
        (Address::Dhcp, Address::Dhcp) => "yes",
        (Address::Dhcp, _) => "ipv4",
        (_, Address::Dhcp) => "ipv6",
        _ => "no",
    };
    let accept = interface.ip6 == Address::Auto || interface.ip6 == Address::Dhcp;
    let mut text = format!(
        "[Match]\nName = {}\n\n[Network]\nDescription = Interface {0} configured by hookvisor\nDHCP = {dhcp}\nIPv6AcceptRA = {accept}\n",
        interface.name
    );
    for (address, gateway) in [(&interface.ip, &interface.gw), (&interface.ip6, &interface.gw6)] {
        if let Address::Static(cidr) = address {
            text.push_str(&format!("Address = {cidr}\n"));
        }
        if let Some(gateway) = gateway {
            text.push_str(&format!("Gateway = {gateway}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(ip: Address, ip6: Address) -> Interface {
        Interface { name: "eth0".to_owned(), ip, gw: Some("10.0.0.1".to_owned()), ip6, gw6: None }
    }

    #[test]
    fn stanzas_of_other_interfaces_stay() {
        let old = "# comment\nauto lo eth0 tun0\niface lo inet loopback\n\niface eth0 inet static\n\taddress 10.0.0.9/24\n\
                   iface tun0 inet manual\n\tup true\n\nsource /etc/network/interfaces.d/*\n";
        let own = [interface(Address::Static("10.0.0.2/24".to_owned()), Address::Auto)];
        let new = merge(old, &own);
        assert_eq!(
            new,
            "auto lo\niface lo inet loopback\niface lo inet6 loopback\n\n\
             auto eth0\niface eth0 inet manual\niface eth0 inet6 auto\n\n\
             # comment\nauto tun0\niface tun0 inet manual\n\tup true\n\nsource /etc/network/interfaces.d/*\n"
        );
        assert_eq!(merge(&new, &own), new);
    }

    #[test]
    fn networkd_gets_addresses_too() {
        let text = networkd(&interface(Address::Static("10.0.0.2/24".to_owned()), Address::Dhcp));
        assert!(
            text.contains("DHCP = ipv6\nIPv6AcceptRA = true\nAddress = 10.0.0.2/24\nGateway = 10.0.0.1\n"),
            "{text}"
        );
    }
}
