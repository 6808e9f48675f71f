//! What a file shows without being read as a script.

use super::finding;
use crate::finding::Finding;
use crate::rule::Rule;
use crate::script::{Language, Source};
use std::path::{Path, PathBuf};

/// Where a hookscript's programs are looked for, here as at Proxmox VE.
const FOLDERS: [&str; 4] = ["/sbin", "/bin", "/usr/sbin", "/usr/bin"];

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
    found.extend(carriage_returns(source));
    found.extend(interpreter(path, source));
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

fn carriage_returns(source: &Source) -> Option<Finding> {
    if source.language == Language::Program {
        return None;
    }
    let mut lines = (1..).zip(source.bytes.split(|byte| *byte == b'\n'));
    let first = source.bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if first.starts_with(b"#!") && first.ends_with(b"\r") {
        return Some(finding(
            Rule::CarriageReturns,
            Some(1),
            "the first line ends with a carriage return, and so does the interpreter's name",
        ));
    }
    if source.language != Language::Shell {
        // Python and Perl take such lines.
        return None;
    }
    // One in the text of a here document may be meant.
    let all = source.bytes.iter().filter(|byte| **byte == b'\n').count();
    let returns = source.bytes.windows(2).filter(|two| *two == b"\r\n").count();
    let (line, _) = lines.find(|(_, line)| line.ends_with(b"\r"))?;
    (returns * 2 > all).then(|| finding(Rule::CarriageReturns, Some(line), "lines end with carriage returns"))
}

fn interpreter(path: &Path, source: &Source) -> Option<Finding> {
    let no = |what: String| Some(finding(Rule::NoInterpreter, Some(1), what));
    if source.bytes.starts_with(b"\xef\xbb\xbf#!") {
        let what = "three invisible bytes (a byte order mark) stand before '#!', so the line does not count";
        let mut found = finding(Rule::NoInterpreter, Some(1), what);
        "/bin/sh runs the file instead, whatever it is written in, and complains of its first line"
            .clone_into(&mut found.why);
        r"sed -i '1s/^\xEF\xBB\xBF//' on the file".clone_into(&mut found.mend);
        return Some(found);
    }
    let Some((program, rest)) = source.interpreter() else {
        return missing_first_line(path, source);
    };
    let program = program.trim_end_matches('\r');
    if program.is_empty() {
        return no("the first line names no interpreter".to_owned());
    }
    if !program.starts_with('/') {
        return no(format!("'{program}' is no absolute path"));
    }
    let place = Path::new(program);
    if !place.is_file() {
        let name = place.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let elsewhere =
            located(name).map(|path| format!("; it is '{}' here", path.display())).unwrap_or_default();
        return no(format!("'{program}' is not on this host{elsewhere}"));
    }
    if place.file_name().is_some_and(|name| name == "env") {
        let mut words = rest.split([' ', '\t', '\r']).filter(|word| !word.is_empty());
        let name = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
        let several = rest.split([' ', '\t']).filter(|word| !word.is_empty()).count() > 1;
        if several && !rest.starts_with('-') {
            return no(format!("the kernel hands '{rest}' to env as one word; 'env -S' takes it apart"));
        }
        if located(name).is_none() && !name.starts_with('/') {
            return no(format!(
                "no '{name}' is in {}, where a hookscript's programs are looked for",
                FOLDERS.join(":")
            ));
        }
    }
    None
}

/// Without a first line it is run by `/bin/sh`, which does for a shell script.
fn missing_first_line(path: &Path, source: &Source) -> Option<Finding> {
    let what = match source.language {
        Language::Python => "Python",
        Language::Perl => "Perl",
        Language::Other => path.extension().and_then(|end| end.to_str()).unwrap_or("of another language"),
        Language::Shell | Language::Program => return None,
    };
    Some(finding(
        Rule::NoInterpreter,
        Some(1),
        format!("there is no '#!' line, so /bin/sh runs it, though it is {what}"),
    ))
}

/// Where a program is, in the folders that a hookscript's are looked for in.
pub(crate) fn located(name: &str) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| !name.is_empty() && path.is_file())
}
