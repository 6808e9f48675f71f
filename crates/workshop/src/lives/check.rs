//! The mistakes that show when a script is run.

use super::death::{self, Death};
use super::report::{CallReport, Entry, EntryKind, LifeReport};
use super::sandbox::{SandboxError, Setting, World};
use super::{Life, Limits, Moment, test};
use crate::finding::{Finding, How, Level};
use crate::rule::Rule;
use crate::rules::short;
use model::Phase;
use record::journal::Priority;
use std::collections::BTreeSet;
use std::path::Path;

/// How long each life may take, in seconds: more than a script waits for its guest's lock, and less than patience lasts.
const SECONDS: u64 = 15;

/// The lives that show something.
const LIVES: [Life; 3] = [Life::Normal, Life::Poweroff, Life::RetriedStart];

/// Plays lives of a script as Proxmox VE has them, with the guest and what is given to the script that `setting` has, and
/// says what is wrong with it; `begins` is told of each life.
///
/// # Errors
/// As [`test()`].
pub fn check_by_running(
    script: &Path,
    setting: &Setting,
    begins: &mut dyn FnMut(Life),
) -> Result<Vec<Finding>, SandboxError> {
    let limits = Limits { seconds: SECONDS, ..Limits::default() };
    let setting = Setting { world: World::Pve, sandbox: true, limits, ..setting.clone() };
    let report = test(script, &LIVES, &setting, &mut |moment| {
        if let Moment::Begins(life) = moment {
            begins(life);
        }
    })?;
    let mut found = Found {
        script: super::sandbox::place_of(script),
        text: String::from_utf8_lossy(&std::fs::read(script).unwrap_or_default()).into_owned(),
        network: setting.network,
        findings: Vec::new(),
    };
    for life in &report.lives {
        found.in_calls(life);
    }
    if let [normal, poweroff, retried] = &report.lives[..] {
        found.given_back_too_early(normal, poweroff);
        found.only_once(retried);
    }
    Ok(found.findings)
}

struct Found {
    /// The script's file inside.
    script: String,
    /// What stands in it.
    text: String,
    /// Whether it has the host's network.
    network: bool,
    findings: Vec<Finding>,
}

impl Found {
    /// A mistake is told once for each phase.
    fn add(&mut self, rule: Rule, vmid: u32, phase: Phase, what: String) {
        self.tell(rule, vmid, phase, what, None);
    }

    /// One where it is known what a call died of.
    fn tell(&mut self, rule: Rule, vmid: u32, phase: Phase, what: String, death: Option<Death>) {
        let told = |finding: &Finding| finding.rule == rule && finding.phases == [phase.to_string()];
        if self.findings.iter().any(told) {
            return;
        }
        self.findings.push(Finding {
            rule,
            // What fails in this world may do well where the guest's hardware is.
            level: rule.level().min(Level::Warning),
            line: death.as_ref().and_then(|death| death.line),
            what,
            why: rule.why().to_owned(),
            mend: death.map_or_else(|| self.mend(rule, phase), |death| death.mend),
            phases: vec![phase.to_string()],
            found: How::Running { phase: phase.to_string(), call: format!("{} {vmid} {phase}", self.script) },
        });
    }

    /// What to do where it is not known what a call died of.
    fn mend(&self, rule: Rule, phase: Phase) -> String {
        match rule {
            Rule::NeverStarts => format!(
                "{}; what it misses in this trial alone it is given by --mount, --file and --param",
                rule.mend()
            ),
            Rule::FailsElsewhere if self.names(phase) => {
                "see which of its commands fails: end with a message where the phase cannot do without it, and go on, \
                 as with '|| true', where it can"
                    .to_owned()
            }
            _ => rule.mend().to_owned(),
        }
    }

    /// Whether a phase stands in the script, beside its remarks: so does one that it handles.
    fn names(&self, phase: Phase) -> bool {
        let mut lines = self.text.lines().filter(|line| !line.trim_start().starts_with('#'));
        lines.any(|line| line.contains(phase.as_str()))
    }

