use crate::command::memory::megabytes;
use config::Section;
use std::time::Duration;

/// How long a start may take until the monitor answers (lifecycle.md 2.1). A start from a state that is transferred has
/// no limit; `resuming` is one from hibernation.
#[must_use]
pub fn start_timeout(main: &Section, resuming: bool) -> Duration {
    let memory = megabytes(main).unwrap_or(0);
    let mut seconds = if memory > 30_720 { memory / 1024 } else { 30 };
    if main.indexed("hostpci").next().is_some() {
        seconds *= 4;
    }
    if resuming {
        seconds = seconds.max(300);
    }
    if main.get("hugepages").is_some() {
        seconds = seconds.max(150);
    }
    Duration::from_secs(seconds + 5 * main.indexed("net").count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_grows_with_what_takes_time() {
        let seconds = |options: &[(&str, &str)], resuming| {
            let mut main = Section::default();
            for (key, value) in options {
                main.set(key, *value);
            }
            start_timeout(&main, resuming).as_secs()
        };
        assert_eq!(seconds(&[], false), 30);
        assert_eq!(seconds(&[("memory", "30720")], false), 30);
        assert_eq!(seconds(&[("memory", "current=65536")], false), 64);
        assert_eq!(seconds(&[("memory", "65536"), ("hostpci0", "01:00"), ("hostpci1", "02:00")], false), 256);
        assert_eq!(seconds(&[("net0", "virtio"), ("net1", "virtio")], false), 40);
        assert_eq!(seconds(&[("hugepages", "2"), ("net0", "virtio")], false), 155);
        assert_eq!(seconds(&[("hugepages", "2")], true), 300);
    }
}
