//! The records that hookvisor writes, with their fields.

use super::{Entry, Priority};
use crate::lines::Record;
use model::{GuestKind, Outcome, Phase, RunId, Stream, Upid, Vmid};
use std::time::Duration;

/// The identifier of what hookscripts print.
pub const HOOK_IDENTIFIER: &str = "hookscript";

/// The identifier of what hookvisor itself says.
pub const IDENTIFIER: &str = "hookvisor";

/// The `MESSAGE_ID` of each kind of record, fixed for good: `journalctl MESSAGE_ID=…` finds all of a kind, and `journalctl -x`
/// explains them by `packaging/hookvisor.catalog`.
pub mod message_id {
    /// A hookscript begins.
    pub const HOOK_BEGIN: &str = "734aeafc0bb248c0abf0ec45b114553b";
    /// A hookscript has ended well.
    pub const HOOK_END: &str = "44d3def797e343269f4a2f4936e82334";
    /// A hookscript did not end well, or could not be started, before the guest's start: there is no start.
    pub const HOOK_REFUSED: &str = "9bc6db35ac8b420ea90e5ec8da8c9689";
    /// A hookscript did not end well, or could not be started, in a phase that holds nothing up.
    pub const HOOK_FAILED: &str = "46f0226f4d174ed2aa8a6c16235531cd";
    /// A hookscript was ended at its limit.
    pub const HOOK_TIMED_OUT: &str = "3baecff0370b4f9a8ab95a67d8f5af03";
    /// Somebody asked for the end of a hookscript.
    pub const HOOK_ABORTED: &str = "897bb5a7ee7d4848a06661ec8353c646";
    /// A guest is up.
    pub const GUEST_STARTED: &str = "60701374d66645e2870967d353d6b186";
    /// A guest that did not shut down in its time is ended by force.
    pub const GUEST_FORCED: &str = "a0ed8315a17341c8aeb5528ea0f5f69a";
    /// A guest is gone.
    pub const GUEST_GONE: &str = "323fa0192d2045cc8f538b16b7e4ffc9";
    /// A keeper goes on with the run of one that died.
    pub const RUN_RECOVERED: &str = "e7df9948529c4f118c48a60b528018c7";
    /// The record of a run was damaged, and is mended.
    pub const RUN_MENDED: &str = "878ee6322c2e4482a3fa909ae24f65ed";
    /// A task begins.
    pub const TASK_BEGIN: &str = "2570d71caf2c4ff984d60c432a0e505d";
    /// A task has ended.
    pub const TASK_END: &str = "a8a89cb5412746c39503ed642d9b2090";
    /// Records were lost because the journal did not take them.
    pub const LOST: &str = "12376fcc8f6e4a3bbbf05201b6008a1f";
}

/// Which run of which guest records are about.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The guest.
    pub vmid: Vmid,
    /// Its kind.
    pub kind: GuestKind,
    /// Its name or hostname.
    pub name: String,
    /// The run.
    pub run: RunId,
    /// The task that is carried out, if any.
    pub task: Option<Upid>,
}

/// How a hookscript's call ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// The outcome.
    pub outcome: Outcome,
    /// The limit that it was ended at, and where that is set.
    pub limit: Option<&'a str>,
    /// Why, in the words that Proxmox VE uses; none when it ended well.
    pub cause: Option<&'a str>,
    /// How long it ran.
    pub duration: Duration,
    /// Bytes of output that were not kept.
    pub cut: u64,
    /// How many children it left running.
    pub left: usize,
}

impl Scene {
    /// Any record about the run: `GUEST_VMID`, `GUEST_KIND`, `GUEST_NAME`, `RUN_ID`, `TASK_UPID`.
    #[must_use]
    pub fn record(&self, priority: Priority, identifier: &str, message: impl AsRef<[u8]>) -> Entry {
        Entry::new(priority, identifier, message)
            .field("GUEST_VMID", self.vmid.to_string())
            .field("GUEST_KIND", self.kind.as_str())
            .field("GUEST_NAME", &self.name)
            .field("RUN_ID", self.run.as_str())
            .field_if("TASK_UPID", self.task.as_ref().map(Upid::to_string))
    }

