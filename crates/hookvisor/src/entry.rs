//! How the processes begin that hookvisor bears itself: `hookvisor keeper VMID` and `hookvisor worker`. Their maker gives
//! them a socket as descriptor 3, and a lock as descriptor 4 where it has one for them (`process::birth`).

#![expect(unsafe_code, reason = "a descriptor that was inherited by its number")]

use model::{Layout, Vmid};
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::ExitCode;

/// The number of the socket.
const SOCKET: i32 = 3;

/// The number of the lock.
const LOCK: i32 = 4;

/// A guest's keeper.
pub(crate) fn keeper(layout: Layout, words: &[String]) -> ExitCode {
    let Some(vmid) = words.first().and_then(|word| word.parse::<Vmid>().ok()) else {
        return ExitCode::from(2);
    };
    let watched = words.get(1).is_some_and(|word| word == "--watched");
    match inherited(SOCKET) {
        Some(first) => {
            if watched {
                keeper::be_watched();
            }
            code(keeper::keep(layout, vmid, first.into(), inherited(LOCK).map(Into::into)))
        }
        None if watched => code(keeper::keep_watched(layout, vmid)),
        None => refuse("a keeper is started by 'qm start' and 'pct start'"),
    }
}

/// A call of the API that makes a task.
pub(crate) fn worker(layout: &Layout) -> ExitCode {
    match inherited(SOCKET) {
        Some(stream) => code(server::work(layout, stream.into())),
        None => refuse("a worker is started by 'hookvisor serve'"),
    }
}

/// What stands in for a guest, in the workshop's sandbox.
pub(crate) fn stand_in(words: &[String]) -> ExitCode {
    code(keeper::simulation::be_guest(words, inherited(keeper::simulation::MONITOR_FD)))
}

/// An exit code as main returns it.
pub(crate) fn code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(255))
}

fn refuse(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::from(2)
}

/// What was inherited by this number; none where the descriptor is not open.
fn inherited(number: i32) -> Option<OwnedFd> {
    // SAFETY: fcntl takes any number; it fails where the descriptor is not open.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
        return None;
    }
    // SAFETY: the descriptor is open, was inherited, and nothing else in this process knows of it.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}
