//! Sets of CPUs, written as the kernel does: `0-3,8`.

use hookscript::{Error, Result};
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// The most CPUs that sched_setaffinity(2) is asked for here.
const MAX: u32 = 1024;

/// A set of CPUs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cpus(BTreeSet<u32>);

impl FromStr for Cpus {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::from(format!("'{text}' is no list of CPUs, such as 0-3,8"));
        let mut cpus = BTreeSet::new();
        for part in text.split(',').map(str::trim) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (u32, u32) =
                (first.parse().map_err(|_| wrong())?, last.parse().map_err(|_| wrong())?);
            if first > last || last >= MAX {
                return Err(wrong());
            }
            cpus.extend(first..=last);
        }
        Ok(Self(cpus))
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for cpu in self.iter() {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == cpu => *last = cpu,
                _ => ranges.push((cpu, cpu)),
            }
        }
        let word = |(first, last)| if first == last { format!("{first}") } else { format!("{first}-{last}") };
        f.write_str(&ranges.into_iter().map(word).collect::<Vec<_>>().join(","))
    }
}

impl Cpus {
    /// Their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().copied()
    }

    /// With others.
    pub(crate) fn with(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// How many there are, all of which the host must have.
    pub(crate) fn present(&self, sysfs: &Path) -> Result<usize> {
        let missing = Self(self.iter().filter(|cpu| !of_host(sysfs).0.contains(cpu)).collect());
        match missing.0.is_empty() {
            true => Ok(self.0.len()),
            false => Err(format!("this host has no CPU {missing}; it has {}", of_host(sysfs)).into()),
        }
    }
}

/// All CPUs of the host.
pub(crate) fn of_host(sysfs: &Path) -> Cpus {
    let names = std::fs::read_dir(sysfs.join("devices/system/cpu")).into_iter().flatten().flatten();
    let number = |name: std::ffi::OsString| name.to_str()?.strip_prefix("cpu")?.parse().ok();
    Cpus(names.filter_map(|entry| number(entry.file_name())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_written() {
        for (text, written) in [("0", "0"), ("4-6,2", "2,4-6"), ("1,2,3, 5", "1-3,5")] {
            assert_eq!(text.parse::<Cpus>().unwrap().to_string(), written);
        }
        for wrong in ["", "a", "3-1", "1-", "0-4096", "1,,2"] {
            assert!(wrong.parse::<Cpus>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_the_host_does_not_have_is_named() {
        let sysfs = tempfile::tempdir().unwrap();
        for name in ["cpu0", "cpu1", "cpufreq", "cpuidle"] {
            std::fs::create_dir_all(sysfs.path().join("devices/system/cpu").join(name)).unwrap();
        }
        let present = |text: &str| text.parse::<Cpus>().unwrap().present(sysfs.path());
        assert_eq!(present("0-1").unwrap(), 2);
        assert_eq!(present("1-3").unwrap_err().to_string(), "this host has no CPU 2-3; it has 0-1");
    }
}
