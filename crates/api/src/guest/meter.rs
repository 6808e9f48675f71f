//! What running guests use of the host, from /proc and control groups. Read at most once a second for each guest: a
//! list of many costs no more than it must.

use super::live::Live;
use super::summary::Summary;
use crate::host::Space;
use lxc::cgroup::{Cgroups, Names};
use model::{GuestKind, Layout, ProcessId, Vmid};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

/// How old what was read may be, in milliseconds; also the shortest time that a CPU share is told of.
const FRESH: u64 = 1000;

/// What a guest uses. Sizes are bytes; the counters are those since its launch.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct Usage {
    /// The share of its CPUs, 1 for all of them.
    pub(crate) cpu: f64,
    pub(crate) mem: u64,
    pub(crate) memhost: u64,
    pub(crate) swap: u64,
    pub(crate) disk: u64,
    /// The size of the root file system, where it can be seen from here.
    pub(crate) maxdisk: Option<u64>,
    pub(crate) netin: u64,
    pub(crate) netout: u64,
    pub(crate) diskread: u64,
    pub(crate) diskwrite: u64,
}

/// What was read of a guest, and when.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: u64,
    /// Microseconds on CPUs since its launch.
    busy: u64,
    usage: Usage,
}

static SAMPLES: Mutex<Option<HashMap<ProcessId, Sample>>> = Mutex::new(None);

/// Reads what guests use. What it needs of the host for all of them it reads once.
pub(crate) struct Meter<'a> {
    layout: &'a Layout,
    now: u64,
    cgroups: OnceLock<Cgroups>,
    interfaces: OnceLock<BTreeMap<String, (u64, u64)>>,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(layout: &'a Layout) -> Self {
        let now = process::boot_millis();
        Self { layout, now, cgroups: OnceLock::new(), interfaces: OnceLock::new() }
    }

    /// What a guest uses.
    pub(crate) fn read(&self, vmid: Vmid, summary: &Summary, live: &Live) -> Usage {
        let last = samples(|samples| samples.get(&live.process).copied());
        if let Some(last) = last.filter(|last| self.now < last.at + FRESH) {
            return last.usage;
        }
        let (busy, mut usage) = match summary.kind {
            GuestKind::Qemu => self.machine(vmid, live.process.pid, summary.maxmem),
            GuestKind::Lxc => self.container(vmid, live.process.pid),
        };
        let uptime = live.uptime() * 1000;
        let (since, before) = last.map_or((uptime, 0), |last| (self.now - last.at, last.busy));
        if since > 0 {
            let share = busy.saturating_sub(before) as f64 / (since * 1000) as f64;
            usage.cpu = share / summary.cpus().max(1) as f64;
        }
        samples(|samples| keep(samples, live.process, Sample { at: self.now, busy, usage }));
        usage
    }

    fn machine(&self, vmid: Vmid, pid: u32, maxmem: u64) -> (u64, Usage) {
        let (all, resident) = memory_of(pid);
        let (diskread, diskwrite) = io_of(&fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default());
        // What its taps send it receives.
        let (netout, netin) = self.taps(vmid);
        let mem = if all > 0 { (resident as f64 / all as f64 * maxmem as f64) as u64 } else { 0 };
        (
            cpu_of(pid),
            Usage { mem, memhost: resident, netin, netout, diskread, diskwrite, ..Usage::default() },
        )
    }

    /// Bytes received and sent by a machine's taps.
    fn taps(&self, vmid: Vmid) -> (u64, u64) {
        let all = self.interfaces.get_or_init(|| interfaces(Path::new("/proc/net/dev")));
        let prefix = format!("{}{vmid}i", self.layout.tag().unwrap_or_else(|| "tap".to_owned()));
        let own = all.range(prefix.clone()..).take_while(|(name, _)| name.starts_with(&prefix));
        own.fold((0, 0), |sum, (_, (received, sent))| (sum.0 + received, sum.1 + sent))
    }

    fn container(&self, vmid: Vmid, init: u32) -> (u64, Usage) {
        let cgroups = self.cgroups.get_or_init(|| Cgroups::probe().unwrap_or_default());
        let group = Group { cgroups, names: Names::new(self.layout, vmid) };
        let (mem, swap) = group.memory();
        let (diskread, diskwrite) = group.io();
        let inside = interfaces(Path::new(&format!("/proc/{init}/net/dev")));
        let outer = inside.iter().filter(|(name, _)| name.as_str() != "lo");
        let (netin, netout) = outer.fold((0, 0), |sum, (_, (got, sent))| (sum.0 + got, sum.1 + sent));
        let root = Space::patiently(format!("/proc/{init}/root").into());
        let maxdisk = (root.total > 0).then_some(root.total);
        let usage = Usage {
            mem,
            swap,
            disk: root.used,
            maxdisk,
            netin,
            netout,
            diskread,
            diskwrite,
            ..Usage::default()
        };
        (group.cpu(), usage)
    }
}

fn samples<T>(with: impl FnOnce(&mut HashMap<ProcessId, Sample>) -> T) -> T {
    let mut samples = SAMPLES.lock().unwrap_or_else(PoisonError::into_inner);
    with(samples.get_or_insert_default())
}

/// Keeps a sample; from time to time those of processes that are gone are thrown away.
fn keep(samples: &mut HashMap<ProcessId, Sample>, process: ProcessId, sample: Sample) {
    if samples.len() == samples.capacity() {
        samples.retain(|process, _| process::alive(*process));
    }
    samples.insert(process, sample);
}

