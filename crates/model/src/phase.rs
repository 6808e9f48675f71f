use serde::{Deserialize, Serialize};
use std::fmt;

/// A moment at which a hookscript is called: Proxmox VE's four, and one that a script has to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// When a start is asked for. A script that ends non-zero aborts the start.
    PreStart,
    /// After the guest has started.
    PostStart,
    /// When the guest agent of a virtual machine, or the init of a container, first answers after a start. Only scripts
    /// that name it are called.
    AgentUp,
    /// Before a stop that was asked for through hookvisor.
    PreStop,
    /// After the guest has stopped, however it came to stop.
    PostStop,
}

impl Phase {
    /// All phases in the order of a guest's life.
    pub const ALL: [Self; 5] =
        [Self::PreStart, Self::PostStart, Self::AgentUp, Self::PreStop, Self::PostStop];

    /// Those in which a script is called that does not say: the ones that Proxmox VE has.
    pub const DEFAULT: [Self; 4] = [Self::PreStart, Self::PostStart, Self::PreStop, Self::PostStop];

    /// The name that the hookscript gets as its second argument.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PreStart => "pre-start",
            Self::PostStart => "post-start",
            Self::AgentUp => "agent-up",
            Self::PreStop => "pre-stop",
            Self::PostStop => "post-stop",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Phase {
    type Err = crate::InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == text).ok_or_else(|| crate::InvalidId {
            what: "phase (pre-start, post-start, agent-up, pre-stop, post-stop)",
            value: text.to_owned(),
        })
    }
}

/// How a hookscript's call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It ended by itself with exit code 0.
    Ok,
    /// It ended by itself with this exit code, not 0.
    Exit(i32),
    /// A signal that hookvisor did not send ended it.
    Signal(i32),
    /// Its time limit ended it.
    TimedOut,
    /// Somebody asked for its end.
    Aborted,
    /// The storage or the file is not there.
    NotFound,
    /// The file has no execute permission.
    NotExecutable,
    /// The volume is not of content type `snippets`, or its id cannot be read.
    NotASnippet,
    /// The kernel could not start it, for example because its interpreter is missing.
    CannotSpawn,
    /// It needs root's approval, and this is not what was approved.
    Refused,
    /// Nobody was there to see how it ended.
    Unknown,
}

impl Outcome {
    /// Whether a `pre-start` with this outcome aborts the start: every outcome but [`Outcome::Ok`].
    #[must_use]
    pub fn aborts_start(self) -> bool {
        self != Self::Ok
    }

    /// Whether the script that refused with this outcome is known to have taken nothing, so that it gets no
    /// `post-stop`: it ended by itself, or never ran. One that was cut short, be it by the kernel for want of memory, may have taken half of it.
    #[must_use]
    pub fn is_refusal(self) -> bool {
        match self {
            Self::Exit(_)
            | Self::NotFound
            | Self::NotExecutable
            | Self::NotASnippet
            | Self::CannotSpawn
            | Self::Refused => true,
            Self::Ok | Self::Signal(_) | Self::TimedOut | Self::Aborted | Self::Unknown => false,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.pad("ok"),
            Self::Exit(code) => f.pad(&format!("exit code {code}")),
            Self::Signal(signal) => f.pad(&format!("signal {signal}")),
            Self::TimedOut => f.pad("timed out"),
            Self::Aborted => f.pad("aborted"),
            Self::NotFound => f.pad("not found"),
            Self::NotExecutable => f.pad("not executable"),
            Self::NotASnippet => f.pad("not a snippet"),
            Self::CannotSpawn => f.pad("cannot spawn"),
            Self::Refused => f.pad("refused"),
            Self::Unknown => f.pad("unknown"),
        }
    }
}

impl std::str::FromStr for Outcome {
    type Err = crate::InvalidId;

    /// Reads what [`fmt::Display`] writes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const PLAIN: [Outcome; 9] = [
            Outcome::Ok,
            Outcome::TimedOut,
            Outcome::Aborted,
            Outcome::NotFound,
            Outcome::NotExecutable,
            Outcome::NotASnippet,
            Outcome::CannotSpawn,
            Outcome::Refused,
            Outcome::Unknown,
        ];
        let number = |prefix: &str| text.strip_prefix(prefix)?.parse::<i32>().ok();
        PLAIN
            .into_iter()
            .find(|outcome| outcome.to_string() == text)
            .or_else(|| number("exit code ").map(Self::Exit))
            .or_else(|| number("signal ").map(Self::Signal))
            .ok_or_else(|| crate::InvalidId { what: "outcome of a call", value: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_read_as_it_is_said() {
        for outcome in
            [Outcome::Ok, Outcome::Exit(3), Outcome::Signal(9), Outcome::TimedOut, Outcome::Unknown]
        {
            assert_eq!(outcome.to_string().parse(), Ok(outcome));
        }
        for bad in ["", "exit code", "exit code x", "something else"] {
            assert!(bad.parse::<Outcome>().is_err(), "{bad}");
        }
    }
}
