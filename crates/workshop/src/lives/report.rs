//! What is told of lives.

use super::Life;
use super::sandbox::World;
use model::{Phase, Stream};
use record::journal::Priority;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// One thing that happened in a life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in milliseconds since the life began.
    pub ms: u64,
    /// The guest, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vmid: Option<u32>,
    /// What it is.
    pub kind: EntryKind,
    /// The phase, where it belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// In words.
    pub text: String,
    /// Whether something went wrong with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}

impl Entry {
    /// A line for people: when, of which guest, in which phase, what.
    #[must_use]
    pub fn line(&self) -> String {
        let vmid = self.vmid.map(|vmid| vmid.to_string()).unwrap_or_default();
        let phase = self.phase.map_or("", Phase::as_str);
        let text = match self.kind {
            EntryKind::Out => Cow::Owned(Priority::shown(&self.text, Stream::Stdout, None)),
            EntryKind::Err => Cow::Owned(Priority::shown(&self.text, Stream::Stderr, None)),
            _ => Cow::Borrowed(&self.text),
        };
        let line = format!("{:>6} ms  {vmid:<5} {phase:<10}  {}{text}", self.ms, self.kind.mark());
        line.trim_end().to_owned()
    }
}

/// What an entry of a timeline is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// Something that is done to the guest: a command.
    Command,
    /// What the command said, where it failed.
    Said,
    /// A call of the script begins.
    Begin,
    /// A call of the script has ended.
    End,
    /// A line of the script's standard output.
    Out,
    /// A line of the script's standard error.
    Err,
    /// The script, or something it ran, called a program of the world.
    Call,
    /// The guest itself: it is launched, up, gone.
    Guest,
}

impl EntryKind {
    /// What its lines begin with.
    #[must_use]
    pub fn mark(self) -> &'static str {
        match self {
            Self::Command => "$ ",
            Self::Said => "! ",
            Self::Out => "| ",
            Self::Err => "2| ",
            Self::Call => "> ",
            Self::Guest => "the guest ",
            Self::Begin | Self::End => "",
        }
    }
}

/// A call of the script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallReport {
    /// The guest.
    pub vmid: u32,
    /// The phase.
    pub phase: Phase,
    /// How it ended: `ok`, `exit code 3`, …; none where it did not.
    pub outcome: Option<String>,
    /// How long it took, in milliseconds, be it to its end or to that of the life.
    pub millis: Option<u64>,
    /// Bytes of its output that are not shown.
    pub cut: u64,
    /// Whether a child of it kept its outputs open when it had ended.
    #[serde(default)]
    pub held: bool,
}

/// A file that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its path.
    pub path: String,
    /// How it differs.
    pub change: ChangeKind,
    /// What it holds now, where that is short text; of a value below `/sys` also what it held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// How a file differs from what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It is new.
    Created,
    /// It has other content, another mode or leads elsewhere.
    Changed,
    /// It is gone.
    Removed,
}

/// What is left at the end of a life.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Files that are not as they were.
    pub files: Vec<Change>,
    /// Values below `/sys` that are not as they were.
    pub sys: Vec<Change>,
    /// Processes, by their command lines.
    pub processes: Vec<String>,
    /// Those of units that `systemd-run` has started, which are nobody's children.
    #[serde(default)]
    pub units: Vec<String>,
    /// Mounts, by their places.
    pub mounts: Vec<String>,
    /// Network interfaces.
    pub interfaces: Vec<String>,
}

/// The most that a life took at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peak {
    /// Processes.
    pub processes: u64,
    /// Bytes of memory, files in memory among them.
    pub memory: u64,
    /// Bytes in the fullest file system.
    pub disk: u64,
    /// Where that is.
    #[serde(default)]
    pub fullest: String,
}

/// What the sandbox saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Played {
    /// All that happened, in its order.
    pub timeline: Vec<Entry>,
    /// The calls of the script, in their order.
    pub calls: Vec<CallReport>,
    /// What is left.
    pub left: Left,
    /// What it took.
    pub peak: Peak,
    /// The limit that ended it, in words.
    pub cut: Option<String>,
    /// Secrets that were opened; what is in them is made up.
    pub secrets: Vec<String>,
    /// How many of those were killed that call the script: keepers, or workers as at Proxmox VE.
    pub keepers_killed: u32,
    /// Why it could not be played as it was meant.
    pub trouble: Vec<String>,
}

/// How much a verdict matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Worth knowing.
    Note,
    /// Something is wrong with the script.
    Failed,
}

/// What is to be said of a life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether the script fails for it.
    pub standing: Standing,
    /// The phase that showed it, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// In a sentence.
    pub what: String,
}

/// A life that was played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifeReport {
    /// Which.
    pub life: Life,
    /// Whether nothing is wrong with the script in it.
    pub passed: bool,
    /// What is to be said.
    pub verdicts: Vec<Verdict>,
    /// What was seen.
    #[serde(flatten)]
    pub played: Played,
}

/// All lives of a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptReport {
    /// The script's path, as it was given.
    pub file: String,
    /// Whose calls they were.
    pub world: World,
    /// Whether it was in a sandbox.
    pub sandbox: bool,
    /// What is to be said of all lives together.
    #[serde(default)]
    pub remarks: Vec<String>,
    /// The lives.
    pub lives: Vec<LifeReport>,
}

impl ScriptReport {
    /// Whether nothing is wrong with it in any life.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.lives.iter().all(|life| life.passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_is_shown_as_a_word() {
        let line = |kind, text: &str| {
            let (vmid, phase) = (Some(100), Some(Phase::PreStart));
            Entry { ms: 3, vmid, kind, phase, text: text.to_owned(), failed: false }.line()
        };
        assert!(line(EntryKind::Err, "<3>no such device").ends_with("pre-start   2| error: no such device"));
        assert!(line(EntryKind::Out, "<6>fine").ends_with("| fine"));
        assert!(line(EntryKind::Call, "logger <3>x").ends_with("> logger <3>x"));
    }
}
