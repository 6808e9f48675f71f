//! How the processes begin that hookvisor bears itself: `hookvisor keeper VMID` and `hookvisor worker`. Their maker gives
//! them a socket as descriptor 3 (`process::birth`).

#![expect(unsafe_code, reason = "a descriptor that was inherited by its number")]

use model::{Layout, Vmid};
use std::os::fd::FromRawFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

/// The number of the socket.
const SOCKET: i32 = 3;

/// A guest's keeper.
pub(crate) fn keeper(layout: Layout, words: &[String]) -> ExitCode {
    let Some(vmid) = words.first().and_then(|word| word.parse::<Vmid>().ok()) else {
        return ExitCode::from(2);
    };
    match socket() {
        Some(first) => code(keeper::keep(layout, vmid, first)),
        None => refuse("a keeper is started by 'qm start' and 'pct start'"),
    }
}

/// A call of the API that makes a task.
pub(crate) fn worker(layout: &Layout) -> ExitCode {
    match socket() {
        Some(stream) => code(server::work(layout, stream)),
        None => refuse("a worker is started by 'hookvisor serve'"),
    }
}

fn code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(255))
}

fn refuse(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::from(2)
}

/// The socket; none where the descriptor is not open.
fn socket() -> Option<UnixStream> {
    // SAFETY: fcntl takes any number; it fails where the descriptor is not open.
    if unsafe { libc::fcntl(SOCKET, libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
        return None;
    }
    // SAFETY: the descriptor is open, was inherited, and nothing else in this process knows of it.
    Some(unsafe { UnixStream::from_raw_fd(SOCKET) })
}
