//! Network interfaces: pairs of veth devices.

use super::{ConfigurationError, Made};
use crate::fields;
use config::property::Properties;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address setting asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// Nothing, or nothing that hookvisor does: `manual`.
    Manual,
    /// The container asks a DHCP server.
    Dhcp,
    /// IPv6 only: the container listens to routers.
    Auto,
    /// This address and prefix length.
    Static(String),
}

/// Reads `ip` or `ip6`.
pub(crate) fn address(
    key: &str,
    properties: &Properties,
    part: &'static str,
) -> Result<Address, ConfigurationError> {
    let v6 = part == "ip6";
    match properties.get(part) {
        None | Some("manual") => Ok(Address::Manual),
        Some("dhcp") => Ok(Address::Dhcp),
        Some("auto") if v6 => Ok(Address::Auto),
        Some(text) => {
            let bits = if v6 { 128 } else { 32 };
            let valid = text.split_once('/').is_some_and(|(address, prefix)| {
                let family = if v6 {
                    address.parse::<Ipv6Addr>().is_ok()
                } else {
                    address.parse::<Ipv4Addr>().is_ok()
                };
                family && prefix.parse::<u8>().is_ok_and(|prefix| prefix <= bits)
            });
            if valid { Ok(Address::Static(text.to_owned())) } else { Err(invalid(key, part, text)) }
        }
    }
}

fn invalid(key: &str, part: &str, value: &str) -> ConfigurationError {
    let expected = match part {
        "ip" => "an IPv4 address with prefix length, dhcp or manual",
        "ip6" => "an IPv6 address with prefix length, auto, dhcp or manual",
        "trunks" => "VLAN ids from 1 to 4094, or ranges of them",
        "rate" => "a number of megabytes per second",
        _ => "an IP address",
    };
    ConfigurationError::Value { key: format!("{key}.{part}"), value: value.to_owned(), expected }
}

