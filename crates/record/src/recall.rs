//! Everything that is on record about one run: each call with what it was made with and what it printed.

use crate::history::{HistoryError, OutputLine, RunHistory, find, tell};
use crate::ledger::{Contents, Reader, Stamped};
use crate::{FileError, files, ledger};
use model::{CalledWith, Event, Layout, ProcessId, RunId, Vmid};
use serde::Serialize;
use std::io;

/// A run, and what its history leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recalled {
    /// The run as its history tells it.
    #[serde(flatten)]
    pub run: RunHistory,
    /// What belongs to each of its calls, in the same order.
    pub calls: Vec<Made>,
    /// What else was noted.
    pub notes: Vec<String>,
}

/// How a call was made, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Made {
    /// How long it was allowed to run, in milliseconds; none for no limit.
    pub limit_ms: Option<u64>,
    /// Whether everything that it forked was to end with it.
    pub tree: bool,
    /// Whether it may be made again where nobody saw its end.
    pub retry: bool,
    /// Its environment, and the guest's configuration.
    pub with: CalledWith,
    /// The guest's first process at that time; none while no guest ran.
    pub guest: Option<u32>,
    /// What the script printed.
    pub lines: Vec<OutputLine>,
}

/// The guest of a run that is on record; none where no ledger of it is there.
///
/// # Errors
/// A folder or ledger that cannot be read.
pub fn guest_of(layout: &Layout, run: &RunId) -> Result<Option<Vmid>, FileError> {
    let ended = files::vmids(&layout.state().join("history"), "")?;
    let ended = ended.into_iter().find(|vmid| crate::history::path(layout, *vmid, run).is_file());
    if ended.is_some() {
        return Ok(ended);
    }
    let live = files::vmids(&layout.runs(), ".jsonl")?;
    Ok(live.into_iter().find(|vmid| {
        let contents = ledger::read_without_output(&layout.ledger(*vmid)).ok();
        contents.and_then(tell).is_some_and(|found| found.run == *run)
    }))
}

/// Recalls a run of a guest.
///
/// # Errors
/// [`HistoryError::NotFound`] where there is no ledger of the run, or it cannot be read.
pub fn recall(layout: &Layout, vmid: Vmid, run: &RunId) -> Result<Recalled, HistoryError> {
    let path = find(layout, vmid, run);
    let reader = match Reader::open(&path) {
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => {
            return Err(HistoryError::NotFound { vmid, run: run.clone() });
        }
        other => other?,
    };
    let mut told: Option<Recalled> = None;
    let mut guest: Option<ProcessId> = None;
    for item in reader {
        let record = item.map_err(FileError::at("read", &path))?;
        match (&mut told, record) {
            (None, Ok(first)) => {
                let run = tell(Contents { events: vec![first], damage: Vec::new() });
                told = run.map(|run| Recalled { run, calls: Vec::new(), notes: Vec::new() });
            }
            (Some(told), Ok(stamped)) => told.add(stamped, &mut guest),
            (Some(told), Err(damage)) => told.run.damage.push(damage),
            (None, Err(_)) => {}
        }
    }
    told.ok_or(HistoryError::NoBegin(path))
}

