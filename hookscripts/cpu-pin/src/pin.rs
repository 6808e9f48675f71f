//! Which CPUs the guest's threads may run on. It ends with them, so that there is nothing to bring back.

use crate::Settings;
use crate::cpus::Cpus;
use hookscript::process::{Vcpu, vcpus};
use hookscript::{Call, Guest, Kind, Result, log, wait};
use rustix::io::Errno;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_setaffinity};
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

/// A virtual machine's CPUs have their threads by then.
const THREADS: Duration = Duration::from_secs(10);
/// A container whose processes come faster than they are looked at is left as it is after so many looks.
const LOOKS: usize = 20;

/// Pins the guest that has just started.
pub(crate) fn pin(call: &Call, settings: &Settings) -> Result<()> {
    let guest = call.guest()?;
    let pid = guest.pid.ok_or_else(|| call.error("it does not run any more, and is not pinned"))?;
    match guest.kind {
        Kind::Qemu => machine(&guest, pid, settings),
        Kind::Lxc => container(pid, settings),
    }
}

fn machine(guest: &Guest, pid: u32, settings: &Settings) -> Result<()> {
    if let Some(cpus) = &settings.guest {
        // Threads that are made later have it from those that make them.
        for thread in threads(pid) {
            set(thread, cpus)?;
        }
        log::info(format!("cpu-pin: QEMU ({pid}) runs on the CPUs {cpus}"));
    }
    if settings.vcpus.is_empty() {
        return Ok(());
    }
    let number = wanted(guest).max(1);
    let found = wait::until(
        &format!("the threads of {number} virtual CPUs"),
        THREADS,
        Duration::from_millis(50),
        || {
            let found = vcpus(pid);
            Ok((found.len() >= number).then_some(found))
        },
    )?;
    for Vcpu { index, tid } in found {
        if let Some(cpus) = settings.vcpus.get(index as usize) {
            set(tid, cpus)?;
            log::info(format!("cpu-pin: the virtual CPU {index} (thread {tid}) runs on the CPUs {cpus}"));
        }
    }
    let more = settings.vcpus.len().saturating_sub(number);
    if more > 0 {
        log::warning(format!("cpu-pin: pin_vcpus has {more} more than the {number} virtual CPUs"));
    }
    Ok(())
}

/// With how many CPUs the machine starts.
fn wanted(guest: &Guest) -> usize {
    let number = |key: &str| guest.config.get(key).and_then(|text| text.parse::<usize>().ok());
    number("vcpus").unwrap_or_else(|| number("sockets").unwrap_or(1) * number("cores").unwrap_or(1))
}

/// Its first process and all that came of it.
fn container(init: u32, settings: &Settings) -> Result<()> {
    if !settings.vcpus.is_empty() {
        log::warning("cpu-pin: a container has no virtual CPUs: pin_vcpus is passed over");
    }
    let Some(cpus) = &settings.guest else { return Ok(()) };
    let mut pinned = BTreeSet::new();
    for _ in 0..LOOKS {
        let found: Vec<u32> = family(init).into_iter().flat_map(threads).collect();
        let fresh: Vec<u32> = found.into_iter().filter(|thread| !pinned.contains(thread)).collect();
        if fresh.is_empty() {
            log::info(format!("cpu-pin: the container (init {init}) runs on the CPUs {cpus}"));
            return Ok(());
        }
        for thread in fresh {
            set(thread, cpus)?;
            pinned.insert(thread);
        }
    }
    Err("processes come faster than they can be pinned".into())
}

/// A process with its descendants.
fn family(first: u32) -> Vec<u32> {
    let parent = |pid: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    let all: Vec<(u32, u32)> =
        numbers("/proc").into_iter().filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut family = vec![first];
    let mut at = 0;
    while let Some(elder) = family.get(at).copied() {
        family.extend(all.iter().filter(|(_, parent)| *parent == elder).map(|(pid, _)| *pid));
        at += 1;
    }
    family
}

fn threads(pid: u32) -> Vec<u32> {
    numbers(&format!("/proc/{pid}/task"))
}

fn numbers(folder: &str) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Pins a thread. One that has ended needs no CPU.
fn set(thread: u32, cpus: &Cpus) -> Result<()> {
    let mut set = CpuSet::new();
    cpus.iter().for_each(|cpu| set.set(cpu as usize));
    let pid = thread.try_into().ok().and_then(Pid::from_raw).ok_or("a thread without a number")?;
    match sched_setaffinity(Some(pid), &set) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(Errno::INVAL) => Err(format!("none of the CPUs {cpus} may be used by thread {thread}").into()),
        Err(error) => Err(format!("thread {thread} cannot be pinned to the CPUs {cpus}: {error}").into()),
    }
}
