//! What is on record about runs: one shown, all watched, a call made again.

mod again;
mod shown;
mod watch;

pub(crate) use again::REPLAY;
pub(crate) use shown::SHOW;
pub(crate) use watch::WATCH;

use crate::local::told;
use config::schema::Property;
use hooks::digest::Digest;
use hooks::kept;
use model::{Layout, RunId, Text, Vmid};
use record::history;
use record::recall::{self, Recalled};
use workshop::Mask;

/// The run that is meant.
const RUN: Property = Property::string("run")
    .typetext("<run | vmid>")
    .describe("The id of the run, or a guest's VMID for the last of its runs.");

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

/// The secrets of a run: those in the environments of its calls, in its scripts and configurations, and in what was printed.
fn secrets(layout: &Layout, recalled: &Recalled) -> Mask {
    let mut mask = Mask::default();
    let kept = |digest: &Option<String>| {
        let digest = digest.as_ref()?.parse::<Digest>().ok()?;
        kept::read(layout, digest).ok().flatten().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    for (call, made) in recalled.run.phases.iter().zip(&recalled.calls) {
        made.with.env.iter().for_each(|(key, value)| mask.learn(&lossy(key), &lossy(value)));
        kept(&call.sha256).iter().for_each(|text| mask.read_script(text));
        for line in kept(&made.with.config).iter().flat_map(|text| text.lines()) {
            let (key, value) = line.split_once(": ").unwrap_or(("", line));
            mask.learn(key, value);
        }
        let printed: Vec<String> = made.lines.iter().map(|line| lossy(&line.text)).collect();
        mask.read(&printed.join("\n"));
    }
    mask
}

fn lossy(text: &Text) -> String {
    String::from_utf8_lossy(text.as_bytes()).into_owned()
}
