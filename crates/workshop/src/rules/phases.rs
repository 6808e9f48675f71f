//! HV001, HV005, HV006 and HV007: the arguments, the phases, and how a call ends.

use super::{Told, finding, short};
use crate::finding::{Finding, Level};
use crate::flow::event::{Argument, Event, Story, What};
use crate::flow::value::Status;
use crate::rule::Rule;
use model::Phase;
use std::collections::{BTreeMap, BTreeSet};

/// Words that people take for phases where they have no better one.
const NEARLY: [&str; 18] = [
    "start",
    "stop",
    "started",
    "stopped",
    "starting",
    "stopping",
    "boot",
    "booted",
    "shutdown",
    "reboot",
    "destroy",
    "create",
    "restart",
    "prestart",
    "poststart",
    "prestop",
    "poststop",
    "migrate",
];

pub(super) fn find(told: &Told) -> Vec<Finding> {
    let swapped = swapped(told);
    let is_swapped = swapped.is_some();
    let mut found: Vec<Finding> = swapped.into_iter().collect();
    found.extend(no_such_phase(told));
    if !told.damaged && !is_swapped {
        found.extend(ends(told));
    }
    found
}

fn all_events(told: &Told) -> impl Iterator<Item = &Event> {
    told.events().map(|(_, event)| event).chain(&told.other.events)
}

/// Whether the second argument is compared with the name of a phase, or called the phase.
pub(crate) fn takes_phase(told: &Told) -> bool {
    all_events(told).any(|event| match &event.what {
        What::Compared { with: Argument::Phase, word } => is_phase(word),
        What::Named { which: Argument::Phase, name } => name.to_lowercase().contains("phase"),
        _ => false,
    })
}

fn is_phase(word: &str) -> bool {
    Phase::ALL.iter().any(|phase| phase.as_str() == word)
}

fn swapped(told: &Told) -> Option<Finding> {
    let mut vmid_as_phase: BTreeSet<usize> = BTreeSet::new();
    let mut names = (None, None);
    let mut commands: BTreeSet<usize> = BTreeSet::new();
    for event in all_events(told) {
        match &event.what {
            What::Compared { with: Argument::Phase, word, .. } if is_phase(word) => return None,
            What::Compared { with: Argument::Vmid, word, .. } if is_phase(word) => {
                vmid_as_phase.insert(event.line);
            }
            What::Named { which, name } => {
                let name = name.trim_start_matches(['$', '@']).to_lowercase();
                match which {
                    Argument::Vmid if name.contains("phase") => names.0 = Some(event.line),
                    Argument::Phase
                        if matches!(name.as_str(), "vmid" | "vm_id" | "ctid" | "guest_id" | "vm") =>
                    {
                        names.1 = Some(event.line)
                    }
                    Argument::Vmid if matches!(name.as_str(), "vmid" | "vm_id" | "ctid") => return None,
                    _ => {}
                }
            }
            _ => {}
        }
    }
    for (phase, event) in told.events() {
        let Some(run) = event.run() else { continue };
        if matches!(run.program().as_str(), "qm" | "pct")
            && run.words[1..]
                .iter()
                .any(|word| crate::flow::value::known(word).as_deref() == Some(phase.as_str()))
        {
            commands.insert(event.line);
        }
    }
    let line = vmid_as_phase.first().copied();
    let both = matches!(names, (Some(_), Some(_)));
    if line.is_none() && !both {
        return None;
    }
    let what = match line {
        Some(_) => "the first argument, which is the VMID, is compared with the names of phases",
        None => "the first argument, which is the VMID, is taken for the phase, and the second for the VMID",
    };
    Some(finding(Rule::Swapped, line.or(commands.first().copied()), what))
}

fn squashed(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
}

/// Which phase may be meant, in words, where one is nearer than the others; and whether any is as near as this.
fn nearest(squashed: &str, most: usize) -> (String, bool) {
    let distance = |phase: &Phase| strsim::osa_distance(&self::squashed(phase.as_str()), squashed);
    let mut near: Vec<(usize, &str)> = Phase::ALL
        .iter()
        .map(|phase| (distance(phase), phase.as_str()))
        .filter(|(far, _)| *far <= most)
        .collect();
    near.sort_unstable();
    let words = match near[..] {
        [(first, _), (second, _), ..] if first == second => String::new(),
        [(_, phase), ..] => format!("; '{phase}' may be meant"),
        [] => String::new(),
    };
    (words, !near.is_empty())
}