impl Made<'_> {
    pub(super) fn networks(&mut self) -> Result<(), ConfigurationError> {
        let section = self.section;
        let mut any = false;
        for (index, value) in section.indexed("net") {
            any = true;
            self.network(index, value)?;
        }
        // Without any, the container would be in the host's network namespace.
        if any { Ok(()) } else { self.text.set("lxc.net.0.type", "empty") }
    }

    fn network(&mut self, index: u32, value: &str) -> Result<(), ConfigurationError> {
        let key = format!("net{index}");
        let net = fields::read(&key, value)
            .map_err(|source| ConfigurationError::Property { key: key.clone(), source })?;
        let prefix = format!("lxc.net.{index}");
        let host =
            format!("{}{}i{index}", self.facts.layout.tag().unwrap_or_else(|| "veth".to_owned()), self.vmid);
        if host.len() > 15 {
            return Err(ConfigurationError::InterfaceName { key, name: host });
        }
        self.text.set(&format!("{prefix}.type"), "veth")?;
        self.text.set(&format!("{prefix}.veth.pair"), &host)?;
        self.bridge(&key, &prefix, &net)?;
        self.text.set(&format!("{prefix}.name"), net.get("name").unwrap_or_default())?;
        if let Some(mac) = net.get("hwaddr") {
            self.text.set(&format!("{prefix}.hwaddr"), mac)?;
        }
        if let Some(mtu) = net.get("mtu") {
            self.text.set(&format!("{prefix}.mtu"), mtu)?;
        }
        self.addresses(&key, &prefix, &net)?;
        self.up(&key, &prefix, &net, &host)?;
        self.interfaces.push(host);
        Ok(())
    }

    fn bridge(&mut self, key: &str, prefix: &str, net: &Properties) -> Result<(), ConfigurationError> {
        let Some(name) = net.get("bridge") else {
            return match ["tag", "trunks"].into_iter().find(|part| net.get(part).is_some()) {
                Some(part) => Err(ConfigurationError::Unsupported {
                    key: format!("{key}.{part}"),
                    why: "VLANs need a bridge",
                }),
                None => Ok(()),
            };
        };
        let missing = || ConfigurationError::NoBridge { key: key.to_owned(), bridge: name.to_owned() };
        let bridge = self.facts.bridges.get(name).ok_or_else(missing)?;
        self.text.set(&format!("{prefix}.link"), name)?;
        let (tag, trunks) = (net.get("tag"), net.get("trunks"));
        if (tag.is_some() || trunks.is_some()) && !bridge.vlan_aware {
            return Err(ConfigurationError::NoVlans { key: key.to_owned(), bridge: name.to_owned() });
        }
        if let Some(tag) = tag {
            self.text.set(&format!("{prefix}.veth.vlan.id"), tag)?;
        }
        for part in trunks.unwrap_or_default().split(';').filter(|part| !part.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let id = |text: &str| text.parse::<u16>().ok().filter(|id| (1..=4094).contains(id));
            let (first, last) = id(first).zip(id(last)).ok_or_else(|| invalid(key, "trunks", part))?;
            for id in first..=last {
                self.text.set(&format!("{prefix}.veth.vlan.tagged.id"), id.to_string())?;
            }
        }
        if net.flag("firewall", false) {
            self.warnings.push(format!("{key}: firewall=1 has no effect, hookvisor has no firewall"));
        }
        Ok(())
    }

    fn addresses(&mut self, key: &str, prefix: &str, net: &Properties) -> Result<(), ConfigurationError> {
        let families = [("ip", "gw", "ipv4"), ("ip6", "gw6", "ipv6")];
        for (part, gateway_part, family) in families {
            match address(key, net, part)? {
                Address::Static(cidr) => self.text.set(&format!("{prefix}.{family}.address"), cidr)?,
                Address::Dhcp | Address::Auto if net.flag("host-managed", false) => {
                    return Err(ConfigurationError::Unsupported {
                        key: format!("{key}.host-managed"),
                        why: "the host sets static addresses only; use a DHCP client in the container",
                    });
                }
                Address::Manual | Address::Dhcp | Address::Auto => {}
            }
            if let Some(gateway) = net.get(gateway_part) {
                let valid = match gateway.parse::<IpAddr>() {
                    Ok(IpAddr::V4(_)) => family == "ipv4",
                    Ok(IpAddr::V6(_)) => family == "ipv6",
                    Err(_) => false,
                };
                if !valid {
                    return Err(invalid(key, gateway_part, gateway));
                }
                self.text.set(&format!("{prefix}.{family}.gateway"), gateway)?;
            }
        }
        Ok(())
    }

    /// The state of the link, and its rate limit, set by LXC's script for an interface that it has made.
    fn up(
        &mut self,
        key: &str,
        prefix: &str,
        net: &Properties,
        host: &str,
    ) -> Result<(), ConfigurationError> {
        let down = net.flag("link_down", false);
        self.text.set(&format!("{prefix}.flags"), "up")?;
        let mut commands = Vec::new();
        if down {
            commands.push(format!("ip link set dev {host} down"));
        }
        if let Some(text) = net.get("rate") {
            let rate = text.parse::<f64>().ok().filter(|rate| rate.is_finite() && *rate > 0.0);
            let rate =
                (rate.ok_or_else(|| invalid(key, "rate", text))? * 1_048_576.0).round().max(1.0) as u64;
            let burst = rate.max(1 << 20);
            // To the container by shaping, from it by dropping: only what leaves an interface can be queued.
            commands.push(format!(
                "tc qdisc replace dev {host} root tbf rate {rate}bps burst {burst} latency 50ms"
            ));
            commands.push(format!("tc qdisc replace dev {host} handle ffff: ingress"));
            commands.push(format!(
                "tc filter replace dev {host} parent ffff: protocol all prio 50 basic police rate {rate}bps burst {burst}b drop"
            ));
        }
        if commands.is_empty() {
            return Ok(());
        }
        let errors = crate::quote::shell(&self.paths.hook_errors);
        self.text.set(&format!("{prefix}.script.up"), format!("2>>{errors}; {} && :", commands.join(" && ")))
    }
}
