//! Times for people, in the host's time zone.

#![expect(unsafe_code, reason = "localtime_r(3): the time zone database is the C library's")]

/// A time in seconds since the Unix epoch as `2026-11-22 19:16:02`.
#[must_use]
pub fn local_second(seconds: i64) -> String {
    let seconds: libc::time_t = seconds;
    let mut parts = std::mem::MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are valid; a zeroed tm is a valid one where the call fails.
    let parts = unsafe {
        libc::localtime_r(&raw const seconds, parts.as_mut_ptr());
        parts.assume_init()
    };
    format!(
        "{}-{:02}-{:02} {:02}:{:02}:{:02}",
        parts.tm_year + 1900,
        parts.tm_mon + 1,
        parts.tm_mday,
        parts.tm_hour,
        parts.tm_min,
        parts.tm_sec
    )
}
