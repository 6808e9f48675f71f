//! What can be on record about a run: the vocabulary of the ledger.
//!
//! `record` writes it, `lifecycle` reads it to recover, history is made of it.

use crate::{
    GuestKind, LimitBy, Outcome, Phase, ProcessId, RunId, Script, StartReason, StopCause, Upid, UserId, Vmid,
    VolumeId,
};
use serde::{Deserialize, Serialize};

/// One thing that happened in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The first record: a start was admitted. On disk before anything is done.
    RunBegin {
        /// The id of the run.
        run: RunId,
        /// The guest.
        vmid: Vmid,
        /// Its kind.
        kind: GuestKind,
        /// Its name or hostname, for readers of the history.
        name: String,
        /// Why it is started.
        reason: StartReason,
        /// Who asked.
        user: UserId,
        /// The hookscript that this start uses, fixed for `pre-start` to come.
        hookscript: Option<VolumeId>,
    },
    /// A keeper began to keep the run: the first one, or one that took over.
    Keeper {
        /// The keeper.
        process: ProcessId,
        /// When it lives: processes of the records that follow are of this boot.
        host: Boot,
        /// Whether another one was there before.
        adopted: bool,
    },
    /// A task began within the run.
    TaskBegin {
        /// The task.
        upid: Upid,
    },
    /// A task of the run ended.
    TaskEnd {
        /// The task.
        upid: Upid,
        /// `OK`, or the error's text on one line.
        status: String,
    },
    /// Something is about to be taken from the host. It may or may not have been taken when no later record is there.
    Took {
        /// What.
        what: Resource,
    },
    /// Everything taken has been given back.
    Released,
    /// A hookscript is about to be executed, by this process.
    HookBegin {
        /// The phase.
        phase: Phase,
        /// The script.
        script: Script,
        /// The file.
        path: String,
        /// The process that executes it.
        process: ProcessId,
        /// Which call of the phase in this run it is, from 1: the name of its files.
        #[serde(default)]
        call: u32,
        /// How long it may run, in milliseconds; none for no limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit_ms: Option<u64>,
        /// Who says so.
        #[serde(default, skip_serializing_if = "LimitBy::is_unknown")]
        limit_by: LimitBy,
        /// Whether everything that it forked is ended with it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        tree: bool,
        /// Whether it may be called again where nobody sees how this call ends.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        retry: bool,
        /// The SHA-256 of the file in hexadecimal, where it could be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
        /// What it is called with, beside its file and its two arguments.
        #[serde(default, skip_serializing_if = "CalledWith::is_empty")]
        with: CalledWith,
    },
    /// Some text that a hookscript, or a program run for the guest, wrote.
    Output {
        /// The phase whose hookscript wrote it; none for other programs.
        phase: Option<Phase>,
        /// Which of its outputs.
        stream: Stream,
        /// The text, without the line's end.
        text: Text,
        /// Whether the line goes on in the next record of the stream.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        more: bool,
    },
    /// A phase is over for a hookscript. There is one of these even where no process could be started.
    HookEnd {
        /// The phase.
        phase: Phase,
        /// The script, or what the configuration says where that names none.
        script: String,
        /// How it ended.
        outcome: Outcome,
        /// Why, in the words that Proxmox VE uses; none when it ended well.
        cause: Option<String>,
        /// How long it ran, in milliseconds.
        millis: u64,
        /// Bytes of output that were not kept in the ledger.
        #[serde(default)]
        cut: u64,
        /// Children that it left running.
        #[serde(default)]
        left: Vec<Left>,
    },
    /// All scripts of a phase have been called.
    PhaseEnd {
        /// The phase.
        phase: Phase,
    },
    /// The hypervisor is about to be executed, by this process.
    Launch {
        /// The process that becomes QEMU or lxc-start.
        process: ProcessId,
    },
    /// The guest is up: the monitor answered, or LXC said so.
    Ready {
        /// The container's init in the host's pids; none for a virtual machine.
        init: Option<ProcessId>,
    },
    /// The end of the guest was asked for.
    StopAsked {
        /// What it will be recorded as.
        cause: StopCause,
        /// The task that asked.
        task: Option<Upid>,
        /// Whether the guest is not asked but ended at once.
        hard: bool,
        /// How long a guest that is asked has, in seconds; none for its default.
        timeout: Option<u64>,
        /// Whether a guest that does not obey in time is ended.
        force: bool,
    },
    /// The attempt to end the guest was given up; it lives on.
    StopFailed {
        /// Why, as the task says it.
        why: String,
    },
    /// A container rebooted itself: its processes have ended and it is launched again, without a phase.
    Restart,
    /// The guest is gone: its processes have ended.
    Gone {
        /// Why.
        cause: StopCause,
        /// More for a reader: an exit code or a signal; may be empty.
        detail: String,
    },
    /// The last record.
    RunEnd {
        /// Why the guest stopped; none where the start was refused before it ran.
        cause: Option<StopCause>,
        /// The error that ended the start; none where the guest had started.
        error: Option<String>,
    },
    /// Something worth knowing that changes nothing.
    Note {
        /// The text.
        text: String,
    },
}

/// What a hookscript is called with, so that the call can be made again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalledWith {
    /// The SHA-256 of the guest's configuration file in hexadecimal, by which its text is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// The environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(Text, Text)>,
}

impl CalledWith {
    fn is_empty(&self) -> bool {
        self.config.is_none() && self.env.is_empty()
    }
}

/// One time that a host was up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// A random value made once in `/run`: it changes whenever the host comes up, even where the host is a container.
    pub instance: String,
    /// The kernel's boot id: while it stays the same, a pid with its start time names one process for ever.
    pub kernel: String,
}

/// A process that a hookscript left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// The process.
    pub process: ProcessId,
    /// Its name, `/proc/<pid>/comm`.
    pub comm: String,
}

/// One of a program's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// `stdout` or `stderr`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Bytes that are nearly always UTF-8: a JSON string then, else an array of numbers, as `journalctl -o json` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// UTF-8.
    Utf8(String),
    /// Other bytes.
    Bytes(Vec<u8>),
}

impl Text {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Utf8(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Utf8(text.to_owned()),
            Err(_) => Self::Bytes(bytes.to_vec()),
        }
    }
}

/// Something that a start takes from the host and that must be given back.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Resource {
    /// A file that is removed: a pid file, a socket.
    File {
        /// Its path.
        path: String,
    },
    /// A network interface on the host.
    Interface {
        /// Its name.
        name: String,
    },
    /// A mount.
    Mount {
        /// Where.
        path: String,
    },
    /// A cgroup that is empty once the guest is gone.
    Cgroup {
        /// Its path.
        path: String,
    },
}
