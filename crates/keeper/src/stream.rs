//! One output of a program on its way to ledger, journal, task logs and clients.

use crate::clients::Clients;
use crate::tasks::Tasks;
use hooks::{Read, Reader};
use model::{Event, Phase, Stream};
use record::journal::{Priority, Scene};
use record::lines::{Budget, Ending, Keep, Kept, Record, Splitter};
use record::{Journal, Ledger};
use std::os::fd::{AsFd, BorrowedFd};

/// How much is read of one output before others get their turn, in bytes.
const TURN: usize = 256 * 1024;

/// How much is read at once: so little that what the journal has yet to take cannot outgrow its queue by the shortest lines.
const BITE: usize = 1024;

/// Where output goes.
pub(crate) struct Sinks<'a> {
    pub(crate) ledger: Option<&'a Ledger>,
    pub(crate) journal: &'a mut Journal,
    pub(crate) tasks: &'a mut Tasks,
    pub(crate) clients: &'a mut Clients,
    pub(crate) scene: Option<&'a Scene>,
}

/// One output that is being read.
pub(crate) struct Piped {
    phase: Option<Phase>,
    script: String,
    stream: Stream,
    reader: Reader,
    splitter: Splitter,
    keep: Option<Keep>,
    budget: Budget,
    shown: Shown,
    closed: bool,
    /// Nobody held it when it was last read.
    unheld: bool,
}

impl Piped {
    pub(crate) fn pair(readers: [Reader; 2], phase: Option<Phase>, script: &str) -> [Self; 2] {
        let [stdout, stderr] = readers;
        let piped = |reader, stream| Self {
            phase,
            script: script.to_owned(),
            stream,
            reader,
            splitter: Splitter::default(),
            keep: Some(Keep::default()),
            budget: Budget::journal(),
            shown: Shown::default(),
            closed: false,
            unheld: false,
        };
        [piped(stdout, Stream::Stdout), piped(stderr, Stream::Stderr)]
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }

    /// Whether nobody can write any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether somebody may still write, where the program itself is over.
    pub(crate) fn is_held(&self) -> bool {
        !self.closed && !self.unheld
    }

    /// Passes on what is there, but not for ever, and not while the journal or a client is behind. Returns whether there may be more.
    pub(crate) fn pump(&mut self, sinks: &mut Sinks<'_>) -> bool {
        let mut buffer = [0; BITE];
        let mut taken = 0;
        while !self.closed {
            if taken >= TURN || sinks.journal.pause().is_some() || sinks.clients.pause().is_some() {
                return true;
            }
            match self.reader.read(&mut buffer) {
                Read::Bytes(count) => {
                    self.unheld = false;
                    taken += count;
                    self.take(&buffer[..count], sinks);
                }
                Read::Nothing => return false,
                Read::Unheld => {
                    self.unheld = true;
                    return false;
                }
                Read::Closed => {
                    self.closed = true;
                    self.last_line(sinks);
                }
            }
        }
        false
    }

    fn take(&mut self, bytes: &[u8], sinks: &mut Sinks<'_>) {
        let Self { phase, script, stream, splitter, keep, budget, .. } = self;
        let mut each =
            |record: Record<'_>| pass(record, (*phase, script, *stream), keep.as_mut(), budget, sinks);
        splitter.push(bytes, &mut each);
        // The record first: a keeper that is killed here has shown less than it recorded.
        match self.phase {
            Some(_) => sinks.tasks.show(&self.shown.without_priorities(bytes), sinks.clients),
            None => sinks.tasks.show(bytes, sinks.clients),
        }
    }

    fn last_line(&mut self, sinks: &mut Sinks<'_>) {
        let rest = self.shown.rest();
        if !rest.is_empty() {
            sinks.tasks.show(&rest, sinks.clients);
        }
        let Self { phase, script, stream, splitter, keep, budget, .. } = self;
        let mut each =
            |record: Record<'_>| pass(record, (*phase, script, *stream), keep.as_mut(), budget, sinks);
        splitter.close(&mut each);
    }

