//! What a script prints, taken from its pipes as it comes.

use model::{Stream, Text};
use rustix::fs::{OFlags, fcntl_setfl};
use serde::Serialize;
use std::io;
use std::os::fd::OwnedFd;

/// A line that a script printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// On which of its outputs.
    pub stream: Stream,
    /// Without the line's end.
    pub text: Text,
}

/// One of the script's outputs.
struct Output {
    stream: Stream,
    /// None once everybody has closed it.
    fd: Option<OwnedFd>,
    /// A line that has not ended.
    open: Vec<u8>,
}

/// What has been printed so far on both outputs.
pub(crate) struct Printed {
    outputs: [Output; 2],
    lines: Vec<Line>,
    /// How many bytes are still kept.
    room: usize,
    cut: usize,
}

impl Printed {
    /// Reads standard output and standard error, and keeps so many bytes of both.
    pub(crate) fn of(out: OwnedFd, err: OwnedFd, room: usize) -> io::Result<Self> {
        for fd in [&out, &err] {
            fcntl_setfl(fd, OFlags::NONBLOCK)?;
        }
        let outputs = [(Stream::Stdout, out), (Stream::Stderr, err)];
        let outputs = outputs.map(|(stream, fd)| Output { stream, fd: Some(fd), open: Vec::new() });
        Ok(Self { outputs, lines: Vec::new(), room, cut: 0 })
    }

    /// The outputs that somebody has open.
    pub(crate) fn open(&self) -> impl Iterator<Item = &OwnedFd> {
        self.outputs.iter().filter_map(|output| output.fd.as_ref())
    }

    /// Takes what is there now of each output, a pipe's content at most.
    pub(crate) fn pump(&mut self) {
        let mut buffer = vec![0; 1 << 16];
        for output in &mut self.outputs {
            let Some(fd) = &output.fd else { continue };
            let count = match rustix::io::read(fd, &mut buffer[..]) {
                Ok(0) => {
                    output.fd = None;
                    continue;
                }
                Ok(count) => count,
                Err(_) => continue,
            };
            let kept = self.room.min(count);
            self.room -= kept;
            self.cut += count - kept;
            output.open.extend_from_slice(&buffer[..kept]);
            while let Some(end) = output.open.iter().position(|byte| *byte == b'\n') {
                let text = output.open[..end].into();
                self.lines.push(Line { stream: output.stream, text });
                output.open.drain(..=end);
            }
        }
    }

    /// Nothing more comes: a last line need not have an end.
    pub(crate) fn finish(&mut self) {
        for output in &mut self.outputs {
            if !output.open.is_empty() {
                let text = std::mem::take(&mut output.open);
                self.lines.push(Line { stream: output.stream, text: text[..].into() });
            }
        }
    }

    /// The lines that have come since they were last taken.
    pub(crate) fn take(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.lines)
    }

    /// Bytes that were not kept.
    pub(crate) fn cut(&self) -> usize {
        self.cut
    }
}
