//! What is to be said of all lives of a script together.

use super::Life;
use super::report::{EntryKind, LifeReport};
use crate::finding::Finding;
use crate::rule::Rule;

/// The remarks on a script whose lives were played, and in which this was found by reading.
pub(super) fn remarks(read: &[Finding], lives: &[LifeReport]) -> Vec<String> {
    let never = |finding: &&Finding| finding.rule == Rule::NoSuchPhase;
    let line = |finding: &Finding| finding.line.map(|line| format!("line {line}: ")).unwrap_or_default();
    let remark = |finding: &Finding| format!("{}{} (HV005): {}", line(finding), finding.what, finding.why);
    read.iter().filter(never).map(remark).chain(idle(lives)).collect()
}

/// Whether nothing of it was to be seen in any phase: so are scripts that take the phase for the VMID.
fn idle(lives: &[LifeReport]) -> Option<String> {
    // One that hangs does so whatever the script is.
    let own = lives.iter().filter(|life| life.life != Life::HungHook);
    let mut outcomes = own.flat_map(|life| &life.played.calls).map(|call| &call.outcome);
    let first = outcomes.next()?;
    let idle = outcomes.all(|outcome| outcome == first)
        && !lives.iter().any(|life| !life.passed || does_something(life));
    idle.then(|| {
        "it does nothing in any phase that could be seen: no output, no change, always the same end; where that is not \
         meant, see which argument it takes for the phase: the VMID is the first, the phase is the second \
         ('hookvisor hooks check', HV001)"
            .to_owned()
    })
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
