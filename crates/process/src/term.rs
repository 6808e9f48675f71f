//! Being asked to end, by SIGTERM: what has been begun is cleaned up first.
#![expect(unsafe_code, reason = "sigaction(2) has no safe wrapper")]

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
