//! What is on record about runs: one shown, all watched, a call made again.

mod again;
mod shown;
mod watch;

pub(crate) use again::REPLAY;
pub(crate) use shown::SHOW;
pub(crate) use watch::WATCH;

use crate::local::told;
use config::schema::Property;
use model::{Layout, RunId, Vmid};
use record::history;
use record::recall::{self, Recalled};

/// The run that is meant.
const RUN: Property =
    Property::string("run").describe("The id of the run, or a guest's VMID for the last of its runs.");

/// Reads a run by its id, or the last one of a guest.
fn find(layout: &Layout, text: &str) -> Result<Recalled, String> {
    let (vmid, run) = match text.parse::<RunId>() {
        Ok(run) => {
            let guest = recall::guest_of(layout, &run).map_err(|error| told(&error))?;
            (guest.ok_or_else(|| format!("there is no run {run} on record"))?, run)
        }
        Err(error) => {
            let vmid: Vmid = text.parse().map_err(|_| error.to_string())?;
            let last = history::runs(layout, vmid, 1).map_err(|error| told(&error))?.runs.into_iter().next();
            (vmid, last.ok_or_else(|| format!("no run of guest {vmid} is on record"))?.run)
        }
    };
    recall::recall(layout, vmid, &run).map_err(|error| told(&error))
}
