//! Everything that a hookscript has forked, wherever it went: what is below it among the processes, and what has left it, its
//! session or its parents but still has the environment of the call. A keeper that its `qm start` bore has its own.

use model::{Left, ProcessId};
use rustix::process::Signal;

/// What is known of a script's tree.
pub(crate) struct Tree {
    /// Settings of the environment that no other call has together.
    marks: Vec<String>,
    known: Vec<ProcessId>,
}

impl Tree {
    /// Of the call that these settings are told to.
    pub(crate) fn of(marks: Vec<String>) -> Self {
        Self { marks, known: Vec::new() }
    }

    /// Looks again at what the script has forked. What was seen once stays known.
    pub(crate) fn look(&mut self, script: ProcessId) {
        let mut above = self.known.clone();
        above.push(script);
        let left = process::with_environment(&self.marks).into_iter().filter(|process| *process != script);
        let mut found: Vec<ProcessId> = left.collect();
        for process in above.into_iter().filter(|process| process::alive(*process)) {
            found.extend(process::descendants(process.pid));
        }
        for process in found {
            if !self.known.contains(&process) {
                self.known.push(process);
            }
        }
    }

    /// Sends a signal to all of it but the script itself.
    pub(crate) fn send(&self, signal: Signal) {
        for pidfd in self.known.iter().filter_map(|process| process::open(*process)) {
            process::send(pidfd, signal);
        }
    }

    /// What is known of it.
    pub(crate) fn processes(&self) -> impl Iterator<Item = ProcessId> {
        self.known.iter().copied()
    }
}

/// What is left of the script's process group.
pub(crate) fn left_behind(group: u32) -> Vec<Left> {
    let empty = rustix::process::Pid::from_raw(group.cast_signed())
        .is_none_or(|group| rustix::process::test_kill_process_group(group).is_err());
    if empty {
        return Vec::new();
    }
    process::group_members(group, group).into_iter().map(|(process, comm)| Left { process, comm }).collect()
}
