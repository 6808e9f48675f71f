//! `hookvisor keeper VMID`: how a keeper begins. Its maker gives it a socket as descriptor 3 (`process::birth`).

#![expect(unsafe_code, reason = "a descriptor that was inherited by its number")]

use model::{Layout, Vmid};
use std::os::fd::FromRawFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

/// The number of the socket.
const SOCKET: i32 = 3;

pub(crate) fn main(layout: Layout, words: &[String]) -> ExitCode {
    let Some(vmid) = words.first().and_then(|word| word.parse::<Vmid>().ok()) else {
        return ExitCode::from(2);
    };
    // SAFETY: fcntl takes any number; it fails where the descriptor is not open.
    if unsafe { libc::fcntl(SOCKET, libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
        eprintln!("a keeper is started by 'qm start' and 'pct start'");
        return ExitCode::from(2);
    }
    // SAFETY: the descriptor is open, was inherited, and nothing else in this process knows of it.
    let first = unsafe { UnixStream::from_raw_fd(SOCKET) };
    let code = keeper::keep(layout, vmid, first);
    ExitCode::from(u8::try_from(code).unwrap_or(255))
}
