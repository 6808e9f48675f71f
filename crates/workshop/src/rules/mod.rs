//! The rules, each over what is known of a script.

mod again;
mod commands;
mod elsewhere;
mod file;
mod first_line;
mod guest;
mod pairs;
mod phases;
mod reading;
pub(crate) mod secrets;
mod variables;
mod waiting;

use crate::finding::{Finding, How};
use crate::flow::event::{Event, Story};
use crate::rule::Rule;
use hooks::settings::Settings;
use model::Phase;
use std::collections::BTreeMap;

pub(crate) use commands::{Names, near, unknown as unknown_commands};
pub(crate) use elsewhere::of_environment;
pub(crate) use file::of_file;
pub(crate) use first_line::located;
pub use first_line::{Remedy, Unrunnable, unrunnable};
pub(crate) use phases::takes_phase;
pub(crate) use reading::of_reading;
pub(crate) use secrets::in_text;

/// All that is known of a script whose language is read.
pub(crate) struct Told {
    /// What happens in each of the phases that the script may be called in.
    pub(crate) stories: Vec<(Phase, Story)>,
    /// What happens in one that does not exist yet.
    pub(crate) other: Story,
    /// What the script says about itself.
    pub(crate) settings: Settings,
    /// Whether parts of it could not be read: nothing that must be so can be said of it.
    pub(crate) damaged: bool,
    /// Whether it runs something that is not in it: nothing that is missing can be said of it.
    pub(crate) open: bool,
    /// Whether some of that may make functions and variables.
    pub(crate) sourced: bool,
    /// The names that it makes and calls.
    pub(crate) names: Names,
}

impl Told {
    /// The events of these phases.
    fn events(&self) -> impl Iterator<Item = (Phase, &Event)> {
        self.stories.iter().flat_map(|(phase, story)| story.events.iter().map(|event| (*phase, event)))
    }

    /// Those of one phase.
    fn in_phase(&self, wanted: Phase) -> impl Iterator<Item = &Event> {
        self.events().filter(move |(phase, _)| *phase == wanted).map(|(_, event)| event)
    }
}

/// All that the rules find by following the script.
pub(crate) fn of_flow(told: &Told) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(phases::find(told));
    found.extend(pairs::find(told));
    found.extend(waiting::find(told));
    found.extend(guest::find(told));
    found.extend(variables::find(told));
    found.extend(again::find(told));
    found.extend(commands::find(told));
    found
}

/// A finding by reading.
pub(crate) fn finding(rule: Rule, line: Option<usize>, what: impl Into<String>) -> Finding {
    Finding {
        rule,
        level: rule.level(),
        line: line.filter(|line| *line > 0),
        what: what.into(),
        why: rule.why().to_owned(),
        mend: rule.mend().to_owned(),
        phases: Vec::new(),
        found: How::Reading { call: None },
    }
}

/// One finding for each line and text, with all the phases that it shows in.
pub(crate) fn by_line(found: impl Iterator<Item = (Phase, Finding)>) -> Vec<Finding> {
    let mut merged: BTreeMap<(Option<usize>, Rule), Finding> = BTreeMap::new();
    for (phase, finding) in found {
        let entry = merged.entry((finding.line, finding.rule)).or_insert(finding);
        if !entry.phases.iter().any(|name| name == phase.as_str()) {
            entry.phases.push(phase.as_str().to_owned());
        }
    }
    merged.into_values().collect()
}

/// A text for a message, not too long.
pub(crate) fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let cut: String = line.chars().take(80).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}
