//! `pvesm status`, and the state of one storage.

use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::{AT_NODE, AT_STORAGE};
use crate::{ApiError, Context, Params, Permission};
use ::config::format::Format;
use ::config::schema::Property;
use ::storage::{StatusFilter, StorageError, StorageStatus};
use model::ContentType;
use serde_json::{Value, json};

static PARAMETERS: &[Property] = &[
    Property::string("content")
        .optional()
        .format(Format::List(&Format::Content))
        .describe("Only storages that may hold one of these, a list."),
    Property::boolean("enabled").default("0").describe("Only storages that are enabled."),
    Property::boolean("format").default("0").describe("Tells about formats, too."),
    Property::string("storage").optional().format(Format::StorageId).describe("Only this storage."),
    Property::string("target")
        .optional()
        .format(Format::Node)
        .describe("Only storages that this node can use, too."),
];

/// `pvesm status`
pub static STATUS: Method = Method {
    path: "/nodes/{node}/storage",
    verb: Verb::Get,
    description: "Tells which storages there are and how full they are.",
    parameters: &[AT_NODE, PARAMETERS],
    permission: Permission::User,
    returns: Returns::List(&["storage", "type", "content", "enabled", "active", "total", "used", "avail"]),
    protected: true,
    scope: Scope::Api,
    run: status,
};

fn status(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let content: Vec<ContentType> =
        params.list("content").into_iter().filter_map(|word| word.parse().ok()).collect();
    let filter =
        StatusFilter { storage: params.storage("storage"), content, enabled: params.flag("enabled", false) };
    let found = context.storages()?.status(&filter).map_err(|error| match error {
        StorageError::NoStorage(_) => ApiError::parameter("storage", "No such storage."),
        other => other.into(),
    })?;
    let seen = found.into_iter().filter(|storage| {
        let path = format!("/storage/{}", storage.storage);
        context.authority.has_any(&path, &["Datastore.Audit", "Datastore.AllocateSpace"])
    });
    Ok(Value::Array(seen.map(|storage| row(context, &storage)).collect()))
}

fn row(context: &Context<'_>, storage: &StorageStatus) -> Value {
    if let Some(problem) = &storage.problem {
        context.warn(problem);
    }
    let content: Vec<&str> = storage.content.iter().map(|content| content.as_str()).collect();
    let mut row = json!({
        "storage": storage.storage.as_str(),
        "type": storage.kind,
        "content": content.join(","),
        "enabled": u8::from(storage.enabled),
        "active": u8::from(storage.active),
        "shared": u8::from(storage.shared),
        "total": storage.total,
        "used": storage.used,
        "avail": storage.available,
    });
    if storage.total > 0 {
        row["used_fraction"] = json!(storage.used as f64 / storage.total as f64);
    }
    row
}

/// `GET /nodes/{node}/storage/{storage}/status`
pub static OF_ONE: Method = Method {
    path: "/nodes/{node}/storage/{storage}/status",
    verb: Verb::Get,
    description: "Tells how full a storage is.",
    parameters: &[AT_STORAGE],
    permission: Permission::storage(&["Datastore.Audit", "Datastore.AllocateSpace"]),
    returns: Returns::Object(&["type", "content"]),
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        let filter = StatusFilter { storage: params.storage("storage"), ..StatusFilter::default() };
        let found = context.storages()?.status(&filter)?.pop();
        let mut row = found.map(|storage| row(context, &storage)).unwrap_or_default();
        if let Some(fields) = row.as_object_mut() {
            fields.remove("storage");
            fields.remove("used_fraction");
        }
        Ok(row)
    },
};
