//! Questions to file systems that may never answer, as one whose server or disk is gone: who asks waits so long and no
//! longer, and does not ask again while an answer is owed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long a file system may take to answer before it counts as unreachable.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many answers each place owes that came too late. Each is a thread that hangs in the kernel, where nothing ends it.
static OWED: Mutex<BTreeMap<PathBuf, usize>> = Mutex::new(BTreeMap::new());

fn owed() -> MutexGuard<'static, BTreeMap<PathBuf, usize>> {
    OWED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks a question about a place, for two seconds at most; none where there is no answer by then, or the place owes one
/// already. The thread that hangs is left to itself.
pub fn ask<T: Send + 'static>(place: &Path, question: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    ask_for(PATIENCE, place, question)
}

fn ask_for<T: Send + 'static>(
    patience: Duration,
    place: &Path,
    question: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    if owed().contains_key(place) {
        return None;
    }
    let (sender, receiver) = sync_channel(1);
    let (too_late, was_late) = sync_channel(1);
    let debt = Debt { place: place.to_owned(), was_late };
    let body = move || {
        let _debt = debt;
        let _ = sender.send(question());
    };
    thread::Builder::new().name("storage".to_owned()).stack_size(256 << 10).spawn(body).ok()?;
    match receiver.recv_timeout(patience) {
        Ok(answer) => Some(answer),
        // It panicked.
        Err(RecvTimeoutError::Disconnected) => None,
        Err(RecvTimeoutError::Timeout) => {
            let mut owed = owed();
            // It came while the lock was waited for.
            if let Ok(answer) = receiver.try_recv() {
                return Some(answer);
            }
            *owed.entry(place.to_owned()).or_default() += 1;
            let _ = too_late.send(());
            None
        }
    }
}

/// Notes, in the end, that an answer has come after all, where it was too late.
struct Debt {
    place: PathBuf,
    was_late: Receiver<()>,
}

impl Drop for Debt {
    fn drop(&mut self) {
        let mut owed = owed();
        if self.was_late.try_recv().is_err() {
            return;
        }
        if let Some(count) = owed.get_mut(&self.place) {
            *count -= 1;
            if *count == 0 {
                owed.remove(&self.place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_place_that_hangs_is_asked_again_when_it_has_answered() {
        let place = Path::new("/patience/hangs");
        let (release, hangs) = channel::<()>();
        let (ended, end) = channel();
        let slow = move || {
            let _ = hangs.recv();
            ended.send(()).unwrap();
        };
        assert_eq!(ask_for(Duration::from_millis(20), place, slow), None);
        let unasked = || -> u8 { panic!("nobody may be asked") };
        assert_eq!(ask(place, unasked), None);
        assert_eq!(ask(Path::new("/patience/other"), || 7), Some(7));
        release.send(()).unwrap();
        end.recv().unwrap();
        while owed().contains_key(place) {
            thread::yield_now();
        }
        assert_eq!(ask(place, || 8), Some(8));
    }

    #[test]
    fn a_question_that_panics_has_no_answer() {
        assert_eq!(ask(Path::new("/patience/panics"), || -> u8 { panic!("on purpose") }), None);
        assert_eq!(ask(Path::new("/patience/panics"), || 1), Some(1));
    }
}
