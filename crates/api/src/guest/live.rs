//! Which guests run, read from the ledgers of their runs: a look at a file and at a process each, where asking every keeper
//! would take a connection.

use crate::{ApiError, Context};
use keeper::{RunningGuest, client};
use model::{Event, ProcessId, Vmid};
use record::ledger;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::{Arc, LazyLock};
use store::FileCache;

/// A guest that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Live {
    /// QEMU, or the container's init.
    pub(crate) process: ProcessId,
    /// When it was launched, in milliseconds since the host booted.
    since: u64,
}

impl Live {
    /// As the guest's keeper tells it; none where its process has just ended.
    pub(crate) fn told(running: &RunningGuest) -> Option<Self> {
        let process = process::lookup(running.pid)?;
        Some(Self { process, since: process::boot_millis().saturating_sub(running.uptime * 1000) })
    }

    /// Seconds since its launch.
    pub(crate) fn uptime(&self) -> u64 {
        process::boot_millis().saturating_sub(self.since) / 1000
    }
}

static LEDGERS: LazyLock<FileCache<Option<Live>>> = LazyLock::new(FileCache::default);

/// The guests that run.
///
/// # Errors
/// The folder of ledgers cannot be read.
pub(crate) fn all(context: &Context<'_>) -> Result<BTreeMap<Vmid, Live>, ApiError> {
    let layout = context.store.layout();
    let recorded = client::recorded(layout).map_err(|source| ApiError::File {
        what: "unable to read",
        path: layout.runs(),
        source,
    })?;
    Ok(recorded.into_iter().filter_map(|vmid| Some((vmid, one(context, vmid)?))).collect())
}

fn one(context: &Context<'_>, vmid: Vmid) -> Option<Live> {
    // A ledger that is gone is that of a run that has just ended.
    let said: Arc<Option<Live>> = LEDGERS.get(&context.store.layout().ledger(vmid), launched).ok()?;
    said.filter(|live| process::alive(live.process))
}

/// What a ledger says was launched last and is not known to be gone.
fn launched(ledger: &[u8]) -> Option<Live> {
    let mut live = None;
    let records = ledger::Reader::new(Cursor::new(ledger)).without_output();
    for stamped in records.filter_map(|record| record.ok()?.ok()) {
        match stamped.event {
            Event::Launch { process } => live = Some(Live { process, since: stamped.boot_ms }),
            Event::Ready { init: Some(init) } => {
                live = live.map(|live: Live| Live { process: init, ..live });
            }
            Event::Gone { .. } | Event::Restart => live = None,
            _ => {}
        }
    }
    live
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::StopCause;
    use record::Ledger;

    #[test]
    fn the_last_launch_that_has_not_ended_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("100.jsonl");
        let ledger = Ledger::create(&path).unwrap();
        let process = |pid| ProcessId { pid, start: 7 };
        let pid = || launched(&std::fs::read(&path).unwrap()).map(|live| live.process.pid);
        assert_eq!(pid(), None);
        for (event, want) in [
            (Event::Launch { process: process(10) }, Some(10)),
            (Event::Ready { init: Some(process(11)) }, Some(11)),
            (Event::Restart, None),
            (Event::Launch { process: process(12) }, Some(12)),
            (Event::Ready { init: None }, Some(12)),
            (Event::Gone { cause: StopCause::Stop, detail: String::new() }, None),
        ] {
            ledger.append(&event).unwrap();
            assert_eq!(pid(), want, "{event:?}");
        }
    }
}
