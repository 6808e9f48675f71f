//! What is said on a keeper's control socket: lines of JSON.
//!
//! The keeper begins with a [`Hello`]; the client sends one [`Request`]; the keeper sends [`Reply`]s, the last of which is
//! final. `status`, `stop` and `abort` keep their form for ever, so that any version can stop a guest
//! that any other one keeps.

use model::{GuestKind, Phase, RunId, StartReason, Text, Upid, UserId, Vmid};
use serde::{Deserialize, Deserializer, Serialize};
use std::os::unix::net::UnixStream;

/// The version of the protocol that this program speaks.
pub(crate) const PROTO: u32 = 1;

/// The longest time that can be asked for, in seconds: a century. A keeper adds it to the present, which has an end.
const LONGEST: u64 = 100 * 365 * 24 * 60 * 60;

/// Reads a time in seconds; a longer one than the longest is as good as that.
fn seconds<'de, D: Deserializer<'de>>(value: D) -> Result<Option<u64>, D::Error> {
    Ok(Option::<u64>::deserialize(value)?.map(|seconds| seconds.min(LONGEST)))
}

/// The keeper's first line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// The version it speaks.
    pub(crate) proto: u32,
    /// The oldest version that it understands.
    pub(crate) min_proto: u32,
    /// The version of the program.
    pub(crate) version: String,
}

impl Hello {
    pub(crate) fn own() -> Self {
        Self { proto: PROTO, min_proto: PROTO, version: model::version().to_owned() }
    }
}

/// A start that is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StartRequest {
    /// The guest's kind.
    pub kind: GuestKind,
    /// The guest.
    pub vmid: Vmid,
    /// Who asks.
    pub user: UserId,
    /// Why.
    pub reason: StartReason,
    /// Whether a lock in the configuration is ignored.
    #[serde(default)]
    pub skiplock: bool,
    /// How long the guest may take to come up, in seconds; none for the default.
    #[serde(default, deserialize_with = "seconds")]
    pub timeout: Option<u64>,
    /// The task that goes on with this start, where one does.
    #[serde(default)]
    pub task: Option<Upid>,
    /// How long each hookscript of the start may run that says nothing itself, in seconds; none for no limit.
    #[serde(default, deserialize_with = "seconds")]
    pub hook_limit: Option<u64>,
    /// Whether the `post-stop` of a start that failed asks.
    #[serde(default)]
    pub after_failure: bool,
}

impl StartRequest {
    /// A start that somebody asks for, with nothing out of the ordinary.
    #[must_use]
    pub fn new(kind: GuestKind, vmid: Vmid, user: UserId, reason: StartReason) -> Self {
        Self {
            kind,
            vmid,
            user,
            reason,
            skiplock: false,
            timeout: None,
            task: None,
            hook_limit: None,
            after_failure: false,
        }
    }
}

/// A request as it is on the socket.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// The runs whose hookscripts it comes of, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) callers: Vec<RunId>,
    /// What is asked.
    #[serde(flatten)]
    pub(crate) request: Request,
}

impl Asked {
    /// Reads a line; an error is what the client is told.
    pub(crate) fn read(line: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(line)
            .map_err(|error| format!("this keeper does not understand the request: {error}"))
    }
}

