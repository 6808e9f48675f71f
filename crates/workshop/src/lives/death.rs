//! What a call died of, as its last words tell, and what to do about that.

use super::want::{self, Missing};

/// What a call died of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Death {
    /// The script's line, where it is told.
    pub(super) line: Option<usize>,
    /// In a few words, to be put behind how it ended.
    pub(super) what: String,
    /// What to do.
    pub(super) mend: String,
}

/// How many of a call's last lines are looked at.
const LAST: usize = 12;

/// How many of them may be a script's own words about what a program said before it.
const OWN_WORDS: usize = 3;

/// Finds what a script at `place` died of, in what it printed; none where it says nothing of the kind, as one that ends itself.
/// With a `network` it is no want of one.
pub(super) fn of(place: &str, printed: &[String], network: bool) -> Option<Death> {
    let last = &printed[printed.len().saturating_sub(LAST)..];
    // What stands last ended it; what a shell says before may have been taken care of.
    let shell = last.last().and_then(|text| shell(place, text));
    let unreached = |most: usize| {
        let mut lines = last.iter().rev().take(most);
        (!network && lines.any(|text| want::is_of_network(text))).then(|| of_network(place, last))
    };
    shell
        .or_else(|| unreached(1))
        .or_else(|| python(place, last))
        .or_else(|| perl(place, last))
        .or_else(|| unreached(1 + OWN_WORDS))
        .or_else(|| wanting(last))
}

fn death(line: Option<usize>, what: impl Into<String>, mend: impl Into<String>) -> Death {
    Death { line, what: what.into(), mend: mend.into() }
}

/// `hook.sh: line 7: vmdi: unbound variable` as bash has it, without `line` as other shells do.
fn shell(place: &str, text: &str) -> Option<Death> {
    let rest = text.strip_prefix(place)?.strip_prefix(": ")?;
    let rest = rest.strip_prefix("line ").unwrap_or(rest);
    let (line, words) = rest.split_once(": ")?;
    let line = Some(line.parse().ok()?);
    let of = |end: &str| words.strip_suffix(end).map(|word| word.trim_start_matches("exec: "));
    let unset = ["unbound variable", "parameter not set", "parameter null or not set"];
    if let Some(name) = unset.iter().find_map(|end| words.strip_suffix(end)?.strip_suffix(": ")) {
        return Some(of_unset(line, name.trim_start_matches('$')));
    }
    if let Some(name) = of(": command not found").or_else(|| of(": not found")) {
        return Some(of_missing(line, name));
    }
    if let Some(name) = of(": Permission denied") {
        return Some(death(
            line,
            format!("'{name}' may not be executed or opened"),
            "see its mode, and whether it is the right one",
        ));
    }
    if let Some(path) = of(": No such file or directory") {
        return Some(of_no_file(line, path));
    }
    let torn = ["syntax error", "Syntax error", "unexpected EOF"].iter().any(|word| words.contains(word));
    torn.then(|| unreadable(line, words))
}

/// The script's line that stands last in a traceback.
fn frame(place: &str, last: &[String]) -> Option<usize> {
    let frame = format!("File \"{place}\", line ");
    let mut frames = last.iter().rev().filter_map(|text| text.trim_start().strip_prefix(&frame));
    frames.next().and_then(|rest| rest.split([',', ' ']).next()?.parse().ok())
}

/// The last line of a traceback, with the script's line that stands last in it.
fn python(place: &str, last: &[String]) -> Option<Death> {
    let line = frame(place, last);
    let (at, name, words) = last.iter().enumerate().rev().find_map(|(at, text)| {
        let (name, words) = text.split_once(": ").unwrap_or((text, ""));
        let plain = name.chars().all(|c| c.is_alphanumeric() || c == '.' || c == '_');
        let ends = ["Error", "Exception", "Expired", "Interrupt"].iter().any(|end| name.ends_with(end));
        (plain && ends).then(|| (at, name.to_owned(), words.to_owned()))
    })?;
    // Without a line of the script before it it may be anybody's.
    line?;
    // What is quoted behind the first is a guess, or where the first was looked for.
    let quoted: Vec<&str> = words.split('\'').skip(1).step_by(2).collect();
    let thing = quoted.first().copied().unwrap_or_default().to_owned();
    Some(match (name.as_str(), thing.as_str()) {
        ("SyntaxError" | "IndentationError" | "TabError", _) => unreadable(line, &last[at]),
        ("KeyError", name) if is_variable(name) => of_unset(line, name),
        ("KeyError", _) => {
            death(line, format!("there is no {words}"), "use .get(), and see what it is without")
        }
        ("ImportError", name) if words.starts_with("cannot import name") && quoted.len() > 1 => death(
            line,
            format!("there is no '{name}' in the module '{}'", quoted[1]),
            "see how it is spelt, and which version of the module has it",
        ),
        ("ModuleNotFoundError" | "ImportError", name) if !name.is_empty() => no_module(line, name),
        ("FileNotFoundError", path) if path.contains('/') => of_no_file(line, path),
        ("FileNotFoundError", name) if !name.is_empty() => of_missing(line, name),
        ("NameError", name) if !name.is_empty() => death(
            line,
            format!("nothing is called '{name}'"),
            "see how it is spelt, and whether it is set or imported before",
        ),
        (name, _) => death(
            line,
            format!("of {} {name} that nothing catches", article(name)),
            "catch it where the phase can do without, and where it cannot end with a message of its own",
        ),
    })
}

