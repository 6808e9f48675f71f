//! Standard output and error, written through at once. A reader that went away ends no command: `qm start 100 | head`
//! starts the guest all the same.

use api::Output;
use model::Stream;
use std::io::{IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether what was written last ends in the middle of a line.
static OPEN_LINE: AtomicBool = AtomicBool::new(false);

/// The terminal, or whatever stands in its place.
pub(crate) struct Terminal;

impl Output for Terminal {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        if let Some(last) = bytes.last() {
            OPEN_LINE.store(*last != b'\n', Ordering::Relaxed);
        }
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

/// Prints to standard error; at a terminal on a line of its own.
pub(crate) fn complain(text: &str) {
    if OPEN_LINE.load(Ordering::Relaxed) && std::io::stderr().is_terminal() {
        Terminal.write(Stream::Stderr, b"\n");
    }
    Terminal.write(Stream::Stderr, text.as_bytes());
}
