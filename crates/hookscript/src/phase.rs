use std::fmt;
use std::str::FromStr;

/// The moments of a guest's life at which a hookscript is called. There may be more of them one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// A start was asked for. An error keeps the guest from starting.
    PreStart,
    /// The guest has started.
    PostStart,
    /// The guest agent of a virtual machine, or a container's init, has answered for the first time. Only a script that
    /// names the phase is called; a compiled program has no settings, so that a script in front of it has to,
    /// `# hookvisor: phases=…,agent-up`.
    AgentUp,
    /// A stop was asked for; the guest runs. A guest that ends by itself gets none.
    PreStop,
    /// The guest has stopped, whatever ended it.
    PostStop,
}

impl Phase {
    /// All of them, in their order.
    pub const ALL: [Self; 5] =
        [Self::PreStart, Self::PostStart, Self::AgentUp, Self::PreStop, Self::PostStop];

    /// The word that a hookscript gets as its second argument.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
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

/// A word that is no phase of this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownPhase(pub String);

impl fmt::Display for UnknownPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is no phase", self.0)
    }
}

impl std::error::Error for UnknownPhase {}

impl FromStr for Phase {
    type Err = UnknownPhase;

    fn from_str(text: &str) -> Result<Self, UnknownPhase> {
        Self::ALL
            .into_iter()
            .find(|phase| phase.as_str() == text)
            .ok_or_else(|| UnknownPhase(text.to_owned()))
    }
}
