//! The mistakes that are looked for.

use crate::finding::Level;
use serde::{Serialize, Serializer};
use std::fmt;

/// A mistake with an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The two arguments are taken for each other.
    Swapped,
    /// No execute permission.
    NotExecutable,
    /// Lines end as Windows ends them.
    CarriageReturns,
    /// The program of the first line is not there.
    NoInterpreter,
    /// A phase that nobody calls.
    NoSuchPhase,
    /// Fails in a phase that it does not handle.
    FailsElsewhere,
    /// `pre-start` always fails.
    NeverStarts,
    /// Given back in `pre-stop` only.
    GivenBackTooEarly,
    /// Waits for ever.
    NoLimit,
    /// Starts, stops or changes its own guest.
    OwnGuest,
    /// A child holds the outputs.
    HoldsOutputs,
    /// A secret in the file.
    Secret,
    /// Others may write to it.
    Writable,
    /// `set -e` and `((n++))`.
    CountsFromZero,
    /// A variable that nothing sets.
    UnsetVariable,
    /// Needs a running guest where none runs.
    NeedsGuest,
    /// A second `pre-start` fails.
    OnlyOnce,
    /// A lock that nobody removes.
    StaleLock,
    /// Settings that cannot be read.
    Settings,
    /// Something that shellcheck found.
    Shellcheck,
    /// Its interpreter cannot read it.
    Unreadable,
    /// A command or function that there is none of.
    NoSuchCommand,
}

impl Rule {
    /// All of them, by their ids.
    pub const ALL: [Self; 22] = [
        Self::Swapped,
        Self::NotExecutable,
        Self::CarriageReturns,
        Self::NoInterpreter,
        Self::NoSuchPhase,
        Self::FailsElsewhere,
        Self::NeverStarts,
        Self::GivenBackTooEarly,
        Self::NoLimit,
        Self::OwnGuest,
        Self::HoldsOutputs,
        Self::Secret,
        Self::Writable,
        Self::CountsFromZero,
        Self::UnsetVariable,
        Self::NeedsGuest,
        Self::OnlyOnce,
        Self::StaleLock,
        Self::Settings,
        Self::Shellcheck,
        Self::Unreadable,
        Self::NoSuchCommand,
    ];