    fn in_calls(&mut self, life: &LifeReport) {
        let first = |call: &CallReport| {
            let of_phase = life.played.calls.iter().find(|other| other.phase == call.phase);
            of_phase.is_some_and(|other| std::ptr::eq(other, call))
        };
        for call in &life.played.calls {
            let (vmid, phase) = (call.vmid, call.phase);
            let own_lock = format!("lock-{vmid}.conf' - got timeout");
            let locked = life.played.timeline.iter().any(|entry| {
                entry.phase == Some(phase)
                    && entry.text.contains("can't lock file")
                    && entry.text.contains(&own_lock)
            });
            if locked {
                let what = "it waits for the lock of its own guest, in vain".to_owned();
                self.add(Rule::OwnGuest, vmid, phase, what);
            }
            if call.held {
                let what = "a child that it leaves has its outputs open".to_owned();
                self.add(Rule::HoldsOutputs, vmid, phase, what);
            }
            match call.outcome.as_deref() {
                Some("ok") => {}
                None if call.held => {}
                None => {
                    self.add(Rule::NoLimit, vmid, phase, format!("it does not end within {SECONDS} s"));
                }
                Some(_) if locked => {}
                Some(outcome) if phase != Phase::PreStart || first(call) => {
                    let rule =
                        if phase == Phase::PreStart { Rule::NeverStarts } else { Rule::FailsElsewhere };
                    let printed = printed(life, phase);
                    let death = death::of(&self.script, &printed, self.network);
                    let of = death.as_ref().map(|death| format!(", {}", death.what)).unwrap_or_default();
                    let last = printed.last().map(|text| format!(", having printed '{}'", short(text)));
                    self.tell(rule, vmid, phase, ended(outcome) + &of + &last.unwrap_or_default(), death);
                }
                Some(_) => {}
            }
        }
    }

    /// What is there after a guest that powered itself off, and not after one that was asked to.
    fn given_back_too_early(&mut self, normal: &LifeReport, poweroff: &LifeReport) {
        let asked: BTreeSet<String> = left(normal).into_iter().collect();
        let vmid = normal.played.calls.first().map_or(100, |call| call.vmid);
        // A name with a date or a process id is another one in each life.
        let elsewhere = |what: &String| asked.iter().any(|other| super::fresh::same(what, other));
        for what in left(poweroff).into_iter().filter(|what| !elsewhere(what)) {
            let what =
                format!("{what} where the guest powers itself off, and not where it is asked to shut down");
            self.add(Rule::GivenBackTooEarly, vmid, Phase::PreStop, what);
        }
    }

    /// A second `pre-start` that fails after one whose start failed.
    fn only_once(&mut self, retried: &LifeReport) {
        let starts: Vec<&CallReport> =
            retried.played.calls.iter().filter(|call| call.phase == Phase::PreStart).collect();
        if let [once, again, ..] = starts[..]
            && once.outcome.as_deref() == Some("ok")
            && let Some(outcome) = again.outcome.as_deref().filter(|outcome| *outcome != "ok")
        {
            let what = format!("{} the second time, after a start that failed", ended(outcome));
            self.add(Rule::OnlyOnce, again.vmid, Phase::PreStart, what);
        }
    }
}

/// What the calls of a phase printed, without the priorities that lines begin with.
fn printed(life: &LifeReport, phase: Phase) -> Vec<String> {
    let said =
        |entry: &&Entry| entry.phase == Some(phase) && matches!(entry.kind, EntryKind::Out | EntryKind::Err);
    let text = |entry: &Entry| match Priority::prefix(entry.text.as_bytes()) {
        Some((_, rest)) => String::from_utf8_lossy(rest).into_owned(),
        None => entry.text.clone(),
    };
    life.played.timeline.iter().filter(said).map(text).collect()
}

/// What became of a call that did not end well.
fn ended(outcome: &str) -> String {
    let by_itself = outcome.starts_with("exit code") || outcome.starts_with("signal");
    if by_itself { format!("it ends with {outcome}") } else { format!("it comes to nothing ({outcome})") }
}

/// What a life left behind, in words.
fn left(life: &LifeReport) -> Vec<String> {
    let left = &life.played.left;
    let say = |what: &str, names: &[String]| -> Vec<String> {
        names.iter().map(|name| format!("{what} '{name}' is left")).collect()
    };
    let changed = |changes: &[super::Change]| -> Vec<String> {
        changes.iter().map(|change| format!("{} is left changed", change.path)).collect()
    };
    let files: Vec<String> = left.files.iter().map(|change| format!("'{}' is left", change.path)).collect();
    [
        say("the process", &left.processes),
        say("the mount", &left.mounts),
        say("the network interface", &left.interfaces),
        changed(&left.sys),
        files,
    ]
    .concat()
}
