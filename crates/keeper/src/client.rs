//! The other side of the control socket: what commands and the server ask of keepers.

use crate::born::born;
use crate::callers;
use crate::conversation::{Answer, Patience, connect, converse};
use crate::machine;
use crate::next;
use crate::protocol::{GuestState, Request, RunningGuest, StartRequest};
use model::{Event, GuestKind, Layout, Phase, Upid, Vmid};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};
use supervision::Supervision;

/// How many keepers in a row may go away before a request is given up.
const ATTEMPTS: u32 = 10;

/// How a task of the lifecycle ended.
#[derive(Debug, Clone)]
pub struct TaskResult {
    /// The task; none for a request that makes none.
    pub upid: Option<Upid>,
    /// The error text that it ended with.
    pub status: Result<(), String>,
    /// What went otherwise than it should, although it ended well.
    pub warning: Option<String>,
}

/// Why a keeper could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No keeper lives for this guest: it is stopped.
    #[error("no keeper runs for {0}")]
    NoKeeper(Vmid),
    /// The request was refused without a task.
    #[error("{0}")]
    Refused(String),
    /// A keeper could not be born.
    #[error("cannot start a keeper for {vmid}: {source}")]
    Birth {
        /// The guest.
        vmid: Vmid,
        /// Why.
        source: io::Error,
    },
    /// The keeper went away in the middle of the conversation.
    #[error("the keeper of {vmid} went away unexpectedly; {}{}", successor(*.vmid, *.supervision), detail(.source))]
    Lost {
        /// The guest.
        vmid: Vmid,
        /// Who watched it.
        supervision: Supervision,
        /// What the connection said, where it said something.
        source: Option<io::Error>,
    },
    /// The keeper is of a version that this program cannot talk to.
    #[error(
        "the keeper of {vmid} is of version {version}, which this program cannot talk to: stop the guest with that version"
    )]
    Version {
        /// The guest.
        vmid: Vmid,
        /// The keeper's version.
        version: String,
    },
    /// The keeper lives and says nothing.
    #[error("the keeper of {vmid} does not answer{keeper}")]
    Silent {
        /// The guest.
        vmid: Vmid,
        /// What is known of its process.
        keeper: String,
    },
    /// Somebody else keeps the guest busy for too long.
    #[error("{}", lock_timeout(.path))]
    Busy {
        /// The lock that was waited for.
        path: String,
    },
}

/// Who goes on with what a keeper left.
fn successor(vmid: Vmid, supervision: Supervision) -> String {
    match supervision {
        Supervision::Session => "`hookvisor recover` takes over what it left".to_owned(),
        Supervision::Systemd => format!(
            "systemd begins it anew, and it goes on with what it left (`systemctl status hookvisor-keeper@{vmid}`)"
        ),
    }
}

fn detail(source: &Option<io::Error>) -> String {
    source.as_ref().map(|error| format!(": {error}")).unwrap_or_default()
}

fn lock_timeout(path: &str) -> String {
    format!("can't lock file '{path}' - got timeout")
}

