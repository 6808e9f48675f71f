//! A hookscript that notes by itself each call it gets: the truth that hookvisor's record is compared with.

use std::fs;
use std::path::{Path, PathBuf};

/// The hook's notes of all guests of a host, and what it was told to do in a phase.
#[derive(Debug)]
pub struct Recorder {
    notes: PathBuf,
    ends: PathBuf,
    orders: PathBuf,
}

/// One call as the hook saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// Seconds since boot.
    pub at: f64,
    /// The first argument.
    pub vmid: u32,
    /// The second argument.
    pub phase: String,
    /// `HOOKVISOR_STOP_CAUSE`.
    pub stop_cause: String,
    /// `HOOKVISOR_START_REASON`.
    pub start_reason: String,
    /// `HOOKVISOR_RUN_ID`.
    pub run: String,
    /// The hook's pid.
    pub pid: u32,
}

impl Recorder {
    /// A recorder whose notes lie in `folder`.
    ///
    /// # Panics
    /// If the folder cannot be written.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        let orders = folder.join("orders");
        fs::create_dir_all(&orders).expect("the folder of the recorder can be made");
        Self { notes: folder.join("notes"), ends: folder.join("ends"), orders }
    }

    /// The script.
    #[must_use]
    pub fn script(&self) -> String {
        format!(
            r#"#!/bin/sh
# Note the call, say a line on each output, then do what the test asked for in this phase.
read -r up rest </proc/uptime
printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$up" "$1" "$2" \
    "${{HOOKVISOR_STOP_CAUSE-}}" "${{HOOKVISOR_START_REASON-}}" "${{HOOKVISOR_RUN_ID-}}" "$$" >>'{notes}'
echo "out $1 $2"
echo "err $1 $2" >&2
order='{orders}'/$1.$2
if [ -e "$order" ]; then . "$order"; fi
status=$?
echo "$$ $status" >>'{ends}'
exit $status
"#,
            notes = self.notes.display(),
            ends = self.ends.display(),
            orders = self.orders.display()
        )
    }

    /// From now on the hook runs these lines of shell at the end of that phase.
    ///
    /// # Panics
    /// If the order cannot be written.
    pub fn order(&self, vmid: u32, phase: &str, lines: &str) {
        let order = self.orders.join(format!("{vmid}.{phase}"));
        let fresh = order.with_extension("new");
        fs::write(&fresh, lines).and_then(|()| fs::rename(&fresh, &order)).expect("an order can be written");
    }

    /// From now on the hook does nothing more than its notes in that phase.
    pub fn forget(&self, vmid: u32, phase: &str) {
        let _ = fs::remove_file(self.orders.join(format!("{vmid}.{phase}")));
    }

    /// Forgets all notes.
    pub fn clear(&self) {
        let _ = fs::remove_file(&self.notes);
        let _ = fs::remove_file(&self.ends);
    }

    /// With what exit code the hook that was this process came to its end; none where something cut it short, or an order
    /// did with `exit`.
    ///
    /// # Panics
    /// If a line is not what the script writes.
    #[must_use]
    pub fn end(&self, pid: u32) -> Option<i32> {
        let text = fs::read_to_string(&self.ends).unwrap_or_default();
        let ends = text.lines().map(|line| line.split_once(' ').expect("a pid and a code"));
        let mut ends = ends.filter(|(own, _)| *own == pid.to_string());
        ends.next_back().map(|(_, code)| code.parse().expect("an exit code"))
    }

    /// The notes about one guest, in the order of the calls.
    ///
    /// # Panics
    /// If a line is not what the script writes.
    #[must_use]
    pub fn notes(&self, vmid: u32) -> Vec<Note> {
        let text = fs::read_to_string(&self.notes).unwrap_or_default();
        let notes = text.lines().map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [at, vmid, phase, stop_cause, start_reason, run, pid] = fields[..] else {
                panic!("{line:?} is no note");
            };
            Note {
                at: at.parse().expect("a time"),
                vmid: vmid.parse().expect("a VMID"),
                phase: phase.to_owned(),
                stop_cause: stop_cause.to_owned(),
                start_reason: start_reason.to_owned(),
                run: run.to_owned(),
                pid: pid.parse().expect("a pid"),
            }
        });
        notes.filter(|note| note.vmid == vmid).collect()
    }
}
