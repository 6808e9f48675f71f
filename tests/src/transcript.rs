//! Transcripts: commands with what they printed, played on a scratch host and compared.
//!
//! `$ command`, continued by `> ` lines or while a quote is open, then `1| ` lines of standard output, `2| ` lines of
//! standard error and `=> exit N`, of which only zero or not counts. `<n>` stands for a number.

use crate::host::Host;
use crate::output::run;
use std::fmt::Write as _;

/// A command of a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The command for the shell.
    pub command: String,
    /// Standard output, a line each.
    pub stdout: Vec<String>,
    /// Standard error, a line each.
    pub stderr: Vec<String>,
    /// Whether it succeeded.
    pub success: bool,
}

/// Something that is not as in the transcript, on purpose.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// The transcript's name.
    pub transcript: String,
    /// The command, as it stands there.
    pub command: String,
    /// Why ours is another.
    pub reason: String,
    /// Our standard output; the transcript's if it is not given.
    pub stdout: Option<String>,
    /// Our standard error; the transcript's if it is not given.
    pub stderr: Option<String>,
    /// Whether ours succeeds; as in the transcript if it is not given.
    pub success: Option<bool>,
    /// Not run here.
    #[serde(default)]
    pub left_out: bool,
}

/// Reads a transcript.
///
/// # Panics
/// If a line has no place in one.
#[must_use]
pub fn parse(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ").filter(|_| !open) {
            let step = Step { command: command.to_owned(), stdout: vec![], stderr: vec![], success: true };
            steps.push(step);
            open = has_open_quote(command);
            continue;
        }
        let step = steps.last_mut().unwrap_or_else(|| panic!("{line:?} stands before the first command"));
        if open {
            step.command.push('\n');
            step.command.push_str(line);
            open = has_open_quote(&step.command);
        } else if let Some(code) = line.strip_prefix("=> exit ") {
            step.success = code.trim() == "0";
        } else if let Some(rest) = line.strip_prefix("1|") {
            step.stdout.push(rest.strip_prefix(' ').unwrap_or(rest).to_owned());
        } else if let Some(rest) = line.strip_prefix("2|") {
            step.stderr.push(rest.strip_prefix(' ').unwrap_or(rest).to_owned());
        } else {
            panic!("{line:?} has no place in a transcript");
        }
    }
    steps
}

fn has_open_quote(command: &str) -> bool {
    let mut open = None;
    for c in command.chars() {
        match (open, c) {
            (None, '"' | '\'') => open = Some(c),
            (Some(mark), _) if mark == c => open = None,
            _ => {}
        }
    }
    open.is_some()
}

/// Plays the steps and returns what differs, command by command.
#[must_use]
pub fn play(host: &Host, name: &str, steps: &[Step], differences: &[Difference]) -> String {
    let mut wrong = String::new();
    let root = host.root().to_string_lossy().into_owned();
    let mut used = vec![0; differences.len()];
    let mine: Vec<usize> = (0..differences.len()).filter(|at| differences[*at].transcript == name).collect();
    for step in steps {
        let at = mine.iter().copied().find(|at| differences[*at].command == step.command);
        let difference = at.map(|at| {
            used[at] += 1;
            &differences[at]
        });
        if difference.is_some_and(|difference| difference.left_out) {
            continue;
        }
        let mut command = step.command.clone();
        for place in ["/etc/pve/", "/var/lib/", "/var/log/", "/run/"] {
            // An argument that names a place of the host is the same place below the root, except where the
            // transcript gives a path where a volume id belongs.
            if !command.contains("hookscript /") && !command.contains("pvesm path /") {
                command = command.replace(place, &format!("{root}{place}"));
            }
        }
        let output = run(host.command("sh").args(["-c", &command]));
        let seen = |bytes: &[u8]| -> Vec<String> {
            String::from_utf8_lossy(bytes)
                .replace(&root, "")
                .lines()
                .map(|line| line.trim_end().to_owned())
                .collect()
        };
        let wanted = |ours: Option<&Option<String>>, theirs: &[String]| -> Vec<String> {
            match ours {
                Some(Some(text)) => text.lines().map(|line| line.trim_end().to_owned()).collect(),
                _ => theirs.iter().map(|line| line.trim_end().to_owned()).collect(),
            }
        };
        let stdout = wanted(difference.map(|difference| &difference.stdout), &step.stdout);
        let stderr = wanted(difference.map(|difference| &difference.stderr), &step.stderr);
        let success = difference.and_then(|difference| difference.success).unwrap_or(step.success);
        let same = lines_match(&stdout, &seen(&output.stdout))
            && lines_match(&stderr, &seen(&output.stderr))
            && success == output.status.success();
        if !same {
            let _ = writeln!(wrong, "{name}: expected");
            let _ = writeln!(wrong, "$ {}", step.command);
            for (mark, lines) in [("1|", &stdout), ("2|", &stderr)] {
                for line in lines {
                    let _ = writeln!(wrong, "{mark} {line}");
                }
            }
            let _ = writeln!(
                wrong,
                "=> {}\nbut got\n{}\n",
                if success { "success" } else { "failure" },
                output.describe()
            );
        }
    }
    for at in mine.into_iter().filter(|at| used[*at] == 0) {
        let _ =
            writeln!(wrong, "{name}: the difference for `{}` belongs to no command", differences[at].command);
    }
    wrong
}

fn lines_match(wanted: &[String], seen: &[String]) -> bool {
    wanted.len() == seen.len() && wanted.iter().zip(seen).all(|(wanted, seen)| line_matches(wanted, seen))
}

/// Whether a line is as wanted, where `<n>` stands for a number and `…` for anything.
#[must_use]
pub fn line_matches(wanted: &str, seen: &str) -> bool {
    let number = wanted.find("<n>");
    let anything = wanted.find('…');
    match (number, anything) {
        (None, None) => wanted == seen,
        (Some(at), other) if other.is_none_or(|other| at < other) => {
            let Some(rest) = seen.strip_prefix(&wanted[..at]) else { return false };
            let digits = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
            (1..=digits).rev().any(|taken| line_matches(&wanted[at + 3..], &rest[taken..]))
        }
        (_, Some(at)) => {
            let Some(rest) = seen.strip_prefix(&wanted[..at]) else { return false };
            let tail = &wanted[at + '…'.len_utf8()..];
            rest.char_indices()
                .map(|(at, _)| at)
                .chain([rest.len()])
                .any(|at| line_matches(tail, &rest[at..]))
        }
        (Some(_), None) => unreachable!("the guard above takes every number without an ellipsis"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_may_span_lines() {
        let steps = parse("$ a \"x\ny\"\n1| one\n1|\n2| two\n=> exit 25\n$ b\n=> exit 0\n");
        assert_eq!(steps.len(), 2);
        assert_eq!(steps[0].command, "a \"x\ny\"");
        assert_eq!((steps[0].stdout.len(), steps[0].stderr.len(), steps[0].success), (2, 1, false));
    }

    #[test]
    fn placeholders_match_numbers_and_anything() {
        assert!(line_matches("pid: <n> of <n>", "pid: 12 of 3.5"));
        assert!(!line_matches("pid: <n>", "pid: x"));
        assert!(line_matches("a … b … <n>", "a 1 2 b c 7"));
        assert!(!line_matches("a … b", "a 1 2 c"));
    }
}
