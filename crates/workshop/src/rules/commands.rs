//! HV022: commands, functions and subs that there are none of.

use super::{Told, by_line, finding, located};
use crate::finding::Finding;
use crate::flow::event::Event;
use crate::flow::ir::{Node, Op, Target};
use crate::rule::Rule;
use crate::script::Language;
use model::Phase;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

/// Commands that a script may well run though this host has not got them: Proxmox VE's, and what people install beside it.
static KNOWN: &str = include_str!("commands.txt");

/// What a shell does by itself, its words among them.
const BUILTINS: &str = "alias autoload bg bind break builtin caller case cd command compgen complete compopt continue coproc declare \
    dirs disown do done echo elif else emulate enable esac eval exec exit export false fc fg fi for function functions getopts hash \
    help history if in integer jobs kill let local logout mapfile noglob popd print printf pushd pwd read readarray readonly \
    return select set setopt shift shopt source suspend test then times trap true type typeset ulimit umask unalias unset \
    unsetopt until wait whence while zmodload";

/// Subs and functions that a language has by itself, and whose names are near to many.
const OWN: &str = "__import__ aiter anext ascii bin breakpoint bytearray caller classmethod compile complex delattr dbmclose dbmopen \
    divmod endgrent endpwent evalbytes fc formline frozenset getgrgid getgrnam gethostbyname getlogin getpgrp getpriority getpwnam \
    getpwuid globals help issubclass lc lcfirst locals memoryview msgctl my no object our package prototype qq qr qw qx rindex \
    round semctl setpgrp shutdown socketpair state study sub sysseek telldir tied ucfirst umask untie use utime wait abs accept all alarm any atan2 bind binmode bless bool bytes callable chdir chmod chomp chop chown chr chroot close \
    closedir compile connect cos defined delete dict die dir do each enumerate eof eval exec exists exit exp fcntl fileno filter flock \
    float fork format getattr getc getppid glob gmtime goto grep hasattr hash hex id index input int ioctl isinstance iter join keys \
    kill last len length link list listen local localtime log lstat map max min mkdir next object oct open opendir ord pack pipe \
    pop pos pow print printf property push quotemeta quit rand range read readdir readline readlink readpipe redo ref rename \
    repr require reset return reverse reversed rewinddir rindex rmdir round say seek select set setattr shift sin sleep slice \
    socket sort sorted splice split sprintf sqrt srand stat staticmethod str substr sum super symlink syscall sysopen sysread \
    system syswrite tell tie time times truncate tuple type uc undef unlink unpack unshift untie use utime values vars vec wait \
    waitpid wantarray warn write zip";

/// Modules of Python that nearly every script has some of.
const MODULES: &str = "argparse base64 contextlib dataclasses datetime fcntl functools getpass glob hashlib http ipaddress \
    json logging pathlib platform random shlex shutil signal socket string struct subprocess syslog tempfile textwrap \
    threading time traceback typing urllib uuid";

/// Misspelt commands and functions.
pub(super) fn find(told: &Told) -> Vec<Finding> {
    if told.damaged || told.sourced {
        return Vec::new();
    }
    let misspelt = strangers(told).filter_map(|(phase, event, name)| {
        let meant = meant(&name, told)?;
        let what = format!("no command is called '{name}'; '{meant}' may be meant");
        Some((phase, finding(Rule::NoSuchCommand, Some(event.line), what)))
    });
    let mut found = by_line(misspelt);
    for (name, line) in told.names.undefined() {
        if let Some(meant) = told.names.meant(name) {
            let what = format!("there is no '{name}' to be called; '{meant}' may be meant");
            let mut one = finding(Rule::NoSuchCommand, Some(line), what);
            "write it as it is where it is defined, or define it".clone_into(&mut one.mend);
            found.push(one);
        }
    }
    for (name, line) in &told.names.modules {
        if let Some(meant) = near(name, words(MODULES)).filter(|_| !is_module(name)) {
            let what = format!("there is no module '{name}'; '{meant}' may be meant");
            let mut one = finding(Rule::NoSuchCommand, Some(*line), what);
            "write it as it is called, or install it for the interpreter of the first line"
                .clone_into(&mut one.mend);
            found.push(one);
        }
    }
    found
}