/// What can be asked of a keeper.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// Start the guest: asked of a keeper that has just been born.
    Start(StartRequest),
    /// Go on with a run whose keeper died: asked of a keeper that has just been born.
    Recover {
        /// How long each hookscript that is left to be run may take that says nothing itself, in seconds; none for no limit.
        #[serde(default, deserialize_with = "seconds")]
        hook_limit: Option<u64>,
    },
    /// What the guest does now.
    Status,
    /// End it at once.
    Stop {
        /// Who asks.
        user: UserId,
        /// Whether a lock in the configuration is ignored.
        #[serde(default)]
        skiplock: bool,
        /// How long the end may take before it is forced, in seconds.
        #[serde(default, deserialize_with = "seconds")]
        timeout: Option<u64>,
    },
    /// Ask the guest to shut down.
    Shutdown {
        /// Who asks.
        user: UserId,
        /// Whether a lock in the configuration is ignored.
        #[serde(default)]
        skiplock: bool,
        /// How long it may take, in seconds; none for the default.
        #[serde(default, deserialize_with = "seconds")]
        timeout: Option<u64>,
        /// Whether it is ended when it takes longer.
        #[serde(default)]
        force: bool,
        /// Whether this is because the host goes down: the stop's cause is `host-shutdown` then, and the timeout holds for
        /// all phases of the stop together.
        #[serde(default)]
        host: bool,
    },
    /// Shut down, then start again.
    Reboot {
        /// Who asks.
        user: UserId,
        /// How long the shutdown may take, in seconds; none for the default.
        #[serde(default, deserialize_with = "seconds")]
        timeout: Option<u64>,
    },
    /// Something about a virtual machine that runs, without a phase.
    Machine {
        /// Who asks.
        user: UserId,
        /// What.
        action: MachineAction,
        /// Whether a lock in the configuration is ignored.
        #[serde(default)]
        skiplock: bool,
    },
    /// Abort the hookscript that runs now.
    Abort,
    /// End a task: abort the hookscript that it waits for, or give up waiting for the guest.
    EndTask {
        /// The task.
        upid: Upid,
    },
}

impl Request {
    /// Whether it ends the guest.
    pub(crate) fn is_stop(&self) -> bool {
        matches!(self, Self::Stop { .. } | Self::Shutdown { .. } | Self::Reboot { .. })
    }
}

/// What can be done to a guest that runs, without a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineAction {
    /// Press the reset button.
    Reset,
    /// Pause it.
    Suspend,
    /// Let it go on.
    Resume,
}

/// What a keeper answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub(crate) enum Reply {
    /// The task that carries the request out.
    Task {
        /// Its id.
        upid: Upid,
    },
    /// Some of its output.
    Output {
        /// The bytes.
        text: Text,
    },
    /// The task is over.
    Done {
        /// The error it ended with.
        error: Option<String>,
        /// What went otherwise than it should, although it ended well.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        warning: Option<String>,
    },
    /// The request was refused without a task.
    Refused {
        /// Why.
        why: String,
    },
    /// The request waits for the end of this run, which the end of the connection tells.
    Busy {
        /// What is going on.
        what: String,
    },
    /// What the guest does now.
    State(GuestState),
    /// Whether the task to be ended is one of this keeper's; its end is on its way then.
    Ending {
        /// Whether it is.
        mine: bool,
    },
    /// A hookscript's end is on its way.
    Aborting {
        /// The phase.
        phase: Phase,
    },
}

/// What a guest does now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestState {
    /// The guest; none while it is stopped. During `pre-start` it counts as stopped.
    pub running: Option<RunningGuest>,
    /// The phase whose hookscript runs now.
    pub phase: Option<Phase>,
    /// The pid of that hookscript.
    pub hook_pid: Option<u32>,
    /// In how many milliseconds its limit ends it, or that of the stop; none where nothing does.
    #[serde(default)]
    pub hook_ends_in: Option<u64>,
    /// The keeper's pid.
    pub keeper: Option<u32>,
    /// What the keeper does: `pre-start`, `launch`, `running`, `stop` …
    #[serde(default)]
    pub stage: String,
    /// Whether a run is on record that no keeper keeps.
    #[serde(default)]
    pub abandoned: bool,
}

/// A guest that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningGuest {
    /// QEMU, or the container's init in the host's pids.
    pub pid: u32,
    /// How long it has run, in seconds.
    pub uptime: u64,
    /// The monitor's word for a virtual machine's state: `running`, `paused` and so on.
    pub qmpstatus: Option<String>,
}

/// Writes one line to a blocking connection.
pub(crate) fn send(stream: &mut UnixStream, message: &impl Serialize) -> std::io::Result<()> {
    use std::io::Write as _;
    stream.write_all(&line(message))
}

/// A message as the line that it is on the socket.
pub(crate) fn line(message: &impl Serialize) -> Vec<u8> {
    // None of these types has a map with keys that are no texts, which is all that could fail.
    let mut line = serde_json::to_vec(message).unwrap_or_default();
    line.push(b'\n');
    line
}
