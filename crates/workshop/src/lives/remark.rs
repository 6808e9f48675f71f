//! What is to be said of all lives of a script together.

use super::Life;
use super::report::{EntryKind, LifeReport};
use crate::rule::Rule;
use std::path::Path;

/// The remarks on a script whose lives were played.
pub(super) fn remarks(script: &Path, lives: &[LifeReport]) -> Vec<String> {
    idle(script, lives).into_iter().collect()
}

/// Whether nothing of it was to be seen in any phase: so are scripts that take the phase for the VMID.
fn idle(script: &Path, lives: &[LifeReport]) -> Option<String> {
    // One that hangs does so whatever the script is.
    let own = lives.iter().filter(|life| life.life != Life::HungHook);
    let mut outcomes = own.flat_map(|life| &life.played.calls).map(|call| &call.outcome);
    let first = outcomes.next()?;
    let idle = outcomes.all(|outcome| outcome == first)
        && !lives.iter().any(|life| !life.passed || does_something(life));
    if !idle {
        return None;
    }
    let read = crate::check(script).ok();
    let swapped =
        read.into_iter().flat_map(|report| report.findings).find(|finding| finding.rule == Rule::Swapped);
    let why = match swapped {
        Some(finding) => {
            let line = finding.line.map(|line| format!(" in line {line}")).unwrap_or_default();
            format!("{}{line} (HV001): the VMID is the first argument, the phase is the second", finding.what)
        }
        None => "where that is not meant, see which argument it takes for the phase: the VMID is the first, the phase is the second ('hookvisor hooks check', HV001)".to_owned(),
    };
    Some(format!(
        "it does nothing in any phase that could be seen: no output, no change, always the same end; {why}"
    ))
}

fn does_something(life: &LifeReport) -> bool {
    let left = &life.played.left;
    let seen = |kind| matches!(kind, EntryKind::Out | EntryKind::Err | EntryKind::Call);
    life.played.timeline.iter().any(|entry| seen(entry.kind))
        || !(left.files.is_empty()
            && left.sys.is_empty()
            && left.processes.is_empty()
            && left.units.is_empty()
            && left.mounts.is_empty()
            && left.interfaces.is_empty())
}
