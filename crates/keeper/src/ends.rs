//! The two ends of the control socket over any stream: what a keeper makes of what a client sends, and a client of what a
//! keeper says. Whatever stands at the other end, neither may fall over it.

use crate::client::{ClientError, Out, TaskResult};
use crate::clients::Clients;
use crate::conversation::{Answer, Patience, converse};
use crate::protocol::{Asked, GuestState, Request};
use model::Vmid;
use std::os::unix::net::UnixStream;
use supervision::Supervision;

/// How a conversation ended.
#[derive(Debug, Clone)]
pub enum Heard {
    /// The task is over.
    Task(TaskResult),
    /// What the guest does.
    State(GuestState),
    /// A hookscript's end is on its way.
    Aborting,
    /// Whether a task to be ended is one of the keeper's.
    Ending(bool),
    /// The keeper ended its run, or was never heard.
    Over,
}

/// The requests that a keeper takes from what a client has sent so far, or why it refuses them.
#[must_use]
pub fn requests(client: UnixStream) -> Vec<Result<Request, String>> {
    let mut clients = Clients::default();
    let id = clients.take_in(client);
    std::iter::from_fn(|| clients.read(id))
        .map(|line| Asked::read(&line).map(|asked| asked.request))
        .collect()
}

/// What a client makes of what a keeper says to its request; `out` gets the task's output.
///
/// # Errors
/// Where the keeper refuses it, goes away in the middle, or is not understood.
pub fn conversation(
    keeper: UnixStream,
    vmid: Vmid,
    request: &Request,
    out: Out<'_>,
) -> Result<Heard, ClientError> {
    Ok(match converse(Supervision::Session, keeper, vmid, request, Patience::Look, out)? {
        Answer::Result(result) => Heard::Task(result),
        Answer::State(state) => Heard::State(state),
        Answer::Aborting(_) => Heard::Aborting,
        Answer::Ending(mine) => Heard::Ending(mine),
        Answer::Over => Heard::Over,
    })
}
