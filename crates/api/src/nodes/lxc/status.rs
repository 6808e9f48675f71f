//! What containers do: the list and one container's status (api.md 3.2).

use crate::guest::usage;
use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::{AT_GUEST, AT_NODE};
use crate::{ApiError, Context, Params, Permission, lifecycle};
use ::config::options::ROOTFS;
use ::config::schema::Property;
use ::config::{GuestConfig, property};
use model::{GuestKind, Vmid};
use serde_json::{Map, Value, json};

const KIND: GuestKind = GuestKind::Lxc;

const FIELDS: &[&str] =
    &["vmid", "type", "status", "name", "cpus", "maxmem", "maxswap", "maxdisk", "mem", "uptime"];

/// `pct list`
pub static LIST: Method = Method {
    path: "/nodes/{node}/lxc",
    verb: Verb::Get,
    description: "Lists the containers of this node.",
    parameters: &[AT_NODE],
    permission: Permission::User,
    returns: Returns::List(FIELDS),
    protected: false,
    scope: Scope::Api,
    run: list,
};

fn list(context: &Context<'_>, _params: &Params) -> Result<Value, ApiError> {
    let mut rows = Vec::new();
    for (vmid, _) in context.store.list()?.into_iter().filter(|(_, kind)| *kind == KIND) {
        if !context.authority.has_any(&format!("/vms/{vmid}"), &["VM.Audit"]) {
            continue;
        }
        match context.store.read(KIND, vmid) {
            Ok(config) => rows.push(Value::Object(status(context, vmid, &config))),
            Err(store::StoreError::NoConfig { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Value::Array(rows))
}

/// One container's status.
pub static CURRENT: Method = Method {
    path: "/nodes/{node}/lxc/{vmid}/status/current",
    verb: Verb::Get,
    description: "Tells what a container does.",
    parameters: &[AT_GUEST],
    permission: Permission::guest(&["VM.Audit"]),
    returns: Returns::Object(FIELDS),
    protected: true,
    scope: Scope::Api,
    run: current,
};

fn current(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let vmid = params.vmid();
    let config = context.read(KIND, vmid)?;
    let mut object = status(context, vmid, &config);
    object.insert("ha".into(), json!({"managed": 0}));
    Ok(Value::Object(object))
}

static VERBOSE: &[Property] = &[Property::boolean("verbose").optional().describe("Shows all there is.")];

/// `pct status`: without `--verbose` it reads no more than it prints.
pub static OF_COMMAND: Method = Method {
    path: "/nodes/{node}/lxc/{vmid}/status",
    verb: Verb::Get,
    description: "Tells whether a container runs.",
    parameters: &[AT_GUEST, VERBOSE],
    permission: Permission::guest(&["VM.Audit"]),
    returns: Returns::Object(&["status"]),
    protected: true,
    scope: Scope::Command,
    run: |context, params| {
        if params.flag("verbose", false) {
            return current(context, params);
        }
        let vmid = params.vmid();
        context.store.read_raw(KIND, vmid)?;
        let status = if lifecycle::is_running(context, vmid) { "running" } else { "stopped" };
        Ok(json!({"status": status}))
    },
};

fn status(context: &Context<'_>, vmid: Vmid, config: &GuestConfig) -> Map<String, Value> {
    let main = &config.main;
    let layout = context.store.layout();
    let mut row = Map::new();
    let mut put = |key: &str, value: Value| {
        row.insert(key.to_owned(), value);
    };
    let cpus =
        main.number("cores").or_else(|| Some(main.get("cpulimit")?.parse::<f64>().ok()?.ceil() as u64));
    let rootfs = main.get("rootfs").and_then(|value| property::parse(value, &ROOTFS).ok());
    let size = rootfs.and_then(|rootfs| rootfs.size("size")).unwrap_or(0);
    put("vmid", json!(vmid.get()));
    put("type", json!("lxc"));
    put("name", json!(main.get("hostname").map_or_else(|| format!("CT{vmid}"), str::to_owned)));
    put("cpus", json!(cpus.filter(|cpus| *cpus > 0).unwrap_or_else(usage::host_cpus)));
    put("cpu", json!(0));
    put("maxmem", json!(main.number("memory").unwrap_or(512) << 20));
    put("maxswap", json!(main.number("swap").unwrap_or(0) << 20));
    for key in ["lock", "tags"] {
        if let Some(value) = main.get(key) {
            put(key, json!(value));
        }
    }
    if main.flag("template", false) {
        put("template", json!(1));
    }
    for key in ["diskread", "diskwrite"] {
        put(key, json!(0));
    }
    match lifecycle::state(context, vmid).running {
        Some(running) => {
            let (received, sent) = usage::container_traffic(running.pid);
            let (mem, swap) = usage::container_memory(layout, vmid);
            let (disk, maxdisk) = usage::container_disk(running.pid);
            put("status", json!("running"));
            put("pid", json!(running.pid));
            for (key, value) in [
                ("uptime", running.uptime),
                ("mem", mem),
                ("swap", swap),
                ("disk", disk),
                ("maxdisk", maxdisk),
                ("netin", received),
                ("netout", sent),
            ] {
                put(key, json!(value));
            }
        }
        None => {
            put("status", json!("stopped"));
            put("maxdisk", json!(size));
            for key in ["uptime", "mem", "swap", "disk", "netin", "netout"] {
                put(key, json!(0));
            }
        }
    }
    row
}
