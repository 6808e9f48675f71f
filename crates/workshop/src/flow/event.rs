//! What a script does in a phase, as far as it can be told by reading.

use super::state::Guard;
use super::value::{Piece, known, shown};
use std::rc::Rc;

/// Something that may happen.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) line: usize,
    pub(crate) what: What,
    pub(crate) guards: Vec<Rc<Guard>>,
    /// In a process that the script does not wait for.
    pub(crate) background: bool,
    /// Whether the script ends with a failure where this fails.
    pub(crate) fatal: bool,
    /// Whether a function gives the failure on to whoever called it.
    pub(crate) propagates: bool,
    /// Whether it is within something with a limit.
    pub(crate) bounded: bool,
}

/// What happens.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// A program is run.
    Run(Run),
    /// A file is written to.
    Write { path: Vec<Piece> },
    /// Something on the file system that needs no program: `mkdir`, `remove`.
    File { verb: &'static str, path: Vec<Piece> },
    /// An argument is compared with a word.
    Compared { with: Argument, word: String },
    /// A variable is read that nothing has set.
    Unset { name: String, fails: bool, asked: bool },
    /// An argument is given a name.
    Named { which: Argument, name: String },
    /// An arithmetic command is zero, and `set -e` ends the script.
    Zero { text: String },
    /// A loop waits, and nothing limits it.
    Wait { until: String },
    /// A process is forked that the script does not wait for.
    Forked,
    /// What is done at the script's end whatever happens.
    AtEnd,
    /// The outputs that children have are replaced.
    OutputsReplaced,
}

/// One of the two arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Argument {
    Vmid,
    Phase,
}

/// A program with its arguments.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// The program's name without its folder, then its arguments; without `sudo`, `timeout` and their like.
    pub(crate) words: Vec<Vec<Piece>>,
    /// Whether it has the script's own outputs.
    pub(crate) held: bool,
    /// Whether it goes on in a unit or service of its own.
    pub(crate) detached: bool,
}

impl Run {
    /// The name of the program.
    pub(crate) fn program(&self) -> String {
        let name = self.words.first().and_then(|word| known(word)).unwrap_or_default();
        name.rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// The word at a place where all of it is known.
    pub(crate) fn word(&self, at: usize) -> Option<String> {
        self.words.get(at).and_then(|word| known(word))
    }

    /// All words as people read them.
    pub(crate) fn shown(&self) -> String {
        self.words.iter().map(|word| shown(word)).collect::<Vec<_>>().join(" ")
    }
}

impl Event {
    /// What was asked before it, in one text.
    pub(crate) fn asked(&self) -> String {
        self.guards.iter().map(|guard| guard.asked.as_str()).collect::<Vec<_>>().join(" ; ")
    }

    /// Whether it stands in a branch that depends on the host.
    pub(crate) fn in_branch(&self) -> bool {
        self.guards.iter().any(|guard| !guard.early)
    }

    /// The program that it runs.
    pub(crate) fn run(&self) -> Option<&Run> {
        match &self.what {
            What::Run(run) => Some(run),
            _ => None,
        }
    }
}

/// How a way through the script ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct End {
    pub(crate) status: super::value::Status,
    pub(crate) line: usize,
}

/// All that is known of one call.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) events: Vec<Event>,
    /// How it may end; none where it never does.
    pub(crate) ends: Vec<End>,
    /// What could not be followed.
    pub(crate) unjudged: Vec<(usize, String)>,
}
