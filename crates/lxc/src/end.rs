//! Ending a container: its init gets a signal, and what is left is cleared away.
//!
//! A container is gone when lxc-start has ended, its processes have, and its control groups and interfaces are removed:
//! [`await_monitor`], [`crate::cgroup::Cgroups::remove`], [`remove_interfaces`].

use model::ProcessId;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The first real-time signal as C programs count, signal(7): two are the C library's own.
const SIGRTMIN: i32 = 34;
const SIGINT: i32 = 2;
const SIGPWR: i32 = 30;

/// A container's init.
#[derive(Debug)]
pub struct Init {
    /// Which process it is, on the host.
    pub process: ProcessId,
    pidfd: OwnedFd,
}

/// What init is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// To power off.
    Halt,
    /// To reboot. LXC reports that as [`crate::Target::Reboot`] and does not restart the container.
    Reboot,
}

impl Init {
    /// Finds the init that a report named; none where it has ended.
    #[must_use]
    pub fn open(pid: u32) -> Option<Self> {
        let process = process::lookup(pid)?;
        Some(Self { pidfd: process::open(process)?, process })
    }

    /// Readable once init has ended.
    #[must_use]
    pub fn pidfd(&self) -> &OwnedFd {
        &self.pidfd
    }

    /// Whether nobody has to wait for it any more: its parent has, or it has none that would.
    #[must_use]
    pub fn is_reaped(&self) -> bool {
        process::lookup(self.process.pid) != Some(self.process)
    }

    /// Waits until it has executed its program: the report that a container is ready comes just before. False where
    /// init or lxc-start ended instead, which means that the start failed, or `limit` came first.
    ///
    /// The kernel tells an exec to nobody but a tracer, so this looks every half a millisecond; it takes one or two.
    pub fn await_exec(&self, monitor: &(ProcessId, impl AsFd), limit: Duration) -> bool {
        let program =
            |pid: u32| fs::metadata(format!("/proc/{pid}/exe")).map(|file| (file.dev(), file.ino())).ok();
        let (lxc_start, monitor) = monitor;
        let deadline = Instant::now() + limit;
        loop {
            match (program(self.process.pid), program(lxc_start.pid)) {
                (Some(own), Some(other)) if own != other => return true,
                (None, _) | (_, None) => return false,
                (Some(_), Some(_)) => {}
            }
            let wait = Timespec { tv_sec: 0, tv_nsec: 500_000 };
            let mut polled = [PollFd::new(&self.pidfd, PollFlags::IN), PollFd::new(monitor, PollFlags::IN)];
            let ended = poll(&mut polled, Some(&wait)).is_ok_and(|count| count > 0);
            if ended || Instant::now() >= deadline {
                return false;
            }
        }
    }

    /// Kills it, and with it everything in the container.
    pub fn kill(&self) {
        process::send(&self.pidfd, Signal::KILL);
    }

