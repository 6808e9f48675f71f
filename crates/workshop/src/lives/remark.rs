//! What is to be said of all lives of a script together.

use super::report::{EntryKind, LifeReport};
use super::{Life, Setting, want};
use crate::finding::{Finding, Report};
use crate::rule::Rule;
use crate::rules::near;
use hooks::conf::HooksConf;
use std::path::Path;

/// The remarks on a script whose lives were played, and in which this was found by reading, where it could be read.
pub(super) fn remarks(
    script: &Path,
    setting: &Setting,
    read: Option<&Report>,
    lives: &[LifeReport],
) -> Vec<String> {
    let never = |finding: &&Finding| finding.rule == Rule::NoSuchPhase;
    let line = |finding: &Finding| finding.line.map(|line| format!("line {line}: ")).unwrap_or_default();
    let remark = |finding: &Finding| format!("{}{} (HV005): {}", line(finding), finding.what, finding.why);
    let found = read.map(|report| &report.findings[..]).unwrap_or_default();
    let phases = found.iter().filter(never).map(remark);
    let text = std::fs::read(script).unwrap_or_default();
    let wanted = want::of(&String::from_utf8_lossy(&text), setting.network, lives);
    phases
        .chain(unnamed(script, setting))
        .chain(idle(lives, read.is_some_and(|report| report.takes_phase)))
        .chain(wanted)
        .collect()
}

/// Parameters that were given and that the script does not name.
fn unnamed(script: &Path, setting: &Setting) -> Vec<String> {
    let named = hooks::digest::inspect(script).ok().and_then(|found| found.params());
    let Some(named) = named else { return Vec::new() };
    let (scenery, mut remarks) = (&setting.scenery, Vec::new());
    let mut remark = |place: String, name: &str, always: bool| {
        let near = near(name, named.iter().map(String::as_str));
        let hint = near.map(|near| format!("; is '{near}' meant?")).unwrap_or_default();
        if !named.contains(name) && (always || !hint.is_empty()) {
            remarks.push(format!("it names no parameter '{name}', which {place} sets{hint}"));
        }
    };
    for given in &scenery.params {
        let name = given.split_once('=').map_or(&given[..], |(name, _)| name);
        remark("--param".to_owned(), name, true);
    }
    let conf = scenery.hooks_conf.as_ref().and_then(|path| std::fs::read(path).ok());
    let conf = conf.and_then(|text| HooksConf::parse(&text).ok()).unwrap_or_default();
    // What is set for all guests is for other scripts, too.
    conf.host.params.iter().for_each(|(name, _)| remark("[host] of --hooks-conf".to_owned(), name, false));
    for (vmid, set) in &conf.guests {
        let place = format!("[guest {vmid}] of --hooks-conf");
        set.params.iter().for_each(|(name, _)| remark(place.clone(), name, true));
    }
    remarks
}

/// Whether nothing of it was to be seen in any phase: so are scripts that take the VMID for the phase.
fn idle(lives: &[LifeReport], takes_phase: bool) -> Option<String> {
    // One that hangs does so whatever the script is.
    let own = lives.iter().filter(|life| life.life != Life::HungHook);
    let mut outcomes = own.flat_map(|life| &life.played.calls).map(|call| &call.outcome);
    let first = outcomes.next()?;
    let idle = outcomes.all(|outcome| outcome == first)
        && !lives.iter().any(|life| !life.passed || does_something(life));
    let seen = "it does nothing in any phase that could be seen: no output, no change, always the same end";
    let hint = "; where that is not meant, see which argument it takes for the phase: the VMID is the first, the phase is \
                the second ('hookvisor hooks check', HV001)";
    idle.then(|| format!("{seen}{}", if takes_phase { "" } else { hint }))
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
