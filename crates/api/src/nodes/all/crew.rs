//! Work on many guests beside each other. A guest's keeper does it; here a thread each waits for its end.

use sd_notify::NotifyState;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The stack of a thread that only waits, in bytes.
const STACK: usize = 256 * 1024;

/// Those who work, each for a `T`.
pub(super) struct Crew<T = ()> {
    limit: usize,
    /// What they do, for `systemctl status`; none where nobody looks.
    shown: Option<&'static str>,
    begun: usize,
    busy: BTreeMap<usize, Job>,
    sender: Sender<(usize, Result<T, String>)>,
    ends: Receiver<(usize, Result<T, String>)>,
}

struct Job {
    name: String,
    deadline: Option<Instant>,
}

/// What is told of a job's end: its name and its result.
pub(super) type Told<'a, T> = &'a mut dyn FnMut(&str, Result<T, String>);

impl<T: Send + 'static> Crew<T> {
    /// So many at once, who do this, where systemd is told of it.
    pub(super) fn new(limit: usize, shown: Option<&'static str>) -> Self {
        let (sender, ends) = channel();
        Self { limit, shown, begun: 0, busy: BTreeMap::new(), sender, ends }
    }

    /// Begins with a job. It is given up where it takes longer than `limit`, and goes on unheard.
    pub(super) fn begin(
        &mut self,
        name: String,
        limit: Option<Duration>,
        work: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) {
        let (id, sender) = (self.begun, self.sender.clone());
        self.begun += 1;
        self.busy.insert(id, Job { name, deadline: limit.map(|limit| Instant::now() + limit) });
        self.show();
        let body = move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            // Nobody hears of a job that has been given up.
            let _ = sender.send((id, result.unwrap_or_else(|_| Err("internal error".to_owned()))));
        };
        if let Err(error) = thread::Builder::new().stack_size(STACK).spawn(body) {
            let _ = self.sender.send((id, Err(format!("cannot wait for it: {error}"))));
        }
    }

    /// Waits until there is room for one more.
    pub(super) fn room(&mut self, told: Told<'_, T>) {
        while self.busy.len() >= self.limit {
            self.wait(None, told);
        }
    }

    /// Waits so long, whatever ends meanwhile.
    pub(super) fn pause(&mut self, pause: Duration, told: Told<'_, T>) {
        let until = Instant::now() + pause;
        while Instant::now() < until {
            self.wait(Some(until), told);
        }
    }

    /// Waits until all are done.
    pub(super) fn rest(&mut self, told: Told<'_, T>) {
        while !self.busy.is_empty() {
            self.wait(None, told);
        }
    }

    /// Waits for an end, or until then.
    fn wait(&mut self, until: Option<Instant>, told: Told<'_, T>) {
        let first = self.busy.values().filter_map(|job| job.deadline).chain(until).min();
        let end = match first {
            // The sender is here, so the channel is open.
            None => self.ends.recv().ok(),
            Some(first) => self.ends.recv_timeout(first.saturating_duration_since(Instant::now())).ok(),
        };
        let ended = end.and_then(|(id, result)| Some((self.busy.remove(&id)?, result)));
        let has_ended = ended.is_some();
        if let Some((job, result)) = ended {
            told(&job.name, result);
        }
        let now = Instant::now();
        let late = self.busy.extract_if(.., |_, job| job.deadline.is_some_and(|deadline| deadline <= now));
        let was_late = late.map(|(_, job)| told(&job.name, Err("got timeout".to_owned()))).count() > 0;
        if has_ended || was_late {
            self.show();
        }
    }

    /// Tells systemd who is waited for, so that `systemctl status` has it.
    fn show(&self) {
        let Some(what) = self.shown else { return };
        let names: Vec<&str> = self.busy.values().map(|job| job.name.as_str()).collect();
        let line = match &names[..] {
            [] => String::new(),
            names => format!(
                "{what}: waits for {}; 'systemctl status hookvisor-keeper@VMID' says why",
                names.join(", ")
            ),
        };
        let _ = sd_notify::notify(&[NotifyState::Status(&line)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Barrier};

    #[test]
    fn no_more_than_the_limit_work_at_once_and_all_are_told() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut crew = Crew::new(3, None);
        let mut ended = Vec::new();
        let mut told = |name: &str, result: Result<(), String>| ended.push((name.to_owned(), result));
        for number in 0..20 {
            crew.room(&mut told);
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            crew.begin(number.to_string(), None, move || {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::yield_now();
                now.fetch_sub(1, Ordering::SeqCst);
                if number == 7 { Err("no".to_owned()) } else { Ok(()) }
            });
        }
        crew.rest(&mut told);
        assert!((1..=3).contains(&most.load(Ordering::SeqCst)), "{most:?}");
        let failed: Vec<_> = ended.iter().filter(|(_, result)| result.is_err()).collect();
        assert_eq!((ended.len(), failed), (20, vec![&("7".to_owned(), Err("no".to_owned()))]));
    }

    #[test]
    fn one_that_hangs_is_given_up_and_a_broken_one_is_told() {
        let hold = Arc::new(Barrier::new(2));
        let mut crew = Crew::new(2, None);
        let held = Arc::clone(&hold);
        crew.begin("stuck".to_owned(), Some(Duration::from_millis(20)), move || {
            held.wait();
            Ok(())
        });
        crew.begin("broken".to_owned(), None, || panic!("in a test"));
        let mut ended = Vec::new();
        crew.rest(&mut |name, result| ended.push(format!("{name}: {}", result.unwrap_err())));
        ended.sort_unstable();
        assert_eq!(ended, ["broken: internal error", "stuck: got timeout"]);
        hold.wait();
    }
}
