//! Realms.

use crate::Permission;
use crate::method::{Method, Returns, Scope, Verb};
use serde_json::{Map, Value, json};

/// All realms, for a log-in form.
pub static LIST: Method = Method {
    path: "/access/domains",
    verb: Verb::Get,
    description: "Lists the realms that users belong to.",
    parameters: &[],
    permission: Permission::World,
    returns: Returns::List(&["realm", "type"]),
    protected: false,
    scope: Scope::Api,
    run: |context, _| {
        let rows = context.store.realms()?.into_iter().map(|realm| {
            let mut row = Map::new();
            row.insert("realm".into(), json!(realm.name));
            row.insert("type".into(), json!(realm.kind));
            for key in ["comment", "tfa"] {
                if let Some(text) = realm.options.get(key) {
                    row.insert(key.into(), json!(text));
                }
            }
            if realm.options.get("default").is_some_and(|text| text == "1") {
                row.insert("default".into(), json!(1));
            }
            Value::Object(row)
        });
        Ok(rows.collect())
    },
};
