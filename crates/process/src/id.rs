//! Looking at processes by pid and start time, proc(5).

use model::ProcessId;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal};
use std::os::fd::{AsFd, OwnedFd};

struct Stat {
    state: u8,
    parent: u32,
    group: u32,
    threads: u32,
    start: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name, field 2, is in parentheses and may hold anything, so fields are counted from the last one.
    let after = text.iter().rposition(|byte| *byte == b')')? + 2;
    let fields = std::str::from_utf8(text.get(after..)?).ok()?;
    let mut fields = fields.split(' ');
    let state = *fields.next()?.as_bytes().first()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let threads = fields.nth(14)?.parse().ok()?;
    let start = fields.nth(1)?.parse().ok()?;
    Some(Stat { state, parent, group, threads, start })
}

impl Stat {
    /// Whether nothing of the process runs any more. A zombie has threads left while they are being killed: QEMU holds its
    /// images' locks until the last of them is gone.
    fn has_ended(&self) -> bool {
        matches!(self.state, b'Z' | b'X') && self.threads <= 1
    }
}

/// The process that has this pid now; none where there is none.
#[must_use]
pub fn lookup(pid: u32) -> Option<ProcessId> {
    stat(pid).map(|stat| ProcessId { pid, start: stat.start })
}

/// This process.
#[must_use]
pub fn current() -> ProcessId {
    let pid = std::process::id();
    lookup(pid).unwrap_or(ProcessId { pid, start: 0 })
}

/// Whether the process runs: a zombie does not, once all of its threads have ended.
#[must_use]
pub fn alive(process: ProcessId) -> bool {
    stat(process.pid).is_some_and(|stat| stat.start == process.start && !stat.has_ended())
}

/// Whether a process is stopped, by SIGSTOP or by who debugs it.
#[must_use]
pub fn is_stopped(pid: u32) -> bool {
    stat(pid).is_some_and(|stat| matches!(stat.state, b'T' | b't'))
}

/// The parent of a process.
#[must_use]
pub fn parent(pid: u32) -> Option<u32> {
    stat(pid).map(|stat| stat.parent)
}

/// The process group of a process.
pub(crate) fn group(pid: u32) -> Option<u32> {
    stat(pid).map(|stat| stat.group)
}

/// Whether `ancestor` is found when going up from `pid`.
#[must_use]
pub fn descends_from(pid: u32, ancestor: ProcessId) -> bool {
    let mut at = pid;
    while at > 1 {
        if at == ancestor.pid {
            return alive(ancestor);
        }
        match parent(at) {
            Some(up) => at = up,
            None => return false,
        }
    }
    false
}

/// Everything that a process has forked and that is still below it, itself not included.
#[must_use]
pub fn descendants(pid: u32) -> Vec<ProcessId> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let all: Vec<(ProcessId, u32)> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| stat(pid).map(|stat| (ProcessId { pid, start: stat.start }, stat.parent)))
        .collect();
    let mut found: Vec<ProcessId> = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for (child, _) in all.iter().filter(|(_, above)| *above == parent) {
            parents.push(child.pid);
            found.push(*child);
        }
    }
    found
}

/// The processes that began with all of these settings, `NAME=value`, in their environment.
#[must_use]
pub fn with_environment(settings: &[String]) -> Vec<ProcessId> {
    let has = |pid: &u32| {
        let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { return false };
        let found: Vec<&[u8]> = environment.split(|byte| *byte == 0).collect();
        settings.iter().all(|setting| found.contains(&setting.as_bytes()))
    };
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(has).filter_map(|pid| Some(ProcessId { pid, start: stat(pid)?.start })).collect()
}

/// A pidfd of the process; none where it has ended, whoever has its pid now.
#[must_use]
pub fn open(process: ProcessId) -> Option<OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(process.pid).ok()?)?;
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()?;
    // Opened first, compared after: a pid that was reused in between has another start time.
    alive(process).then_some(pidfd)
}

/// Whether the process behind a pidfd has ended. Never blocks.
#[must_use]
pub fn has_ended(pidfd: impl AsFd) -> bool {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&at_once)), Ok(1))
}

/// Sends a signal through a pidfd; a process that has ended takes none.
pub fn send(pidfd: impl AsFd, signal: Signal) {
    let _ = rustix::process::pidfd_send_signal(pidfd, signal);
}

/// Milliseconds on the clock that counts from boot and goes on in suspend.
#[must_use]
pub fn boot_millis() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_an_older_one_with_its_pid_is_not() {
        let own = current();
        assert!(alive(own));
        assert!(open(own).is_some());
        let older = ProcessId { start: own.start - 1, ..own };
        assert!(!alive(older));
        assert!(open(older).is_none());
    }

    #[test]
    fn a_zombie_whose_threads_go_on_has_not_ended() {
        let zombie = |threads| Stat { state: b'Z', parent: 1, group: 1, threads, start: 0 };
        assert!(!zombie(2).has_ended());
        assert!(zombie(1).has_ended());
    }

    #[test]
    fn a_child_descends_from_this_process() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        assert!(descends_from(child.id(), current()));
        assert!(!descends_from(1, current()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
