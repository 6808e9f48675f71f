//! What a file shows without being read as a script.

use super::{finding, first_line};
use crate::finding::Finding;
use crate::rule::Rule;
use crate::script::Source;
use std::path::Path;

/// HV002, HV003, HV004, HV013 and HV019.
pub(crate) fn of_file(path: &Path, source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    if source.mode & 0o111 == 0 {
        found.push(finding(
            Rule::NotExecutable,
            None,
            format!("nobody may execute it (mode {:04o})", source.mode & 0o7777),
        ));
    }
    found.extend(writable(source));
    found.extend(first_line::find(path, source));
    if let Err(error) = hooks::settings::parse(&source.bytes) {
        let phase = matches!(error.reason, hooks::settings::Reason::UnknownPhase(_));
        let rule = if phase { Rule::NoSuchPhase } else { Rule::Settings };
        let mut finding =
            finding(rule, Some(error.line), format!("in the script's settings: {}", error.reason));
        finding.why = Rule::Settings.why().to_owned();
        found.push(finding);
    }
    found
}

fn writable(source: &Source) -> Option<Finding> {
    let whom = match source.mode {
        mode if mode & 0o002 != 0 => "everybody",
        // A group of one's own, or root's, is nobody else.
        mode if mode & 0o020 != 0 && source.group != 0 && source.group != source.user => "its group",
        _ => return None,
    };
    Some(finding(Rule::Writable, None, format!("{whom} may write to it (mode {:04o})", source.mode & 0o7777)))
}
