//! shellcheck, where it is installed: its errors and warnings stand beside our own findings.

use crate::finding::{Finding, How, Level};
use crate::interpreter::finished;
use crate::rule::Rule;
use crate::rules::finding;
use serde_json::Value;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

/// What is known here already, or is a matter of style in a hookscript: unused variables, sourced files, `$1` in a
/// function, and the second word that a variable may be.
const LEFT_OUT: &str = "SC1090,SC1091,SC2034,SC2154,SC1017,SC2086,SC2155,SC2120,SC2119";

/// How much time of a processor it has, in seconds: a thousand open parentheses keep it for minutes.
const SECONDS: u64 = 10;

/// What it says where it gave up reading: where it noticed, and what it could not read.
const GAVE_UP: [u64; 3] = [1072, 1073, 1088];

/// What shellcheck says of a script.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// What it found.
    pub(crate) findings: Vec<Finding>,
    /// Why it cannot read the script, with the lines.
    pub(crate) unread: Vec<(usize, String)>,
}

/// What shellcheck says of a script; nothing where there is no shellcheck.
///
/// # Errors
/// A shellcheck that is there and does not answer.
pub(crate) fn says(path: &Path) -> Result<Said, String> {
    let mut command = Command::new("shellcheck");
    command.args(["--format=json", "--severity=warning", "--exclude", LEFT_OUT, "-"]);
    let output = match finished(&mut command, path, SECONDS) {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Said::default()),
        Err(error) => return Err(format!("shellcheck cannot be run: {error}")),
    };
    if output.status.code().is_none() {
        return Err(format!("shellcheck did not end within {SECONDS} s"));
    }
    let list: Vec<Value> = serde_json::from_slice(&output.stdout)
        .map_err(|_| "shellcheck's answer cannot be read".to_owned())?;
    let code = |comment: &Value| comment["code"].as_u64().unwrap_or_default();
    let gave_up = list.iter().any(|comment| GAVE_UP.contains(&code(comment)));
    let (unread, found): (Vec<&Value>, Vec<&Value>) = list
        .iter()
        .partition(|comment| gave_up && comment["level"] == "error" && (1000..2000).contains(&code(comment)));
    // It says of some what the reason is.
    let known = |comment: &&&Value| !GAVE_UP.contains(&code(comment));
    let reasons: Vec<&Value> = unread.iter().filter(known).copied().collect();
    let unread = if reasons.is_empty() { unread } else { reasons };
    let reason = |comment: &&Value| {
        let line = usize::try_from(comment["line"].as_u64()?).ok()?;
        let message = comment["message"].as_str()?;
        // What stands there in every case.
        let message = message.split(" Fix ").next().unwrap_or(message).trim_end_matches('.');
        Some((line, format!("{message} (SC{})", code(comment))))
    };
    Ok(Said {
        findings: found.into_iter().filter_map(one).collect(),
        unread: unread.iter().filter_map(reason).collect(),
    })
}

fn one(comment: &Value) -> Option<Finding> {
    let id = format!("SC{}", comment["code"].as_u64()?);
    let line = comment["line"].as_u64().and_then(|line| usize::try_from(line).ok());
    let mut found = finding(Rule::Shellcheck, line, format!("{id}: {}", comment["message"].as_str()?));
    found.level = Level::Note;
    found.mend = format!("see shellcheck's page on {id}");
    found.found = How::Program { program: "shellcheck".to_owned(), id };
    Some(found)
}
