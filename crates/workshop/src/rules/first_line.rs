//! What keeps the kernel from running a file, as its first line tells: HV003 and HV004.

use super::finding;
use crate::finding::Finding;
use crate::rule::Rule;
use crate::script::{Language, Source};
use std::io;
use std::path::{Path, PathBuf};

/// Where a hookscript's programs are looked for, here as at Proxmox VE.
const FOLDERS: [&str; 4] = ["/sbin", "/bin", "/usr/sbin", "/usr/bin"];

/// Interpreters with Debian's packages that they come from.
const PACKAGES: [(&str, &str); 24] = [
    ("awk", "mawk"),
    ("bash", "bash"),
    ("busybox", "busybox"),
    ("dash", "dash"),
    ("escript", "erlang-base"),
    ("expect", "expect"),
    ("fish", "fish"),
    ("gawk", "gawk"),
    ("guile", "guile-3.0"),
    ("ksh", "ksh"),
    ("lua", "lua5.4"),
    ("lua5.4", "lua5.4"),
    ("make", "make"),
    ("mksh", "mksh"),
    ("node", "nodejs"),
    ("nodejs", "nodejs"),
    ("perl", "perl"),
    ("php", "php-cli"),
    ("python", "python-is-python3"),
    ("python3", "python3"),
    ("Rscript", "r-base-core"),
    ("ruby", "ruby"),
    ("tclsh", "tcl"),
    ("zsh", "zsh"),
];

/// Options of env(1) that the next word belongs to.
const ENV_TAKES: [&str; 4] = ["-u", "--unset", "-C", "--chdir"];

/// Why nothing comes of a call of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unrunnable {
    pub(crate) rule: Rule,
    /// The line that tells, from 1.
    pub line: usize,
    /// What is wrong, in a sentence.
    pub what: String,
    /// What comes of it.
    pub why: &'static str,
    /// What mends it; none where somebody has to think.
    pub remedy: Option<Remedy>,
}

/// What mends a script that cannot be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// This package of Debian's has the interpreter.
    Install(&'static str),
    /// This expression of sed(1) on the file, free of quotation marks.
    Edit(String),
}

/// Tells whether a script can be run at all on this host: whether there is an interpreter that its first line finds. Nothing
/// of it is run.
///
/// # Errors
/// A file that cannot be read.
pub fn unrunnable(path: &Path) -> io::Result<Option<Unrunnable>> {
    let source = Source::read(path)?;
    Ok(carriage_returns(&source).or_else(|| interpreter(path, &source)))
}

/// HV003 and HV004.
pub(super) fn find(path: &Path, source: &Source) -> impl Iterator<Item = Finding> {
    [carriage_returns(source), interpreter(path, source)].into_iter().flatten().map(Finding::from)
}

impl From<Unrunnable> for Finding {
    fn from(unrunnable: Unrunnable) -> Self {
        let Unrunnable { rule, line, what, why, remedy } = unrunnable;
        let mut one = finding(rule, Some(line), what);
        why.clone_into(&mut one.why);
        match remedy {
            Some(Remedy::Install(package)) => one.mend = format!("apt-get install {package}"),
            Some(Remedy::Edit(expression)) if rule == Rule::NoInterpreter => {
                one.mend = format!("sed -i '{expression}' on the file");
            }
            _ => {}
        }
        one
    }
}

fn unrunnable_by(rule: Rule, line: usize, what: impl Into<String>, remedy: Option<Remedy>) -> Unrunnable {
    Unrunnable { rule, line, what: what.into(), why: rule.why(), remedy }
}