    /// The program itself is over: hands out the end of what was kept. What its children still write goes to the journal.
    /// Returns how many bytes the ledger does without.
    pub(crate) fn finish(&mut self, sinks: &mut Sinks<'_>) -> u64 {
        self.last_line(sinks);
        let (phase, stream) = (self.phase, self.stream);
        let Some(keep) = self.keep.take() else { return 0 };
        keep.finish(&mut |kept| keep_record(kept, phase, stream, sinks))
    }
}

fn pass(
    record: Record<'_>,
    (phase, script, stream): (Option<Phase>, &str, Stream),
    keep: Option<&mut Keep>,
    budget: &mut Budget,
    sinks: &mut Sinks<'_>,
) {
    if let Some(scene) = sinks.scene
        && budget.take(&record)
    {
        let entry = match phase {
            Some(phase) => scene.output(phase, script, stream, &record),
            None => scene.record(record::journal::Priority::Info, script, record.bytes),
        };
        sinks.journal.send(entry);
    }
    if let Some(keep) = keep {
        keep.push(record, &mut |kept| keep_record(kept, phase, stream, sinks));
    }
}

fn keep_record(kept: Kept<'_>, phase: Option<Phase>, stream: Stream, sinks: &mut Sinks<'_>) {
    let cut;
    let mut first = false;
    let (bytes, more, end): (&[u8], bool, &[u8]) = match &kept {
        Kept::Record(record) => {
            let end: &[u8] = if record.ending == Ending::Newline { b"\n" } else { b"" };
            first = record.part == 1;
            (record.bytes, record.more(), end)
        }
        Kept::Cut(count) => {
            cut = format!("[{count} bytes are left out here]");
            (cut.as_bytes(), false, b"\n")
        }
    };
    if let Some(ledger) = sinks.ledger {
        // What a script prints is no reason to stop for.
        let _ = ledger.append(&Event::Output { phase, stream, text: bytes.into(), more });
    }
    let marked = Priority::prefix(bytes).filter(|_| first && phase.is_some());
    sinks.tasks.log(marked.map_or(bytes, |(_, rest)| rest));
    sinks.tasks.log(end);
}

/// What people are shown of an output, which comes in pieces: lines without the priorities that they begin with.
#[derive(Debug, Default)]
struct Shown {
    /// Within a line; what else it begins with has been seen to be no priority.
    within: bool,
    /// The beginning of a line that may be one.
    held: Vec<u8>,
}

impl Shown {
    fn without_priorities(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + self.held.len());
        for byte in bytes {
            if self.within {
                out.push(*byte);
                self.within = *byte != b'\n';
                continue;
            }
            self.held.push(*byte);
            match self.held[..] {
                [b'<'] | [b'<', b'0'..=b'7'] => {}
                [b'<', b'0'..=b'7', b'>'] => {
                    self.held.clear();
                    self.within = true;
                }
                _ => {
                    out.append(&mut self.held);
                    self.within = *byte != b'\n';
                }
            }
        }
        out
    }

    /// What was held back where nothing more comes.
    fn rest(&mut self) -> Vec<u8> {
        self.within |= !self.held.is_empty();
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_are_not_shown_however_lines_are_cut() {
        let text = b"<3>no such device\nplain <4> here\n<8>x\n\n<<5>y\n<7>\n<2";
        for size in 1..text.len() {
            let mut shown = Shown::default();
            let mut out: Vec<u8> = text.chunks(size).flat_map(|cut| shown.without_priorities(cut)).collect();
            out.extend(shown.rest());
            let want = "no such device\nplain <4> here\n<8>x\n\n<<5>y\n\n<2";
            assert_eq!(String::from_utf8_lossy(&out), want, "{size}");
        }
    }
}
