//! How one task stands.

use super::{AT_TASK, named, row, told};
use crate::method::{Method, Returns, Scope, Verb};
use crate::{ApiError, Context, Params, Permission};
use record::tasks::{self, State};
use serde_json::{Value, json};

/// Whether a task runs, and how it ended.
pub static STATUS: Method = Method {
    path: "/nodes/{node}/tasks/{upid}/status",
    verb: Verb::Get,
    description: "Tells whether a task still runs, and how it ended.",
    parameters: &[AT_TASK],
    permission: Permission::User,
    returns: Returns::Object(&["upid", "node", "pid", "pstart", "starttime", "type", "id", "user", "status"]),
    protected: true,
    scope: Scope::Api,
    run: status,
};

fn status(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let upid = named(context, params, "Sys.Audit")?;
    let state = tasks::state(context.store.layout(), &upid).map_err(told)?;
    let mut object = row(&upid);
    match state {
        State::Running => {
            object.insert("status".into(), json!("running"));
        }
        State::Ended { status, .. } => {
            object.insert("status".into(), json!("stopped"));
            object.insert("exitstatus".into(), json!(status));
        }
    }
    Ok(Value::Object(object))
}
