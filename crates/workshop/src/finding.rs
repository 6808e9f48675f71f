//! What is wrong with a script, and how it was found.

use crate::rule::Rule;
use serde::Serialize;

/// Something that is wrong with a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which mistake it is.
    pub rule: Rule,
    /// How much it matters.
    pub level: Level,
    /// Where it is, from 1; none where it is about the file as such.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What was found, in a sentence.
    pub what: String,
    /// What comes of it.
    pub why: String,
    /// What to do about it.
    pub mend: String,
    /// The phases in which it shows; empty where the phase does not matter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<String>,
    /// How it was found.
    pub found: How,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing; nothing to fail for.
    Note,
    /// Goes wrong on some day.
    Warning,
    /// Goes wrong.
    Error,
}

/// How a finding was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "lowercase")]
pub enum How {
    /// By reading the script.
    Reading {
        /// The call that showed it as well, as a command line.
        #[serde(skip_serializing_if = "Option::is_none")]
        call: Option<String>,
    },
    /// By running it: in which phase, and which call showed it.
    Running {
        /// The phase.
        phase: String,
        /// The call, as a command line.
        call: String,
    },
    /// By another program.
    Program {
        /// Its name.
        program: String,
        /// What that program calls the mistake.
        id: String,
    },
}

/// What could not be judged, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unjudged {
    /// Where it is, from 1; none where it is about the file as such.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What it is.
    pub what: String,
}

/// What is known of one script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The script's path, as it was given.
    pub file: String,
    /// What it is written in: `shell`, `perl`, `python`, `program`, `other`.
    pub language: String,
    /// What is wrong with it, in the order of its lines.
    pub findings: Vec<Finding>,
    /// What could not be judged.
    pub unjudged: Vec<Unjudged>,
    /// Whether it was seen that it takes the phase from its second argument.
    #[serde(skip)]
    pub(crate) takes_phase: bool,
}

impl Report {
    /// Whether there is anything that should be mended.
    #[must_use]
    pub fn has_mistakes(&self) -> bool {
        self.findings.iter().any(|finding| finding.level > Level::Note)
    }
}

impl Level {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}