fn carriage_returns(source: &Source) -> Option<Unrunnable> {
    if source.language == Language::Program {
        return None;
    }
    let found = |line, what: &str| {
        let remedy = Some(Remedy::Edit(r"s/\r$//".to_owned()));
        Some(unrunnable_by(Rule::CarriageReturns, line, what, remedy))
    };
    let mut lines = (1..).zip(source.bytes.split(|byte| *byte == b'\n'));
    let first = source.bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if first.starts_with(b"#!") && first.ends_with(b"\r") {
        return found(1, "the first line ends with a carriage return, and so does the interpreter's name");
    }
    if source.language != Language::Shell {
        // Python and Perl take such lines.
        return None;
    }
    // One in the text of a here document may be meant.
    let all = source.bytes.iter().filter(|byte| **byte == b'\n').count();
    let returns = source.bytes.windows(2).filter(|two| *two == b"\r\n").count();
    let (line, _) = lines.find(|(_, line)| line.ends_with(b"\r"))?;
    if returns * 2 > all { found(line, "lines end with carriage returns") } else { None }
}

fn interpreter(path: &Path, source: &Source) -> Option<Unrunnable> {
    let no = |what: String, remedy| Some(unrunnable_by(Rule::NoInterpreter, 1, what, remedy));
    if source.bytes.starts_with(b"\xef\xbb\xbf#!") {
        let what = "three invisible bytes (a byte order mark) stand before '#!', so the line does not count";
        let remedy = Some(Remedy::Edit(r"1s/^\xEF\xBB\xBF//".to_owned()));
        let why = "/bin/sh runs the file instead, whatever it is written in, and complains of its first line";
        return Some(Unrunnable { why, ..unrunnable_by(Rule::NoInterpreter, 1, what, remedy) });
    }
    let Some((program, rest)) = source.interpreter() else {
        return missing_first_line(path, source);
    };
    let program = program.trim_end_matches('\r');
    if program.is_empty() {
        return no("the first line names no interpreter".to_owned(), None);
    }
    if !program.starts_with('/') {
        let remedy = located(program).and_then(|place| renamed(program, &place));
        return no(format!("'{program}' is no absolute path"), remedy);
    }
    let place = Path::new(program);
    if !place.is_file() {
        let name = place.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        return match located(name) {
            Some(here) => {
                let what = format!("'{program}' is not on this host; it is '{}' here", here.display());
                no(what, renamed(program, &here))
            }
            None => no(format!("'{program}' is not on this host"), package(name).map(Remedy::Install)),
        };
    }
    if place.file_name().is_some_and(|name| name == "env") { looked_for(&rest) } else { None }
}

/// What env(1) does not find; `rest` is what stands behind it.
fn looked_for(rest: &str) -> Option<Unrunnable> {
    let no = |what: String, remedy| Some(unrunnable_by(Rule::NoInterpreter, 1, what, remedy));
    let words = || rest.split([' ', '\t', '\r']).filter(|word| !word.is_empty());
    let mut before = "";
    let name = words().find(|word| {
        let taken = ENV_TAKES.contains(&std::mem::replace(&mut before, word));
        !taken && !word.starts_with('-') && !word.contains('=')
    })?;
    if words().count() > 1 && !rest.starts_with('-') {
        let remedy = Some(Remedy::Edit("1s/env /env -S /".to_owned()));
        return no(format!("the kernel hands '{rest}' to env as one word; 'env -S' takes it apart"), remedy);
    }
    // Words in quotation marks, and a path of its own, are left to env.
    let beyond = rest.contains(['\'', '"', '$', '\\']) || words().any(|word| word.starts_with("PATH="));
    if beyond || name.starts_with('/') || located(name).is_some() {
        return None;
    }
    let what =
        format!("no '{name}' is in {}, where a hookscript's programs are looked for", FOLDERS.join(":"));
    no(what, package(name).map(Remedy::Install))
}

/// Without a first line it is run by `/bin/sh`, which does for a shell script.
fn missing_first_line(path: &Path, source: &Source) -> Option<Unrunnable> {
    let (what, interpreter) = match source.language {
        Language::Python => ("Python", Some("python3")),
        Language::Perl => ("Perl", Some("perl")),
        Language::Other => {
            (path.extension().and_then(|end| end.to_str()).unwrap_or("of another language"), None)
        }
        Language::Shell | Language::Program => return None,
    };
    let remedy = interpreter.map(|name| Remedy::Edit(format!("1i #!/usr/bin/{name}")));
    let what = format!("there is no '#!' line, so /bin/sh runs it, though it is {what}");
    Some(unrunnable_by(Rule::NoInterpreter, 1, what, remedy))
}

