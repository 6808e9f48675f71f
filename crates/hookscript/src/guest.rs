use crate::config::parts;
use crate::{Call, Config, Error, Result, process};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A virtual machine or a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A virtual machine, run by QEMU.
    Qemu,
    /// A container, run by LXC.
    Lxc,
}

/// What is known of the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// Its number.
    pub vmid: u32,
    /// What it is.
    pub kind: Kind,
    /// Its name or hostname; may be empty.
    pub name: String,
    /// Its configuration.
    pub config: Config,
    /// Its first process in the host's pids: QEMU, or the container's init; none while it does not run.
    pub pid: Option<u32>,
    /// Its network interfaces, by number.
    pub interfaces: Vec<Interface>,
}

/// A network interface of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The option: `net0`.
    pub option: String,
    /// The host's end, `tap100i0` or `veth100i0`, which is there while the guest runs; none where QEMU makes the network by
    /// itself.
    pub host: Option<String>,
    /// A container's end: `eth0`.
    pub guest: Option<String>,
    /// The hardware address that is configured.
    pub mac: Option<String>,
    /// The bridge.
    pub bridge: Option<String>,
}

impl Guest {
    /// Reads a context (docs/context.md, schema `hookvisor.context/1`).
    pub(crate) fn from_context(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(crate::error::at("read", path))?;
        let context: Value = serde_json::from_str(&text).map_err(crate::error::at("understand", path))?;
        let text = |value: &Value, key: &str| value[key].as_str().map(str::to_owned);
        let mut config = Config::default();
        let told = &context["config"];
        for (key, value) in told["options"].as_object().into_iter().flatten() {
            config.insert(key, value.as_str().unwrap_or_default());
        }
        for pair in told["lxc"].as_array().into_iter().flatten() {
            config.insert(pair[0].as_str().unwrap_or_default(), pair[1].as_str().unwrap_or_default());
        }
        config.set_description(told["description"].as_str().unwrap_or_default());
        let interface = |one: &Value| Interface {
            option: text(one, "option").unwrap_or_default(),
            host: text(one, "host"),
            guest: text(one, "guest"),
            mac: text(one, "mac"),
            bridge: text(one, "bridge"),
        };
        let number = |key: &str| context[key].as_u64().and_then(|number| u32::try_from(number).ok());
        Ok(Self {
            vmid: number("vmid")
                .ok_or_else(|| Error::from(format!("'{}' names no guest", path.display())))?,
            kind: if context["kind"] == "lxc" { Kind::Lxc } else { Kind::Qemu },
            name: text(&context, "name").unwrap_or_default(),
            config,
            pid: number("pid"),
            interfaces: context["interfaces"].as_array().into_iter().flatten().map(interface).collect(),
        })
    }

    /// Finds out what a context would say, on a Proxmox VE host.
    pub(crate) fn find(call: &Call) -> Result<Self> {
        let vmid = call.vmid;
        let candidates = [(Kind::Qemu, "qemu-server"), (Kind::Lxc, "lxc")];
        let paths =
            candidates.map(|(kind, folder)| (kind, call.at(&format!("etc/pve/{folder}/{vmid}.conf"))));
        let (kind, path): &(Kind, PathBuf) =
            paths.iter().find(|(_, path)| path.exists()).ok_or_else(|| {
                call.error(format!(
                    "neither '{}' nor '{}' is there",
                    paths[0].1.display(),
                    paths[1].1.display()
                ))
            })?;
        let config = Config::read(path)?;
        let name = config.get("name").or_else(|| config.get("hostname")).unwrap_or_default().to_owned();
        let pid = match kind {
            Kind::Qemu => process::qemu(call),
            Kind::Lxc => process::container_init(vmid),
        };
        let interfaces =
            config.numbered("net").into_iter().map(|(number, value)| interface(*kind, vmid, number, value));
        let interfaces = interfaces.collect();
        Ok(Self { vmid, kind: *kind, name, config, pid, interfaces })
    }
}

/// An interface under the names that Proxmox VE gives.
fn interface(kind: Kind, vmid: u32, number: u32, value: &str) -> Interface {
    let mut parts = parts(value);
    let bridge = parts.remove("bridge");
    let host = match kind {
        Kind::Lxc => Some(format!("veth{vmid}i{number}")),
        Kind::Qemu => bridge.is_some().then(|| format!("tap{vmid}i{number}")),
    };
    // `virtio=BC:24:11:…`: the model's name is the part's, and `macaddr` or `hwaddr` are spelled out.
    let is_mac = |text: &str| text.len() == 17 && text.split(':').count() == 6;
    let mac = parts.values().find(|value| is_mac(value)).cloned();
    Interface { option: format!("net{number}"), host, guest: parts.remove("name"), mac, bridge }
}