/// Whether Python has a module that is not near by accident.
fn is_module(name: &str) -> bool {
    const ASK: &str = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)";
    let Some(python) = located("python3") else { return true };
    let asked = Command::new(python)
        .args(["-I", "-c", ASK, name])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.map_or(true, |status| status.code() != Some(1))
}

/// Commands that neither this host has nor anybody is known to have: who can tell whether they are there where the script runs?
pub(crate) fn unknown(told: &Told) -> Vec<(usize, String)> {
    if told.damaged || told.sourced {
        return Vec::new();
    }
    let unknown = strangers(told).filter(|(.., name)| meant(name, told).is_none());
    let commands =
        unknown.map(|(_, event, name)| (event.line, format!("what '{name}' does: no such command is here")));
    // What begins with a capital is a class or a file handle.
    let plain = |name: &str| name.starts_with(|c: char| c.is_ascii_lowercase());
    let called = told
        .names
        .undefined()
        .filter(|(name, _)| !told.names.imports_any && plain(name) && told.names.meant(name).is_none());
    let called = called.map(|(name, line)| (line, format!("what '{name}' does: nothing here is called so")));
    commands.chain(called).collect()
}

/// Commands that are not found, unless the script itself asked for them.
fn strangers(told: &Told) -> impl Iterator<Item = (Phase, &Event, String)> {
    told.events().filter_map(|(phase, event)| {
        let name = event.run()?.word(0)?;
        let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.+-".contains(c));
        let known = !plain
            || told.names.functions.contains(&name)
            || words(BUILTINS).any(|own| own == name)
            || words(KNOWN).any(|own| own == name)
            || is_here(&name)
            || event.asked().contains(&name);
        (!known).then_some((phase, event, name))
    })
}

fn is_here(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path).chain(["/usr/local/sbin".into(), "/usr/local/bin".into()]);
    located(name).is_some() || folders.any(|folder| Path::new(&folder).join(name).is_file())
}

/// What somebody may have meant: a function of the script first.
fn meant(name: &str, told: &Told) -> Option<String> {
    let functions = near(name, told.names.functions.iter().map(String::as_str));
    let phases = Phase::ALL.map(|phase| phase.as_str().replace('-', "_"));
    functions
        .or_else(|| near(name, words(BUILTINS)))
        .or_else(|| near(name, words(KNOWN)))
        .or_else(|| near(name, phases.iter().map(String::as_str)))
}

/// The nearest of these names where one is so near that the other is a slip: a letter that is missing, doubled, another one, or in
/// the place of its neighbour; two of them in a long name. The first letter is rarely wrong.
pub(crate) fn near<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    let most = match name.len() {
        0..4 => return None,
        4..8 => 1,
        _ => 2,
    };
    within(most, name, names)
}

fn within<'n>(most: usize, name: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    let mut near: Vec<(usize, &str)> = names
        .filter(|other| other.len() > 3 && other.bytes().next() == name.bytes().next())
        .map(|other| (strsim::osa_distance(name, other), other))
        .filter(|(distance, _)| (1..=most).contains(distance))
        .collect();
    near.sort_unstable();
    near.first().map(|(_, name)| (*name).to_owned())
}

fn words(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.split_ascii_whitespace()
}

/// The names that a script makes and calls.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Its functions.
    functions: BTreeSet<String>,
    /// Everything that it gives a name, functions among it.
    defined: BTreeSet<String>,
    /// Names that are called like functions, with the lines; in Perl and Python.
    called: Vec<(String, usize)>,
    /// Modules that Python imports, with the lines.
    modules: Vec<(String, usize)>,
    /// Whether names may come from a module that are not written in the script.
    imports_any: bool,
}