    /// A line, or a part of one (`HOOK_PART`, from 1), that a hookscript printed. What comes from standard
    /// output is information (6), from standard error a warning (4), so that `journalctl -p warning` shows what
    /// scripts complained about; a line may say another one itself, `<3>…` (sd-daemon(3)).
    #[must_use]
    pub fn output(&self, phase: Phase, script: &str, stream: Stream, record: &Record<'_>) -> Entry {
        let own = if record.part == 1 { Priority::prefix(record.bytes) } else { None };
        let (priority, bytes) = own.unwrap_or((Priority::usual(stream), record.bytes));
        let part = (record.part > 1 || record.more()).then(|| record.part.to_string());
        self.hook(priority, HOOK_IDENTIFIER, phase, script, bytes)
            .field("HOOK_STREAM", stream.as_str())
            .field_if("HOOK_PART", part)
    }

    /// A hookscript begins, as the file `path` in process `pid`.
    #[must_use]
    pub fn hook_began(&self, phase: Phase, script: &str, path: &str, pid: u32) -> Entry {
        let message = format!("{} {}: {phase} begins: {script}", self.kind.label(), self.vmid);
        self.hook(Priority::Info, IDENTIFIER, phase, script, message.as_bytes())
            .field("MESSAGE_ID", message_id::HOOK_BEGIN)
            .field("HOOK_PATH", path)
            .field("HOOK_PID", pid.to_string())
    }

    /// Something is wrong with a hookscript that is called all the same. It is about the script, `HOOK_SCRIPT`, and no phase.
    #[must_use]
    pub fn hook_warned(&self, script: &str, warning: &str) -> Entry {
        self.record(Priority::Warning, IDENTIFIER, format!("warning: {warning}")).field("HOOK_SCRIPT", script)
    }

    /// A hookscript has ended: `HOOK_OUTCOME` as [`Outcome`] displays it, `HOOK_DURATION_USEC`, and where they
    /// apply `HOOK_EXIT_CODE`, `HOOK_SIGNAL`, `HOOK_LIMIT`, `HOOK_CAUSE`, `HOOK_CUT` (bytes), `HOOK_LEFT` (processes). An
    /// error (3) where it aborts a start, else a warning (4) unless it ended well.
    #[must_use]
    pub fn hook_ended(&self, phase: Phase, script: &str, ended: &Ended<'_>) -> Entry {
        let Ended { outcome, limit, cause, duration, cut, left } = *ended;
        let priority = match (outcome, phase) {
            (Outcome::Ok, _) => Priority::Info,
            (_, Phase::PreStart) => Priority::Error,
            _ => Priority::Warning,
        };
        let millis = duration.as_millis();
        let message = format!("{} {}: {phase} ended: {outcome} ({millis} ms)", self.kind.label(), self.vmid);
        let id = match (outcome, phase) {
            (Outcome::Ok, _) => message_id::HOOK_END,
            (Outcome::TimedOut, _) => message_id::HOOK_TIMED_OUT,
            (Outcome::Aborted, _) => message_id::HOOK_ABORTED,
            (_, Phase::PreStart) => message_id::HOOK_REFUSED,
            _ => message_id::HOOK_FAILED,
        };
        let (code, signal) = match outcome {
            Outcome::Ok => (Some(0), None),
            Outcome::Exit(code) => (Some(code), None),
            Outcome::Signal(signal) => (None, Some(signal)),
            _ => (None, None),
        };
        self.hook(priority, IDENTIFIER, phase, script, message.as_bytes())
            .field("MESSAGE_ID", id)
            .field("HOOK_OUTCOME", outcome.to_string())
            .field("HOOK_DURATION_USEC", duration.as_micros().to_string())
            .field_if("HOOK_EXIT_CODE", code.map(|code| code.to_string()))
            .field_if("HOOK_SIGNAL", signal.map(|signal| signal.to_string()))
            .field_if("HOOK_LIMIT", limit)
            .field_if("HOOK_CAUSE", cause)
            .field_if("HOOK_CUT", (cut > 0).then(|| cut.to_string()))
            .field_if("HOOK_LEFT", (left > 0).then(|| left.to_string()))
    }

    /// The guest is up; `pid` is QEMU's or the container's init.
    #[must_use]
    pub fn guest_started(&self, pid: u32) -> Entry {
        let message = format!("{} {} started with PID {pid}.", self.kind.label(), self.vmid);
        self.record(Priority::Info, IDENTIFIER, message)
            .field("MESSAGE_ID", message_id::GUEST_STARTED)
            .field("GUEST_PID", pid.to_string())
    }

