//! What there is to see at the end of a life.

use super::drive::Stage;
use super::report::{CallReport, Entry, EntryKind, Left, Played};
use super::tools::{self, Called};
use super::tree::Tree;
use super::world::Laid;
use super::{units, watch};
use model::{Event, Phase, Stream, Vmid};
use record::ledger::Stamped;
use rustix::process::{Pid, Signal, WaitOptions, getpgid, kill_process, wait};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How many lines of a call's output are shown.
const LINES: usize = 200;

/// How often everything is killed until nothing is left: what forks meanwhile is killed the next time.
const ROUNDS: u32 = 200;

/// A root before a life.
pub(super) struct Baseline {
    files: Tree,
    sys: Tree,
    mounts: BTreeMap<String, usize>,
    interfaces: BTreeSet<String>,
}

impl Baseline {
    pub(super) fn take(laid: &Laid) -> Self {
        let (folders, without) = laid.folders();
        Self {
            files: Tree::of(&folders, &without),
            sys: sys(laid),
            mounts: watch::mounts(),
            interfaces: watch::interfaces(),
        }
    }
}

fn sys(laid: &Laid) -> Tree {
    if laid.own { Tree::of(&[PathBuf::from("/sys")], &[]) } else { Tree::default() }
}

/// Ends whatever still runs, and tells.
pub(super) fn finish(mut stage: Stage, before: &Baseline) -> Played {
    let secrets = stage.watch.opened();
    let mut left = Left::default();
    if stage.laid.own {
        stage.watch.measure();
        // A keeper writes its last records, and a child that is just ending is no longer there, in a moment.
        stage.until_quiet();
        (left.units, left.processes) = processes();
        let mounts = watch::mounts();
        let more = |(place, count): (&String, &usize)| {
            (before.mounts.get(place).copied().unwrap_or(0) < *count).then(|| place.clone())
        };
        left.mounts = mounts.iter().filter_map(more).collect();
        let own = own_interfaces(&stage.laid);
        left.interfaces = watch::interfaces()
            .into_iter()
            .filter(|name| !before.interfaces.contains(name) && !own.contains(name))
            .collect();
    }
    // Of what has the same time the keepers' part comes first: a command follows what the one before it has done.
    let noted = std::mem::take(&mut stage.timeline);
    let keepers_killed = stage.read_ledgers() + stage.workers_killed;
    stage.timeline.extend(noted);
    stage.read_calls();
    if stage.laid.own {
        kill_all();
    }
    let (folders, without) = stage.laid.folders();
    left.files = before.files.changes_to(&Tree::of(&folders, &without), false);
    left.sys = before.sys.changes_to(&sys(&stage.laid), true);
    stage.timeline.sort_by_key(|entry| entry.ms);
    Played {
        timeline: stage.timeline,
        calls: stage.calls,
        left,
        peak: stage.watch.peak,
        cut: stage.watch.cut,
        secrets,
        keepers_killed,
        trouble: stage.trouble,
    }
}

