//! Standard output and error, written through at once. A reader that went away ends no command: `qm start 100 | head`
//! starts the guest all the same.

use api::Output;
use model::Stream;
use std::io::{IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Whether what was written last ends in the middle of a line.
static OPEN_LINE: AtomicBool = AtomicBool::new(false);

/// A hint that was given last. It is shown behind the error that it is about, should one come.
static HINT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// The terminal, or whatever stands in its place.
pub(crate) struct Terminal;

impl Output for Terminal {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        give_hint();
        if stream == Stream::Stdout && bytes.starts_with(b"hint: ") && bytes.ends_with(b"\n") {
            HINT.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        } else {
            write(stream, bytes);
        }
    }
}

fn write(stream: Stream, bytes: &[u8]) {
    if let Some(last) = bytes.last() {
        OPEN_LINE.store(*last != b'\n', Ordering::Relaxed);
    }
    let _ = match stream {
        Stream::Stdout => std::io::stdout().lock().write_all(bytes).and_then(|()| std::io::stdout().flush()),
        Stream::Stderr => std::io::stderr().lock().write_all(bytes),
    };
}

/// Shows the hint that is held back.
pub(crate) fn give_hint() {
    let hint = std::mem::take(&mut *HINT.lock().unwrap_or_else(PoisonError::into_inner));
    if !hint.is_empty() {
        write(Stream::Stdout, &hint);
    }
}

/// The terminal without standard output, which is kept for an answer that a program reads.
pub(crate) struct Aside;

impl Output for Aside {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        if stream == Stream::Stderr {
            Terminal.write(stream, bytes);
        }
    }
}

/// Prints to standard output.
pub(crate) fn print(text: &str) {
    Terminal.write(Stream::Stdout, text.as_bytes());
}

/// Prints to standard error; at a terminal on a line of its own. A hint that was given last stands behind it.
pub(crate) fn complain(text: &str) {
    if OPEN_LINE.load(Ordering::Relaxed) && std::io::stderr().is_terminal() {
        write(Stream::Stderr, b"\n");
    }
    write(Stream::Stderr, text.as_bytes());
    give_hint();
}
