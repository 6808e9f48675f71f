//! What is being done, at a terminal: one line that is gone afterwards.

use crate::output::Terminal;
use api::Output as _;
use model::Stream;
use std::io::IsTerminal as _;
use workshop::lives::Life;

/// Says at a terminal which life is being played, in one line that goes away.
pub(crate) struct Progress {
    shown: bool,
    file: String,
}

impl Progress {
    /// Of a script.
    pub(crate) fn of(file: &str) -> Self {
        Self { shown: std::io::stderr().is_terminal(), file: file.to_owned() }
    }

    /// A life of it begins.
    pub(crate) fn begins(&self, life: Life) {
        if self.shown {
            let line = format!("\r\x1b[K{}: {} …", self.file, life.name());
            Terminal.write(Stream::Stderr, line.as_bytes());
        }
    }

    /// The life is over, and the line makes room.
    pub(crate) fn ended(&self) {
        if self.shown {
            Terminal.write(Stream::Stderr, b"\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.ended();
    }
}
