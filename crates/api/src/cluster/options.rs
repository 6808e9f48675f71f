//! What holds for all nodes: `datacenter.cfg`.

use crate::method::{Method, Returns, Scope, Verb};
use crate::{ApiError, Context, Params, Permission};
use serde_json::{Map, Value, json};

/// The settings.
pub static GET: Method = Method {
    path: "/cluster/options",
    verb: Verb::Get,
    description: "Shows the settings that hold for all nodes.",
    parameters: &[],
    permission: Permission::Privileges { path: "/", any_of: &["Sys.Audit"] },
    returns: Returns::Object(&["mac_prefix"]),
    protected: false,
    scope: Scope::Api,
    run: read,
};

/// Settings of several parts, with the name of the part whose name may be left out.
const PARTS: &[(&str, &str)] = &[
    ("bwlimit", ""),
    ("crs", "ha"),
    ("ha", ""),
    ("migration", "type"),
    ("next-id", ""),
    ("notify", ""),
    ("replication", "type"),
    ("tag-style", ""),
    ("u2f", ""),
    ("user-tag-access", ""),
    ("webauthn", ""),
];

fn read(context: &Context<'_>, _: &Params) -> Result<Value, ApiError> {
    let settings = context.store.datacenter()?;
    let mut object: Map<String, Value> =
        settings.iter().map(|(key, value)| (key.to_owned(), typed(key, value))).collect();
    object.entry("mac_prefix").or_insert_with(|| json!("BC:24:11"));
    Ok(Value::Object(object))
}

fn typed(key: &str, value: &str) -> Value {
    if let Some((_, unnamed)) = PARTS.iter().find(|(name, _)| *name == key) {
        let parts = value.split(',').filter(|part| !part.is_empty());
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((unnamed, part));
            (name.trim().to_owned(), json!(value.trim()))
        };
        return Value::Object(parts.map(pair).collect());
    }
    match (key, value.parse::<i64>()) {
        ("registered-tags", _) => value.split(';').filter(|tag| !tag.is_empty()).collect(),
        ("max_workers" | "migration_unsecure", Ok(number)) => json!(number),
        _ => json!(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_the_types_that_clients_know() {
        for (key, value, want) in [
            (
                "migration",
                "insecure,network=10.0.0.0/8",
                json!({"type": "insecure", "network": "10.0.0.0/8"}),
            ),
            ("next-id", "lower=5,upper=7", json!({"lower": "5", "upper": "7"})),
            ("registered-tags", "a;b", json!(["a", "b"])),
            ("max_workers", "4", json!(4)),
            ("keyboard", "de", json!("de")),
        ] {
            assert_eq!(typed(key, value), want, "{key}");
        }
    }
}
