//! A stream at whose other end stands somebody who has said all that he will ever say.

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

/// The most that fits into a socket's buffer at once, in bytes, with a margin.
pub(crate) const MOST: usize = 64 * 1024;

/// Our end, and the other one: it must outlive ours, as what we send it counts as taken.
pub(crate) fn that_said(bytes: &[u8]) -> (UnixStream, UnixStream) {
    let (ours, mut theirs) = UnixStream::pair().expect("two descriptors");
    theirs.write_all(&bytes[..bytes.len().min(MOST)]).expect("it fits into the buffer");
    theirs.shutdown(Shutdown::Write).expect("an open socket");
    (ours, theirs)
}
