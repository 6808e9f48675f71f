//! What a script's own interpreter says of its text. It is asked to read it only, and what would run code as it reads, as Perl
//! does, is asked in a sandbox.

mod perl;

use crate::rules::located;
use crate::script::{Language, Source};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// How much time of a processor an interpreter has to read a script, in seconds.
const SECONDS: u64 = 5;

/// What an interpreter says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It can read the text.
    Readable,
    /// It cannot.
    Refused(Refusal),
    /// There is none here that could be asked, or it does not know.
    Unknown,
}

/// Why an interpreter cannot read a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The interpreter's name.
    pub(crate) name: String,
    /// From 1.
    pub(crate) line: Option<usize>,
    /// In its own words.
    pub(crate) words: String,
}

/// Asks the interpreter of a script whether it can read it. Programs are those of the host's own folders, whatever path the
/// first line names.
pub(crate) fn ask(path: &Path, source: &Source) -> Answer {
    let Ok(path) = std::path::absolute(path) else { return Answer::Unknown };
    let name = source.interpreter_name();
    let asked = match (source.language, name.as_deref()) {
        (Language::Shell, name) => shell(name.unwrap_or("sh"), &path, &source.text),
        (Language::Python, name) => python(name.unwrap_or("python3"), &path),
        (Language::Perl, _) => perl::ask(&path, source),
        (Language::Other, Some(name @ "node")) => node(name, &path),
        (Language::Other, Some(name @ "ruby")) => ruby(name, &path),
        _ => None,
    };
    let lines = source.text.lines().count().max(1);
    match asked {
        Some(Answer::Refused(refusal)) => {
            Answer::Refused(Refusal { line: refusal.line.map(|line| line.clamp(1, lines)), ..refusal })
        }
        Some(answer) => answer,
        None => Answer::Unknown,
    }
}

/// Has a program read a script, with nothing of this environment.
fn reads(program: &str, words: &[&str], path: &Path) -> Option<Output> {
    let mut command = Command::new(located(program)?);
    command.args(words).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
    finished(command.current_dir("/"), path, SECONDS).ok()
}

/// What a command prints that has a script as its input, and so many seconds of a processor.
pub(crate) fn finished(command: &mut Command, path: &Path, seconds: u64) -> io::Result<Output> {
    command.stdin(File::open(path)?).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn()?;
    let limit = Rlimit { current: Some(seconds), maximum: Some(seconds) };
    // Without the limit it would be asked all the same: it only guards against a text that is made to last.
    let _ = prlimit(Some(Pid::from_child(&child)), Resource::Cpu, limit);
    child.wait_with_output()
}

fn shell(name: &str, path: &Path, text: &str) -> Option<Answer> {
    let place = path.to_str()?;
    let words: &[&str] = match name {
        "busybox" => &["sh", "-n", place],
        "zsh" => &["-f", "-n", place],
        // It decides how patterns are read, and 'shopt -s extglob' is not done where nothing is.
        "bash" if text.contains("extglob") => &["-O", "extglob", "-n", place],
        _ => &["-n", place],
    };
    let output = reads(name, words, path)?;
    let fine = output.status.success();
    // A here document that does not end is no error to any of them; bash at least warns.
    let warned = if fine && name != "bash" { reads("bash", &["-n", place], path) } else { None };
    let open = open_document(warned.as_ref().unwrap_or(&output));
    match open.or_else(|| first_of(&output, place).filter(|_| !fine)) {
        None if fine => Some(Answer::Readable),
        complaint => refused(name, complaint),
    }
}

/// What bash warns of a here document without an end, and where that begins.
fn open_document(output: &Output) -> Option<(Option<usize>, String)> {
    let text = String::from_utf8_lossy(&output.stderr);
    let (_, warning) = text.lines().find_map(|line| line.split_once("warning: here-document at line "))?;
    let (line, rest) = warning.split_once(' ')?;
    Some((line.parse().ok(), format!("here-document {rest}")))
}

/// The first complaint about a script, with its line.
fn first_of(output: &Output, place: &str) -> Option<(Option<usize>, String)> {
    let text = String::from_utf8_lossy(&output.stderr);
    let rest = text.lines().find_map(|line| line.strip_prefix(place))?;
    let rest = rest.trim_start_matches([':', ' ']);
    let rest = rest.strip_prefix("line ").unwrap_or(rest);
    Some(match rest.split_once(':').and_then(|(line, words)| Some((line.parse().ok()?, words))) {
        Some((line, words)) => (Some(line), words.trim().to_owned()),
        None => (None, rest.to_owned()),
    })
}

fn refused(name: &str, complaint: Option<(Option<usize>, String)>) -> Option<Answer> {
    let (line, words) = complaint?;
    Some(Answer::Refused(Refusal { name: name.to_owned(), line, words }))
}

/// Compiles it without running it; the bytes are taken as they are, so that what they say of their encoding counts.
const PYTHON: &str = "\
import sys
try:
    compile(sys.stdin.buffer.read(), '-', 'exec', dont_inherit=True)
except SyntaxError as error:
    print(error.lineno or 0, f'{type(error).__name__}: {error.msg}')
except ValueError as error:
    print(0, f'{type(error).__name__}: {error}')
";

fn python(name: &str, path: &Path) -> Option<Answer> {
    let output = reads(name, &["-I", "-S", "-W", "ignore", "-c", PYTHON], path)?;
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match text.trim().split_once(' ') {
        Some((line, words)) => {
            refused(name, Some((line.parse().ok().filter(|line| *line > 0), words.to_owned())))
        }
        None => Some(Answer::Readable),
    }
}

fn node(name: &str, path: &Path) -> Option<Answer> {
    let output = reads(name, &["--check", path.to_str()?], path)?;
    if output.status.success() {
        return Some(Answer::Readable);
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let words = text.lines().find(|line| line.starts_with("SyntaxError"))?.to_owned();
    let line = text.lines().next().and_then(|line| line.rsplit_once(':')?.1.parse().ok());
    refused(name, Some((line, words)))
}

fn ruby(name: &str, path: &Path) -> Option<Answer> {
    let output = reads(name, &["-c", path.to_str()?], path)?;
    if output.status.success() {
        Some(Answer::Readable)
    } else {
        refused(name, first_of(&output, path.to_str()?))
    }
}
