//! Waiting for something to become true, with a deadline.

use std::time::{Duration, Instant};

/// No test waits longer for one thing.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until `look` finds something and returns it.
///
/// # Panics
/// If it does not within [`DEADLINE`].
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < DEADLINE, "gave up waiting for {what} after {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(4));
    }
}

/// Waits as [`until`] does, but leaves it to the caller to say what is wrong when the deadline passes.
pub fn until_quietly<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    while began.elapsed() < DEADLINE / 3 {
        if let Some(found) = look() {
            return Some(found);
        }
        std::thread::sleep(Duration::from_millis(4));
    }
    None
}
