//! What containers do: the list and one container's status (api.md 3.2).

use crate::guest::live::{self, Live};
use crate::guest::meter::Meter;
use crate::guest::summary::{Listed, Summary, visible};
use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::{AT_GUEST, AT_NODE};
use crate::{ApiError, Context, Params, Permission, lifecycle};
use ::config::options::ROOTFS;
use ::config::schema::Property;
use ::config::{Section, property};
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
    let (live, meter) = (live::all(context)?, Meter::new(context.store.layout()));
    let row = |(vmid, summary): Listed| Value::Object(status(vmid, &summary, live.get(&vmid), &meter));
    Ok(visible(context, Some(KIND))?.into_iter().map(row).collect())
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
    let summary = Summary::new(vmid, &context.read(KIND, vmid)?);
    let live = lifecycle::state(context, vmid).running.as_ref().and_then(Live::told);
    let meter = Meter::new(context.store.layout());
    let mut object = status(vmid, &summary, live.as_ref(), &meter);
    object.insert("ha".into(), json!({"managed": 0}));
    Ok(Value::Object(object))
}

static VERBOSE: &[Property] = &[Property::boolean("verbose").optional().describe("Shows all there is.")];

/// `pct status`: without `--verbose` it reads no more than it prints.
pub static OF_COMMAND: Method = Method {
    path: "/nodes/{node}/lxc/{vmid}/status/word",
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

/// What a configuration says of a container.
pub(crate) fn summary(empty: Summary, main: &Section) -> Summary {
    let limit = || Some(main.get("cpulimit")?.parse::<f64>().ok()?.ceil() as u64);
    let rootfs = main.get("rootfs").and_then(|value| property::parse(value, &ROOTFS).ok());
    Summary {
        cpus: main.number("cores").or_else(limit).filter(|cpus| *cpus > 0),
        maxmem: main.number("memory").unwrap_or(512) << 20,
        maxswap: main.number("swap").unwrap_or(0) << 20,
        maxdisk: rootfs.and_then(|rootfs| rootfs.size("size")).unwrap_or(0),
        ..empty
    }
}

fn status(vmid: Vmid, summary: &Summary, live: Option<&Live>, meter: &Meter<'_>) -> Map<String, Value> {
    let mut row = summary.row(vmid);
    let usage = live.map(|live| meter.read(vmid, summary, live)).unwrap_or_default();
    let mut put = |key: &str, value: Value| {
        row.insert(key.to_owned(), value);
    };
    put("type", json!("lxc"));
    put("status", json!(if live.is_some() { "running" } else { "stopped" }));
    if let Some(live) = live {
        put("pid", json!(live.process.pid));
    }
    put("cpu", if live.is_some() { json!(usage.cpu) } else { json!(0) });
    for (key, number) in [
        ("uptime", live.map_or(0, Live::uptime)),
        ("mem", usage.mem),
        ("swap", usage.swap),
        ("maxswap", summary.maxswap),
        ("disk", usage.disk),
        ("maxdisk", usage.maxdisk.unwrap_or(summary.maxdisk)),
        ("netin", usage.netin),
        ("netout", usage.netout),
        ("diskread", usage.diskread),
        ("diskwrite", usage.diskwrite),
    ] {
        put(key, json!(number));
    }
    row
}
