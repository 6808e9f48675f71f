//! What the host says of itself: its names, its time, and that nobody pays for it.

use super::lxc::interfaces::output;
use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::AT_NODE;
use crate::{ApiError, Context, Params, Permission};
use serde_json::{Value, json};
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

const AUDIT: Permission = Permission::Privileges { path: "/nodes/{node}", any_of: &["Sys.Audit"] };

/// Whom it asks for addresses.
pub static DNS: Method = Method {
    path: "/nodes/{node}/dns",
    verb: Verb::Get,
    description: "Tells which name servers a node asks.",
    parameters: &[AT_NODE],
    permission: AUDIT,
    returns: Returns::Object(&[]),
    protected: false,
    scope: Scope::Api,
    run: |_, _| Ok(name_servers(&fs::read_to_string("/etc/resolv.conf").unwrap_or_default())),
};

/// As resolv.conf(5) has it.
fn name_servers(text: &str) -> Value {
    let words = |key: &'static str| {
        text.lines().filter_map(move |line| {
            let mut words = line.split_whitespace();
            (words.next()? == key).then(|| words.next()).flatten()
        })
    };
    let mut object = json!({});
    for (key, server) in ["dns1", "dns2", "dns3"].into_iter().zip(words("nameserver")) {
        object[key] = json!(server);
    }
    if let Some(domain) = words("search").next().or_else(|| words("domain").next()) {
        object["search"] = json!(domain);
    }
    object
}

/// The names that it knows.
pub static HOSTS: Method = Method {
    path: "/nodes/{node}/hosts",
    verb: Verb::Get,
    description: "Shows a node's file of host names.",
    parameters: &[AT_NODE],
    permission: AUDIT,
    returns: Returns::Object(&["data"]),
    protected: true,
    scope: Scope::Api,
    run: |_, _| {
        let failed = |source| ApiError::File { what: "unable to read", path: "/etc/hosts".into(), source };
        let raw = fs::read("/etc/hosts").map_err(failed)?;
        Ok(json!({"data": String::from_utf8_lossy(&raw), "digest": ::config::digest(&raw)}))
    },
};

/// The support that is paid for: none.
pub static SUBSCRIPTION: Method = Method {
    path: "/nodes/{node}/subscription",
    verb: Verb::Get,
    description: "Tells that there is no subscription.",
    parameters: &[AT_NODE],
    permission: Permission::User,
    returns: Returns::Object(&["status"]),
    protected: false,
    scope: Scope::Api,
    run: |_, _| Ok(json!({"status": "notfound", "message": "There is no subscription key"})),
};

/// Its time.
pub static TIME: Method = Method {
    path: "/nodes/{node}/time",
    verb: Verb::Get,
    description: "Tells a node's time and time zone.",
    parameters: &[AT_NODE],
    permission: AUDIT,
    returns: Returns::Object(&["localtime", "time", "timezone"]),
    protected: true,
    scope: Scope::Api,
    run: time,
};

fn time(_: &Context<'_>, _: &Params) -> Result<Value, ApiError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let offset = String::from_utf8_lossy(&output("date", &["+%z"])?).trim().parse().unwrap_or(0);
    Ok(json!({"time": now, "localtime": now + seconds(offset), "timezone": zone()}))
}

/// `+0130`, as a number, in seconds.
fn seconds(offset: i64) -> i64 {
    offset / 100 * 3600 + offset % 100 * 60
}

fn zone() -> String {
    let named = fs::read_to_string("/etc/timezone").ok().map(|name| name.trim().to_owned());
    let linked = || {
        let target = fs::read_link("/etc/localtime").ok()?;
        Some(target.to_str()?.split_once("zoneinfo/")?.1.to_owned())
    };
    named.filter(|name| !name.is_empty()).or_else(linked).unwrap_or_else(|| "UTC".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_numbered() {
        let text = "# x\nsearch lan home\nnameserver 10.0.0.1\nnameserver 10.0.0.2\noptions edns0\n";
        assert_eq!(name_servers(text), json!({"search": "lan", "dns1": "10.0.0.1", "dns2": "10.0.0.2"}));
        assert_eq!(name_servers(""), json!({}));
    }

    #[test]
    fn an_offset_is_hours_and_minutes() {
        for (offset, want) in [(0, 0), (130, 5400), (-330, -12_600)] {
            assert_eq!(seconds(offset), want);
        }
    }
}
