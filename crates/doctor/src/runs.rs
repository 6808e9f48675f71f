//! Runs that have not ended, and whether somebody keeps them.

use crate::scene::Scene;
use crate::word::path;
use crate::{Finding, apart, locks};
use keeper::{GuestState, client};
use model::{Layout, Vmid};
use std::fs;
use std::time::Duration;

/// How long a keeper may take to say that it lives.
const LIMIT: Duration = Duration::from_secs(4);

/// The runs on record.
pub(crate) fn kept(scene: &Scene) -> Vec<Finding> {
    let recorded = match client::recorded(&scene.layout) {
        Ok(recorded) => recorded,
        Err(error) => {
            let folder = scene.layout.runs();
            let what = format!("'{}' cannot be read: {error}", folder.display());
            let mend = format!("ls -ld {}", path(&folder));
            return vec![Finding::problem("runs", what, "no keeper can be found", mend)];
        }
    };
    let layout = scene.layout.clone();
    let states = apart::each(recorded, LIMIT, move |vmid| client::state(&layout, *vmid));
    let mut well = 0;
    let mut found = Vec::new();
    for (vmid, state) in states {
        match judge(&scene.layout, *vmid, state) {
            Some(finding) => found.push(finding),
            None => well += 1,
        }
    }
    if found.is_empty() && well > 0 {
        found.push(Finding::ok("runs", format!("{well} kept")));
    }
    found
}

fn judge(layout: &Layout, vmid: Vmid, state: Option<GuestState>) -> Option<Finding> {
    let about = format!("run of {vmid}");
    let recover = format!("hookvisor recover {vmid}");
    let silent = state.as_ref().is_none_or(|state| state.stage == "not answering");
    if silent {
        let table = fs::read_to_string("/proc/locks").unwrap_or_default();
        let why = "nobody can stop the guest, and post-stop waits";
        return Some(match locks::holder(&table, &layout.run_lock(vmid)) {
            Some(pid) if process::is_stopped(pid) => {
                let what = format!("its keeper, process {pid}, is stopped");
                Finding::problem(about, what, why, format!("kill -CONT {pid}"))
            }
            Some(pid) => {
                let what = format!("its keeper, process {pid}, does not answer");
                Finding::problem(about, what, why, format!("kill -9 {pid}; {recover}"))
            }
            None => Finding::problem(about, "its keeper does not answer", why, recover),
        });
    }
    let state = state.filter(|state| state.keeper.is_none())?;
    let why = "post-stop has not run, and nobody watches the guest";
    if state.abandoned {
        return Some(Finding::problem(about, "its keeper is dead", why, recover));
    }
    layout.next_start(vmid).exists().then(|| {
        let why = "whoever was to start it is dead";
        Finding::problem(about, "the guest is owed a start that follows its last run", why, recover)
    })
}