impl Stage {
    /// Waits a moment for what is about to end, where the life was not ended.
    fn until_quiet(&mut self) {
        if self.watch.cut.is_some() {
            return;
        }
        for _ in 0..20 {
            reap();
            let others = watch::pids().any(|pid| pid != 1 && !is_dead(pid) && comm(pid) == "hookvisor");
            if !others {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Puts on the timeline what the keepers have on record. Says how many of them were killed.
    fn read_ledgers(&mut self) -> u32 {
        let mut killed = 0;
        for vmid in self.laid.vmids.clone() {
            for events in self.ledgers.of(vmid) {
                killed += self.read_run(vmid, events);
            }
        }
        killed
    }

    fn read_run(&mut self, vmid: Vmid, events: Vec<Stamped>) -> u32 {
        let (mut killed, mut lines) = (0, 0);
        let mut open: BTreeMap<Phase, usize> = BTreeMap::new();
        for Stamped { time_ms, event, .. } in events {
            let mut entry = |kind, phase, text: String, failed| {
                let ms = time_ms.saturating_sub(self.began);
                self.timeline.push(Entry { ms, vmid: Some(vmid.get()), kind, phase, text, failed });
            };
            match event {
                Event::Keeper { adopted: true, .. } => {
                    killed += 1;
                    entry(
                        EntryKind::Guest,
                        None,
                        "its keeper was killed; another one goes on".to_owned(),
                        true,
                    );
                }
                Event::HookBegin { phase, path, .. } => {
                    lines = 0;
                    entry(EntryKind::Begin, Some(phase), format!("{path} {vmid} {phase}"), false);
                    open.insert(phase, self.calls.len());
                    self.calls.push(CallReport {
                        vmid: vmid.get(),
                        phase,
                        outcome: None,
                        millis: None,
                        cut: 0,
                        held: false,
                    });
                }
                Event::HookEnd { phase, outcome, millis, cut, cause, .. } => {
                    let failed = outcome != model::Outcome::Ok;
                    entry(
                        EntryKind::End,
                        Some(phase),
                        format!("{phase} ended: {outcome} after {millis} ms"),
                        failed,
                    );
                    if let Some(cause) = cause.filter(|_| failed) {
                        entry(EntryKind::Said, Some(phase), cause.trim_end().to_owned(), false);
                    }
                    let call = CallReport {
                        vmid: vmid.get(),
                        phase,
                        outcome: Some(outcome.to_string()),
                        millis: Some(millis),
                        cut,
                        held: false,
                    };
                    match open.remove(&phase) {
                        Some(at) => self.calls[at] = call,
                        None => self.calls.push(call),
                    }
                }
                Event::Output { phase, stream, text, .. } => {
                    lines += 1;
                    let kind = match (phase, stream) {
                        (None, _) => EntryKind::Guest,
                        (_, Stream::Stdout) => EntryKind::Out,
                        (_, Stream::Stderr) => EntryKind::Err,
                    };
                    if lines <= LINES {
                        entry(kind, phase, String::from_utf8_lossy(text.as_bytes()).into_owned(), false);
                    } else if lines == LINES + 1 {
                        entry(kind, phase, "… more lines are not shown".to_owned(), false);
                    }
                }
                Event::Ready { .. } => entry(EntryKind::Guest, None, "is up".to_owned(), false),
                Event::Gone { cause, .. } => {
                    entry(EntryKind::Guest, None, format!("is gone: {cause}"), false);
                }
                Event::StopFailed { why } => entry(EntryKind::Guest, None, format!("lives on: {why}"), true),
                Event::RunEnd { error: Some(error), .. } => {
                    entry(EntryKind::Guest, None, format!("did not start: {}", error.trim_end()), true);
                }
                _ => {}
            }
        }
        killed
    }

    /// Puts on the timeline which programs of the world were called.
    fn read_calls(&mut self) {
        let text = fs::read_to_string(tools::CALLS).unwrap_or_default();
        let calls = text.lines().filter_map(|line| serde_json::from_str::<Called>(line).ok());
        for call in calls.take(LINES) {
            let ms = call.time_ms.saturating_sub(self.began);
            let text = call.words.join(" ");
            self.timeline.push(Entry {
                ms,
                vmid: None,
                kind: EntryKind::Call,
                phase: None,
                text,
                failed: false,
            });
        }
    }
}

/// The names that the guests' own interfaces have.
fn own_interfaces(laid: &Laid) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for vmid in &laid.vmids {
        for index in 0..32 {
            let name = laid.layout.interface(laid.kind, *vmid, index);
            let peer = format!("p{name}");
            names.insert(peer[..peer.len().min(15)].to_owned());
            names.insert(name);
        }
    }
    names
}

/// Processes that are not hookvisor's own, by their command lines: those of units, and the others.
fn processes() -> (Vec<String>, Vec<String>) {
    let units = units::groups();
    let own = fs::read_link("/proc/1/exe").ok();
    let left = watch::pids().filter(|pid| *pid != 1 && !is_dead(*pid));
    let foreign = left.filter(|pid| own.is_none() || fs::read_link(format!("/proc/{pid}/exe")).ok() != own);
    let mut lines: Vec<(bool, String)> = foreign
        .map(|pid| {
            let of_unit = group_of(pid).is_some_and(|group| units.contains(&group));
            let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&bytes).replace('\0', " ").trim().to_owned();
            (of_unit, if line.is_empty() { comm(pid) } else { line })
        })
        .collect();
    lines.sort();
    let (units, others): (Vec<_>, Vec<_>) = lines.into_iter().partition(|(of_unit, _)| *of_unit);
    let texts = |lines: Vec<(bool, String)>| lines.into_iter().map(|(_, line)| line).collect();
    (texts(units), texts(others))
}

fn group_of(pid: u32) -> Option<u32> {
    let group = getpgid(Pid::from_raw(pid.cast_signed())).ok()?;
    Some(group.as_raw_nonzero().get().unsigned_abs())
}

fn comm(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned()
}

fn is_dead(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

/// Takes the ends of those whose parents are gone.
fn reap() {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
}

fn kill_all() {
    for _ in 0..ROUNDS {
        let others: Vec<u32> = watch::pids().filter(|pid| *pid != 1 && !is_dead(*pid)).collect();
        if others.is_empty() {
            break;
        }
        // Stopped first: what cannot run cannot fork while the others are being killed.
        for signal in [Signal::STOP, Signal::KILL] {
            for pid in &others {
                if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
                    let _ = kill_process(pid, signal);
                }
            }
        }
        reap();
    }
}

/// Whether a path is where things are that are meant to be gone after a while.
pub(super) fn is_transient(path: &str) -> bool {
    ["/run", "/tmp", "/dev/shm", "/var/run", "/var/lock", "/var/tmp"]
        .iter()
        .any(|folder| Path::new(path).starts_with(folder))
}
