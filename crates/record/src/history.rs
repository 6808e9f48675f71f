//! The runs of a guest, read from their ledgers: the one that has not ended, and those in the history.

use crate::ledger::{self, Contents, Damage, Reader, Stamped};
use crate::{FileError, files};
use model::{
    Event, GuestKind, Layout, Left, Outcome, Phase, RunId, StartReason, StopCause, Stream, Text, UserId,
    Vmid, VolumeId,
};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How many ended runs of each guest stay on record.
pub const KEPT_RUNS: usize = 1000;

/// One life of a guest. Times are in milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHistory {
    /// The id of the run.
    pub run: RunId,
    /// The guest.
    pub vmid: Vmid,
    /// Its kind.
    pub kind: GuestKind,
    /// Its name at that time.
    pub name: String,
    /// Why it was started.
    pub reason: StartReason,
    /// Who asked.
    pub user: UserId,
    /// The hookscript of its configuration at that time.
    pub hookscript: Option<VolumeId>,
    /// When the start was admitted.
    pub begun: u64,
    /// When the guest was up.
    pub started: Option<u64>,
    /// How many times it then rebooted itself within the run, as containers do.
    #[serde(default)]
    pub restarts: u32,
    /// When the guest was gone.
    pub stopped: Option<u64>,
    /// When everything was over; none while it is not.
    pub ended: Option<u64>,
    /// Why the guest stopped; none while it lives, and where a start was refused before it ran.
    pub cause: Option<StopCause>,
    /// The error that ended the start.
    pub error: Option<String>,
    /// The calls of hookscripts, in their order.
    pub phases: Vec<PhaseHistory>,
    /// What of the ledger could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damage: Vec<Damage>,
}

/// One call of a hookscript.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseHistory {
    /// The phase.
    pub phase: Phase,
    /// The volume as the configuration named it.
    pub script: String,
    /// The file; none where no process was started.
    pub path: Option<String>,
    /// The SHA-256 of the file in hexadecimal, where it could be read.
    pub sha256: Option<String>,
    /// How it ended; none where that is not on record, as while it runs.
    pub outcome: Option<Outcome>,
    /// Why, in the words that Proxmox VE uses; none when it ended well.
    pub cause: Option<String>,
    /// When it began, in milliseconds since the Unix epoch.
    pub begun: u64,
    /// How long it ran, in milliseconds.
    pub millis: Option<u64>,
    /// Its process.
    pub pid: Option<u32>,
    /// Bytes of output that were not kept in the ledger.
    pub cut: u64,
    /// Children that it left running.
    pub left: Vec<Left>,
}

/// A line that a hookscript, or another program run for the guest, printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutputLine {
    /// When it was recorded, in milliseconds since the Unix epoch.
    pub time: u64,
    /// The phase whose hookscript printed it; none for other programs.
    pub phase: Option<Phase>,
    /// On which of its outputs.
    pub stream: Stream,
    /// The line, or a part of it.
    pub text: Text,
    /// Whether the line goes on in the next of the stream.
    pub more: bool,
}

/// The runs of a guest.
#[derive(Debug, Default)]
pub struct History {
    /// Those that could be read, the last one first.
    pub runs: Vec<RunHistory>,
    /// Ledgers that could not.
    pub unreadable: Vec<HistoryError>,
}

/// A run cannot be told of.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// Its ledger, or the folder, cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Its ledger does not say whose run it is.
    #[error("'{}' has no readable first record", .0.display())]
    NoBegin(PathBuf),
    /// No ledger of it is there.
    #[error("there is no run {run} of guest {vmid}")]
    NotFound {
        /// The guest.
        vmid: Vmid,
        /// The run that was asked for.
        run: RunId,
    },
}

/// Where the ledger of a run goes when it ends.
#[must_use]
pub fn path(layout: &Layout, vmid: Vmid, run: &RunId) -> PathBuf {
    layout.history(vmid).join(format!("{run}.jsonl"))
}