impl Recalled {
    fn add(&mut self, stamped: Stamped, guest: &mut Option<ProcessId>) {
        let time = stamped.time_ms;
        match &stamped.event {
            Event::HookBegin { limit_ms, tree, retry, with, .. } => self.calls.push(Made {
                limit_ms: *limit_ms,
                tree: *tree,
                retry: *retry,
                with: with.clone(),
                guest: guest.map(|process| process.pid),
                lines: Vec::new(),
            }),
            Event::Output { phase: Some(phase), stream, text, more } => {
                // Scripts of a phase are called one after the other.
                let of_phase = self.run.phases.iter().rposition(|call| call.phase == *phase);
                let line = OutputLine {
                    time,
                    phase: Some(*phase),
                    stream: *stream,
                    text: text.clone(),
                    more: *more,
                };
                if let Some(made) = of_phase.and_then(|at| self.calls.get_mut(at)) {
                    made.lines.push(line);
                }
            }
            Event::Launch { process } | Event::Ready { init: Some(process) } => *guest = Some(*process),
            Event::Gone { .. } | Event::Restart => *guest = None,
            Event::Note { text } => self.notes.push(text.clone()),
            _ => {}
        }
        self.run.add(stamped);
        // An end without a begin is a call that could not be made.
        self.calls.resize_with(self.run.phases.len(), Made::default);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ledger;
    use model::{GuestKind, Outcome, Phase, StartReason, Stream, UserId};

    #[test]
    fn each_call_has_what_it_was_made_with_and_what_it_printed() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let (vmid, run): (Vmid, _) = ("100".parse().unwrap(), RunId::new(1_795_374_719_000, 7));
        let ledger = Ledger::create(&layout.ledger(vmid)).unwrap();
        let process = |pid| ProcessId { pid, start: 1 };
        let begin = |phase, value: &str| Event::HookBegin {
            phase,
            script: "hooks.d/10-a".parse().unwrap(),
            path: "/a".into(),
            process: process(9),
            call: 1,
            limit_ms: Some(500),
            limit_by: model::LimitBy::Script,
            tree: true,
            retry: false,
            sha256: Some("aa".into()),
            with: CalledWith { config: None, env: vec![(b"A"[..].into(), value.as_bytes().into())] },
        };
        let said = |phase, text: &str| Event::Output {
            phase,
            stream: Stream::Stdout,
            text: text.as_bytes().into(),
            more: false,
        };
        let end = |phase, outcome| Event::HookEnd {
            phase,
            script: "hooks.d/10-a".into(),
            outcome,
            cause: None,
            millis: 3,
            cut: 0,
            left: Vec::new(),
        };
        for event in [
            Event::RunBegin {
                run: run.clone(),
                vmid,
                kind: GuestKind::Qemu,
                name: "web".into(),
                reason: StartReason::User,
                user: UserId::root(),
                hookscript: None,
            },
            begin(Phase::PreStart, "one"),
            said(Some(Phase::PreStart), "first"),
            end(Phase::PreStart, Outcome::Ok),
            Event::Launch { process: process(77) },
            said(None, "QEMU says"),
            end(Phase::PostStart, Outcome::NotFound),
            begin(Phase::PreStop, "two"),
            said(Some(Phase::PreStart), "late"),
            Event::Note { text: "by the way".into() },
        ] {
            ledger.append(&event).unwrap();
        }
        assert_eq!(guest_of(&layout, &run).unwrap(), Some(vmid));
        let recalled = recall(&layout, vmid, &run).unwrap();
        assert_eq!((recalled.run.phases.len(), recalled.calls.len()), (3, 3));
        let lines: Vec<Vec<&[u8]>> = recalled
            .calls
            .iter()
            .map(|made| made.lines.iter().map(|line| line.text.as_bytes()).collect())
            .collect();
        assert_eq!(lines, [vec![&b"first"[..], b"late"], vec![], vec![]]);
        let guests: Vec<Option<u32>> = recalled.calls.iter().map(|made| made.guest).collect();
        assert_eq!(guests, [None, None, Some(77)]);
        assert_eq!(recalled.calls[2].with.env[0].1.as_bytes(), b"two");
        assert_eq!((recalled.calls[1].clone(), recalled.notes.len()), (Made::default(), 1));
        ledger.finish(&crate::history::path(&layout, vmid, &run)).unwrap();
        assert_eq!(guest_of(&layout, &run).unwrap(), Some(vmid));
        assert_eq!(recall(&layout, vmid, &run).unwrap().calls, recalled.calls);
        let other = RunId::new(1, 1);
        assert_eq!(guest_of(&layout, &other).unwrap(), None);
        assert!(matches!(recall(&layout, vmid, &other), Err(HistoryError::NotFound { .. })));
    }
}
