//! Ending a task that runs.
//!
//! What a keeper carries out is ended by a message to the keeper: it aborts the hookscript that runs, or gives up waiting
//! for the guest. Any other task has a process of its own. That is asked by SIGTERM, and so is what it waits for; it cleans
//! up and ends the task.

use super::{AT_TASK, named, told};
use crate::method::{Method, Returns, Scope, Verb};
use crate::{ApiError, Context, Params, Permission, lifecycle};
use keeper::client;
use model::{Upid, Vmid};
use record::tasks::{self, State};
use rustix::process::Signal;
use serde_json::Value;

/// Ends a task.
pub static END: Method = Method {
    path: "/nodes/{node}/tasks/{upid}",
    verb: Verb::Delete,
    description: "Ends a task.",
    parameters: &[AT_TASK],
    permission: Permission::User,
    returns: Returns::Null,
    protected: true,
    scope: Scope::Api,
    run: end,
};

fn end(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let upid = named(context, params, "Sys.Modify")?;
    let layout = context.store.layout();
    if tasks::state(layout, &upid).map_err(told)? != State::Running {
        return Ok(Value::Null);
    }
    match upid.id.parse::<Vmid>() {
        Ok(vmid) if lifecycle::state(context, vmid).keeper.is_some() => ask_keeper(context, vmid, &upid),
        _ => {
            ask_process(context, &upid);
            Ok(Value::Null)
        }
    }
}

fn ask_keeper(context: &Context<'_>, vmid: Vmid, upid: &Upid) -> Result<Value, ApiError> {
    if !client::end_task(context.store.layout(), vmid, upid)? {
        ask_process(context, upid);
    }
    Ok(Value::Null)
}

fn ask_process(context: &Context<'_>, upid: &Upid) {
    match process::open(upid.process) {
        Some(process) => {
            process::send(&process, Signal::TERM);
            for child in process::descendants(upid.process.pid) {
                process::open(child).into_iter().for_each(|child| process::send(&child, Signal::TERM));
            }
        }
        // Whoever carried it out died with it.
        None => client::end_lost_tasks(context.store.layout()),
    }
}