impl Names {
    /// Those of a script, in the bodies of functions and classes, too.
    pub(crate) fn of(body: &Node, language: Language, text: &str) -> Self {
        let mut names = Self::default();
        names.gather(body);
        match language {
            Language::Python => names.bound(text),
            Language::Perl => {
                names.modules.clear();
                names.used(text);
            }
            _ => {
                names.called.clear();
                names.modules.clear();
            }
        }
        names
    }

    /// What Python binds with `as` and in signatures, which is not followed as an assignment.
    fn bound(&mut self, text: &str) {
        let words: Vec<&str> = text
            .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '*'))
            .filter(|word| !word.is_empty())
            .collect();
        let bound = words.windows(2).filter(|two| two[0] == "as").map(|two| two[1]);
        let rest =
            words.iter().filter_map(|word| word.strip_prefix('*')).map(|word| word.trim_start_matches('*'));
        self.defined.extend(bound.chain(rest).map(str::to_owned));
        self.imports_any = text.contains("import *") || text.contains("globals()");
    }

    /// What Perl's modules are asked for by name; one that is not asked gives what it likes.
    fn used(&mut self, text: &str) {
        for statement in text.split(';') {
            let begins = |at: usize| {
                statement[..at].rsplit('\n').next().is_some_and(|before| before.trim().is_empty())
            };
            let Some((at, _)) = statement.match_indices("use ").find(|(at, _)| begins(*at)) else { continue };
            let words = statement[at..].split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
            let mut words = words.filter(|word| !word.is_empty()).skip(1);
            let module = words.next().unwrap_or_default();
            let before = self.defined.len();
            self.defined.extend(words.map(str::to_owned));
            let pragma = module.starts_with(|c: char| !c.is_ascii_uppercase());
            self.imports_any |= !pragma && self.defined.len() == before;
        }
        self.imports_any |= text.contains("AUTOLOAD") || text.contains("no strict");
    }

    /// The names that are called and that nothing is known to be called by, with their lines.
    fn undefined(&self) -> impl Iterator<Item = (&str, usize)> {
        let plain = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        let unknown = self.called.iter().filter(move |(name, _)| {
            plain(name) && !self.defined.contains(name) && !words(OWN).any(|own| own == name)
        });
        unknown.map(|(name, line)| (&name[..], *line))
    }

    /// The function of the script that is meant by a name: a script has few, so that two letters of six may be wrong.
    fn meant(&self, name: &str) -> Option<String> {
        let functions = || self.functions.iter().map(String::as_str);
        if name.len() < 6 || self.imports_any {
            near(name, functions())
        } else {
            within(2, name, functions())
        }
    }

    fn gather(&mut self, body: &Node) {
        body.walk(&mut |node| match &node.op {
            Op::Func(func) => {
                self.functions.insert(func.name.clone());
                self.defined.insert(func.name.clone());
                self.defined.extend(func.params.iter().map(|param| param.name.clone()));
                self.gather(&func.body);
            }
            Op::Class(class) => {
                self.defined.insert(class.name.clone());
                class.body.iter().for_each(|node| self.gather(node));
            }
            Op::Assign(target, value) => {
                self.assigned(target);
                if let Op::Outside(path) = &value.op {
                    let module = path.split('.').next().unwrap_or_default();
                    self.modules.push((module.to_owned(), node.line));
                }
            }
            Op::AssignAfter(target, ..) | Op::For { target, .. } => self.assigned(target),
            Op::Call(callee, ..) => {
                if let Op::Var(name) = &callee.op {
                    self.called.push((name.clone(), node.line));
                }
            }
            _ => {}
        });
    }

    fn assigned(&mut self, target: &Target) {
        match target {
            Target::Name(name) | Target::Local(name) => {
                self.defined.insert(name.trim_start_matches("fn:").to_owned());
            }
            Target::Each(targets) => targets.iter().for_each(|target| self.assigned(target)),
            Target::Rest(target) => self.assigned(target),
            Target::Item(..) | Target::Field(..) | Target::Lost => {}
        }
    }
}
