//! `/storage`: what `storage.cfg` says, and `pvesm add`, `set` and `remove`.

use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::STORAGE;
use crate::{ApiError, Context, Given, Params, Permission, Refusal};
use ::config::format::Format;
use ::config::schema::{Property, Type};
use ::config::storage_cfg::{self, CHANGEABLE, FIXED, StorageCfg, StorageSection, properties_of};
use ::storage::Storages;
use model::StorageId;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const TYPES: &[&str] = &[
    "btrfs",
    "cephfs",
    "cifs",
    "dir",
    "esxi",
    "iscsi",
    "iscsidirect",
    "lvm",
    "lvmthin",
    "nfs",
    "pbs",
    "rbd",
    "zfs",
    "zfspool",
];

static OF_TYPE: &[Property] =
    &[Property::string("type").optional().one_of(TYPES).describe("Only storages of this type.")];

static NAMED: &[Property] = &[STORAGE];

static KIND: &[Property] = &[Property::string("type").one_of(TYPES).describe("The type of the storage.")];

static CHANGES: &[Property] = &[
    Property::string("delete")
        .optional()
        .format(Format::List(&Format::ConfigId))
        .max_length(4096)
        .describe("The properties to take away, a list."),
    Property::string("digest")
        .optional()
        .max_length(64)
        .describe("Changes nothing if the file's SHA-1 is another one now."),
];

/// `GET /storage`
pub static LIST: Method = Method {
    path: "/storage",
    verb: Verb::Get,
    description: "Lists the storages with what storage.cfg says about them.",
    parameters: &[OF_TYPE],
    permission: Permission::User,
    returns: Returns::List(&["storage"]),
    protected: false,
    scope: Scope::Api,
    run: |context, params| {
        let cfg = context.store.storage_cfg()?;
        let wanted = cfg.sections.iter().filter(|section| {
            let path = format!("/storage/{}", section.id);
            params.text("type").is_none_or(|kind| kind == section.kind)
                && context.authority.has_any(&path, &["Datastore.Audit", "Datastore.AllocateSpace"])
        });
        Ok(Value::Array(wanted.map(|section| object(section, &cfg)).collect()))
    },
};

/// `GET /storage/{storage}`
pub static READ: Method = Method {
    path: "/storage/{storage}",
    verb: Verb::Get,
    description: "Shows what storage.cfg says about a storage.",
    parameters: &[NAMED],
    permission: Permission::storage(&["Datastore.Allocate"]),
    returns: Returns::Object(&["storage", "type", "digest"]),
    protected: false,
    scope: Scope::Api,
    run: |context, params| {
        let cfg = context.store.storage_cfg()?;
        let id = id(params)?;
        let section = cfg.get(&id).ok_or(::storage::StorageError::NoStorage(id.clone()))?;
        Ok(object(section, &cfg))
    },
};

/// `POST /storage`, `pvesm add`
pub static ADD: Method = Method {
    path: "/storage",
    verb: Verb::Post,
    description: "Adds a storage.",
    parameters: &[KIND, NAMED, &FIXED, &CHANGEABLE],
    permission: Permission::Privileges { path: "/storage", any_of: &["Datastore.Allocate"] },
    returns: Returns::Object(&["storage", "type"]),
    protected: true,
    scope: Scope::Api,
    run: add,
};

/// `PUT /storage/{storage}`, `pvesm set`
pub static SET: Method = Method {
    path: "/storage/{storage}",
    verb: Verb::Put,
    description: "Changes a storage.",
    parameters: &[NAMED, CHANGES, &CHANGEABLE],
    permission: Permission::Privileges { path: "/storage", any_of: &["Datastore.Allocate"] },
    returns: Returns::Object(&["storage", "type"]),
    protected: true,
    scope: Scope::Api,
    run: set,
};

/// `DELETE /storage/{storage}`, `pvesm remove`
pub static REMOVE: Method = Method {
    path: "/storage/{storage}",
    verb: Verb::Delete,
    description: "Removes a storage from storage.cfg. What is in it stays.",
    parameters: &[NAMED],
    permission: Permission::Privileges { path: "/storage", any_of: &["Datastore.Allocate"] },
    returns: Returns::Null,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        let id = id(params)?;
        context.store.change_storage_cfg(|cfg| match cfg.remove(&id) {
            true => Ok(Value::Null),
            false => Err(::storage::StorageError::NoStorage(id.clone()).into()),
        })
    },
};