/// The last `limit` runs of a guest, the one that goes on among them.
///
/// # Errors
/// Where the folder of the history is there but cannot be read.
pub fn runs(layout: &Layout, vmid: Vmid, limit: usize) -> Result<History, FileError> {
    let mut history = History::default();
    let live = layout.ledger(vmid);
    // The live one first: should it end meanwhile, it is in the folder by the time that is read.
    if live.exists() {
        history.add(&live);
    }
    for (run, path) in ended(layout, vmid)? {
        if history.runs.len() >= limit {
            break;
        }
        history.runs.retain(|seen| seen.run != run);
        history.add(&path);
    }
    history.runs.truncate(limit);
    Ok(history)
}

impl History {
    fn add(&mut self, path: &Path) {
        match ledger::read_without_output(path) {
            Ok(contents) => match tell(contents) {
                Some(run) => self.runs.push(run),
                None => self.unreadable.push(HistoryError::NoBegin(path.to_owned())),
            },
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.unreadable.push(error.into()),
        }
    }
}

/// Tells of one run of a guest.
///
/// # Errors
/// [`HistoryError::NotFound`] where there is no ledger of the run, or it cannot be read.
pub fn run(layout: &Layout, vmid: Vmid, run: &RunId) -> Result<RunHistory, HistoryError> {
    let path = find(layout, vmid, run);
    match ledger::read_without_output(&path) {
        Ok(contents) => tell(contents).ok_or(HistoryError::NoBegin(path)),
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => {
            Err(HistoryError::NotFound { vmid, run: run.clone() })
        }
        Err(error) => Err(error.into()),
    }
}

/// Where the ledger of a run is now, if there is one.
pub(crate) fn find(layout: &Layout, vmid: Vmid, run: &RunId) -> PathBuf {
    let live = layout.ledger(vmid);
    let is_live = |contents: Contents| tell(contents).is_some_and(|found| found.run == *run);
    if ledger::read_without_output(&live).is_ok_and(is_live) { live } else { path(layout, vmid, run) }
}

/// Streams what the programs of a run printed, in the order of its recording.
///
/// # Errors
/// [`HistoryError::NotFound`] where there is no ledger of the run, or it cannot be opened.
pub fn output(
    layout: &Layout,
    vmid: Vmid,
    run: &RunId,
) -> Result<impl Iterator<Item = io::Result<OutputLine>> + use<>, HistoryError> {
    let not_found = || HistoryError::NotFound { vmid, run: run.clone() };
    let reader = match Reader::open(&find(layout, vmid, run)) {
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => return Err(not_found()),
        other => other?,
    };
    Ok(reader.filter_map(|item| match item {
        Ok(Ok(Stamped { time_ms, event: Event::Output { phase, stream, text, more }, .. })) => {
            Some(Ok(OutputLine { time: time_ms, phase, stream, text, more }))
        }
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    }))
}

/// Removes all but the last `keep` ended runs of a guest. Returns how many.
///
/// # Errors
/// Where the folder cannot be read or a file not removed.
pub fn prune(layout: &Layout, vmid: Vmid, keep: usize) -> Result<usize, FileError> {
    let old: Vec<_> = ended(layout, vmid)?.into_iter().skip(keep).collect();
    for (_, path) in &old {
        fs::remove_file(path).map_err(FileError::at("remove", path))?;
    }
    if !old.is_empty() {
        let dir = layout.history(vmid);
        files::sync_dir(&dir).map_err(FileError::at("sync", &dir))?;
    }
    Ok(old.len())
}

/// The oldest ended run of all guests that is on record.
///
/// # Errors
/// Where a folder of the history cannot be read.
pub fn oldest(layout: &Layout) -> Result<Option<RunId>, FileError> {
    let mut oldest = None;
    for vmid in files::vmids(&layout.state().join("history"), "")? {
        let last = ended(layout, vmid)?.pop().map(|(run, _)| run);
        oldest = oldest.into_iter().chain(last).min();
    }
    Ok(oldest)
}

