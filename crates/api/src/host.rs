//! What the host has and uses, read from /proc and /sys (proc(5)).

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

/// The CPUs of the host that are online.
pub(crate) fn cpus() -> u64 {
    // Asked once: it reads several files.
    static COUNT: LazyLock<u64> =
        LazyLock::new(|| std::thread::available_parallelism().map_or(1, |count| count.get() as u64));
    *COUNT
}

/// A text file of the kernel; empty where it cannot be read.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// What the CPUs did since somebody last asked, or since boot: the busy share, and that of waiting for disks.
pub(crate) fn cpu() -> (f64, f64) {
    static LAST: Mutex<Ticks> = Mutex::new(Ticks { busy: 0, wait: 0, all: 0, shares: (0.0, 0.0) });
    let now = Ticks::parse(&read("/proc/stat"));
    LAST.lock().unwrap_or_else(PoisonError::into_inner).advance(&now)
}

/// Time of all CPUs since boot, in ticks.
#[derive(Debug, Default)]
struct Ticks {
    busy: u64,
    wait: u64,
    all: u64,
    shares: (f64, f64),
}

impl Ticks {
    fn parse(stat: &str) -> Self {
        let line = stat.lines().next().and_then(|line| line.strip_prefix("cpu ")).unwrap_or_default();
        // user nice system idle iowait irq softirq steal; what guests use is in user already.
        let fields: Vec<u64> =
            line.split_whitespace().take(8).map(|field| field.parse().unwrap_or(0)).collect();
        let at = |index: usize| fields.get(index).copied().unwrap_or(0);
        let all = fields.iter().sum();
        Self { busy: all - at(3) - at(4), wait: at(4), all, shares: (0.0, 0.0) }
    }

    /// The shares between two looks. Looks that are too close to tell have the shares of the last one.
    fn advance(&mut self, now: &Self) -> (f64, f64) {
        /// A second on one CPU.
        const LEAST: u64 = 100;
        let all = now.all.saturating_sub(self.all);
        if all >= LEAST {
            let share = |new: u64, old: u64| new.saturating_sub(old) as f64 / all as f64;
            let shares = (share(now.busy, self.busy), share(now.wait, self.wait));
            *self = Self { busy: now.busy, wait: now.wait, all: now.all, shares };
        }
        self.shares
    }
}

/// Bytes of memory and of swap.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) total: u64,
    pub(crate) free: u64,
    pub(crate) available: u64,
    pub(crate) swap_total: u64,
    pub(crate) swap_free: u64,
}

impl Memory {
    pub(crate) fn read() -> Self {
        Self::parse(&read("/proc/meminfo"))
    }

    fn parse(text: &str) -> Self {
        let kib = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) << 10
        };
        Self {
            total: kib("MemTotal"),
            free: kib("MemFree"),
            available: kib("MemAvailable"),
            swap_total: kib("SwapTotal"),
            swap_free: kib("SwapFree"),
        }
    }

    /// What cannot be given to a program that asks for it.
    pub(crate) fn used(&self) -> u64 {
        self.total.saturating_sub(self.available)
    }
}

/// Seconds since boot, and the seconds that all CPUs were idle.
pub(crate) fn uptime() -> (u64, u64) {
    let text = read("/proc/uptime");
    let mut fields = text.split_whitespace().map(|field| field.parse::<f64>().unwrap_or(0.0) as u64);
    (fields.next().unwrap_or(0), fields.next().unwrap_or(0))
}

/// The three averages, as the kernel writes them.
pub(crate) fn load() -> [String; 3] {
    let text = read("/proc/loadavg");
    let mut words = text.split_whitespace().map(str::to_owned);
    [(); 3].map(|()| words.next().unwrap_or_else(|| "0.00".to_owned()))
}

/// A file system's bytes.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Space {
    pub(crate) total: u64,
    pub(crate) used: u64,
    pub(crate) available: u64,
}

impl Space {
    /// As [`Space::of`] for a file system that may never answer: nothing then.
    pub(crate) fn patiently(path: PathBuf) -> Self {
        storage::ask(&path.clone(), move || Self::of(&path)).unwrap_or_default()
    }

    pub(crate) fn of(path: &Path) -> Self {
        let Ok(stat) = rustix::fs::statvfs(path) else { return Self::default() };
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Self {
            total: bytes(stat.f_blocks),
            used: bytes(stat.f_blocks.saturating_sub(stat.f_bfree)),
            available: bytes(stat.f_bavail),
        }
    }
}

