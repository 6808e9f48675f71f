//! Runs that no keeper keeps any more.

use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::VMID;
use crate::{ApiError, Context, Params, Permission};
use ::config::schema::Property;
use keeper::client;
use model::Vmid;
use serde_json::{Value, json};
use std::panic::resume_unwind;
use std::thread;

static PARAMETERS: &[Property] = &[VMID.optional()];

/// `hookvisor recover`
pub static RECOVER: Method = Method {
    path: "/hookvisor/recover",
    verb: Verb::Post,
    description: "Gives every run whose keeper died a new keeper: live guests are kept again, dead ones get their post-stop.",
    parameters: &[PARAMETERS],
    permission: Permission::Root,
    returns: Returns::List(&["vmid", "status"]),
    protected: true,
    scope: Scope::Extension,
    run: recover,
};

fn recover(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let layout = context.store.layout();
    let recorded = client::recorded(layout).map_err(|source| ApiError::File {
        what: "unable to read",
        path: layout.runs(),
        source,
    })?;
    let only: Option<Vmid> = params.text("vmid").and_then(|text| text.parse().ok());
    let wanted = recorded.into_iter().filter(|vmid| only.is_none_or(|only| only == *vmid));
    // Beside each other: a hookscript that hangs must not keep the others from it.
    let recovered: Vec<_> = thread::scope(|scope| {
        let begun: Vec<_> =
            wanted.map(|vmid| (vmid, scope.spawn(move || client::recover(layout, vmid)))).collect();
        begun.into_iter().map(|(vmid, thread)| (vmid, thread.join())).collect()
    });
    let mut rows = Vec::new();
    let mut failed = None;
    for (vmid, result) in recovered {
        match result.unwrap_or_else(|panic| resume_unwind(panic)) {
            Ok(None) => {}
            Ok(Some(state)) => {
                let status = if state.running.is_some() { "running" } else { "stopped" };
                rows.push(json!({"vmid": vmid.get(), "status": status, "keeper": state.keeper}));
            }
            // One that cannot be recovered must not keep the others from it.
            Err(error) => {
                context.warn(&format!("{vmid}: {error}"));
                failed = Some(error);
            }
        }
    }
    client::end_lost_tasks(layout);
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(Value::Array(rows)),
    }
}