    /// The guest has not shut down in its time, and is ended by force; `why` is a text about it.
    #[must_use]
    pub fn guest_forced(&self, why: &str) -> Entry {
        let message = format!("{} {}: {why}", self.kind.label(), self.vmid);
        self.record(Priority::Warning, IDENTIFIER, message).field("MESSAGE_ID", message_id::GUEST_FORCED)
    }

    /// The guest is gone; `detail` is more for a reader, and may be empty. A warning (4) where nobody had asked
    /// for it and the guest did not end itself.
    #[must_use]
    pub fn guest_gone(&self, cause: model::StopCause, detail: &str) -> Entry {
        use model::StopCause::{Crash, HostCrash, Killed, StartFailed, Unknown};
        let priority = match cause {
            Crash | Killed | StartFailed | HostCrash | Unknown => Priority::Warning,
            _ => Priority::Info,
        };
        let mut message = format!("{} {} stopped: {cause}", self.kind.label(), self.vmid);
        if !detail.is_empty() {
            message += &format!(" ({detail})");
        }
        self.record(priority, IDENTIFIER, message)
            .field("MESSAGE_ID", message_id::GUEST_GONE)
            .field("STOP_CAUSE", cause.as_str())
            .field_if("STOP_DETAIL", (!detail.is_empty()).then_some(detail))
    }

    /// A keeper goes on with the run of one that died.
    #[must_use]
    pub fn recovered(&self) -> Entry {
        let message = format!(
            "{} {}: its keeper had died; this one goes on with the run",
            self.kind.label(),
            self.vmid
        );
        self.record(Priority::Notice, IDENTIFIER, message).field("MESSAGE_ID", message_id::RUN_RECOVERED)
    }

    /// The record of the run was damaged; `fault` says where, and what is done about it.
    #[must_use]
    pub fn mended(&self, fault: &str) -> Entry {
        self.record(Priority::Warning, IDENTIFIER, fault).field("MESSAGE_ID", message_id::RUN_MENDED)
    }

    fn hook(
        &self,
        priority: Priority,
        identifier: &str,
        phase: Phase,
        script: &str,
        message: &[u8],
    ) -> Entry {
        self.record(priority, identifier, message)
            .field("HOOK_PHASE", phase.as_str())
            .field("HOOK_SCRIPT", script)
    }
}

/// A task begins. The identifier is Proxmox VE's: the program's name, or `pvedaemon` (api.md 4.5).
#[must_use]
pub fn task_began(identifier: &str, upid: &Upid) -> Entry {
    let message = format!("<{}> starting task {upid}", upid.user);
    task(Priority::Info, identifier, upid, &message).field("MESSAGE_ID", message_id::TASK_BEGIN)
}

/// A task has ended with `status`, `OK` or an error's text on one line (an error, 3).
#[must_use]
pub fn task_ended(identifier: &str, upid: &Upid, status: &str) -> Entry {
    let fine = status == "OK" || status.starts_with("WARNINGS: ");
    let priority = if fine { Priority::Info } else { Priority::Error };
    task(priority, identifier, upid, &format!("<{}> end task {upid} {status}", upid.user))
        .field("MESSAGE_ID", message_id::TASK_END)
        .field("TASK_STATUS", status.trim_end())
}

fn task(priority: Priority, identifier: &str, upid: &Upid, message: &str) -> Entry {
    let vmid = upid.id.parse::<Vmid>().ok();
    Entry::new(priority, identifier, message)
        .field("TASK_UPID", upid.to_string())
        .field("TASK_TYPE", &upid.kind)
        .field_if("GUEST_VMID", vmid.map(|vmid| vmid.to_string()))
}

/// So many records were lost.
pub(super) fn lost(count: u64) -> Entry {
    let message = format!("{count} records were lost because the journal did not take them");
    Entry::new(Priority::Warning, IDENTIFIER, message)
        .field("MESSAGE_ID", message_id::LOST)
        .field("HOOKVISOR_LOST", count.to_string())
}

#[cfg(test)]
mod tests {
    /// What looks like a MESSAGE_ID.
    fn ids<'t>(words: impl Iterator<Item = &'t str>) -> Vec<&'t str> {
        let hex = |word: &&str| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut found: Vec<&str> = words.filter(hex).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn each_kind_of_record_is_explained_and_nothing_else_is() {
        let catalog = include_str!("../../../../packaging/hookvisor.catalog");
        let explained = ids(catalog.lines().filter_map(|line| line.strip_prefix("-- ")));
        let written = ids(include_str!("records.rs").split('"'));
        assert_eq!(explained, written);
        assert_eq!(written.len(), 14);
    }
}
