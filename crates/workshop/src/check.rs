//! Reading a script for the mistakes that are made in hookscripts.

use crate::finding::{Finding, How, Level, Report, Unjudged};
use crate::flow::Machine;
use crate::interpreter::{self, Answer};
use crate::lives::{self, Life, SandboxError, Setting};
use crate::rule::Rule;
use crate::rules::{self, Names, Told};
use crate::script::{Language, Source};
use crate::shellcheck::Said;
use crate::syntax::Script;
use crate::{perl, python, shell, shellcheck};
use hooks::settings;
use model::Phase;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// The stack of the thread that follows a script, in bytes; only what is used of it is taken.
const STACK: usize = 512 << 20;

/// A phase that nobody has thought of yet.
const SOME_OTHER: &str = "some-other-phase";

/// A script that cannot be read at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot read '{}'", path.display())]
pub struct CheckError {
    /// Its path.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Reads a script and says what is wrong with it. Nothing of it is run.
///
/// # Errors
/// A file that cannot be read.
pub fn check(path: &Path) -> Result<Report, CheckError> {
    let source = Source::read(path).map_err(|source| CheckError { path: path.to_owned(), source })?;
    let read = || report(path, &source);
    // Scripts are followed by calls within calls, more of them than a thread's usual stack has room for.
    let done = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("check".to_owned()).stack_size(STACK);
        thread.spawn_scoped(scope, read).map(|thread| thread.join())
    });
    match done {
        Ok(Ok(report)) => Ok(report),
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(source) => Err(CheckError { path: path.to_owned(), source }),
    }
}

impl Report {
    /// Runs the script as well, says which call showed what was read, and adds what shows only then. `begins` is told of each
    /// life. One that no interpreter can be begun for, or that its own cannot read, shows nothing else, and is not run.
    ///
    /// # Errors
    /// As [`crate::lives::test()`].
    pub fn run(
        &mut self,
        path: &Path,
        setting: &Setting,
        begins: &mut dyn FnMut(Life),
    ) -> Result<(), SandboxError> {
        let hopeless = |old: &&Finding| {
            let dead = [Rule::NotExecutable, Rule::CarriageReturns, Rule::NoInterpreter, Rule::Unreadable]
                .contains(&old.rule);
            dead && old.level == Level::Error
        };
        if let Some(old) = self.findings.iter().find(hopeless) {
            let what = format!(
                "what shows when it is run: no call of it comes to anything before {} is mended",
                old.rule
            );
            self.unjudged.push(Unjudged { line: None, what });
            return Ok(());
        }
        for new in lives::check_by_running(path, setting, begins)? {
            let same = |old: &&mut Finding| {
                old.rule == new.rule && new.phases.iter().all(|phase| old.phases.contains(phase))
            };
            let Some(old) = self.findings.iter_mut().find(same) else {
                self.findings.push(new);
                continue;
            };
            if let (How::Reading { call: seen @ None }, How::Running { call, .. }) =
                (&mut old.found, new.found)
            {
                *seen = Some(call);
                // Who has seen it fail in a line knows more of it.
                if new.line.is_some() {
                    (old.line, old.what, old.mend) = (new.line, new.what, new.mend);
                }
            }
        }
        Ok(())
    }
}

fn report(path: &Path, source: &Source) -> Report {
    let mut report = Report {
        file: path.display().to_string(),
        language: name(source.language).to_owned(),
        findings: rules::of_file(path, source),
        unjudged: Vec::new(),
        takes_phase: false,
    };
    let script = match source.language {
        Language::Shell => shell::read(&source.text).ok(),
        Language::Python => python::read(&source.text).ok(),
        Language::Perl => perl::read(&source.text).ok(),
        Language::Program | Language::Other => None,
    };
    report.findings.extend(rules::in_text(source, script.as_ref().map(|script| &script.body)));
    report.findings.extend(rules::of_environment(source));
    let shellchecked = match source.language {
        Language::Shell => shellcheck::says(path).unwrap_or_else(|what| {
            report.unjudged.push(Unjudged { line: None, what });
            Said::default()
        }),
        _ => Said::default(),
    };
    // A file that no interpreter is begun for, or each line of which ends as none should, is told of already.
    let known = |finding: &Finding| matches!(finding.rule, Rule::CarriageReturns | Rule::NoInterpreter);
    let answer =
        if report.findings.iter().any(known) { Answer::Unknown } else { interpreter::ask(path, source) };
    let torn = script.as_ref().map(|script| &script.wrong[..]).unwrap_or_default();
    report.findings.extend(rules::of_reading(source.language, &answer, &shellchecked.unread, torn));
    report.findings.extend(shellchecked.findings);
    match &script {
        Some(script) => by_flow(script, source, &mut report),
        None if matches!(source.language, Language::Shell | Language::Python | Language::Perl) => {
            report
                .unjudged
                .push(Unjudged { line: None, what: "what it does: it is nested too deep".to_owned() });
        }
        None => report.unjudged.push(Unjudged { line: None, what: unread(source.language).to_owned() }),
    }
    report.findings.sort_by_key(|finding| (finding.line, finding.rule));
    report.unjudged.sort();
    report.unjudged.dedup();
    report
}

fn by_flow(script: &Script, source: &Source, report: &mut Report) {
    let tell = |phase: &str| Machine::tell(source.language, &script.body, phase);
    let settings = settings::parse(&source.bytes).unwrap_or_default();
    // Proxmox VE calls it in its own phases, whatever it says of itself.
    let phases = Phase::ALL
        .into_iter()
        .filter(|phase| Phase::DEFAULT.contains(phase) || settings.phases.contains(phase));
    let stories: Vec<_> = phases.map(|phase| (phase, tell(phase.as_str()))).collect();
    let other = tell(SOME_OTHER);
    let mut unjudged: BTreeSet<(usize, String)> =
        stories.iter().flat_map(|(_, story)| story.unjudged.iter().cloned()).collect();
    let open = !unjudged.is_empty();
    let sourced = unjudged.iter().any(|(_, what)| what.contains("sourced") || what.contains("eval"));
    let unread = report.findings.iter().any(|finding| finding.rule == Rule::Unreadable);
    if unread {
        unjudged.retain(|(_, what)| !what.starts_with("a part that cannot be read"));
    } else {
        unjudged.extend(unreadable(&script.wrong, name(source.language)));
    }
    let damaged = unread || !script.wrong.is_empty();
    let names = Names::of(&script.body, source.language, &source.text);
    let told = Told { stories, other, settings, damaged, open, sourced, names };
    unjudged.extend(rules::unknown_commands(&told));
    report.findings.extend(rules::of_flow(&told));
    report.takes_phase = rules::takes_phase(&told);
    report.unjudged.extend(
        unjudged.into_iter().map(|(line, what)| Unjudged { line: Some(line).filter(|line| *line > 0), what }),
    );
}

/// Where the grammar gives up.
fn unreadable(lines: &[usize], language: &str) -> Option<(usize, String)> {
    let (first, others) = lines.split_first()?;
    let more = match others.len() {
        0 => String::new(),
        more => format!(", nor can {more} more"),
    };
    Some((*first, format!("how it goes on: this line cannot be read as {language}{more}")))
}

fn name(language: Language) -> &'static str {
    match language {
        Language::Shell => "shell",
        Language::Perl => "perl",
        Language::Python => "python",
        Language::Program => "program",
        Language::Other => "other",
    }
}

fn unread(language: Language) -> &'static str {
    match language {
        Language::Program => "what it does: a compiled program is judged by its file alone",
        _ => "what it does: its language is not one of shell, Perl and Python",
    }
}
