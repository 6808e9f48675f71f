//! The snapshots that a configuration knows. None are made or rolled back here; what another host made is shown.

use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::AT_GUEST;
use crate::{ApiError, Context, Params, Permission, lifecycle};
use ::config::Section;
use ::config::schema::Property;
use model::GuestKind;
use serde_json::{Map, Value, json};

const fn listing(
    path: &'static str,
    description: &'static str,
    parameters: &'static [&'static [Property]],
    run: fn(&Context<'_>, &Params) -> Result<Value, ApiError>,
) -> Method {
    Method {
        path,
        verb: Verb::Get,
        description,
        parameters,
        permission: Permission::guest(&["VM.Audit"]),
        returns: Returns::List(&["name", "description"]),
        protected: false,
        scope: Scope::Api,
        run,
    }
}

/// The snapshots of a virtual machine.
pub static OF_MACHINE: Method = listing(
    "/nodes/{node}/qemu/{vmid}/snapshot",
    "Lists the snapshots of a virtual machine, and its present.",
    &[AT_GUEST],
    |context, params| list(GuestKind::Qemu, context, params),
);

/// The snapshots of a container.
pub static OF_CONTAINER: Method = listing(
    "/nodes/{node}/lxc/{vmid}/snapshot",
    "Lists the snapshots of a container, and its present.",
    &[AT_GUEST],
    |context, params| list(GuestKind::Lxc, context, params),
);

fn list(kind: GuestKind, context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let config = context.read(kind, params.vmid())?;
    let mut rows: Vec<Value> =
        config.snapshots.iter().map(|(name, section)| Value::Object(row(kind, name, section))).collect();
    // The present comes last.
    let mut present = json!({
        "name": "current",
        "description": "You are here!",
        "digest": config.digest,
        "running": u8::from(lifecycle::is_running(context, params.vmid())),
    });
    if let Some(parent) = config.main.get("parent") {
        present["parent"] = json!(parent);
    }
    rows.push(present);
    Ok(Value::Array(rows))
}

fn row(kind: GuestKind, name: &str, section: &Section) -> Map<String, Value> {
    let mut row = Map::new();
    let mut put = |key: &str, value: Value| {
        row.insert(key.to_owned(), value);
    };
    put("name", json!(name));
    put("description", json!(section.description.as_deref().unwrap_or_default()));
    put("snaptime", json!(section.number("snaptime").unwrap_or(0)));
    if kind == GuestKind::Qemu {
        put("vmstate", json!(u8::from(section.get("vmstate").is_some())));
    }
    section.get("parent").into_iter().for_each(|parent| put("parent", json!(parent)));
    row
}
