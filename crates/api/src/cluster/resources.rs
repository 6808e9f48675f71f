//! Everything there is, in one list: what inventories and exporters ask for (api.md 3.2).

use crate::guest::live;
use crate::guest::meter::Meter;
use crate::guest::summary::visible;
use crate::method::{Method, Returns, Scope, Verb};
use crate::{ApiError, Context, Params, Permission, host};
use ::config::schema::Property;
use ::storage::StatusFilter;
use model::{GuestKind, Vmid};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

static PARAMETERS: &[Property] = &[Property::string("type")
    .optional()
    .one_of(&["vm", "storage", "node", "sdn"])
    .describe("Only resources of this type.")];

/// All resources that the caller may see.
pub static LIST: Method = Method {
    path: "/cluster/resources",
    verb: Verb::Get,
    description: "Lists guests, nodes, storages, pools and networks with what they use.",
    parameters: &[PARAMETERS],
    permission: Permission::User,
    returns: Returns::List(&["id", "type"]),
    protected: false,
    scope: Scope::Api,
    run: list,
};

fn list(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let only = params.text("type");
    let wanted = |kind: &str| only.is_none_or(|only| only == kind);
    let pools = Pools::of(context);
    let mut rows = Vec::new();
    if only.is_none() {
        rows.extend(pools.rows(context));
    }
    if wanted("vm") {
        guests(context, &pools, &mut rows)?;
    }
    if wanted("node") {
        rows.push(node(context));
    }
    if wanted("storage") {
        storages(context, &mut rows)?;
    }
    if wanted("sdn") && context.authority.has_any("/sdn/zones/localnetwork", &["SDN.Audit"]) {
        let node = context.node();
        rows.push(json!({
            "id": format!("network/{node}/zone/localnetwork"),
            "type": "network",
            "network": "localnetwork",
            "network-type": "zone",
            "node": node.as_str(),
            "status": "ok",
        }));
    }
    Ok(Value::Array(rows))
}

/// The pools that guests are in.
struct Pools {
    of: HashMap<Vmid, String>,
    names: Vec<String>,
}

impl Pools {
    fn of(context: &Context<'_>) -> Self {
        let cfg = context.user_cfg();
        let pairs =
            cfg.pools.iter().flat_map(|(name, pool)| pool.vms.iter().map(|vmid| (*vmid, name.clone())));
        Self { of: pairs.collect(), names: cfg.pools.keys().cloned().collect() }
    }

    fn rows<'a>(&'a self, context: &'a Context<'_>) -> impl Iterator<Item = Value> + 'a {
        let seen = self
            .names
            .iter()
            .filter(|name| context.authority.has_any(&format!("/pool/{name}"), &["Pool.Audit"]));
        seen.map(|name| json!({"id": format!("/pool/{name}"), "type": "pool", "pool": name}))
    }
}

fn guests(context: &Context<'_>, pools: &Pools, rows: &mut Vec<Value>) -> Result<(), ApiError> {
    let (live, meter) = (live::all(context)?, Meter::new(context.store.layout()));
    let node = context.node().as_str();
    for (vmid, summary) in visible(context, None)? {
        let live = live.get(&vmid);
        let usage = live.map(|live| meter.read(vmid, &summary, live)).unwrap_or_default();
        let kind = summary.kind.as_str();
        let mut row = Map::with_capacity(24);
        let mut put = |key: &str, value: Value| {
            row.insert(key.to_owned(), value);
        };
        put("id", json!(format!("{kind}/{vmid}")));
        put("type", json!(kind));
        put("vmid", json!(vmid.get()));
        put("node", json!(node));
        put("status", json!(if live.is_some() { "running" } else { "stopped" }));
        put("name", json!(summary.name));
        put("template", json!(u8::from(summary.template)));
        put("cpu", if live.is_some() { json!(usage.cpu) } else { json!(0) });
        for (key, number) in [
            ("maxcpu", summary.cpus()),
            ("maxmem", summary.maxmem),
            ("mem", usage.mem),
            ("maxdisk", usage.maxdisk.unwrap_or(summary.maxdisk)),
            ("disk", usage.disk),
            ("netin", usage.netin),
            ("netout", usage.netout),
            ("diskread", usage.diskread),
            ("diskwrite", usage.diskwrite),
            ("uptime", live.map_or(0, |live| live.uptime())),
        ] {
            put(key, json!(number));
        }
        if summary.kind == GuestKind::Qemu {
            put("memhost", json!(usage.memhost));
        }
        for (key, value) in
            [("pool", pools.of.get(&vmid)), ("lock", summary.lock.as_ref()), ("tags", summary.tags.as_ref())]
        {
            value.into_iter().for_each(|value| put(key, json!(value)));
        }
        rows.push(Value::Object(row));
    }
    Ok(())
}

/// This node. What it uses is told to those who may know.
pub(crate) fn node(context: &Context<'_>) -> Value {
    let name = context.node();
    let mut row = json!({
        "id": format!("node/{name}"),
        "type": "node",
        "node": name.as_str(),
        "status": "online",
        "level": "",
    });
    if context.authority.has_any(&format!("/nodes/{name}"), &["Sys.Audit"])
        && let (Value::Object(row), Value::Object(usage)) = (&mut row, host::usage())
    {
        row.extend(usage);
        row.insert("cgroup-mode".into(), json!(host::cgroup_mode()));
        row.insert("host-arch".into(), json!(std::env::consts::ARCH));
    }
    row
}

fn storages(context: &Context<'_>, rows: &mut Vec<Value>) -> Result<(), ApiError> {
    let node = context.node();
    for storage in context.storages()?.status(&StatusFilter { enabled: true, ..StatusFilter::default() })? {
        let path = format!("/storage/{}", storage.storage);
        if !context.authority.has_any(&path, &["Datastore.Audit"]) {
            continue;
        }
        let content: Vec<&str> = storage.content.iter().map(|content| content.as_str()).collect();
        rows.push(json!({
            "id": format!("storage/{node}/{}", storage.storage),
            "type": "storage",
            "storage": storage.storage.as_str(),
            "node": node.as_str(),
            "plugintype": storage.kind,
            "status": if storage.active { "available" } else { "unknown" },
            "shared": u8::from(storage.shared),
            "content": content.join(","),
            "maxdisk": storage.total,
            "disk": storage.used,
        }));
    }
    Ok(())
}
