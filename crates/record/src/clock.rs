use rustix::time::{ClockId, clock_gettime};

/// Microseconds since the Unix epoch.
pub(crate) fn epoch_micros() -> u64 {
    micros(ClockId::Realtime)
}

/// Milliseconds since the Unix epoch.
pub(crate) fn epoch_millis() -> u64 {
    epoch_micros() / 1000
}

/// Seconds since the Unix epoch.
pub(crate) fn epoch_seconds() -> u64 {
    epoch_micros() / 1_000_000
}

/// Milliseconds since the host booted, time asleep included.
pub(crate) fn boot_millis() -> u64 {
    micros(ClockId::Boottime) / 1000
}

fn micros(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1000
}