/// Another path in the first line; none for one that sed(1) would read otherwise.
fn renamed(from: &str, to: &Path) -> Option<Remedy> {
    let to = to.to_str()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_-+".contains(c);
    let are_plain = from.chars().chain(to.chars()).all(plain);
    are_plain.then(|| Remedy::Edit(format!("1s|{from}|{to}|")))
}

/// Where a program is, in the folders that a hookscript's are looked for in.
pub(crate) fn located(name: &str) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| !name.is_empty() && path.is_file())
}

fn package(name: &str) -> Option<&'static str> {
    PACKAGES.iter().find(|(known, _)| *known == name).map(|(_, package)| *package)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn of(name: &str, text: &[u8]) -> Option<Unrunnable> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        unrunnable(&path).unwrap()
    }

    #[test]
    fn what_can_be_run_is_left_alone() {
        for text in [
            "#!/bin/sh\n",
            "#! /bin/sh -e\n",
            "#!/usr/bin/env sh\n",
            "#!/usr/bin/env -S sh -e\n",
            "#!/usr/bin/env -S -u HOME sh -e\n",
            "#!/usr/bin/env -S PATH=/opt/bin none-such\n",
            "#!/usr/bin/env -S 'none such'\n",
            "#!/usr/bin/env -S LC_ALL=C sh\n",
            "echo a shell script without a first line\n",
            "#!/bin/sh\ncat <<END\none line\r\nEND\n",
            "\x7fELF\0",
        ] {
            assert_eq!(of("x", text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_run_comes_with_what_mends_it() {
        let edit = |text: &str| Some(Remedy::Edit(text.to_owned()));
        for (name, text, line, remedy) in [
            ("x", "#!/usr/bin/no-such\n", 1, None),
            ("x", "#!/usr/bin/env no-such\n", 1, None),
            ("x", "#!/usr/bin/env -S -u HOME no-such\n", 1, None),
            ("x", "#!sh\n", 1, edit("1s|sh|/bin/sh|")),
            ("x", "#!/nowhere/sh\n", 1, edit("1s|/nowhere/sh|/bin/sh|")),
            ("x", "#!\n", 1, None),
            ("x", "#!/usr/bin/env sh -e\n", 1, edit("1s/env /env -S /")),
            ("x", "#!/bin/sh\r\n", 1, edit(r"s/\r$//")),
            ("x", "\n#\r\nexit\r\n", 2, edit(r"s/\r$//")),
            ("x", "\u{feff}#!/bin/sh\n", 1, edit(r"1s/^\xEF\xBB\xBF//")),
            ("x.py", "print()\n", 1, edit("1i #!/usr/bin/python3")),
            ("x.pl", "print;\n", 1, edit("1i #!/usr/bin/perl")),
            ("x.js", "1;\n", 1, None),
        ] {
            let found = of(name, text.as_bytes()).unwrap_or_else(|| panic!("nothing is said of {text:?}"));
            assert_eq!((found.line, &found.remedy), (line, &remedy), "{text:?}: {found:?}");
        }
        let lacking = PACKAGES.iter().filter(|(name, _)| located(name).is_none());
        for (name, package) in lacking {
            for text in [format!("#!/usr/bin/env {name}\n"), format!("#!/usr/bin/{name}\n")] {
                let found = of("x", text.as_bytes()).unwrap();
                assert_eq!(found.remedy, Some(Remedy::Install(package)), "{found:?}");
                assert_eq!(Finding::from(found).mend, format!("apt-get install {package}"));
            }
        }
        assert!(PACKAGES.is_sorted_by_key(|(name, _)| name.to_ascii_lowercase()));
    }
}
