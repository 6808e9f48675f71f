//! Times for people, in the host's time zone.

use process::local_second;

/// A time in milliseconds since the Unix epoch as `2026-11-22 19:16:02.123`.
pub(crate) fn local_time(millis: u64) -> String {
    let seconds = i64::try_from(millis / 1000).unwrap_or(i64::MAX);
    format!("{}.{:03}", local_second(seconds), millis % 1000)
}

/// A duration in milliseconds as seconds.
pub(crate) fn seconds(millis: u64) -> String {
    format!("{}.{:03}s", millis / 1000, millis % 1000)
}
