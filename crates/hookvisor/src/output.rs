//! Standard output and error, written through at once. A reader that went away ends no command: `qm start 100 | head`
//! starts the guest all the same.

use api::Output;
use model::Stream;
use std::io::Write;

/// The terminal, or whatever stands in its place.
pub(crate) struct Terminal;

impl Output for Terminal {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let _ = match stream {
            Stream::Stdout => {
                std::io::stdout().lock().write_all(bytes).and_then(|()| std::io::stdout().flush())
            }
            Stream::Stderr => std::io::stderr().lock().write_all(bytes),
        };
    }
}

/// Prints to standard output.
pub(crate) fn print(text: &str) {
    Terminal.write(Stream::Stdout, text.as_bytes());
}

/// Prints to standard error.
pub(crate) fn complain(text: &str) {
    Terminal.write(Stream::Stderr, text.as_bytes());
}