    /// `HV001`
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Swapped => "HV001",
            Self::NotExecutable => "HV002",
            Self::CarriageReturns => "HV003",
            Self::NoInterpreter => "HV004",
            Self::NoSuchPhase => "HV005",
            Self::FailsElsewhere => "HV006",
            Self::NeverStarts => "HV007",
            Self::GivenBackTooEarly => "HV008",
            Self::NoLimit => "HV009",
            Self::OwnGuest => "HV010",
            Self::HoldsOutputs => "HV011",
            Self::Secret => "HV012",
            Self::Writable => "HV013",
            Self::CountsFromZero => "HV014",
            Self::UnsetVariable => "HV015",
            Self::NeedsGuest => "HV016",
            Self::OnlyOnce => "HV017",
            Self::StaleLock => "HV018",
            Self::Settings => "HV019",
            Self::Shellcheck => "HV020",
            Self::Unreadable => "HV021",
            Self::NoSuchCommand => "HV022",
        }
    }

    /// How much it matters, where a finding does not say otherwise.
    pub(crate) fn level(self) -> Level {
        match self {
            Self::Swapped
            | Self::NotExecutable
            | Self::CarriageReturns
            | Self::NoInterpreter
            | Self::NeverStarts
            | Self::Unreadable
            | Self::Settings
            | Self::Writable => Level::Error,
            _ => Level::Warning,
        }
    }

    /// What comes of it.
    pub(crate) fn why(self) -> &'static str {
        match self {
            Self::Swapped => {
                "a hookscript is called with the VMID first and the phase second, so none of its branches is ever taken"
            }
            Self::NotExecutable => {
                "a hookscript without execute permission is an error in every phase, and no guest that has it can start"
            }
            Self::CarriageReturns => {
                "the carriage return becomes part of the interpreter's name, of words and of variables, and the call fails"
            }
            Self::NoInterpreter => {
                "the kernel cannot run the file, so every call of it fails, and no guest that has it can start"
            }
            Self::NoSuchPhase => {
                "there are pre-start, post-start, pre-stop and post-stop, and agent-up, so this branch is never taken"
            }
            Self::FailsElsewhere => {
                "a call in that phase is a failure on record, each time, and nobody sees the real ones any more"
            }
            Self::NeverStarts => "a pre-start that ends non-zero keeps the guest from starting",
            Self::GivenBackTooEarly => {
                "pre-stop is not called when the guest powers itself off, crashes or is killed; post-stop always is"
            }
            Self::NoLimit => {
                "a hookscript that waits for ever holds the start or the stop of its guest, and at Proxmox VE the guest's lock too"
            }
            Self::OwnGuest => {
                "Proxmox VE holds the guest's lock while the hookscript runs, so the command waits for the script that waits for it, and fails"
            }
            Self::HoldsOutputs => {
                "Proxmox VE waits until nobody has the outputs open any more, so the start or the stop hangs as long as the child lives"
            }
            Self::Secret => {
                "scripts are readable to many, copied to every node, kept in backups and in version control"
            }
            Self::Writable => "hookscripts run as root, so whoever may write to this one may become root",
            Self::CountsFromZero => {
                "an arithmetic command whose value is zero counts as a failure, and 'set -e' ends the script there, the first time"
            }
            Self::UnsetVariable => {
                "an empty text stands in its place, and each phase is a process of its own, which keeps nothing of the one before"
            }
            Self::NeedsGuest => "nothing of the guest runs yet in pre-start, nor any more in post-stop",
            Self::OnlyOnce => {
                "where a start fails after pre-start, what it made is still there, and the next pre-start stumbles over it"
            }
            Self::StaleLock => {
                "a crash, a kill or a loss of power leaves the lock behind, and from then on everybody waits for nobody"
            }
            Self::Settings => "a start is refused as long as the script's own settings cannot be read",
            Self::Shellcheck => "shellcheck knows the shell's traps",
            Self::Unreadable => {
                "the interpreter gives up on the file, in every phase, so no guest that has it can start"
            }
            Self::NoSuchCommand => {
                "what it is to do is not done, and where it ends the script the call fails"
            }
        }
    }

    /// What to do about it.
    pub(crate) fn mend(self) -> &'static str {
        match self {
            Self::Swapped => "take the VMID from the first argument and the phase from the second",
            Self::NotExecutable => "chmod +x",
            Self::CarriageReturns => {
                "sed -i 's/\\r$//' on the file, and tell the editor to end lines as Unix does"
            }
            Self::NoInterpreter => "install it, or name one that is in /sbin:/bin:/usr/sbin:/usr/bin",
            Self::NoSuchPhase => "use one of them, or drop the branch",
            Self::FailsElsewhere => {
                "end with 'exit 0' in phases that are not handled, also in those still to come"
            }
            Self::NeverStarts => "end pre-start with 0 where the guest may start",
            Self::GivenBackTooEarly => {
                "give back in post-stop, in a way that does no harm where there is nothing to give back"
            }
            Self::NoLimit => {
                "count the turns or look at a clock, and end with an error that says what was missing"
            }
            Self::OwnGuest => {
                "do it outside of the call: systemd-run --no-block, or after the phase; for a start refuse with a message instead"
            }
            Self::HoldsOutputs => {
                "redirect both outputs, '>/dev/null 2>&1 &', or hand it to systemd-run --no-block"
            }
            Self::Secret => {
                "keep it in a file of root's with mode 0600, or in a parameter in /etc/hookvisor/hooks.conf, and change it now"
            }
            Self::Writable => "chmod go-w",
            Self::CountsFromZero => "n=$((n + 1)), which is no command, or ((n++)) || true",
            Self::UnsetVariable => {
                "set it in this phase too, read it back from a file in /run, or give it a default: ${NAME:-}"
            }
            Self::NeedsGuest => "do it in post-start or pre-stop, where the guest runs",
            Self::OnlyOnce => {
                "make it harmless to do twice: mkdir -p, test first, or undo what is left before"
            }
            Self::StaleLock => {
                "use flock, which the kernel gives back whatever happens, or remove the lock in 'trap … EXIT'"
            }
            Self::Settings => "see the book's page on settings in a script",
            Self::Shellcheck => "see shellcheck's page on it",
            Self::Unreadable => {
                "mend it there, or above, where a quote, a bracket, a block or a here document begins that does not end"
            }
            Self::NoSuchCommand => "write it as it is called, or ask for it first: command -v NAME",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}