fn add(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let id = id(params)?;
    let kind = params.text("type").unwrap_or_default();
    let failed = |why: &str| ApiError::from(Refusal::Storage(format!("create storage failed: {why}")));
    let Some(allowed) = properties_of(kind) else {
        return Err(failed(&format!("storage type '{kind}' cannot be added here, only 'dir' can")));
    };
    let mut section = StorageSection::new(kind, id.clone());
    section.options = given(params, allowed)?;
    if let Some(missing) = required(kind).iter().find(|key| !section.options.contains_key(**key)) {
        return Err(Refusal::Storage(format!("missing value for required option '{missing}'")).into());
    }
    let answer = json!({ "storage": id.as_str(), "type": kind });
    context.store.change_storage_cfg(|cfg| {
        if cfg.get(&id).is_some() {
            return Err(failed(&format!("storage ID '{id}' already defined")));
        }
        cfg.sections.push(section);
        usable(context, cfg, &id).map_err(|error| failed(&error.told()))?;
        Ok(answer)
    })
}

fn set(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let id = id(params)?;
    let delete = params.list("delete");
    context.store.change_storage_cfg(|cfg| {
        if params.text("digest").is_some_and(|digest| digest != cfg.digest) {
            return Err(Refusal::CtDigest.into());
        }
        let section = cfg.get_mut(&id).ok_or(::storage::StorageError::NoStorage(id.clone()))?;
        let kind = section.kind.clone();
        let Some(allowed) = properties_of(&kind) else {
            let text = format!("storage type '{kind}' cannot be changed here, only 'dir' can");
            return Err(Refusal::Storage(text).into());
        };
        let changes = given(params, allowed)?;
        for key in delete {
            let refusal = if required(&kind).contains(&key) {
                format!("unable to delete required option '{key}'")
            } else if !allowed.contains(&key) {
                format!("no such option '{key}'")
            } else if changes.contains_key(key) {
                format!("unable to set and delete property '{key}' at the same time!")
            } else {
                section.options.remove(key);
                continue;
            };
            return Err(Refusal::Storage(refusal).into());
        }
        section.options.extend(changes);
        understood(context, cfg, &id)?;
        Ok(json!({ "storage": id.as_str(), "type": kind }))
    })
}

/// The properties that were given, as the file has them.
fn given(params: &Params, allowed: &[&str]) -> Result<BTreeMap<String, String>, ApiError> {
    let mut options = BTreeMap::new();
    for (key, value) in params.iter() {
        if matches!(key, "storage" | "type" | "delete" | "digest") {
            continue;
        }
        if !allowed.contains(&key) {
            return Err(Refusal::Storage(format!("unexpected property '{key}'")).into());
        }
        let value = match value {
            Given::One(text) => text.clone(),
            Given::Many(list) => list.join(","),
        };
        if value.contains(['\n', '\r', '\0']) {
            return Err(ApiError::parameter(key, "value may not have line ends"));
        }
        options.insert(key.to_owned(), value);
    }
    Ok(options)
}

/// Refuses what makes a storage that cannot be used.
fn understood(context: &Context<'_>, cfg: &StorageCfg, id: &StorageId) -> Result<Storages, ApiError> {
    let storages = Storages::new(context.store.layout().clone(), context.node().clone(), cfg);
    storages.get(id)?;
    Ok(storages)
}

/// As [`understood`]; and a new storage that this node is to use is made ready, so that trouble is told now.
fn usable(context: &Context<'_>, cfg: &StorageCfg, id: &StorageId) -> Result<(), ApiError> {
    let storages = understood(context, cfg, id)?;
    if storages.enabled(id).is_ok() {
        storages.activate(id)?;
    }
    Ok(())
}

fn required(kind: &str) -> &'static [&'static str] {
    storage_cfg::storage_type(kind).map_or(&[], |kind| kind.required)
}

fn id(params: &Params) -> Result<StorageId, ApiError> {
    params.storage("storage").ok_or_else(|| ApiError::parameter("storage", "invalid format"))
}

fn object(section: &StorageSection, cfg: &StorageCfg) -> Value {
    let mut row = Map::new();
    for (key, value) in &section.options {
        let number = storage_cfg::properties()
            .any(|property| property.name == key && matches!(property.kind, Type::Boolean | Type::Integer));
        let value = match value.parse::<i64>() {
            Ok(parsed) if number => json!(parsed),
            _ => json!(value),
        };
        row.insert(key.clone(), value);
    }
    row.insert("storage".to_owned(), json!(section.id.as_str()));
    row.insert("type".to_owned(), json!(section.kind));
    row.insert("digest".to_owned(), json!(cfg.digest));
    Value::Object(row)
}

#[cfg(test)]
mod tests;
