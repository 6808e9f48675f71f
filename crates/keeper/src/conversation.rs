//! One request to a keeper, and what it says to it.

use crate::callers;
use crate::client::{ClientError, Heard, Out, TaskResult};
use crate::protocol::{Asked, GuestState, Hello, PROTO, Reply, Request, send};
use model::{Layout, Phase, Vmid};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
use std::io::{self, BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use supervision::Supervision;

/// How long a keeper may say nothing before its client looks why.
const SILENCE: Duration = Duration::from_secs(2);

/// How long a keeper may take for its first word where its client waits for it.
const FIRST_WORD: Duration = Duration::from_secs(60);

/// How often a keeper that takes no more connections is tried.
const RETRY: Duration = Duration::from_millis(50);

/// How a conversation ended.
pub(crate) enum Answer {
    /// The task is over.
    Result(TaskResult),
    /// What the guest does.
    State(GuestState),
    /// A hookscript's end is on its way.
    Aborting(Phase),
    /// Whether a task to be ended is one of the keeper's.
    Ending(bool),
    /// The keeper ended its run, as it said it would, or before it took the request.
    Over,
}

/// Whether a client waits for a keeper that says nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// It only looks.
    Look,
    /// It wants something done, and tells its user what it waits for.
    Wait,
}

/// Connects to a guest's keeper; none where none lives.
///
/// # Errors
/// [`ClientError::Silent`] where it takes no connection.
pub(crate) fn connect(
    layout: &Layout,
    vmid: Vmid,
    patience: Patience,
    out: Out<'_>,
) -> Result<Option<UnixStream>, ClientError> {
    let began = Instant::now();
    let mut said = false;
    loop {
        match try_connect(layout, vmid) {
            // Nobody accepts, and as many wait already as may.
            Err(Errno::AGAIN) if patience == Patience::Wait && began.elapsed() < FIRST_WORD => {
                if !said && began.elapsed() >= SILENCE {
                    said = true;
                    let silent = ClientError::Silent { vmid, keeper: String::new() };
                    out(Heard::Output(format!("{silent}\n").as_bytes()));
                }
                std::thread::sleep(RETRY);
            }
            Err(Errno::AGAIN) => return Err(ClientError::Silent { vmid, keeper: String::new() }),
            connected => return Ok(connected.ok()),
        }
    }
}

fn try_connect(layout: &Layout, vmid: Vmid) -> Result<UnixStream, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(layout.control_socket(vmid))?)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    Ok(stream)
}

/// Puts a request to a keeper and hears it out.
///
/// # Errors
/// Where the keeper refuses it, goes away in the middle, or does not answer.
pub(crate) fn converse(
    supervision: Supervision,
    mut stream: UnixStream,
    vmid: Vmid,
    request: &Request,
    patience: Patience,
    out: Out<'_>,
) -> Result<Answer, ClientError> {
    let lost = |source| ClientError::Lost { vmid, supervision, source };
    let mut lines = Lines::new(&stream, vmid, supervision, patience).map_err(|error| lost(Some(error)))?;
    let Some(hello) = lines.next(out)? else { return Ok(Answer::Over) };
    let hello: Hello = serde_json::from_slice(&hello).map_err(|error| lost(Some(error.into())))?;
    if hello.min_proto > PROTO || hello.proto < PROTO {
        return Err(ClientError::Version { vmid, version: hello.version });
    }
    let asked = Asked { callers: callers::of_this_process(), request: request.clone() };
    if send(&mut stream, &asked).is_err() {
        return Ok(Answer::Over);
    }
    let (mut upid, mut busy, mut answered) = (None, false, false);
    while let Some(text) = lines.next(out)? {
        answered = true;
        match serde_json::from_slice(&text).map_err(|error| lost(Some(error.into())))? {
            Reply::Task { upid: task } => {
                out(Heard::Task(&task));
                upid = Some(task);
            }
            Reply::Output { text } => out(Heard::Output(text.as_bytes())),
            Reply::Done { error, warning } => {
                return Ok(Answer::Result(TaskResult { upid, status: error.map_or(Ok(()), Err), warning }));
            }
            Reply::Refused { why } => return Err(ClientError::Refused(why)),
            Reply::Busy { what } if !busy => {
                busy = true;
                out(Heard::Output(b"trying to acquire lock...\n"));
                out(Heard::Output(what.as_bytes()));
            }
            Reply::Busy { .. } => {}
            Reply::State(state) => return Ok(Answer::State(state)),
            Reply::Aborting { phase } => return Ok(Answer::Aborting(phase)),
            Reply::Ending { mine } => return Ok(Answer::Ending(mine)),
        }
    }
    if busy {
        out(Heard::Output(b" OK\n"));
    }
    // A keeper that is about to leave takes no request any more; what it takes it answers before it acts.
    if busy || !answered { Ok(Answer::Over) } else { Err(lost(None)) }
}

/// What a keeper says, line by line.
struct Lines {
    reader: BufReader<UnixStream>,
    vmid: Vmid,
    supervision: Supervision,
    patience: Patience,
    /// The keeper; none for one that has just been born, whose end of the connection this process made.
    keeper: Option<u32>,
    line: Vec<u8>,
    heard: bool,
    told: bool,
}

impl Lines {
    fn new(
        stream: &UnixStream,
        vmid: Vmid,
        supervision: Supervision,
        patience: Patience,
    ) -> io::Result<Self> {
        stream.set_read_timeout(Some(SILENCE))?;
        let peer = rustix::net::sockopt::socket_peercred(stream);
        let keeper = peer.ok().map(|peer| peer.pid.as_raw_nonzero().get().unsigned_abs());
        let keeper = keeper.filter(|pid| *pid != std::process::id());
        let reader = BufReader::new(stream.try_clone()?);
        Ok(Self { reader, vmid, supervision, patience, keeper, line: Vec::new(), heard: false, told: false })
    }

    /// The next line; none where the keeper has closed the connection.
    fn next(&mut self, out: Out<'_>) -> Result<Option<Vec<u8>>, ClientError> {
        let began = Instant::now();
        self.line.clear();
        loop {
            match self.reader.read_until(b'\n', &mut self.line) {
                Ok(_) if self.line.ends_with(b"\n") => {
                    self.heard = true;
                    return Ok(Some(self.line.clone()));
                }
                Ok(_) => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    self.wait_on(began, out)?;
                }
                Err(error) => {
                    let Self { vmid, supervision, .. } = *self;
                    return Err(ClientError::Lost { vmid, supervision, source: Some(error) });
                }
            }
        }
    }

    /// The keeper has said nothing for a while: tells why, once, and whether to wait on.
    fn wait_on(&mut self, began: Instant, out: Out<'_>) -> Result<(), ClientError> {
        let stopped = self.keeper.is_some_and(process::is_stopped);
        let silent = ClientError::Silent { vmid: self.vmid, keeper: self.describe(stopped) };
        if self.patience == Patience::Look || (!self.heard && began.elapsed() >= FIRST_WORD) {
            return Err(silent);
        }
        // One that has greeted is at work, however long that takes.
        if !self.told && (stopped || !self.heard) {
            self.told = true;
            out(Heard::Output(format!("{silent}\n").as_bytes()));
        }
        Ok(())
    }

    fn describe(&self, stopped: bool) -> String {
        match (self.keeper, stopped) {
            (Some(pid), true) => format!(" (process {pid} is stopped, `kill -CONT {pid}` lets it go on)"),
            (Some(pid), false) => format!(" (process {pid})"),
            (None, _) => String::new(),
        }
    }
}
