//! The host's network interfaces, as they are now. They are not changed here.

use super::lxc::interfaces::output;
use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::AT_NODE;
use crate::{ApiError, Context, Params, Permission};
use ::config::schema::Property;
use serde_json::{Value, json};
use std::net::Ipv4Addr;

static PARAMETERS: &[Property] = &[Property::string("type")
    .optional()
    .one_of(&["bridge", "bond", "eth", "vlan", "any_bridge", "any_local_bridge"])
    .describe("Only interfaces of this type.")];

/// The interfaces.
pub static LIST: Method = Method {
    path: "/nodes/{node}/network",
    verb: Verb::Get,
    description: "Lists the host's network interfaces but for those of guests.",
    parameters: &[AT_NODE, PARAMETERS],
    permission: Permission::User,
    returns: Returns::List(&["iface", "type"]),
    protected: false,
    scope: Scope::Api,
    run: list,
};

fn list(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let text = output("ip", &["-json", "-details", "address"])?;
    let all: Vec<Value> = serde_json::from_slice(&text).unwrap_or_default();
    let wanted = params.text("type").map(|kind| if kind.starts_with("any_") { "bridge" } else { kind });
    // Who may not look at the node sees the bridges that guests may be given.
    let auditor = context.authority.has_any(&format!("/nodes/{}", context.node()), &["Sys.Audit"]);
    let sees = |row: &Value| {
        let path = format!("/sdn/zones/localnetwork/{}", row["iface"].as_str().unwrap_or_default());
        auditor || (row["type"] == "bridge" && context.authority.has_any(&path, &["SDN.Audit", "SDN.Use"]))
    };
    let rows = all.iter().filter_map(|link| interface(link, &all));
    Ok(rows.filter(|row| wanted.is_none_or(|kind| row["type"] == kind) && sees(row)).collect())
}

/// An interface of the host from the form that ip(8) has; none for one of a guest, and for the loopback.
fn interface(link: &Value, all: &[Value]) -> Option<Value> {
    let name = link["ifname"].as_str()?;
    let kind = match link["linkinfo"]["info_kind"].as_str() {
        Some(kind @ ("bridge" | "bond" | "vlan")) => kind,
        None if link["link_type"] == "ether" => "eth",
        _ => return None,
    };
    let up = link["flags"].as_array().is_some_and(|flags| flags.iter().any(|flag| flag == "UP"));
    let addresses = link["addr_info"].as_array().cloned().unwrap_or_default();
    let first = addresses.iter().find(|address| address["family"] == "inet" && address["scope"] == "global");
    let method = if first.is_some() { "static" } else { "manual" };
    let mut row = json!({"iface": name, "type": kind, "active": u8::from(up), "exists": 1, "method": method});
    if let Some((address, length)) =
        first.and_then(|first| Some((first["local"].as_str()?, first["prefixlen"].as_u64()?)))
    {
        row["address"] = json!(address);
        row["netmask"] = json!(netmask(length).to_string());
        row["cidr"] = json!(format!("{address}/{length}"));
    }
    if kind == "bridge" {
        let ports =
            all.iter().filter(|other| other["master"] == name).filter_map(|port| port["ifname"].as_str());
        row["bridge_ports"] = json!(ports.collect::<Vec<_>>().join(" "));
    }
    Some(row)
}

fn netmask(length: u64) -> Ipv4Addr {
    let zeros = u32::try_from(32_u64.saturating_sub(length)).unwrap_or(0);
    Ipv4Addr::from(u32::MAX.checked_shl(zeros).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_names_its_ports_and_address() {
        let bridge = json!({"ifname": "vmbr0", "flags": ["UP"], "linkinfo": {"info_kind": "bridge"}, "link_type": "ether",
            "addr_info": [{"family": "inet", "scope": "global", "local": "10.0.0.2", "prefixlen": 24}]});
        let port = json!({"ifname": "eth0", "master": "vmbr0", "link_type": "ether", "flags": []});
        let all = [
            bridge,
            port,
            json!({"ifname": "tap100i0", "linkinfo": {"info_kind": "tun"}, "link_type": "ether"}),
        ];
        let rows: Vec<Value> = all.iter().filter_map(|link| interface(link, &all)).collect();
        assert_eq!(
            rows,
            [
                json!({"iface": "vmbr0", "type": "bridge", "active": 1, "exists": 1, "method": "static", "address": "10.0.0.2",
                "netmask": "255.255.255.0", "cidr": "10.0.0.2/24", "bridge_ports": "eth0"}),
                json!({"iface": "eth0", "type": "eth", "active": 0, "exists": 1, "method": "manual"}),
            ]
        );
        assert_eq!(
            (netmask(0).to_string(), netmask(32).to_string()),
            ("0.0.0.0".into(), "255.255.255.255".into())
        );
    }
}
