#![expect(unsafe_code, reason = "the ioctl PIDFD_GET_INFO has no safe wrapper")]

use crate::Ended;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::{AsFd, AsRawFd};

/// `struct pidfd_info` of `linux/pidfd.h`, its first version.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// The kernel is asked for the exit status, `PIDFD_INFO_EXIT`.
const EXIT: u64 = 1 << 3;

/// `_IOWR(0xFF, 11, struct pidfd_info)`.
const GET_INFO: libc::Ioctl = 0xc040_ff0b;

/// How a process ended that is not this one's child, from a pidfd that was opened while it lived. Its parent must have
/// waited for it, which is given a moment. None where the kernel does not tell (before Linux 6.15).
#[must_use]
pub fn exit_of(pidfd: impl AsFd) -> Option<Ended> {
    let fd = pidfd.as_fd();
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::empty())];
    // Hung up once its parent has waited for it.
    let _ = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 200_000_000 }));
    let mut info = PidfdInfo { mask: EXIT, ..PidfdInfo::default() };
    // SAFETY: the structure has the size that the request's number says, and outlives the call.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), GET_INFO, &raw mut info) };
    if done != 0 || info.mask & EXIT == 0 {
        return None;
    }
    let status = info.exit_code;
    if libc::WIFSIGNALED(status) {
        Some(Ended::Signal(libc::WTERMSIG(status)))
    } else {
        Some(Ended::Code(libc::WEXITSTATUS(status)))
    }
}
