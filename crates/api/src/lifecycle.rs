//! What the api asks of guests' keepers. This is the one place that talks to them.

use crate::{ApiError, Context, Refusal};
use keeper::client::{self, ClientError, Heard, TaskResult};
use keeper::{GuestState, Request, StartRequest};
use model::{GuestKind, StartReason, Stream, Vmid};
use serde_json::Value;

/// Starts a guest and waits for the end of its start.
pub(crate) fn start(
    context: &Context<'_>,
    kind: GuestKind,
    vmid: Vmid,
    skiplock: bool,
    timeout: Option<u64>,
) -> Result<Value, ApiError> {
    let user = context.user.clone();
    let request =
        StartRequest { skiplock, timeout, ..StartRequest::new(kind, vmid, user, StartReason::User) };
    answer(client::start(context.store.layout(), request, &mut |heard| hear(context, heard))?)
}

/// Asks a guest's keeper for something and waits for its end.
pub(crate) fn ask(
    context: &Context<'_>,
    kind: GuestKind,
    vmid: Vmid,
    request: &Request,
) -> Result<Value, ApiError> {
    match client::ask(context.store.layout(), vmid, request, &mut |heard| hear(context, heard)) {
        Err(ClientError::NoKeeper(_)) => Err(Refusal::NotRunning { kind, vmid }.into()),
        result => answer(result?),
    }
}

fn hear(context: &Context<'_>, heard: Heard<'_>) {
    match heard {
        Heard::Task(upid) => context.began(upid),
        Heard::Output(bytes) => context.write(Stream::Stdout, bytes),
    }
}

fn answer(result: TaskResult) -> Result<Value, ApiError> {
    match result.status {
        Ok(()) => Ok(result.upid.map_or(Value::Null, |upid| Value::from(upid.to_string()))),
        Err(status) => Err(ApiError::Task { upid: result.upid.map(Box::new), status }),
    }
}

/// What a guest does now. A run whose keeper has died gets another one.
pub(crate) fn state(context: &Context<'_>, vmid: Vmid) -> GuestState {
    let layout = context.store.layout();
    let state = client::state(layout, vmid);
    if !state.abandoned {
        return state;
    }
    match client::take_over(layout, vmid) {
        Ok(Some(state)) => {
            context.warn(&format!("WARN: the keeper of {vmid} had died, another one goes on with the run"));
            state
        }
        Ok(None) => client::state(layout, vmid),
        Err(error) => {
            context.warn(&format!("WARN: the keeper of {vmid} has died: {error}"));
            state
        }
    }
}

/// Brings a run whose keeper has died to where a living one would have it: the guest is kept again, or its `post-stop` is over.
pub(crate) fn recover(context: &Context<'_>, vmid: Vmid) -> Result<(), ApiError> {
    client::recover(context.store.layout(), vmid)?;
    Ok(())
}

/// Whether the guest itself runs.
pub(crate) fn is_running(context: &Context<'_>, vmid: Vmid) -> bool {
    state(context, vmid).running.is_some()
}

/// Whether the guest runs or is being started, and is not on its way out.
pub(crate) fn is_on_its_way(state: &GuestState) -> bool {
    let ending = matches!(state.stage.as_str(), "pre-stop" | "stop" | "post-stop" | "over");
    (state.running.is_some() || state.keeper.is_some()) && !ending
}

/// Whether something keeps the guest: it runs, or a phase of its start or stop does, or a run is to be taken over.
pub(crate) fn is_kept(context: &Context<'_>, vmid: Vmid) -> bool {
    let state = state(context, vmid);
    state.running.is_some() || state.keeper.is_some() || state.abandoned
}

/// Refuses a guest that does not run.
pub(crate) fn must_run(context: &Context<'_>, kind: GuestKind, vmid: Vmid) -> Result<(), ApiError> {
    context.read(kind, vmid)?;
    if is_running(context, vmid) { Ok(()) } else { Err(Refusal::NotRunning { kind, vmid }.into()) }
}

/// Refuses a guest that is kept though it does not run: a hookscript of its start or stop still does.
pub(crate) fn must_rest(context: &Context<'_>, kind: GuestKind, vmid: Vmid) -> Result<(), ApiError> {
    let state = state(context, vmid);
    if state.keeper.is_none() {
        return Ok(());
    }
    let phase = state.phase.map_or(state.stage, |phase| phase.to_string());
    Err(Refusal::Busy { kind, vmid, phase }.into())
}
