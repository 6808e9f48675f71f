//! What `systemctl status` shows of a keeper: what the guest does, and which hookscript is waited for, since when and until when.

use crate::born::{is_watched, show};
use crate::hook::ActiveHook;
use crate::keeper::Keeper;
use model::Limit;
use process::local_second;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a storage may take to be asked for a script before that is worth a line.
const MOMENT: Duration = Duration::from_secs(1);

/// What is shown, as far as it can change.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Shown {
    stage: &'static str,
    /// The script's process, whether it is the script already, and whether it is being ended.
    hook: Option<(Option<u32>, bool, bool)>,
    ends: Option<(Instant, Limit)>,
}

impl Keeper {
    /// Shows what is waited for, where that is another thing than the last time: who looks is not told of what takes no time.
    pub(crate) fn show_wait(&mut self) {
        let is_found = self.hook.as_ref().is_none_or(ActiveHook::is_found);
        let is_late = self.hook.as_ref().is_some_and(|hook| hook.began.elapsed() >= MOMENT);
        // What a script that has just been called may do is not known yet.
        if !is_watched() || !(is_found || is_late) {
            return;
        }
        let hook = self
            .hook
            .as_ref()
            .map(|hook| (hook.process.map(|process| process.pid), is_found, hook.is_ending()));
        let now = Shown { stage: self.stage, hook, ends: self.hook_deadline() };
        if now != self.shown {
            self.shown = now;
            show(&self.waits_for());
        }
    }

    fn waits_for(&self) -> String {
        let (label, vmid) = (self.kind.label(), self.vmid);
        if let Some(hook) = &self.hook {
            let pid = hook.process.map(|process| format!(" (pid {})", process.pid)).unwrap_or_default();
            let ends = match self.hook_deadline() {
                _ if hook.is_ending() => "and is being ended".to_owned(),
                Some((at, limit)) => {
                    format!("ends at {} by its limit of {}", wall_clock(at), self.limit_words(limit))
                }
                None if !hook.is_found() => "and still looking for its file".to_owned(),
                None => format!("without a limit; 'hookvisor hooks abort {vmid}' ends it"),
            };
            return format!(
                "{}: calling {}{pid} since {}, {ends}",
                hook.phase,
                hook.script,
                wall_clock(hook.began)
            );
        }
        let until =
            |at: Option<Instant>| at.map(|at| format!(" until {}", wall_clock(at))).unwrap_or_default();
        match self.stage {
            "delayed" => format!(
                "the start of {label} {vmid} is delayed{}, as it failed before",
                until(self.delayed_until)
            ),
            "recovery" => format!("going on with what a keeper that died left of {label} {vmid}"),
            "running" => match self.machine.first_process() {
                Some(process) => format!("running: {label} {vmid} (pid {})", process.pid),
                None => format!("running: {label} {vmid}"),
            },
            "stop" => format!("stopping: {label} {vmid}{}", until(self.stop_deadline)),
            "over" => format!("{label} {vmid} has ended"),
            _ => format!("starting: {label} {vmid}"),
        }
    }
}

/// An instant as the host's clock has it.
fn wall_clock(at: Instant) -> String {
    let (now, clock) = (Instant::now(), SystemTime::now());
    let at = match at.checked_duration_since(now) {
        Some(ahead) => clock.checked_add(ahead),
        None => clock.checked_sub(now - at),
    };
    let seconds = at.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default().as_secs();
    local_second(i64::try_from(seconds).unwrap_or(i64::MAX))
}
