//! What guests use of the host, read from /proc and cgroups: cheap enough for lists.

use model::{Layout, Vmid};
use std::fs;
use std::path::{Path, PathBuf};

/// The CPUs of the host that are online.
pub(crate) fn host_cpus() -> u64 {
    std::thread::available_parallelism().map_or(1, |count| count.get() as u64)
}

/// The share of a process's address space that is in memory, of `total` bytes: Proxmox VE's measure for a virtual
/// machine's memory, resident over virtual size.
pub(crate) fn resident_share(pid: u32, total: u64) -> u64 {
    // proc(5): the first two fields of statm are the virtual and the resident size in pages.
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    let mut pages = statm.split(' ').map(|field| field.parse::<f64>().unwrap_or(0.0));
    match (pages.next(), pages.next()) {
        (Some(all), Some(resident)) if all > 0.0 => (resident / all * total as f64) as u64,
        _ => 0,
    }
}

/// Bytes received and sent, summed over the interfaces that `counts` names, of a `net/dev` file (proc(5)).
pub(crate) fn traffic(net_dev: &Path, counts: impl Fn(&str) -> bool) -> (u64, u64) {
    let text = fs::read_to_string(net_dev).unwrap_or_default();
    sum_traffic(&text, counts)
}

fn sum_traffic(text: &str, counts: impl Fn(&str) -> bool) -> (u64, u64) {
    let mut sum = (0, 0);
    for line in text.lines() {
        let Some((_, numbers)) = line.split_once(':').filter(|(name, _)| counts(name.trim())) else {
            continue;
        };
        let numbers: Vec<u64> = numbers.split_whitespace().map_while(|field| field.parse().ok()).collect();
        if let (Some(received), Some(sent)) = (numbers.first(), numbers.get(8)) {
            sum.0 += received;
            sum.1 += sent;
        }
    }
    sum
}

/// Bytes that a virtual machine received and sent: what its taps sent and received.
pub(crate) fn machine_traffic(layout: &Layout, vmid: Vmid) -> (u64, u64) {
    let prefix = format!("{}{vmid}i", layout.tag().unwrap_or_else(|| "tap".to_owned()));
    let own = |name: &str| {
        name.strip_prefix(&prefix).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let (received, sent) = traffic(Path::new("/proc/net/dev"), own);
    (sent, received)
}

/// Bytes that a container received and sent, from inside its network namespace.
pub(crate) fn container_traffic(init: u32) -> (u64, u64) {
    traffic(&PathBuf::from(format!("/proc/{init}/net/dev")), |name| name != "lo")
}

/// Memory and swap that a container uses, in bytes: what can be given back at once is not counted.
pub(crate) fn container_memory(layout: &Layout, vmid: Vmid) -> (u64, u64) {
    use lxc::cgroup::{Cgroups, Names};
    let Ok(cgroups) = Cgroups::probe() else { return (0, 0) };
    let names = Names::new(layout, vmid);
    let read =
        |file: &str| cgroups.file(&names, "memory", file).and_then(|path| fs::read_to_string(path).ok());
    let number = |file: &str| read(file).and_then(|text| text.trim().parse::<u64>().ok());
    let stat = |key: &str| {
        let text = read("memory.stat")?;
        text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse::<u64>().ok())
    };
    if let Some(current) = number("memory.current") {
        let cache = stat("file ").unwrap_or(0);
        return (current.saturating_sub(cache), number("memory.swap.current").unwrap_or(0));
    }
    let current = number("memory.usage_in_bytes").unwrap_or(0);
    let swap = number("memory.memsw.usage_in_bytes").map_or(0, |both| both.saturating_sub(current));
    (current.saturating_sub(stat("total_cache ").unwrap_or(0)), swap)
}

/// Used and total bytes of a container's root file system, seen through its init.
pub(crate) fn container_disk(init: u32) -> (u64, u64) {
    let Ok(stat) = rustix::fs::statvfs(format!("/proc/{init}/root")) else { return (0, 0) };
    let total = stat.f_blocks * stat.f_frsize;
    (total - stat.f_bfree * stat.f_frsize, total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_is_summed_over_the_guests_own_interfaces() {
        let text = concat!(
            "Inter-|   Receive                            |  Transmit\n",
            " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets\n",
            "    lo: 999 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0\n",
            "tap100i0: 10 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\n",
            "tap100i1:5 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n",
            "tap1000i0: 999 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0\n",
        );
        assert_eq!(sum_traffic(text, |name| name.starts_with("tap100i")), (15, 27));
    }
}
