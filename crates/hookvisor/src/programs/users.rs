//! What the commands about users and approvals print, and how they ask for a password.

use super::print::field;
use crate::cli::Answer;
use crate::clock::local_time;
use api::{ApiError, Given};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{self, BufRead, Write};

fn rows<'a>(answer: &Answer<'a>) -> impl Iterator<Item = &'a Value> {
    answer.value.as_array().into_iter().flatten()
}

/// When something ceases to be valid.
fn until(row: &Value) -> String {
    match row["expire"].as_u64() {
        None | Some(0) => "-".to_owned(),
        Some(seconds) => local_time(seconds.saturating_mul(1000))[..19].to_owned(),
    }
}

fn yes(row: &Value, key: &str) -> &'static str {
    if row[key] == 1 { "yes" } else { "no" }
}

/// A line for each user.
pub(crate) fn list(answer: &Answer<'_>) -> (String, u8) {
    let mut out = String::new();
    for row in rows(answer) {
        if out.is_empty() {
            let _ = writeln!(out, "{:<32} {:<7} {:<19} COMMENT", "USER", "ENABLED", "UNTIL");
        }
        let line = format!(
            "{:<32} {:<7} {:<19} {}",
            field(row, "userid"),
            yes(row, "enable"),
            until(row),
            field(row, "comment")
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    (out, 0)
}

/// A line for each token.
pub(crate) fn tokens(answer: &Answer<'_>) -> (String, u8) {
    let mut out = String::new();
    for row in rows(answer) {
        if out.is_empty() {
            let _ = writeln!(out, "{:<24} {:<9} {:<19} COMMENT", "TOKEN", "SEPARATED", "UNTIL");
        }
        let (name, comment) = (field(row, "tokenid"), field(row, "comment"));
        let line = format!("{name:<24} {:<9} {:<19} {comment}", yes(row, "privsep"), until(row));
        let _ = writeln!(out, "{}", line.trim_end());
    }
    (out, 0)
}

/// A new token in the form that a client sends.
pub(crate) fn token(answer: &Answer<'_>) -> (String, u8) {
    let (id, secret) = (field(answer.value, "full-tokenid"), field(answer.value, "value"));
    (format!("PVEAPIToken={id}={secret}\n"), 0)
}

/// A line for each entry of an access control list.
pub(crate) fn acl(answer: &Answer<'_>) -> (String, u8) {
    let mut out = String::new();
    for row in rows(answer) {
        if out.is_empty() {
            let _ = writeln!(out, "{:<24} {:<5} {:<32} {:<20} BELOW", "PATH", "TYPE", "WHO", "ROLE");
        }
        let _ = writeln!(
            out,
            "{:<24} {:<5} {:<32} {:<20} {}",
            field(row, "path"),
            field(row, "type"),
            field(row, "ugid"),
            field(row, "roleid"),
            yes(row, "propagate")
        );
    }
    (out, 0)
}

/// What was approved.
pub(crate) fn approved(answer: &Answer<'_>) -> (String, u8) {
    let volume = answer.params.text("volume").unwrap_or_default();
    (format!("{volume} is approved as it is now, sha256 {}\n", super::print::plain(answer.value)), 0)
}

/// A line for each approved script.
pub(crate) fn approvals(answer: &Answer<'_>) -> (String, u8) {
    let line = |row| {
        let guests: Vec<String> = row_guests(row);
        let used = if guests.is_empty() { String::new() } else { format!("  set for {}", guests.join(", ")) };
        format!("{}  {:<9} {}{used}\n", field(row, "sha256"), field(row, "state"), field(row, "volid"))
    };
    (rows(answer).map(line).collect(), 0)
}

fn row_guests(row: &Value) -> Vec<String> {
    row["guests"].as_array().into_iter().flatten().map(super::print::plain).collect()
}

/// Asks for the password where none is given: twice at a terminal, without showing it; else the first line of standard input.
pub(crate) fn ask_password(mut given: Vec<(String, Given)>) -> Result<Vec<(String, Given)>, ApiError> {
    if given.iter().any(|(name, _)| name == "password") {
        return Ok(given);
    }
    let failed = |source| ApiError::File { what: "unable to read", path: "/dev/stdin".into(), source };
    let password = match tcgetattr(io::stdin()) {
        Ok(usual) => {
            let first = unseen(&usual, "New password: ").map_err(failed)?;
            if unseen(&usual, "The same again: ").map_err(failed)? != first {
                return Err(ApiError::parameter("password", "the two are not the same"));
            }
            first
        }
        Err(_) => line().map_err(failed)?,
    };
    given.push(("password".to_owned(), Given::One(password)));
    Ok(given)
}

/// Reads a line that the terminal does not show.
fn unseen(usual: &Termios, prompt: &str) -> io::Result<String> {
    eprint!("{prompt}");
    io::stderr().flush()?;
    let mut silent = usual.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
    let line = line();
    tcsetattr(io::stdin(), OptionalActions::Flush, usual)?;
    eprintln!();
    line
}

fn line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::Params;
    use serde_json::json;

    #[test]
    fn users_tokens_and_lists_are_tables() {
        let params = Params::default();
        let shown = |print: fn(&Answer<'_>) -> (String, u8), value: Value| {
            print(&Answer { value: &value, params: &params }).0
        };
        let users = shown(list, json!([{"userid": "ann@pve", "enable": 1, "expire": 0, "comment": "Ann"}]));
        assert_eq!(
            users.lines().nth(1),
            Some("ann@pve                          yes     -                   Ann")
        );
        let made = shown(token, json!({"full-tokenid": "ann@pve!ci", "value": "0b1c"}));
        assert_eq!(made, "PVEAPIToken=ann@pve!ci=0b1c\n");
        let tokens = shown(tokens, json!([{"tokenid": "ci", "privsep": 0, "expire": 0}]));
        assert_eq!(tokens.lines().nth(1), Some("ci                       no        -"));
        assert_eq!(shown(acl, json!([])), "");
    }
}
