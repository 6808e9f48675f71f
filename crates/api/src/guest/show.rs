//! A configuration as clients see it (api.md 1.5, 3.1).

use crate::{ApiError, Context, Params, Refusal};
use config::schema::Type;
use config::{options, pending};
use model::GuestKind;
use serde_json::{Map, Value, json};

/// A value with its JSON type: booleans and integers of the schema are numbers, everything else is text.
pub(crate) fn typed(kind: GuestKind, key: &str, text: &str) -> Value {
    if key == "cipassword" {
        return json!("**********");
    }
    let option = options::find_in_file(kind, key);
    let numeric = option.is_some_and(|option| matches!(option.kind, Type::Boolean | Type::Integer));
    match text.parse::<i64>() {
        Ok(number) if numeric => json!(number),
        _ => json!(text),
    }
}

/// `GET …/config`
pub(crate) fn config(kind: GuestKind, context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let config = context.read(kind, params.vmid())?;
    let section = match params.text("snapshot") {
        Some(name) => {
            let unknown = || Refusal::NoSnapshot(name.to_owned());
            config.snapshots.get(name).ok_or_else(unknown)?.clone()
        }
        None if params.flag("current", false) => config.main.clone(),
        None => pending::merged(&config),
    };
    let mut object = Map::new();
    for (key, value) in &section.options {
        object.insert(key.clone(), typed(kind, key, value));
    }
    if let Some(description) = &section.description {
        object.insert("description".into(), json!(description));
    }
    if !section.lxc.is_empty() {
        object.insert("lxc".into(), section.lxc.iter().map(|(key, value)| json!([key, value])).collect());
    }
    object.insert("digest".into(), json!(config.digest));
    Ok(Value::Object(object))
}

/// `GET …/pending`, sorted by key.
pub(crate) fn pending(kind: GuestKind, context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let config = context.read(kind, params.vmid())?;
    let mut list = Vec::new();
    for item in pending::list(&config) {
        let mut row = Map::new();
        row.insert("key".into(), json!(item.key));
        if let Some(value) = &item.value {
            row.insert("value".into(), typed(kind, &item.key, value));
        }
        if let Some(value) = &item.pending {
            row.insert("pending".into(), typed(kind, &item.key, value));
        }
        if let Some(delete) = item.delete {
            row.insert("delete".into(), json!(1 + u8::from(delete)));
        }
        list.push(Value::Object(row));
    }
    list.push(json!({"key": "digest", "value": config.digest}));
    Ok(Value::Array(list))
}