    /// Asks it to power off or reboot, with the signal that lxc-stop would send: the one that the configuration names,
    /// else systemd's where init waits for it, else the classic one. Returns the signal.
    ///
    /// # Errors
    /// Where init has ended, or the signal cannot be sent.
    pub fn ask(&self, wish: Wish, configured: Option<i32>) -> io::Result<i32> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.pid))?;
        let signal = configured.unwrap_or_else(|| default_signal(wish, &status));
        self.send(signal)?;
        Ok(signal)
    }

    #[expect(
        unsafe_code,
        reason = "pidfd_send_signal(2) with a real-time signal, which rustix has no name for"
    )]
    fn send(&self, signal: i32) -> io::Result<()> {
        // SAFETY: a system call on a descriptor that this value owns, without pointers.
        let done = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.pidfd.as_raw_fd(),
                signal,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

/// systemd as init blocks the real-time signals that command it, to read them from a descriptor.
fn default_signal(wish: Wish, status: &str) -> i32 {
    let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
    let blocked = blocked.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    match wish {
        Wish::Halt if blocked & (1 << (SIGRTMIN + 3 - 1)) != 0 => SIGRTMIN + 3,
        Wish::Halt => SIGPWR,
        Wish::Reboot => SIGINT,
    }
}

/// Reads a signal as LXC's configuration writes it: `SIGPWR`, `PWR`, `30`, `SIGRTMIN+3`, `SIGRTMAX-1`.
#[must_use]
pub fn parse_signal(text: &str) -> Option<i32> {
    let max = 64;
    if let Ok(number) = text.parse::<i32>() {
        return (1..=max).contains(&number).then_some(number);
    }
    let name = text.strip_prefix("SIG").unwrap_or(text);
    if let Some(offset) = name.strip_prefix("RTMIN") {
        let offset = if offset.is_empty() { 0 } else { offset.strip_prefix('+')?.parse().ok()? };
        return (0..=max - SIGRTMIN).contains(&offset).then_some(SIGRTMIN + offset);
    }
    if let Some(offset) = name.strip_prefix("RTMAX") {
        let offset = if offset.is_empty() { 0 } else { offset.strip_prefix('-')?.parse().ok()? };
        return (0..=max - SIGRTMIN).contains(&offset).then_some(max - offset);
    }
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

const NAMES: [(&str, i32); 32] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("IOT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// The init of a running container, for a keeper that took over before its predecessor noted it: the child of lxc-start
/// that is the first process of its pid namespace.
#[must_use]
pub fn find_init(lxc_start: ProcessId) -> Option<Init> {
    let pid = lxc_start.pid;
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().filter_map(|child| child.parse().ok()).find_map(|child: u32| {
        let status = fs::read_to_string(format!("/proc/{child}/status")).ok()?;
        let inner = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
        let mut pids = inner.split_whitespace().rev();
        if pids.next() == Some("1") && pids.next().is_some() { Init::open(child) } else { None }
    })
}

/// How long lxc-start may take to notice that an init has ended which may not have executed its program: it needs a
/// millisecond.
pub const NOTICE: Duration = Duration::from_secs(2);

/// Waits for lxc-start after init has been killed or has ended; false where `limit` came first.
///
/// An init that ends after the `start-host` hook and before it executes its program is never noticed by lxc-start 5.0,
/// which then waits for ever for what init would have sent. It is killed here where init is still not reaped after
/// [`NOTICE`]. Where init has `executed` its program it will notice, however long that takes on a busy host. A keeper that
/// waits for other things too does the same with [`Init::is_reaped`].
pub fn await_monitor(monitor: impl AsFd, init: &Init, executed: bool, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    if !await_end(&init.pidfd, deadline) {
        return false;
    }
    if !executed && await_end(&monitor, deadline.min(Instant::now() + NOTICE)) {
        return true;
    }
    if !executed && !init.is_reaped() {
        process::send(&monitor, Signal::KILL);
    }
    await_end(&monitor, deadline)
}

/// Waits for a process by its pidfd.
fn await_end(pidfd: &impl AsFd, deadline: Instant) -> bool {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec {
            tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&left)) {
            Ok(0) => return false,
            Err(rustix::io::Errno::INTR) => {}
            Ok(_) | Err(_) => return true,
        }
    }
}

/// Whether the host has an interface of that name.
#[must_use]
pub fn has_interface(name: &str) -> bool {
    Path::new("/sys/class/net").join(name).exists()
}

/// Removes what is left of a container's interfaces on the host's side. They go with its network namespace, but the
/// kernel takes its time for that, and a killed lxc-start does not help.
pub fn remove_interfaces(names: &[String]) {
    for name in names {
        if has_interface(name) {
            let mut ip = Command::new("ip");
            ip.args(["link", "delete", "dev", name]).env("PATH", crate::tools::PATH);
            let _ = ip.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read_as_lxc_reads_them() {
        for (text, number) in [
            ("SIGPWR", Some(30)),
            ("PWR", Some(30)),
            ("SIGUSR1", Some(10)),
            ("30", Some(30)),
            ("SIGRTMIN+3", Some(37)),
            ("RTMIN", Some(34)),
            ("SIGRTMAX-1", Some(63)),
            ("SIGRTMIN-3", None),
            ("SIGRTMIN+31", None),
            ("0", None),
            ("65", None),
            ("SIGNOPE", None),
            ("", None),
        ] {
            assert_eq!(parse_signal(text), number, "{text}");
        }
    }

    #[test]
    fn an_init_that_waits_for_it_gets_systemds_signal() {
        let systemd = "Name:\tsystemd\nSigBlk:\t7be3c0fe28014a03\n";
        assert_eq!(default_signal(Wish::Halt, systemd), 37);
        assert_eq!(default_signal(Wish::Halt, "SigBlk:\t0000000000000000\n"), 30);
        assert_eq!(default_signal(Wish::Reboot, systemd), 2);
    }
}