/// The ledgers in the history, the last one first: ids of runs sort by time.
fn ended(layout: &Layout, vmid: Vmid) -> Result<Vec<(RunId, PathBuf)>, FileError> {
    let dir = layout.history(vmid);
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FileError::at("read", &dir)(error)),
    };
    let mut runs = Vec::new();
    for entry in entries {
        let path = entry.map_err(FileError::at("read", &dir))?.path();
        let name =
            path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".jsonl"));
        if let Some(run) = name.and_then(|name| name.parse().ok()) {
            runs.push((run, path));
        }
    }
    runs.sort_by(|one: &(RunId, _), other| other.0.cmp(&one.0));
    Ok(runs)
}

/// Tells the run of which a ledger has the records; none where it does not begin with [`Event::RunBegin`].
#[must_use]
pub fn tell(contents: Contents) -> Option<RunHistory> {
    let mut events = contents.events.into_iter();
    let begin = events.next()?;
    let Event::RunBegin { run, vmid, kind, name, reason, user, hookscript } = begin.event else {
        return None;
    };
    let mut told = RunHistory {
        run,
        vmid,
        kind,
        name,
        reason,
        user,
        hookscript,
        begun: begin.time_ms,
        started: None,
        restarts: 0,
        stopped: None,
        ended: None,
        cause: None,
        error: None,
        phases: Vec::new(),
        damage: contents.damage,
    };
    events.for_each(|stamped| told.add(stamped));
    Some(told)
}

impl RunHistory {
    pub(crate) fn add(&mut self, Stamped { time_ms, event, .. }: Stamped) {
        match event {
            Event::HookBegin { phase, script, path, process, sha256, .. } => self.phases.push(PhaseHistory {
                path: Some(path),
                sha256,
                pid: Some(process.pid),
                begun: time_ms,
                ..PhaseHistory::new(phase, script.to_string())
            }),
            Event::HookEnd { phase, script, outcome, cause, millis, cut, left } => {
                let began = self
                    .phases
                    .iter_mut()
                    .rfind(|call| call.phase == phase && call.script == script && call.outcome.is_none());
                let call = match began {
                    Some(call) => call,
                    None => {
                        let begun = time_ms.saturating_sub(millis);
                        self.phases.push(PhaseHistory { begun, ..PhaseHistory::new(phase, script) });
                        let new = self.phases.len() - 1;
                        &mut self.phases[new]
                    }
                };
                (call.outcome, call.cause, call.millis) = (Some(outcome), cause, Some(millis));
                (call.cut, call.left) = (cut, left);
            }
            Event::Ready { .. } => self.started = self.started.or(Some(time_ms)),
            Event::Restart => self.restarts += 1,
            Event::Gone { cause, .. } => (self.stopped, self.cause) = (Some(time_ms), Some(cause)),
            Event::RunEnd { cause, error } => {
                self.ended = Some(time_ms);
                self.cause = cause.or(self.cause);
                // As a command says it, it ends with a blank and a line's end.
                self.error = error.map(|error| error.trim_end().to_owned());
            }
            Event::RunBegin { .. }
            | Event::Keeper { .. }
            | Event::PhaseEnd { .. }
            | Event::TaskBegin { .. }
            | Event::TaskEnd { .. }
            | Event::Took { .. }
            | Event::Released
            | Event::Output { .. }
            | Event::Launch { .. }
            | Event::StopAsked { .. }
            | Event::StopFailed { .. }
            | Event::Note { .. } => {}
        }
    }
}

