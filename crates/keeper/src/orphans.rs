//! Tasks that nobody carries out any more: whoever began them died before they were on the record of a run.

use crate::keeper::program;
use model::{Event, GuestKind, Layout, Upid, Vmid};
use record::tasks::{Source, list};
use record::{Journal, TaskLog};

/// The status that they end with.
pub(crate) const STATUS: &str = "the keeper died";

/// The open tasks whose process is gone.
fn orphans(layout: &Layout) -> Vec<Upid> {
    let open =
        list(layout, Source::Active).unwrap_or_default().into_iter().filter(|task| task.status.is_none());
    open.map(|task| task.upid).filter(|upid| !process::alive(upid.process)).collect()
}

/// Ends those about a guest but for its keeper's own. Only the holder of the run lock may do this.
pub(crate) fn end(layout: &Layout, kind: GuestKind, vmid: Vmid, own: &[Upid], journal: &mut Journal) {
    let id = vmid.to_string();
    for upid in orphans(layout).into_iter().filter(|upid| upid.id == id && !own.contains(upid)) {
        if TaskLog::adopt(layout, &upid).is_ok_and(|log| log.end(STATUS).is_ok()) {
            journal.send(record::journal::task_ended(program(kind), &upid, STATUS));
        }
    }
}

/// Ends those about guests that have no run on record.
pub(crate) fn end_all(layout: &Layout) {
    for upid in orphans(layout) {
        let kept = upid.id.parse::<Vmid>().is_ok_and(|vmid| is_carried_on(layout, vmid, &upid));
        if !kept && let Ok(log) = TaskLog::adopt(layout, &upid) {
            let _ = log.end(STATUS);
        }
    }
}

/// Whether a run goes on with a task that another process began, as a container's reboot does.
fn is_carried_on(layout: &Layout, vmid: Vmid, upid: &Upid) -> bool {
    let Ok(contents) = record::ledger::read_without_output(&layout.ledger(vmid)) else { return false };
    contents
        .events
        .iter()
        .any(|stamped| matches!(&stamped.event, Event::TaskBegin { upid: begun } if begun == upid))
}