/// `an` before a vowel that is spoken as one.
fn article(name: &str) -> &'static str {
    let vowel = name.starts_with(['A', 'E', 'I', 'O', 'a', 'e', 'i', 'o']) || name.starts_with("Unb");
    if vowel { "an" } else { "a" }
}

/// `no such device at hook.pl line 7.`
fn perl(place: &str, last: &[String]) -> Option<Death> {
    let own = format!(" at {place} line ");
    // What comes behind a first complaint comes of it.
    let (words, rest) = last.iter().find_map(|text| text.split_once(&own))?;
    let line = rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|line| line.parse().ok());
    if let Some(module) = words.strip_prefix("Can't locate ").and_then(|rest| rest.split(' ').next()) {
        return Some(no_module(line, &module.trim_end_matches(".pm").replace('/', "::")));
    }
    if let Some(name) = words.strip_prefix("Undefined subroutine &") {
        let name = name.split(' ').next().unwrap_or_default().trim_start_matches("main::");
        return Some(death(line, format!("there is no sub '{name}'"), "see how it is spelt"));
    }
    let compiling =
        ["syntax error", "Global symbol", "Missing right", "Can't find string terminator", "Bareword"];
    if compiling.iter().any(|begin| words.starts_with(begin)) {
        return Some(unreadable(line, words));
    }
    // What a script says when it dies of its own will is a refusal.
    wanting(last).or_else(|| {
        Some(death(
            line,
            "it dies there",
            "die only where the call must fail, and end with 0 in phases that are not handled",
        ))
    })
}

