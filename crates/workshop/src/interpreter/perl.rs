//! Perl compiles a script by running parts of it: what `use` and `BEGIN` say. So it is asked in a sandbox without files to
//! write to, without a network and with a limit, or not at all.

use super::{Answer, Refusal, SECONDS, finished};
use crate::lives::sandbox;
use crate::rules::located;
use crate::script::Source;
use std::path::Path;
use std::process::Command;

/// What it may take: bytes of memory, and processes.
const LIMITS: [&str; 2] = ["--as=1073741824", "--nproc=64"];

pub(super) fn ask(path: &Path, source: &Source) -> Option<Answer> {
    let perl = located("perl")?;
    let mut command = Command::new(located("bwrap")?);
    command.env_clear().args(["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]);
    command.args(["--uid", "65534", "--gid", "65534", "--clearenv", "--setenv", "LC_ALL", "C"]);
    command.args(["--setenv", "PATH", "/usr/sbin:/usr/bin:/sbin:/bin", "--proc", "/proc", "--dev", "/dev"]);
    command.args(sandbox::programs()).args(["--ro-bind-try", "/etc/perl", "/etc/perl"]);
    command.args(["--remount-ro", "/", "--remount-ro", "/dev", "--chdir", "/", "--"]);
    command.args(["timeout", "--signal=KILL", &SECONDS.to_string(), "prlimit"]).args(LIMITS).arg(perl);
    // Warnings are none of this; a switch of the first line is taken only where it is given here, too.
    command.args(["-X", "-c"]);
    if source.interpreter().is_some_and(|(_, words)| words.starts_with('-') && words.contains('T')) {
        command.arg("-T");
    }
    sandbox::as_stranger(&mut command);
    let output = finished(&mut command, path, SECONDS).ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() && text.ends_with("syntax OK\n") {
        return Some(Answer::Readable);
    }
    // A module that is not here is none of the script's mistakes, and keeps perl from reading on.
    if text.contains("BEGIN failed") || text.contains("Can't locate ") {
        return None;
    }
    text.lines().find_map(complaint).map(Answer::Refused)
}

/// `syntax error at - line 7, near "}"`
fn complaint(line: &str) -> Option<Refusal> {
    let (words, rest) = line.split_once(" at - line ")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let words = format!("{words}{}", rest[digits..].trim_end_matches('.'));
    Some(Refusal { name: "perl".to_owned(), line: rest[..digits].parse().ok(), words })
}
