//! HV009, HV011 and HV018: waiting, children and locks.

use super::{Told, by_line, finding, short};
use crate::finding::Finding;
use crate::flow::event::{Event, Run, What};
use crate::flow::value::shown;
use crate::rule::Rule;
use model::Phase;

pub(super) fn find(told: &Told) -> Vec<Finding> {
    let mut found = Vec::new();
    if told.settings.timeout.is_none() {
        found.extend(by_line(told.events().filter_map(|(phase, event)| Some((phase, waits(event)?)))));
    }
    found.extend(by_line(holding(told)));
    found.extend(locks(told));
    found
}

fn waits(event: &Event) -> Option<Finding> {
    if event.background || event.bounded {
        return None;
    }
    match &event.what {
        What::Wait { until } => {
            let what = match until.trim() {
                "" => "this loop pauses and goes on, and nothing limits how long".to_owned(),
                until => format!("this loop waits for '{}', and nothing limits how long", short(until)),
            };
            Some(finding(Rule::NoLimit, Some(event.line), what))
        }
        What::Run(run) if !run.detached && waits_for_ever(run) => {
            Some(finding(Rule::NoLimit, Some(event.line), format!("'{}' has no limit", short(&run.shown()))))
        }
        _ => None,
    }
}

fn waits_for_ever(run: &Run) -> bool {
    let has = |options: &[&str]| {
        (1..run.words.len()).filter_map(|at| run.word(at)).any(|word| {
            options.iter().any(|option| {
                word == *option
                    || option.len() == 2 && word.starts_with(option)
                    || word.starts_with(&format!("{option}="))
            })
        })
    };
    match run.program().as_str() {
        "qm" => run.word(1).as_deref() == Some("wait") && !has(&["--timeout", "-timeout"]),
        "sleep" => matches!(run.word(1).as_deref(), Some("infinity" | "inf")),
        "tail" => has(&["-f", "-F", "--follow"]) && !has(&["--pid"]),
        "journalctl" => has(&["-f", "--follow"]),
        _ => false,
    }
}

fn holding<'t>(told: &'t Told) -> impl Iterator<Item = (Phase, Finding)> + 't {
    told.stories.iter().flat_map(move |(phase, story)| {
        let later = |from: usize| {
            story.events[from..].iter().any(|event| {
                !event.background
                    && event.run().is_some_and(|run| {
                        matches!(run.program().as_str(), "wait" | "kill" | "pkill" | "killall")
                    })
            })
        };
        let replaced = story.events.iter().any(|event| matches!(event.what, What::OutputsReplaced));
        story.events.iter().enumerate().filter_map(move |(at, event)| {
            let what = match &event.what {
                What::Run(run)
                    if event.background && run.held && !run.detached && lasts(run) && !later(at) =>
                {
                    format!(
                        "'{}' goes on in the background with the script's own outputs",
                        short(&run.shown())
                    )
                }
                What::Forked if !replaced && !told.open && !later(at) => {
                    "a child is forked and not waited for, and it keeps the script's own outputs".to_owned()
                }
                _ => return None,
            };
            Some((*phase, finding(Rule::HoldsOutputs, Some(event.line), what)))
        })
    })
}

/// Whether a program may take longer than a moment.
fn lasts(run: &Run) -> bool {
    let program = run.program();
    let moment = || run.word(1).and_then(|time| time.parse::<f64>().ok()).is_some_and(|time| time < 1.0);
    match program.as_str() {
        "echo" | "printf" | "logger" | "true" | "kill" | "wait" | "" => false,
        "sleep" => !moment(),
        _ => true,
    }
}

/// A folder that is made as a lock, and that nothing removes when the script is killed.
fn locks(told: &Told) -> Option<Finding> {
    for (_, story) in &told.stories {
        if told.open || story.events.iter().any(|event| matches!(event.what, What::AtEnd)) {
            continue;
        }
        for (at, event) in story.events.iter().enumerate() {
            let Some(path) = lock_of(event) else { continue };
            // Whoever looks at its age or its owner, copes with what is left.
            let stale = story.events.iter().any(|other| {
                other.run().is_some_and(|run| {
                    let shown = run.shown();
                    matches!(run.program().as_str(), "stat" | "find") && shown.contains(&path)
                        || run.program() == "kill" && run.word(1).as_deref() == Some("-0")
                        || run.program() == "ps"
                        || run.program() == "pgrep"
                })
            });
            let asks = event.asked().contains("/proc/");
            let removed_before = story.events[..at].iter().any(|other| removes(other, &path));
            if !stale && !asks && !removed_before {
                let what = format!(
                    "'{}' is made as a lock, and only a script that lives to its end removes it",
                    short(&path)
                );
                return Some(finding(Rule::StaleLock, Some(event.line), what));
            }
        }
    }
    None
}

/// The path of a lock that is taken by making something that must not be there.
pub(super) fn lock_of(event: &Event) -> Option<String> {
    let path = match &event.what {
        What::Run(run) if run.program() == "mkdir" => {
            let words = &run.words[1..];
            let plain: Vec<String> =
                words.iter().map(|word| shown(word)).filter(|word| !word.starts_with('-')).collect();
            let ensures = words
                .iter()
                .filter_map(|word| crate::flow::value::known(word))
                .any(|word| word.starts_with("-p") || word == "--parents");
            match (&plain[..], ensures) {
                ([path], false) => path.clone(),
                _ => return None,
            }
        }
        What::Run(run) if run.program() == "ln" || run.program() == "lockfile" => shown(run.words.last()?),
        What::File { verb: "mkdir", path } => shown(path),
        _ => return None,
    };
    let lower = path.to_lowercase();
    let name = lower.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
    (name.contains("lock") || name.contains("lck") || name.contains("mutex")).then_some(path)
}

fn removes(event: &Event, path: &str) -> bool {
    match &event.what {
        What::Run(run) => {
            matches!(run.program().as_str(), "rm" | "rmdir")
                && run.words.iter().any(|word| shown(word) == path)
        }
        What::File { verb: "remove", path: own } => shown(own) == path,
        _ => false,
    }
}
