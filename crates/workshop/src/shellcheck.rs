//! shellcheck, where it is installed: its errors and warnings stand beside our own findings.

use crate::finding::{Finding, How, Level};
use crate::rule::Rule;
use crate::rules::finding;
use serde_json::Value;
use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

/// What is known here already, or is a matter of style in a hookscript: unused variables, sourced files, `$1` in a
/// function, and the second word that a variable may be.
const LEFT_OUT: &str = "SC1090,SC1091,SC2034,SC2154,SC1017,SC2086,SC2155,SC2120,SC2119";

/// What shellcheck says of a script; nothing where there is no shellcheck.
///
/// # Errors
/// A shellcheck that is there and does not answer.
pub(crate) fn findings(text: &str) -> Result<Option<Vec<Finding>>, String> {
    let mut command = Command::new("shellcheck");
    command.args(["--format=json", "--severity=warning", "--exclude", LEFT_OUT, "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("shellcheck cannot be run: {error}")),
    };
    let stdin = child.stdin.take();
    // Its answer may be longer than a pipe holds, so both ends are served at once.
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(text.as_bytes())));
        child.wait_with_output()
    });
    let output = output.map_err(|error| format!("shellcheck did not answer: {error}"))?;
    let list: Vec<Value> = serde_json::from_slice(&output.stdout)
        .map_err(|_| "shellcheck's answer cannot be read".to_owned())?;
    Ok(Some(list.iter().filter_map(one).collect()))
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