impl PhaseHistory {
    fn new(phase: Phase, script: String) -> Self {
        Self {
            phase,
            script,
            path: None,
            sha256: None,
            outcome: None,
            cause: None,
            begun: 0,
            millis: None,
            pid: None,
            cut: 0,
            left: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ledger;
    use model::ProcessId;

    const SCRIPT: &str = "local:snippets/hook.sh";

    fn vmid() -> Vmid {
        "100".parse().unwrap()
    }

    fn begin(run: &RunId) -> Event {
        Event::RunBegin {
            run: run.clone(),
            vmid: vmid(),
            kind: GuestKind::Qemu,
            name: "web".into(),
            reason: StartReason::User,
            user: UserId::root(),
            hookscript: Some(SCRIPT.parse().unwrap()),
        }
    }

    fn hook_begin(phase: Phase) -> Event {
        let process = ProcessId { pid: 42, start: 1 };
        Event::HookBegin {
            phase,
            script: SCRIPT.parse().unwrap(),
            path: "/hook.sh".into(),
            process,
            call: 1,
            limit_ms: None,
            limit_by: model::LimitBy::Unknown,
            tree: false,
            retry: false,
            sha256: None,
            with: model::CalledWith::default(),
        }
    }

    fn hook_end(phase: Phase, outcome: Outcome) -> Event {
        let cause = (outcome != Outcome::Ok).then(|| "why".to_owned());
        Event::HookEnd { phase, script: SCRIPT.into(), outcome, cause, millis: 5, cut: 0, left: Vec::new() }
    }

    fn record(layout: &Layout, events: &[Event]) -> Ledger {
        let ledger = Ledger::create(&layout.ledger(vmid())).unwrap();
        events.iter().for_each(|event| ledger.append(event).unwrap());
        ledger
    }

    #[test]
    fn a_run_is_told_from_its_ledger() {
        let run = RunId::new(1000, 1);
        let line = Event::Output {
            phase: Some(Phase::PreStart),
            stream: Stream::Stdout,
            text: Text::from(b"hello".as_slice()),
            more: false,
        };
        let events = [
            begin(&run),
            hook_begin(Phase::PreStart),
            line,
            hook_end(Phase::PreStart, Outcome::Ok),
            Event::Ready { init: None },
            hook_end(Phase::PostStart, Outcome::NotFound),
            Event::Gone { cause: StopCause::Killed, detail: "signal 9".into() },
            hook_begin(Phase::PostStop),
        ];
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        record(&layout, &events);

        let told = runs(&layout, vmid(), 10).unwrap().runs.remove(0);
        assert_eq!((&told.run, told.cause, told.ended), (&run, Some(StopCause::Killed), None));
        let calls: Vec<_> = told.phases.iter().map(|call| (call.phase, call.outcome, call.pid)).collect();
        assert_eq!(
            calls,
            [
                (Phase::PreStart, Some(Outcome::Ok), Some(42)),
                (Phase::PostStart, Some(Outcome::NotFound), None),
                (Phase::PostStop, None, Some(42)),
            ]
        );
        let json = serde_json::to_string(&told).unwrap();
        assert_eq!(serde_json::from_str::<RunHistory>(&json).unwrap(), told);
        let lines: Vec<_> = output(&layout, vmid(), &run).unwrap().map(Result::unwrap).collect();
        assert_eq!((lines.len(), lines[0].text.as_bytes()), (1, b"hello".as_slice()));
        let other = RunId::new(1, 1);
        assert!(matches!(output(&layout, vmid(), &other).err(), Some(HistoryError::NotFound { .. })));
    }

    #[test]
    fn the_last_run_comes_first_and_old_ones_can_be_removed() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        assert!(runs(&layout, vmid(), 10).unwrap().runs.is_empty());
        for millis in [1000, 3000, 2000] {
            let run = RunId::new(millis, 0);
            let end = Event::RunEnd { cause: None, error: Some("refused\n\n".into()) };
            record(&layout, &[begin(&run), end]).finish(&path(&layout, vmid(), &run)).unwrap();
        }
        record(&layout, &[begin(&RunId::new(4000, 0))]);
        fs::write(layout.history(vmid()).join("0000000000000000.jsonl"), "damage").unwrap();

        let ids = |history: &History| history.runs.iter().map(|run| run.run.clone()).collect::<Vec<_>>();
        let all = runs(&layout, vmid(), 10).unwrap();
        assert_eq!(ids(&all), [4000, 3000, 2000, 1000].map(|millis| RunId::new(millis, 0)));
        assert!(matches!(&all.unreadable[..], [HistoryError::NoBegin(_)]));
        assert_eq!(ids(&runs(&layout, vmid(), 2).unwrap()), [4000, 3000].map(|millis| RunId::new(millis, 0)));
        assert_eq!(oldest(&layout).unwrap(), Some(RunId::new(0, 0)));
        assert_eq!(prune(&layout, vmid(), 1).unwrap(), 3);
        assert_eq!(ids(&runs(&layout, vmid(), 10).unwrap()), [4000, 3000].map(|m| RunId::new(m, 0)));
    }
}