/// What the processors are.
pub(crate) fn cpu_info() -> Value {
    cpu_info_of(&read("/proc/cpuinfo"))
}

fn cpu_info_of(text: &str) -> Value {
    let values = |key: &'static str| {
        text.lines().filter_map(move |line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == key).then(|| value.trim())
        })
    };
    let first = |key: &'static str| values(key).next().unwrap_or_default();
    let processors = values("processor").count().max(1);
    let cores: BTreeSet<(&str, &str)> = values("physical id").zip(values("core id")).collect();
    let sockets: BTreeSet<&str> = values("physical id").collect();
    let flags = first("flags");
    let can_virtualise = flags.split(' ').any(|flag| flag == "vmx" || flag == "svm");
    json!({
        "model": if first("model name").is_empty() { "unknown" } else { first("model name") },
        "mhz": first("cpu MHz"),
        "flags": flags,
        "hvm": if can_virtualise { "1" } else { "0" },
        "user_hz": 100,
        "cpus": processors,
        "cores": if cores.is_empty() { processors } else { cores.len() },
        "sockets": sockets.len().max(1),
    })
}

/// Bytes of memory that the kernel saves by sharing pages between machines.
pub(crate) fn shared_by_ksm() -> u64 {
    let pages: u64 = read("/sys/kernel/mm/ksm/pages_sharing").trim().parse().unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

/// How the host was booted.
pub(crate) fn boot_info() -> Value {
    if !Path::new("/sys/firmware/efi").is_dir() {
        return json!({"mode": "legacy-bios"});
    }
    // Four bytes of attributes, then one that says it.
    let variable = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
    let secure = fs::read(variable).is_ok_and(|bytes| bytes.get(4) == Some(&1));
    json!({"mode": "efi", "secureboot": u8::from(secure)})
}

/// Version of the interface of control groups that the kernel is set up for: 1 where any controller is still at it.
pub(crate) fn cgroup_mode() -> u8 {
    static MODE: LazyLock<u8> = LazyLock::new(|| {
        let old = lxc::cgroup::Cgroups::probe().is_ok_and(|cgroups| {
            cgroups.hierarchies.iter().any(|hierarchy| {
                hierarchy.version == lxc::cgroup::Version::V1 && !hierarchy.controllers.is_empty()
            })
        });
        if old { 1 } else { 2 }
    });
    *MODE
}

/// What holds of this node in every list of nodes.
pub(crate) fn usage() -> Value {
    let (memory, root) = (Memory::read(), Space::of(Path::new("/")));
    json!({
        "cpu": cpu().0,
        "maxcpu": cpus(),
        "mem": memory.used(),
        "maxmem": memory.total,
        "disk": root.used,
        "maxdisk": root.total,
        "uptime": uptime().0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_those_between_two_looks() {
        let ticks = |text: &str| Ticks::parse(text);
        let mut last = Ticks::default();
        let boot = last.advance(&ticks("cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1"));
        assert_eq!(boot, (0.2, 0.1));
        let later = ticks("cpu  200 0 100 800 100 0 0 0 50 0\n");
        assert_eq!(last.advance(&later), (0.5, 0.0));
        assert_eq!(last.advance(&later), (0.5, 0.0), "too close to tell");
        assert_eq!(Ticks::parse("").all, 0);
    }

    #[test]
    fn memory_is_read_in_kibibytes() {
        let memory =
            Memory::parse("MemTotal:  100 kB\nMemFree:  10 kB\nMemAvailable: 60 kB\nSwapTotal: 7 kB\n");
        assert_eq!((memory.total, memory.used(), memory.swap_total), (100 << 10, 40 << 10, 7 << 10));
        assert!(Memory::read().total > 0);
    }

    #[test]
    fn cores_are_counted_once() {
        let one = |processor: u32, core: u32| {
            format!(
                "processor\t: {processor}\nmodel name\t: A CPU\nphysical id\t: 0\ncore id\t: {core}\nflags\t: fpu svm\n\n"
            )
        };
        let info = cpu_info_of(&(one(0, 0) + &one(1, 0) + &one(2, 1)));
        assert_eq!((&info["cpus"], &info["cores"], &info["sockets"]), (&json!(3), &json!(2), &json!(1)));
        assert_eq!((&info["hvm"], &info["model"]), (&json!("1"), &json!("A CPU")));
        assert_eq!(cpu_info_of("")["cpus"], json!(1));
    }
}
