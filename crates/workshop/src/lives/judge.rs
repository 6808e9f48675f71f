//! What is to be said of a life that was played.

use super::Life;
use super::collect::is_transient;
use super::report::{ChangeKind, LifeReport, Played, Standing, Verdict};
use super::sandbox::World;
use crate::finding::Finding;
use model::Phase;
use std::collections::BTreeMap;

/// From how much output on it is told, in bytes.
const CHATTY: u64 = 16 << 20;

/// How full a file system is when somebody has filled it, in hundredths.
const FULL: u64 = 95;

/// Judges a life of a script whose arguments may be swapped, as reading it tells.
pub(super) fn judge(
    life: Life,
    world: World,
    played: Played,
    disk: u64,
    swapped: Option<&Finding>,
) -> LifeReport {
    let mut verdicts = Verdicts(Vec::new());
    if let Some(finding) = swapped.filter(|_| !played.calls.is_empty()) {
        let line = finding.line.map(|line| format!(" in line {line}")).unwrap_or_default();
        let what = format!(
            "{}{line} (HV001): the VMID is the first argument, the phase is the second",
            finding.what
        );
        verdicts.fails(None, what);
    }
    // What a script tried comes before what came of that.
    verdicts.of_harm(&played, disk);
    verdicts.of_calls(life, world, &played);
    verdicts.of_rest(&played);
    for what in &played.trouble {
        verdicts.fails(None, what.clone());
    }
    let Verdicts(mut verdicts) = verdicts;
    verdicts.sort_by_key(|verdict| std::cmp::Reverse(verdict.standing));
    let passed = verdicts.iter().all(|verdict| verdict.standing == Standing::Note);
    LifeReport { life, passed, verdicts, played }
}

struct Verdicts(Vec<Verdict>);

impl Verdicts {
    fn fails(&mut self, phase: Option<Phase>, what: String) {
        self.0.push(Verdict { standing: Standing::Failed, phase, what });
    }

    fn notes(&mut self, what: String) {
        self.0.push(Verdict { standing: Standing::Note, phase: None, what });
    }

    fn of_calls(&mut self, life: Life, world: World, played: &Played) {
        let mut hung = life == Life::HungHook;
        for call in &played.calls {
            let phase = call.phase;
            let by_design = hung && phase == Phase::PreStart;
            hung &= !by_design;
            match call.outcome.as_deref() {
                Some("ok") => {}
                Some(_) if by_design => {}
                // A stop ends it.
                Some("aborted") if phase == Phase::AgentUp => {}
                Some(outcome) if phase == Phase::PreStart && outcome.starts_with("exit code") => {
                    self.fails(Some(phase), format!("pre-start refused the start: {outcome}"));
                }
                Some(outcome) => self.fails(Some(phase), format!("{phase} failed: {outcome}")),
                None => self.fails(Some(phase), format!("{phase} did not end")),
            }
            if call.held {
                let what = format!("a child that {phase} left has its outputs open: Proxmox VE waits for it");
                self.fails(Some(phase), what);
            }
            if call.cut >= CHATTY {
                self.fails(Some(phase), format!("{phase} printed {} MiB that nobody keeps", call.cut >> 20));
            }
        }
        if life == Life::FailedStart
            && world == World::Pve
            && played.cut.is_none()
            && !played.calls.is_empty()
        {
            self.notes(
                "Proxmox VE calls no post-stop after the failed start of a virtual machine".to_owned(),
            );
        }
    }

    fn of_harm(&mut self, played: &Played, disk: u64) {
        let removed: Vec<&str> = played
            .left
            .files
            .iter()
            .chain(&played.left.sys)
            .filter(|change| change.change == ChangeKind::Removed)
            .map(|change| change.path.as_str())
            .collect();
        if let [first, ..] = removed[..] {
            let more = match removed.len() {
                1 => String::new(),
                count => format!(" and {} more files that are not its own", count - 1),
            };
            self.fails(None, format!("it removed {first}{more}"));
        }
        for path in &played.secrets {
            self.fails(None, format!("it opened {path}, whose real one is secret"));
        }
        if played.keepers_killed > 0 {
            let times = match played.keepers_killed {
                1 => "once".to_owned(),
                times => format!("{times} times"),
            };
            self.fails(None, format!("the process that calls it was killed, {times}"));
        }
        if let Some(limit) = &played.cut {
            self.fails(None, format!("the life was ended at its limit of {limit}"));
        }
        if played.peak.disk * 100 >= disk * FULL && disk > 0 {
            self.fails(None, format!("it filled {}, {} MiB", played.peak.fullest, disk >> 20));
        }
    }

    fn of_rest(&mut self, played: &Played) {
        let left = &played.left;
        // Where the life was ended what ran is no surprise.
        let lines = left.processes.iter().filter(|_| played.cut.is_none());
        let mut counted: BTreeMap<&str, u32> = BTreeMap::new();
        lines.for_each(|line| *counted.entry(line).or_default() += 1);
        for (line, count) in counted {
            let times = if count > 1 { format!(", {count} times") } else { String::new() };
            self.fails(None, format!("the process '{line}' is left{times}"));
        }
        for line in left.units.iter().filter(|_| played.cut.is_none()) {
            self.notes(format!(
                "'{}' still runs, in a unit of its own",
                line.lines().next().unwrap_or_default()
            ));
        }
        for place in &left.mounts {
            self.fails(None, format!("a mount is left at {place}"));
        }
        for name in &left.interfaces {
            self.fails(None, format!("the network interface {name} is left"));
        }
        for change in left.sys.iter().filter(|change| change.change == ChangeKind::Changed) {
            let value = change.value.as_deref().map(|value| format!(": {value}")).unwrap_or_default();
            self.fails(None, format!("{} is left changed{value}", change.path));
        }
        for change in left.files.iter().filter(|change| change.change != ChangeKind::Removed) {
            let path = &change.path;
            let what = match change.change {
                ChangeKind::Created if is_transient(path) => format!("{path} is left"),
                ChangeKind::Created => format!("it made {path}"),
                ChangeKind::Changed | ChangeKind::Removed => format!("it changed {path}"),
            };
            self.notes(what);
        }
    }
}
