//! What hookscripts did, and ending one that runs.

use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::VMID;
use crate::{ApiError, Context, Params, Permission, Refusal, lifecycle};
use ::config::schema::Property;
use keeper::client::{self, ClientError};
use model::{GuestKind, Vmid};
use record::history;
use serde_json::{Value, json};

static HISTORY_PARAMETERS: &[Property] =
    &[Property::integer("limit").default("10").min(1).describe("How many runs, the last ones."), VMID];

/// `hookvisor hooks history`
pub static HISTORY: Method = Method {
    path: "/hookvisor/guests/{vmid}/hooks",
    verb: Verb::Get,
    description: "Tells which hookscripts ran in the last runs of a guest, how each ended and how long it took.",
    parameters: &[HISTORY_PARAMETERS],
    permission: Permission::guest(&["VM.Audit"]),
    returns: Returns::List(&["run", "begun", "ended", "cause", "phases"]),
    protected: true,
    scope: Scope::Extension,
    run: tell,
};

fn tell(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let vmid = params.vmid();
    // A run that nobody keeps goes on before it is told.
    lifecycle::state(context, vmid);
    let limit = usize::try_from(params.number("limit").unwrap_or(10)).unwrap_or(usize::MAX);
    let found = history::runs(context.store.layout(), vmid, limit)?;
    found.unreadable.iter().for_each(|error| context.warn(&error.to_string()));
    if found.runs.is_empty() {
        // A guest that never ran has an empty history; a VMID that never was has none.
        kind_of(context, vmid)?;
    }
    Ok(found.runs.iter().rev().map(|run| json!(run)).collect())
}

fn kind_of(context: &Context<'_>, vmid: Vmid) -> Result<GuestKind, ApiError> {
    context.store.find(vmid).ok_or_else(|| Refusal::NoGuest(vmid).into())
}

static ABORT_PARAMETERS: &[Property] = &[VMID];

/// `hookvisor hooks abort`
pub static ABORT: Method = Method {
    path: "/hookvisor/guests/{vmid}/hooks",
    verb: Verb::Delete,
    description: "Ends the hookscript that runs now for a guest.",
    parameters: &[ABORT_PARAMETERS],
    permission: Permission::guest(&["VM.PowerMgmt"]),
    returns: Returns::Text,
    protected: true,
    scope: Scope::Extension,
    run: |context, params| {
        let vmid = params.vmid();
        let kind = kind_of(context, vmid)?;
        match client::abort(context.store.layout(), vmid) {
            Ok(phase) => Ok(Value::from(format!("aborting {phase} of {} {vmid}", kind.label()))),
            Err(ClientError::NoKeeper(_) | ClientError::Refused(_)) => {
                Err(Refusal::NoHook { kind, vmid }.into())
            }
            Err(error) => Err(error.into()),
        }
    },
};