fn no_such_phase(told: &Told) -> Vec<Finding> {
    let mut words: BTreeMap<String, usize> = BTreeMap::new();
    for event in all_events(told) {
        if let What::Compared { with: Argument::Phase, word, .. } = &event.what {
            let line = words.entry(word.clone()).or_insert(event.line);
            *line = (*line).min(event.line);
        }
    }
    let real: BTreeSet<String> =
        words.keys().filter(|word| is_phase(word)).map(|word| squashed(word)).collect();
    let mut found = Vec::new();
    for (word, line) in &words {
        let agent_up = Phase::AgentUp;
        if word == agent_up.as_str() && !told.settings.phases.contains(&agent_up) {
            let mut one =
                finding(Rule::NoSuchPhase, Some(*line), "agent-up comes only to a script that names it");
            one.why = "none of the script's own settings names it, so this branch is never taken".to_owned();
            one.mend = "# hookvisor: phases=pre-start,post-start,agent-up,pre-stop,post-stop, or those of them that \
                        the script handles"
                .to_owned();
            found.push(one);
            continue;
        }
        let squashed = squashed(word);
        // Beside the real one it is only another way to write it.
        if is_phase(word) || real.contains(&squashed) {
            continue;
        }
        let lower = word.to_lowercase();
        let prefixed = ["pre", "post"].iter().any(|prefix| {
            lower.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(['-', '_']) && rest.len() > 2)
        });
        let alone = real.is_empty() && NEARLY.contains(&squashed.as_str());
        // What is another word is no slip.
        let most = if NEARLY.contains(&squashed.as_str()) { 0 } else { 2 };
        let (near, misspelt) = nearest(&squashed, most);
        if prefixed || alone || misspelt {
            found.push(finding(
                Rule::NoSuchPhase,
                Some(*line),
                format!("no phase is called '{}'{}", short(word), near),
            ));
        }
    }
    found
}

/// Whether a phase does more than to say something and to end.
fn handles(story: &Story) -> bool {
    story.events.iter().any(|event| match &event.what {
        What::Run(run) => !matches!(
            run.program().as_str(),
            "echo"
                | "printf"
                | "logger"
                | "date"
                | "basename"
                | "dirname"
                | "cat"
                | "hostname"
                | "id"
                | "wait"
        ),
        What::Write { path, .. } => {
            let path = crate::flow::value::shown(path);
            !(path.starts_with("/dev/") || path.contains("log"))
        }
        What::File { .. } | What::Forked => true,
        _ => false,
    })
}

fn always_fails(story: &Story) -> Option<usize> {
    let fails = !story.ends.is_empty() && story.ends.iter().all(|end| end.status == Status::Failure);
    fails.then(|| story.ends.iter().map(|end| end.line).find(|line| *line > 0).unwrap_or(0))
}

fn ends(told: &Told) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut elsewhere: BTreeMap<usize, Vec<Phase>> = BTreeMap::new();
    for (phase, story) in &told.stories {
        let Some(line) = always_fails(story) else { continue };
        let named = all_events(told).any(|event| matches!(&event.what, What::Compared { with: Argument::Phase, word, .. } if word == phase.as_str()));
        let handled = named || handles(story);
        if *phase == Phase::PreStart {
            let mut one =
                finding(Rule::NeverStarts, Some(line), "pre-start ends with a failure, whatever happens");
            one.phases = vec![phase.as_str().to_owned()];
            found.push(one);
        }
        // What ends it there is a finding of its own.
        let known = story
            .events
            .iter()
            .any(|event| matches!(event.what, What::Zero { .. } | What::Unset { fails: true, .. }));
        if !known && (*phase != Phase::PreStart || !handled) {
            elsewhere.entry(line).or_default().push(*phase);
        }
    }
    for (line, phases) in elsewhere {
        let names: Vec<String> = phases.iter().map(|phase| phase.as_str().to_owned()).collect();
        let mut one = finding(
            Rule::FailsElsewhere,
            Some(line),
            format!("it ends with a failure in {}", names.join(", ")),
        );
        if phases.iter().all(|phase| !told.settings.phases.contains(phase)) {
            one.level = Level::Note;
            one.what.push_str(
                ", in which its own settings do not have it called; Proxmox VE calls it all the same",
            );
        }
        one.phases = names;
        found.push(one);
    }
    if let (true, Some(line)) = (found.is_empty(), always_fails(&told.other)) {
        let mut one = finding(
            Rule::FailsElsewhere,
            Some(line),
            "it ends with a failure in a phase that it does not know",
        );
        one.level = Level::Note;
        one.why =
            "there are five phases today; where there is a sixth one day, each call of it fails".to_owned();
        found.push(one);
    }
    found
}
