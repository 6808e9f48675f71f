//! The guest's processes.

use crate::Call;
use std::fs;
use std::path::Path;

/// A thread of QEMU that runs a virtual CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vcpu {
    /// The number of the CPU, from 0.
    pub index: u32,
    /// The thread's id: what sched_setaffinity(2) and `taskset -p` take.
    pub tid: u32,
}

/// QEMU's pid, from the pid file that hookvisor and Proxmox VE keep. None where the guest does not run.
#[must_use]
pub fn qemu(call: &Call) -> Option<u32> {
    let text = fs::read_to_string(call.at(&format!("run/qemu-server/{}.pid", call.vmid))).ok()?;
    let pid: u32 = text.trim().parse().ok()?;
    // The file outlives a QEMU that was killed, and its pid may be another's then.
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let (id, file) = (call.vmid.to_string(), format!("/qemu-server/{}.pid", call.vmid));
    let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
    // The first is an option of Proxmox VE's own QEMU.
    let says = |pair: &[&[u8]]| {
        pair[0] == b"-id" && pair[1] == id.as_bytes()
            || pair[0] == b"-pidfile" && pair[1].ends_with(file.as_bytes())
    };
    words.windows(2).any(says).then_some(pid)
}

/// The threads that run a virtual machine's CPUs, by their names: `CPU 0/KVM`, and `CPU 0/TCG` where it is emulated. They are
/// there from `post-start` on.
#[must_use]
pub fn vcpus(qemu: u32) -> Vec<Vcpu> {
    vcpus_in(Path::new(&format!("/proc/{qemu}/task")))
}

fn vcpus_in(tasks: &Path) -> Vec<Vcpu> {
    let vcpu = |entry: fs::DirEntry| {
        let name = fs::read_to_string(entry.path().join("comm")).ok()?;
        let (index, by) = name.trim_end().strip_prefix("CPU ")?.split_once('/')?;
        let index = index.parse().ok()?;
        let tid = entry.file_name().to_str()?.parse().ok()?;
        ["KVM", "TCG"].contains(&by).then_some(Vcpu { index, tid })
    };
    let mut vcpus: Vec<Vcpu> = fs::read_dir(tasks).into_iter().flatten().flatten().filter_map(vcpu).collect();
    vcpus.sort_unstable_by_key(|vcpu| (vcpu.index, vcpu.tid));
    vcpus
}

/// The init of a running container in the host's pids: the child of its monitor, `lxc-start`.
#[must_use]
pub fn container_init(vmid: u32) -> Option<u32> {
    let id = vmid.to_string();
    let pids = || {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
    };
    let monitor = pids().find(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        let is_monitor = words.first().is_some_and(|program| program.ends_with(b"lxc-start"));
        is_monitor && words.windows(2).any(|pair| pair[0] == b"-n" && pair[1] == id.as_bytes())
    })?;
    pids().find(|pid| parent(*pid) == Some(monitor))
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may hold anything, also a bracket.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_told_by_their_names() {
        let tasks = tempfile::tempdir().unwrap();
        let names = [
            ("12", "CPU 1/KVM\n"),
            ("11", "CPU 0/TCG\n"),
            ("10", "qemu\n"),
            ("13", "CPU x/KVM\n"),
            ("14", "IO\n"),
        ];
        for (tid, name) in names {
            fs::create_dir(tasks.path().join(tid)).unwrap();
            fs::write(tasks.path().join(tid).join("comm"), name).unwrap();
        }
        assert_eq!(vcpus_in(tasks.path()), [Vcpu { index: 0, tid: 11 }, Vcpu { index: 1, tid: 12 }]);
        assert_eq!(vcpus_in(Path::new("/nowhere")), []);
    }

    #[test]
    fn a_parent_is_found() {
        assert_eq!(parent(std::process::id()), Some(std::os::unix::process::parent_id()));
    }
}
