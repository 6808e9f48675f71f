//! How much freed memory the server keeps.
#![expect(unsafe_code, reason = "mallopt(3)")]

/// Bytes of freed memory that stay with the process. A list of a thousand guests takes 3 MiB for a moment; giving them back
/// after each answer and having them mapped anew for the next took half of its time.
#[cfg(target_env = "gnu")]
const KEPT: libc::c_int = 16 << 20;

/// Keeps some freed memory, where the allocator is glibc's.
pub(crate) fn keep_freed() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it sets a number of the allocator, before there is a second thread.
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
        libc::mallopt(libc::M_TOP_PAD, KEPT / 16);
    }
}
