//! Being asked to end, by SIGTERM: what has been begun is cleaned up first.
#![expect(unsafe_code, reason = "sigaction(2) and signalfd(2) have no safe wrapper")]

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd};
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

extern "C" fn note(_: libc::c_int) {
    ASKED.store(true, Ordering::Relaxed);
}

/// From now on SIGTERM does not end this process but is noted. Programs that it executes are ended by it as ever.
pub fn heed_term() {
    // SAFETY: the structure is valid, and the handler does nothing but set a flag.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = note as extern "C" fn(libc::c_int) as libc::sighandler_t;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(libc::SIGTERM, &raw const action, std::ptr::null_mut());
    }
}

/// Whether this process was asked to end since [`heed_term`].
#[must_use]
pub fn term_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// SIGTERM as something to be read: it does not end this process as long as this lives.
#[derive(Debug)]
pub struct Term(File);

impl Term {
    /// From now on SIGTERM waits here. What is forked meanwhile has it blocked until [`crate::become_default`].
    ///
    /// # Errors
    /// Those of signalfd(2).
    pub fn new() -> io::Result<Self> {
        let set = set_mask(libc::SIG_BLOCK);
        // SAFETY: the set is valid, and a new descriptor is asked for.
        let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd == -1 {
            let error = io::Error::last_os_error();
            set_mask(libc::SIG_UNBLOCK);
            return Err(error);
        }
        // SAFETY: the descriptor is new, and nobody else knows of it.
        Ok(Self(unsafe { File::from_raw_fd(fd) }))
    }

    /// Whether it has come since the last time. Never blocks.
    pub fn take(&mut self) -> bool {
        let mut taken = [0; size_of::<libc::signalfd_siginfo>()];
        self.0.read(&mut taken).is_ok_and(|read| read > 0)
    }
}

impl AsFd for Term {
    /// Readable once SIGTERM has come.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for Term {
    /// SIGTERM is what it was; one that nobody took acts now.
    fn drop(&mut self) {
        set_mask(libc::SIG_UNBLOCK);
    }
}

/// Blocks or lets through SIGTERM, and returns the set of it alone.
fn set_mask(how: libc::c_int) -> libc::sigset_t {
    // SAFETY: the set is a value of this frame, and made valid before it is used.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGTERM);
        libc::pthread_sigmask(how, &raw const set, std::ptr::null_mut());
        set
    }
}
