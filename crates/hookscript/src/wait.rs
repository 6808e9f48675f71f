//! Waiting for something, within a limit.

use crate::Result;
use std::time::{Duration, Instant};

/// Looks every `pause` until `look` finds something, at most for `limit`.
///
/// # Errors
/// With `what`, where it did not come to pass in time; and those of `look`, at once.
pub fn until<T>(
    what: &str,
    limit: Duration,
    pause: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(format!("waited {} s for {what} in vain", limit.as_secs_f32()).into());
        }
        std::thread::sleep(pause.min(left));
    }
}
