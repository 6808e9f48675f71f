//! Guests that no backup job has: all, as there are no jobs here.

use crate::Permission;
use crate::guest::summary::visible;
use crate::method::{Method, Returns, Scope, Verb};
use serde_json::{Value, json};

/// The guests that nothing backs up.
pub static NOT_BACKED_UP: Method = Method {
    path: "/cluster/backup-info/not-backed-up",
    verb: Verb::Get,
    description: "Lists the guests that no job backs up.",
    parameters: &[],
    permission: Permission::User,
    returns: Returns::List(&["vmid", "type", "name"]),
    protected: true,
    scope: Scope::Api,
    run: |context, _| {
        let rows = visible(context, None)?.into_iter().map(|(vmid, summary)| {
            json!({"vmid": vmid.get(), "type": summary.kind.as_str(), "name": summary.name})
        });
        Ok(Value::Array(rows.collect()))
    },
};
