//! The addresses that a running container has.

use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::AT_GUEST;
use crate::{ApiError, Context, Params, Permission, Refusal, lifecycle};
use model::GuestKind;
use serde_json::{Value, json};
use std::process::Command;

/// Its interfaces with their addresses.
pub static LIST: Method = Method {
    path: "/nodes/{node}/lxc/{vmid}/interfaces",
    verb: Verb::Get,
    description: "Lists the network interfaces of a running container with their addresses.",
    parameters: &[AT_GUEST],
    permission: Permission::guest(&["VM.Audit"]),
    returns: Returns::List(&["name", "hwaddr", "hardware-address", "ip-addresses"]),
    protected: true,
    scope: Scope::Api,
    run: list,
};

fn list(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let vmid = params.vmid();
    context.read(GuestKind::Lxc, vmid)?;
    // Proxmox VE has no answer for one that is stopped.
    let Some(running) = lifecycle::state(context, vmid).running else { return Ok(Value::Null) };
    let network = format!("--net=/proc/{}/ns/net", running.pid);
    let text = output("nsenter", &[&network, "ip", "-json", "address"])?;
    let all: Vec<Value> = serde_json::from_slice(&text).unwrap_or_default();
    Ok(all.iter().map(interface).collect())
}

/// What a program of the host prints.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Result<Vec<u8>, ApiError> {
    let failed = |source| ApiError::File { what: "unable to run", path: program.into(), source };
    let done = Command::new(program).args(arguments).output().map_err(failed)?;
    if done.status.success() {
        return Ok(done.stdout);
    }
    let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    Err(Refusal::Missing(format!("{program} failed: {said}")).into())
}

/// As clients know it, from the form that ip(8) has.
fn interface(link: &Value) -> Value {
    let addresses: Vec<(&str, &str, u64)> = link["addr_info"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|address| {
            Some((address["family"].as_str()?, address["local"].as_str()?, address["prefixlen"].as_u64()?))
        })
        .collect();
    let mut row = json!({
        "name": link["ifname"],
        "hwaddr": link["address"],
        "hardware-address": link["address"],
    });
    for (key, family) in [("inet", "inet"), ("inet6", "inet6")] {
        if let Some((_, address, prefix)) = addresses.iter().find(|(of, ..)| *of == family) {
            row[key] = json!(format!("{address}/{prefix}"));
        }
    }
    row["ip-addresses"] = addresses
        .iter()
        .map(|(family, address, prefix)| {
            json!({"ip-address": address, "ip-address-type": family, "prefix": prefix})
        })
        .collect();
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_twice() {
        let link = json!({"ifname": "eth0", "address": "bc:24:11:00:00:01", "addr_info": [
            {"family": "inet", "local": "10.0.0.5", "prefixlen": 24},
            {"family": "inet6", "local": "fe80::1", "prefixlen": 64},
        ]});
        let want = json!({"name": "eth0", "hwaddr": "bc:24:11:00:00:01", "hardware-address": "bc:24:11:00:00:01",
            "inet": "10.0.0.5/24", "inet6": "fe80::1/64", "ip-addresses": [
                {"ip-address": "10.0.0.5", "ip-address-type": "inet", "prefix": 24},
                {"ip-address": "fe80::1", "ip-address-type": "inet6", "prefix": 64},
        ]});
        assert_eq!(interface(&link), want);
    }
}
