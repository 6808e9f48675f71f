//! What holds for all nodes: `datacenter.cfg`.

use crate::method::{Method, Returns, Scope, Verb};
use crate::nodes::unsupported;
use crate::schema::DELETE;
use crate::{ApiError, Context, Params, Permission, Refusal};
use config::format::Format;
use config::schema::Property;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

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

/// A setting of several parts.
const fn parts(name: &'static str, fields: &'static [Property], description: &'static str) -> Property {
    Property::string(name).optional().format(Format::Properties(fields)).describe(description)
}

const fn rate(name: &'static str) -> Property {
    Property::integer(name).optional().min(0).describe("In KiB/s.")
}

const fn text(name: &'static str, description: &'static str) -> Property {
    Property::string(name).optional().describe(description)
}

const fn flag(name: &'static str, description: &'static str) -> Property {
    Property::boolean(name).optional().describe(description)
}

static BANDWIDTH: &[Property] =
    &[rate("clone"), rate("default"), rate("migration"), rate("move"), rate("restore")];

static WAYS: &[Property] = &[
    text("network", "The network that it goes through."),
    text("type", "How it is carried over.").one_of(&["secure", "insecure"]).default_key(),
];

static NEXT_ID: &[Property] = &[
    Property::integer("lower").optional().min(100).describe("The first number that is given."),
    Property::integer("upper").optional().min(100).describe("Numbers below this one are given."),
];

static TAG_STYLE: &[Property] = &[
    flag("case-sensitive", "Whether capital letters are other letters."),
    text("color-map", "Colours of tags."),
    text("ordering", "The order of tags.").one_of(&["config", "alphabetical"]),
    text("shape", "How they are shown.").one_of(&["full", "circle", "dense", "none"]),
];

static TAG_ACCESS: &[Property] = &[
    text("user-allow", "Which tags users may set.").one_of(&["none", "list", "existing", "free"]),
    text("user-allow-list", "Those that they may set, a list."),
];

static SETTINGS: &[Property] = &[
    parts("bwlimit", BANDWIDTH, "How fast data may be moved."),
    text("console", "The viewer that is used by default.").one_of(&["applet", "vv", "html5", "xtermjs"]),
    DELETE,
    text("description", "What is noted about the datacenter.").max_length(65536),
    text("email_from", "The sender of mails."),
    text("http_proxy", "What downloads go through.").pattern("http://.*", |text| text.starts_with("http://")),
    text("keyboard", "The layout of keyboards.").one_of(&[
        "de", "de-ch", "da", "en-gb", "en-us", "es", "fi", "fr", "fr-be", "fr-ca", "fr-ch", "hu", "is", "it",
        "ja", "lt", "mk", "nl", "no", "pl", "pt", "pt-br", "sv", "sl", "tr",
    ]),
    text("language", "The language of the web interface."),
    text("mac_prefix", "What hardware addresses begin with.")
        .pattern(r"[0-9A-Fa-f][02468aceACE](:[0-9A-Fa-f]{2}){0,2}:?", is_prefix),
    Property::integer("max_workers")
        .optional()
        .min(1)
        .describe("How many guests are started or stopped at once."),
    parts("migration", WAYS, "How guests are migrated."),
    flag("migration_unsecure", "Guests are migrated without encryption."),
    parts("next-id", NEXT_ID, "Which numbers new guests get."),
    text("registered-tags", "Tags that administrators alone may set."),
    parts("replication", WAYS, "How guests are replicated."),
    parts("tag-style", TAG_STYLE, "How tags are shown."),
    parts("user-tag-access", TAG_ACCESS, "Which tags users may set."),
];

/// Pairs of digits, of an address that is no group's.
fn is_prefix(text: &str) -> bool {
    let parts: Vec<&str> = text.trim_end_matches(':').split(':').collect();
    let pair = |part: &&str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let own = u8::from_str_radix(parts[0], 16).is_ok_and(|first| first & 1 == 0);
    parts.len() <= 3 && parts.iter().all(pair) && own
}

/// A change of the settings.
pub static SET: Method = Method {
    path: "/cluster/options",
    verb: Verb::Put,
    description: "Changes the settings that hold for all nodes.",
    parameters: &[SETTINGS],
    permission: Permission::Privileges { path: "/", any_of: &["Sys.Modify"] },
    returns: Returns::Null,
    protected: true,
    scope: Scope::Api,
    run: change,
};

fn change(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    unsupported(params, &["description"])?;
    let delete = params.list("delete");
    let mut set = BTreeMap::new();
    for (key, value) in params.iter().filter(|(key, _)| *key != "delete") {
        let value = value.joined();
        if value.contains(['\n', '\r', '\0']) {
            return Err(ApiError::parameter(key, "value may not have line ends"));
        }
        if delete.contains(&key) {
            return Err(Refusal::SetAndDelete { key: key.to_owned(), list: "delete" }.into());
        }
        set.insert(key.to_owned(), value);
    }
    let known =
        |key: &&&str| SETTINGS.iter().any(|setting| setting.name == **key && setting.name != "delete");
    if let Some(unknown) = delete.iter().find(|key| !known(key)) {
        return Err(ApiError::parameter("delete", &format!("unknown option '{unknown}'")));
    }
    context.store.change_datacenter(&set, &delete)?;
    Ok(Value::Null)
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