/// A refusal for want of something that a life can be given.
fn wanting(last: &[String]) -> Option<Death> {
    let text = last.last()?;
    let parameter = text
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .find(|word| word.starts_with("HOOKVISOR_PARAM_"));
    if let Some(name) = parameter {
        return Some(of_unset(None, name));
    }
    let given = |what: &str, option: &str| {
        death(None, what, format!("where it should not start without, give the trial one: {option}"))
    };
    let lower = text.to_lowercase();
    match want::named(None, text).into_iter().next_back() {
        Some(Missing::Mount(path)) => Some(given("for want of a mount", &format!("--mount {path}"))),
        Some(Missing::File(path)) => Some(of_no_file(None, &path)),
        None if lower.contains("mount") => Some(given("for want of a mount", "--mount PATH")),
        None => lower.contains("parameter").then(|| given("for want of a parameter", "--param NAME=VALUE")),
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

fn of_unset(line: Option<usize>, name: &str) -> Death {
    match name.strip_prefix("HOOKVISOR_PARAM_") {
        Some(param) => death(
            line,
            format!("for want of the parameter {}", param.to_lowercase()),
            format!(
                "give the trial one: --param {}=VALUE; or the script a default of its own",
                param.to_lowercase()
            ),
        ),
        None if name.starts_with("HOOKVISOR_") => death(
            line,
            format!("of '{name}', which is not set where Proxmox VE calls"),
            "do without where it is not set: it is hookvisor's",
        ),
        None => death(
            line,
            format!("of '{name}', which is not set"),
            "see how it is spelt, set it in this phase, too, or give it a default",
        ),
    }
}

fn of_missing(line: Option<usize>, name: &str) -> Death {
    death(
        line,
        format!("there is no command '{name}'"),
        "see how it is spelt, install it, or do without where 'command -v' does not find it",
    )
}

fn of_no_file(line: Option<usize>, path: &str) -> Death {
    death(
        line,
        format!("for want of '{path}'"),
        format!(
            "see how it is spelt; where it is there on the real host, give it to the trial: --file {path}=COPY, or --mount {path}"
        ),
    )
}

fn of_network(place: &str, last: &[String]) -> Death {
    let own = format!(" at {place} line ");
    let digits = |rest: &str| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
    let perl = || last.iter().rev().find_map(|text| digits(text.split_once(&own)?.1));
    death(
        frame(place, last).or_else(perl),
        "for want of a network",
        "the sandbox has no network: --network gives it the host's; where the phase can do without, go on",
    )
}

fn no_module(line: Option<usize>, name: &str) -> Death {
    death(
        line,
        format!("there is no module '{name}'"),
        "install it for the interpreter of the first line, or do without",
    )
}

fn unreadable(line: Option<usize>, words: &str) -> Death {
    death(line, format!("its interpreter cannot read it: {words}"), "mend the line, or what is open above it")
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn last_words_are_understood() {
        for (said, line, what, mend) in [
            ("/x/h.sh: line 7: vmdi: unbound variable", Some(7), "of 'vmdi', which is not set", "default"),
            (
                "/x/h.sh: 3: HOOKVISOR_PARAM_KEEP: parameter not set",
                Some(3),
                "for want of the parameter keep",
                "--param keep=VALUE",
            ),
            (
                "/x/h.sh: line 9: nvidia-smi: command not found",
                Some(9),
                "there is no command 'nvidia-smi'",
                "install it",
            ),
            ("/x/h.sh: 9: ecoh: not found", Some(9), "there is no command 'ecoh'", "spelt"),
            (
                "/x/h.sh: line 4: /etc/x.list: No such file or directory",
                Some(4),
                "for want of '/etc/x.list'",
                "--file /etc/x.list=COPY",
            ),
            (
                "/x/h.sh: line 4: syntax error near unexpected token `fi'",
                Some(4),
                "its interpreter cannot read it",
                "mend",
            ),
            (
                "Traceback (most recent call last):\n  File \"/x/h.sh\", line 5, in <module>\n    main()\n  File \"/x/h.sh\", line 3, in main\nKeyError: 'HOOKVISOR_CONTEXT'",
                Some(3),
                "of 'HOOKVISOR_CONTEXT', which is not set where Proxmox VE calls",
                "do without",
            ),
            (
                "  File \"/x/h.sh\", line 5, in <module>\nZeroDivisionError: division by zero",
                Some(5),
                "of a ZeroDivisionError that nothing catches",
                "catch it",
            ),
            (
                "  File \"/x/h.sh\", line 5\nFileNotFoundError: [Errno 2] No such file or directory: 'lspci2'",
                Some(5),
                "there is no command 'lspci2'",
                "install it",
            ),
            (
                "  File \"/x/h.sh\", line 5\nFileNotFoundError: [Errno 2] No such file or directory: '/etc/fleet.toml'",
                Some(5),
                "for want of '/etc/fleet.toml'",
                "--file /etc/fleet.toml=COPY",
            ),
            (
                "  File \"/x/h.sh\", line 2, in <module>\nModuleNotFoundError: No module named 'requests'",
                Some(2),
                "there is no module 'requests'",
                "install it",
            ),
            ("got unexpected phase 'x' at /x/h.sh line 7.", Some(7), "it dies there", "die only"),
            (
                "Can't locate JSON/XS.pm in @INC (you may need …) at /x/h.sh line 2.\nBEGIN failed--compilation aborted at /x/h.sh line 2.",
                Some(2),
                "there is no module 'JSON::XS'",
                "install it",
            ),
            (
                "  File \"/x/h.sh\", line 5, in <module>\nNameError: name 'prepair' is not defined. Did you mean: 'prepare'?",
                Some(5),
                "nothing is called 'prepair'",
                "spelt",
            ),
            (
                "  File \"/x/h.sh\", line 2, in <module>\nImportError: cannot import name 'runn' from 'subprocess' (/usr/lib/subprocess.py)",
                Some(2),
                "there is no 'runn' in the module 'subprocess'",
                "spelt",
            ),
            (
                "  File \"/x/h.sh\", line 5\nAttributeError: module 'sys' has no attribute 'arg'. Did you mean: 'argv'?",
                Some(5),
                "of an AttributeError that nothing catches",
                "catch it",
            ),
            (
                "curl: (6) Could not resolve host: nas.lan\n/x/h.sh: the NAS says nothing",
                None,
                "for want of a network",
                "--network",
            ),
            (
                "  File \"/x/h.sh\", line 4, in <module>\n  File \"/usr/lib/python3/socket.py\", line 9, in connect\nConnectionRefusedError: [Errno 111] Connection refused",
                Some(4),
                "for want of a network",
                "--network",
            ),
            (
                "no route: Network is unreachable at /x/h.sh line 7.",
                Some(7),
                "for want of a network",
                "--network",
            ),
            ("/mnt/nas is not mounted", None, "for want of a mount", "--mount /mnt/nas"),
            ("the file /etc/list does not exist", None, "for want of '/etc/list'", "--file /etc/list"),
        ] {
            let said: Vec<String> = said.lines().map(str::to_owned).collect();
            let death = of("/x/h.sh", &said, false).unwrap_or_else(|| panic!("{said:?}"));
            assert_eq!(death.line, line, "{said:?}");
            assert!(death.what.starts_with(what), "{death:?}");
            assert!(death.mend.contains(mend), "{death:?}");
        }
        for said in ["", "not today", "guest 100 must not run beside 101"] {
            assert_eq!(of("/x/h.sh", &[said.to_owned()], false), None, "{said}");
        }
        let refused = ["curl: (7) Failed to connect to nas: Connection refused".to_owned()];
        assert_eq!(of("/x/h.sh", &refused, true), None);
    }
}