/// What a client hears while it waits.
#[derive(Debug, Clone, Copy)]
pub enum Heard<'a> {
    /// The task that carries the request out has begun.
    Task(&'a Upid),
    /// Some of its output, or what is waited for.
    Output(&'a [u8]),
}

/// Who hears it, as it comes.
pub type Out<'a> = &'a mut dyn FnMut(Heard<'_>);

/// Starts a guest and waits for the end of its start. The keeper that does it lives on by itself.
///
/// # Errors
/// Where no keeper could be born or it went away. A start that fails is an `Err` in the task's status.
pub fn start(layout: &Layout, mut request: StartRequest, out: Out<'_>) -> Result<TaskResult, ClientError> {
    let vmid = request.vmid;
    callers::sign(&mut request);
    let request = Request::Start(request);
    loop {
        let stream = match connect(layout, vmid, Patience::Wait, out)? {
            Some(stream) => stream,
            None => born(layout, vmid, None)?,
        };
        let answer = converse(Supervision::of(layout), stream, vmid, &request, Patience::Wait, out)?;
        match answer {
            Answer::Result(result) => return Ok(result),
            // The run that was in the way is over. That it ends is up to its hookscripts, which have their own limits.
            Answer::Over => {}
            Answer::State(_) | Answer::Aborting(_) | Answer::Ending(_) => {
                return Err(ClientError::Lost { vmid, supervision: Supervision::of(layout), source: None });
            }
        }
    }
}

/// Bears the keeper of the start that follows a run, with the run lock, so that nobody comes between the two.
///
/// # Errors
/// As [`start`].
pub(crate) fn start_next(
    layout: &Layout,
    request: StartRequest,
    lock: File,
    out: Out<'_>,
) -> Result<TaskResult, ClientError> {
    let vmid = request.vmid;
    let born = born(layout, vmid, Some(lock)).inspect_err(|_| next::forget(layout, vmid))?;
    match converse(Supervision::of(layout), born, vmid, &Request::Start(request), Patience::Wait, out)? {
        Answer::Result(result) => Ok(result),
        _ => Err(ClientError::Lost { vmid, supervision: Supervision::of(layout), source: None }),
    }
}

/// Asks the keeper of a guest and waits for the end of what it does.
///
/// # Errors
/// [`ClientError::NoKeeper`] where the guest is stopped.
pub fn ask(layout: &Layout, vmid: Vmid, request: &Request, out: Out<'_>) -> Result<TaskResult, ClientError> {
    // Again for a keeper that leaves or dies just now, with another one in its place.
    for _ in 0..ATTEMPTS {
        let stream = reach(layout, vmid, out)?;
        match converse(Supervision::of(layout), stream, vmid, request, Patience::Wait, out)? {
            Answer::Result(result) => return Ok(result),
            Answer::State(_) | Answer::Aborting(_) | Answer::Ending(_) => {
                return Ok(TaskResult { upid: None, status: Ok(()), warning: None });
            }
            Answer::Over if layout.ledger(vmid).exists() => {}
            Answer::Over => break,
        }
    }
    // The guest is gone, and so is its keeper.
    Err(ClientError::NoKeeper(vmid))
}

/// A connection to the keeper of a guest, or to a new one where the one before has died.
fn reach(layout: &Layout, vmid: Vmid, out: Out<'_>) -> Result<UnixStream, ClientError> {
    if !is_unfinished(layout, vmid) {
        recover(layout, vmid)?;
    }
    if let Some(stream) = born_to_recover(layout, vmid)? {
        return Ok(stream);
    }
    match connect(layout, vmid, Patience::Wait, out)? {
        Some(stream) => Ok(stream),
        // One is just being born: this one waits until that can be reached.
        None if is_unfinished(layout, vmid) => born(layout, vmid, None),
        None => Err(ClientError::NoKeeper(vmid)),
    }
}

/// Has the hookscript of a guest that runs now aborted; one that a dead keeper left, too. Returns its phase.
///
/// # Errors
/// [`ClientError::NoKeeper`] and [`ClientError::Refused`] where none runs.
pub fn abort(layout: &Layout, vmid: Vmid) -> Result<Phase, ClientError> {
    for _ in 0..ATTEMPTS {
        let stream = reach(layout, vmid, &mut |_| {})?;
        match converse(Supervision::of(layout), stream, vmid, &Request::Abort, Patience::Wait, &mut |_| {})? {
            Answer::Aborting(phase) => return Ok(phase),
            Answer::Over if is_unfinished(layout, vmid) => {}
            _ => break,
        }
    }
    Err(ClientError::NoKeeper(vmid))
}

/// Has the keeper of a guest end a task. Returns whether the task is one of that keeper's.
///
/// # Errors
/// Where the keeper does not answer, or cannot end it.
pub fn end_task(layout: &Layout, vmid: Vmid, upid: &Upid) -> Result<bool, ClientError> {
    let request = Request::EndTask { upid: upid.clone() };
    let Some(stream) = connect(layout, vmid, Patience::Look, &mut |_| {})? else { return Ok(false) };
    let answer = converse(Supervision::of(layout), stream, vmid, &request, Patience::Look, &mut |_| {})?;
    Ok(matches!(answer, Answer::Ending(true)))
}

/// What a guest does now. Takes well under a millisecond.
#[must_use]
pub fn state(layout: &Layout, vmid: Vmid) -> GuestState {
    // A keeper that is stopped must not stop those who only look.
    match look(layout, vmid) {
        Some(Ok(Answer::State(state))) => state,
        Some(Err(ClientError::Silent { .. })) => {
            GuestState { abandoned: false, stage: "not answering".to_owned(), ..recorded_state(layout, vmid) }
        }
        _ => recorded_state(layout, vmid),
    }
}

/// Asks the guest's keeper what the guest does, without patience; none where no keeper lives.
fn look(layout: &Layout, vmid: Vmid) -> Option<Result<Answer, ClientError>> {
    let stream = connect(layout, vmid, Patience::Look, &mut |_| {}).transpose()?;
    Some(stream.and_then(|stream| {
        converse(Supervision::of(layout), stream, vmid, &Request::Status, Patience::Look, &mut |_| {})
    }))
}

/// Whether a run of the guest has not ended, as far as anything tells: its record, or a virtual machine that runs without one.
pub(crate) fn is_unfinished(layout: &Layout, vmid: Vmid) -> bool {
    layout.ledger(vmid).symlink_metadata().is_ok() || machine::find_by_pid_file(layout, vmid).is_some()
}

/// What the record says about a guest that no keeper answers for; the world itself, where the record is damaged.
fn recorded_state(layout: &Layout, vmid: Vmid) -> GuestState {
    if !is_unfinished(layout, vmid) {
        return GuestState::default();
    }
    let contents = match record::ledger::read_without_output(&layout.ledger(vmid)) {
        Ok(contents) if contents.damage.is_empty() && !contents.events.is_empty() => contents,
        _ => return found_state(layout, vmid),
    };
    let mut running = None;
    for stamped in &contents.events {
        match &stamped.event {
            Event::Launch { process } => running = Some((*process, stamped.boot_ms)),
            Event::Ready { init: Some(init) } => running = running.map(|(_, since)| (*init, since)),
            Event::Gone { .. } | Event::Restart => running = None,
            _ => {}
        }
    }
    let running =
        running.filter(|(process, _)| process::alive(*process)).map(|(process, since)| RunningGuest {
            pid: process.pid,
            uptime: process::boot_millis().saturating_sub(since) / 1000,
            qmpstatus: None,
        });
    GuestState { running, abandoned: !contents.events.is_empty(), ..GuestState::default() }
}

/// What a guest does that runs although its record does not tell so.
fn found_state(layout: &Layout, vmid: Vmid) -> GuestState {
    let found = GuestKind::ALL.into_iter().find_map(|kind| machine::find(layout, kind, vmid));
    let running = found.map(|process| RunningGuest {
        pid: process.pid,
        uptime: process::boot_millis().saturating_sub(process.start * 10) / 1000,
        qmpstatus: None,
    });
    GuestState { running, abandoned: true, ..GuestState::default() }
}

/// Has a run that no keeper keeps adopted or brought to its end. Returns what the guest does then; none where there was
/// no such run.
///
/// # Errors
/// Where no keeper could be born.
pub fn recover(layout: &Layout, vmid: Vmid) -> Result<Option<GuestState>, ClientError> {
    recover_within(layout, vmid, None)
}

/// As [`recover`], with a limit for each hookscript that is left to be run and says nothing itself, in seconds. Scripts whose
/// storage is not there yet are waited for within it.
///
/// # Errors
/// As [`recover`].
pub fn recover_within(
    layout: &Layout,
    vmid: Vmid,
    hook_limit: Option<u64>,
) -> Result<Option<GuestState>, ClientError> {
    if !is_unfinished(layout, vmid) && next::read(layout, vmid).is_none() {
        return Ok(None);
    }
    // A connection alone may be to a keeper that is just being killed; one that is stopped keeps all the same.
    if look(layout, vmid).is_some_and(|answer| !matches!(answer, Ok(Answer::Over))) {
        return Ok(None);
    }
    let request = Request::Recover { hook_limit };
    match converse(
        Supervision::of(layout),
        born(layout, vmid, None)?,
        vmid,
        &request,
        Patience::Wait,
        &mut |_| {},
    )? {
        Answer::State(state) => Ok(Some(state)),
        _ => Ok(Some(state(layout, vmid))),
    }
}

/// Gives a run that no keeper keeps a new one, and does not wait for what is left of it. Returns what the guest does then; none
/// where there was no such run.
///
/// # Errors
/// Where no keeper could be born.
pub fn take_over(layout: &Layout, vmid: Vmid) -> Result<Option<GuestState>, ClientError> {
    let Some(stream) = born_to_recover(layout, vmid)? else { return Ok(None) };
    match converse(Supervision::of(layout), stream, vmid, &Request::Status, Patience::Look, &mut |_| {}) {
        Ok(Answer::State(state)) => Ok(Some(state)),
        // It has much to do first.
        Ok(_) | Err(ClientError::Silent { .. }) => Ok(Some(state(layout, vmid))),
        Err(error) => Err(error),
    }
}

/// A new keeper for a run that no keeper keeps; none where there is no such run.
fn born_to_recover(layout: &Layout, vmid: Vmid) -> Result<Option<UnixStream>, ClientError> {
    if !is_unfinished(layout, vmid) {
        return Ok(None);
    }
    let lock = File::options().create(true).append(true).open(layout.run_lock(vmid));
    let lock = lock.map_err(|source| ClientError::Birth { vmid, source })?;
    // Whoever has it keeps the run, and is only being born or on its way out.
    if lock.try_lock().is_err() || !is_unfinished(layout, vmid) {
        return Ok(None);
    }
    born(layout, vmid, Some(lock)).map(Some)
}

/// Ends the tasks whose process died before they were on the record of a run.
pub fn end_lost_tasks(layout: &Layout) {
    crate::orphans::end_all(layout);
}

/// The guests that have a run on record which has not ended, or are owed a start that follows one.
///
/// # Errors
/// Where the folder of ledgers cannot be read.
pub fn recorded(layout: &Layout) -> io::Result<Vec<Vmid>> {
    let entries = match std::fs::read_dir(layout.runs()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let vmid = |name: &Path| {
        let name = name.to_str()?;
        let name = name.strip_suffix(".jsonl").or_else(|| name.strip_suffix(".next"))?;
        name.parse::<Vmid>().ok()
    };
    let mut vmids: Vec<Vmid> =
        entries.flatten().filter_map(|entry| vmid(Path::new(&entry.file_name()))).collect();
    vmids.sort_unstable();
    vmids.dedup();
    Ok(vmids)
}

/// Waits until no keeper keeps the guest, at most this long; none for ever.
#[must_use]
pub fn wait_until_stopped(layout: &Layout, vmid: Vmid, limit: Option<Duration>) -> bool {
    let deadline = limit.map(|limit| Instant::now() + limit);
    loop {
        let connected = UnixStream::connect(layout.control_socket(vmid));
        let Ok(stream) = connected else { return true };
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) || stream.set_read_timeout(left).is_err() {
            return false;
        }
        // The keeper closes the connection when the run is over.
        let mut lines = BufReader::new(stream);
        let mut text = String::new();
        loop {
            text.clear();
            match lines.read_line(&mut text) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return false;
                }
                Err(_) => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_on_with_what_a_dead_keeper_left_is_named() {
        let vmid = "100".parse().unwrap();
        let lost = |supervision| ClientError::Lost { vmid, supervision, source: None }.to_string();
        assert!(lost(Supervision::Session).ends_with("; `hookvisor recover` takes over what it left"));
        let watched = lost(Supervision::Systemd);
        assert!(watched.contains("; systemd begins it anew,") && !watched.contains("recover"), "{watched}");
    }
}
