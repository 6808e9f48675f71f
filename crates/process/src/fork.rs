#![expect(unsafe_code, reason = "fork(2)")]

use crate::id;
use model::ProcessId;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// A forked child of this process that has not been waited for.
#[derive(Debug)]
pub struct Child {
    /// Which process it is.
    pub id: ProcessId,
    pidfd: OwnedFd,
}

impl Child {
    /// Readable once the child has ended, pidfd_open(2).
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// How it ended, if it did.
    ///
    /// # Errors
    /// Where the child has been waited for already.
    pub fn try_wait(&self) -> io::Result<Option<Ended>> {
        self.waitid(WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Where the child has been waited for already.
    pub fn wait(&self) -> io::Result<Ended> {
        loop {
            match self.waitid(WaitIdOptions::EXITED) {
                Ok(Some(ended)) => return Ok(ended),
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn waitid(&self, options: WaitIdOptions) -> io::Result<Option<Ended>> {
        let status = rustix::process::waitid(WaitId::PidFd(self.pidfd.as_fd()), options)?;
        Ok(status.and_then(|status| match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Some(Ended::Code(code)),
            (None, Some(signal)) => Some(Ended::Signal(signal)),
            (None, None) => None,
        }))
    }

    /// Sends it a signal; one that has ended takes none.
    pub fn signal(&self, signal: Signal) {
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, signal);
    }
}

/// Forks. The child runs `child` and exits with what it returns; it has everything that this process has, open
/// descriptors and their locks included, until it executes a program.
///
/// # Errors
/// Those of fork(2) and pidfd_open(2); after the latter no child is left.
pub fn fork(child: impl FnOnce() -> i32) -> io::Result<Child> {
    // SAFETY: the caller has one thread (the contract of this crate), so the child may run any code.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(101);
            // SAFETY: _exit(2) has no preconditions; the parent's exit handlers are not the child's to run.
            unsafe { libc::_exit(code) }
        }
        pid => {
            let found =
                Pid::from_raw(pid).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound)).and_then(|pid| {
                    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
                    let id = id::lookup(pid.as_raw_nonzero().get().unsigned_abs())
                        .ok_or(io::ErrorKind::NotFound)?;
                    Ok(Child { id, pidfd })
                });
            if found.is_err() {
                // SAFETY: a child of ours that nobody has waited for: the pid cannot be another process's.
                unsafe {
                    libc::kill(pid, libc::SIGKILL);
                    libc::waitpid(pid, std::ptr::null_mut(), 0);
                }
            }
            found
        }
    }
}
