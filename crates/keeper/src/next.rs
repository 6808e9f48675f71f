//! The start that follows a run: the second half of a reboot, or what a hookscript asked for. It is kept in a file from the
//! moment that it is owed until its own run is on record, so that the death of a keeper does not lose it; the host's own end
//! does.

use crate::keeper::Keeper;
use crate::protocol::StartRequest;
use crate::tasks::Purpose;
use model::{Layout, Vmid};
use serde::{Deserialize, Serialize};
use std::fs;

#[derive(Serialize, Deserialize)]
struct Kept {
    /// The time that the host is up ([`record::instance`]).
    instance: String,
    start: StartRequest,
}

/// The start that is owed; none where there is none, or it was owed before the host's end.
pub(crate) fn read(layout: &Layout, vmid: Vmid) -> Option<StartRequest> {
    let bytes = fs::read(layout.next_start(vmid)).ok()?;
    let kept: Kept = serde_json::from_slice(&bytes).ok()?;
    let owed = kept.start.vmid == vmid && record::instance::id(layout).is_ok_and(|now| now == kept.instance);
    owed.then_some(kept.start)
}

/// Forgets it: it is on record, or it came to nothing.
pub(crate) fn forget(layout: &Layout, vmid: Vmid) {
    let _ = fs::remove_file(layout.next_start(vmid));
}

impl Keeper {
    /// Owes the start. Where it cannot be kept in the file it is lost with this keeper, which says so.
    pub(crate) fn owe(&mut self, start: StartRequest) {
        let kept = Kept { instance: self.boot.instance.clone(), start };
        let path = self.layout.next_start(self.vmid);
        if let Err(error) = store::replace(&path, &serde_json::to_vec(&kept).unwrap_or_default(), 0o600) {
            self.say(&format!("warning: cannot write '{}': {error}", path.display()));
        }
        self.next_start = Some(kept.start);
    }

    /// Goes on owing what an earlier keeper did.
    pub(crate) fn recall_next_start(&mut self) {
        self.next_start = read(&self.layout, self.vmid);
        if let Some(task) = self.next_start.as_ref().and_then(|start| start.task.clone()) {
            // A task whose log is gone is another one then.
            let _ = self.tasks.adopt(&self.layout, task, Purpose::NextStart, None);
        }
    }

    /// Drops it.
    pub(crate) fn owe_nothing(&mut self) {
        self.next_start = None;
        forget(&self.layout, self.vmid);
    }
}