/// The virtual and the resident size of a process, in bytes: statm has them in pages.
fn memory_of(pid: u32) -> (u64, u64) {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    let mut pages = statm.split(' ').map(|field| field.parse::<u64>().unwrap_or(0));
    let size = rustix::param::page_size() as u64;
    (pages.next().unwrap_or(0) * size, pages.next().unwrap_or(0) * size)
}

/// Microseconds that a process was on CPUs: fields 14 and 15 of its stat, in ticks of a hundredth of a second.
fn cpu_of(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap_or(0) * 10_000).sum()
}

/// Bytes that a process had read from and written to disks.
fn io_of(text: &str) -> (u64, u64) {
    let bytes = |key: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    };
    (bytes("read_bytes"), bytes("write_bytes"))
}

/// Bytes received and sent by each interface of a `net/dev` file.
fn interfaces(net_dev: &Path) -> BTreeMap<String, (u64, u64)> {
    let text = fs::read_to_string(net_dev).unwrap_or_default();
    let line = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        let mut numbers = numbers.split_whitespace();
        let received = numbers.next()?.parse().ok()?;
        Some((name.trim().to_owned(), (received, numbers.nth(7)?.parse().ok()?)))
    };
    text.lines().filter_map(line).collect()
}

/// A container's control group.
struct Group<'a> {
    cgroups: &'a Cgroups,
    names: Names,
}

impl Group<'_> {
    fn read(&self, controller: &str, file: &str) -> Option<String> {
        fs::read_to_string(self.cgroups.file(&self.names, controller, file)?).ok()
    }

    fn number(&self, controller: &str, file: &str) -> Option<u64> {
        self.read(controller, file)?.trim().parse().ok()
    }

    fn stat(&self, controller: &str, file: &str, key: &str) -> Option<u64> {
        let text = self.read(controller, file)?;
        text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok())
    }

    /// Bytes of memory and swap; what can be given back at once is not counted.
    fn memory(&self) -> (u64, u64) {
        let stat = |key: &str| self.stat("memory", "memory.stat", key).unwrap_or(0);
        if let Some(current) = self.number("memory", "memory.current") {
            let swap = self.number("memory", "memory.swap.current").unwrap_or(0);
            return (current.saturating_sub(stat("file ")), swap);
        }
        let current = self.number("memory", "memory.usage_in_bytes").unwrap_or(0);
        let both = self.number("memory", "memory.memsw.usage_in_bytes");
        let swap = both.map_or(0, |both| both.saturating_sub(current));
        (current.saturating_sub(stat("total_cache ")), swap)
    }

    /// Microseconds on CPUs.
    fn cpu(&self) -> u64 {
        let unified = self.stat("cpu", "cpu.stat", "usage_usec ");
        unified.or_else(|| Some(self.number("cpuacct", "cpuacct.usage")? / 1000)).unwrap_or(0)
    }

    /// Bytes read from and written to disks.
    fn io(&self) -> (u64, u64) {
        let unified = self.read("io", "io.stat");
        let text = unified.or_else(|| self.read("blkio", "blkio.throttle.io_service_bytes"));
        io_sum(&text.unwrap_or_default())
    }
}

/// Sums over disks: `8:0 rbytes=1 wbytes=2 …` in the unified hierarchy, `8:0 Read 1` in the old one.
fn io_sum(text: &str) -> (u64, u64) {
    let mut sum = (0, 0);
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        for word in &words {
            let value = |key: &str| word.strip_prefix(key).and_then(|value| value.parse::<u64>().ok());
            sum.0 += value("rbytes=").unwrap_or(0);
            sum.1 += value("wbytes=").unwrap_or(0);
        }
        match words[..] {
            [_, "Read", bytes] => sum.0 += bytes.parse::<u64>().unwrap_or(0),
            [_, "Write", bytes] => sum.1 += bytes.parse::<u64>().unwrap_or(0),
            _ => {}
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_is_read_for_each_interface() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dev");
        let text = concat!(
            "Inter-|   Receive                            |  Transmit\n",
            " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets\n",
            "    lo: 999 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0\n",
            "tap100i0: 10 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\n",
            "tap100i1:5 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n",
            "tap1000i0: 999 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0\n",
        );
        fs::write(&path, text).unwrap();
        let layout = Layout::new("/");
        let meter = Meter::new(&layout);
        meter.interfaces.set(interfaces(&path)).unwrap();
        assert_eq!(meter.taps("100".parse().unwrap()), (15, 27));
        assert_eq!(meter.taps("101".parse().unwrap()), (0, 0));
    }

    #[test]
    fn disks_are_summed_in_both_hierarchies() {
        assert_eq!(io_sum("8:0 rbytes=5 wbytes=7 rios=1\n8:16 rbytes=1 wbytes=1\n"), (6, 8));
        assert_eq!(io_sum("8:0 Read 5\n8:0 Write 7\n8:0 Total 12\nTotal 12\n"), (5, 7));
        assert_eq!(io_of("rchar: 9\nread_bytes: 4\nwrite_bytes: 8\ncancelled_write_bytes: 0\n"), (4, 8));
    }

    #[test]
    fn this_process_uses_something() {
        let own = std::process::id();
        let (all, resident) = memory_of(own);
        assert!(all > resident && resident > 0);
        let begun = cpu_of(own);
        let mut sum = 0_u64;
        while cpu_of(own) <= begun {
            (0..100_000_u64).for_each(|number| sum = sum.wrapping_add(number));
        }
        assert!(cpu_of(own) > begun, "{sum}");
    }
}
