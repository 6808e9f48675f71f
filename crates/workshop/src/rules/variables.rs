//! HV014 and HV015: the shell's variables.

use super::{Told, by_line, finding};
use crate::finding::Finding;
use crate::flow::event::What;
use crate::rule::Rule;
use std::collections::BTreeMap;

pub(super) fn find(told: &Told) -> Vec<Finding> {
    let zero = told.events().filter_map(|(phase, event)| match &event.what {
        What::Zero { text } => {
            let name = if text.is_empty() { "its value".to_owned() } else { format!("'{text}'") };
            let what = format!("{name} is zero here, and under 'set -e' that ends the script");
            Some((phase, finding(Rule::CountsFromZero, Some(event.line), what)))
        }
        _ => None,
    });
    let mut found = by_line(zero);
    if told.damaged {
        return found;
    }
    let unset = told.events().filter_map(|(phase, event)| match &event.what {
        What::Unset { name, fails, asked } if *fails || !*asked => {
            if is_somebody_elses(name) && !*fails {
                return None;
            }
            let end = if *fails { ", and under 'set -u' that ends the script" } else { "" };
            let what = format!("nothing has set '{name}' when it is read{end}");
            Some((phase, (name.clone(), finding(Rule::UnsetVariable, Some(event.line), what))))
        }
        _ => None,
    });
    // A finding a variable, where it is read first.
    let mut first: BTreeMap<String, (Vec<String>, Finding)> = BTreeMap::new();
    for (phase, (name, finding)) in unset {
        let entry = first.entry(name).or_insert_with(|| (Vec::new(), finding.clone()));
        if finding.line < entry.1.line {
            entry.1 = finding;
        }
        if !entry.0.iter().any(|known| known == phase.as_str()) {
            entry.0.push(phase.as_str().to_owned());
        }
    }
    found.extend(first.into_values().map(|(phases, finding)| Finding { phases, ..finding }));
    found
}

/// Variables that a person or a machine may have set for a trial.
fn is_somebody_elses(name: &str) -> bool {
    matches!(
        name,
        "DEBUG"
            | "VERBOSE"
            | "DRYRUN"
            | "DRY_RUN"
            | "LANG"
            | "EDITOR"
            | "DISPLAY"
            | "SSH_TTY"
            | "SUDO_USER"
            | "JOURNAL_STREAM"
            | "INVOCATION_ID"
            | "NOTIFY_SOCKET"
            | "TERM"
    )
}
