//! What the task's log is told about a script that takes its time.

use model::{Phase, Vmid};
use std::time::Duration;

/// When a line is due, in seconds from the script's begin; after the last one every ten minutes.
const DUE: [u64; 5] = [10, 30, 60, 120, 300];
const THEN_EVERY: u64 = 600;

/// A script that runs, as far as lines about it go.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The guest.
    pub vmid: Vmid,
    /// The phase.
    pub phase: Phase,
    /// The script's name in records.
    pub script: String,
    /// Its process, where that is known.
    pub pid: Option<u32>,
    /// How long it may run; none for as long as it likes.
    pub limit: Option<Duration>,
    next: Duration,
}

impl Progress {
    /// A script that has just begun.
    #[must_use]
    pub fn new(vmid: Vmid, phase: Phase, script: String, pid: Option<u32>, limit: Option<Duration>) -> Self {
        Self { vmid, phase, script, pid, limit, next: Duration::from_secs(DUE[0]) }
    }

    /// How long the script has run when the next line is due.
    #[must_use]
    pub fn next(&self) -> Duration {
        self.next
    }

    /// The line, where one is due for a script that has run this long. Lines that were missed, as when the host slept, are
    /// not made up for.
    pub fn due(&mut self, elapsed: Duration) -> Option<String> {
        if elapsed < self.next {
            return None;
        }
        let seconds = elapsed.as_secs();
        let next =
            DUE.into_iter().find(|due| *due > seconds).unwrap_or((seconds / THEN_EVERY + 1) * THEN_EVERY);
        self.next = Duration::from_secs(next);
        let pid = self.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
        let limit = self.limit.map(|limit| format!("; its limit is {}", words(limit))).unwrap_or_default();
        let Self { vmid, phase, script, .. } = self;
        let ran = words(Duration::from_secs(seconds));
        Some(format!(
            "{script} ({phase}{pid}) still runs after {ran}{limit}; 'hookvisor hooks abort {vmid}' ends it"
        ))
    }
}

/// A duration for a reader: `30 s`, `2 min`, `1 h 10 min`.
#[must_use]
pub fn words(duration: Duration) -> String {
    let millis = duration.as_millis();
    if !millis.is_multiple_of(1000) {
        return format!("{millis} ms");
    }
    let seconds = duration.as_secs();
    let parts = [(seconds / 3600, "h"), (seconds % 3600 / 60, "min"), (seconds % 60, "s")];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count} {unit}")).collect();
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(limit: Option<u64>) -> Progress {
        let limit = limit.map(Duration::from_secs);
        Progress::new("100".parse().unwrap(), Phase::PreStart, "hooks.d/10-x".to_owned(), Some(42), limit)
    }

    #[test]
    fn lines_come_at_growing_intervals() {
        let mut progress = progress(None);
        let mut told = Vec::new();
        for second in 0..=2000 {
            if progress.due(Duration::from_secs(second)).is_some() {
                told.push(second);
            }
        }
        assert_eq!(told, [10, 30, 60, 120, 300, 600, 1200, 1800]);
        // Whoever waits for exactly what is said wakes up for a line each time.
        let mut progress = self::progress(None);
        for due in told {
            assert_eq!(progress.next(), Duration::from_secs(due));
            assert!(progress.due(progress.next()).is_some());
        }
    }

    #[test]
    fn a_line_says_which_how_long_and_how_to_end_it() {
        assert_eq!(
            progress(None).due(Duration::from_millis(10_004)).unwrap(),
            "hooks.d/10-x (pre-start, pid 42) still runs after 10 s; 'hookvisor hooks abort 100' ends it"
        );
        let mut limited = Progress { pid: None, ..progress(Some(3660)) };
        assert_eq!(
            limited.due(Duration::from_secs(125)).unwrap(),
            "hooks.d/10-x (pre-start) still runs after 2 min 5 s; its limit is 1 h 1 min; 'hookvisor hooks abort 100' ends it"
        );
        assert_eq!(limited.next(), Duration::from_secs(300));
    }

    #[test]
    fn a_host_that_slept_gets_one_line() {
        let mut progress = progress(None);
        assert!(progress.due(Duration::from_secs(4000)).is_some());
        assert!(progress.due(Duration::from_secs(4000)).is_none());
        assert_eq!(progress.next(), Duration::from_secs(4200));
    }
}
