/// The longest record in bytes; a longer line becomes several, its parts.
pub const MAX_RECORD: usize = 64 * 1024;

/// What follows a record's bytes in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// A line end.
    Newline,
    /// The next part of the same line.
    Part,
    /// The end of the stream, without a line end before it.
    Close,
}

/// A line, or a part of a long one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its bytes without the line end: any bytes but line ends, NUL and what is no UTF-8 included.
    pub bytes: &'a [u8],
    /// What follows.
    pub ending: Ending,
    /// Which part of its line this is, from 1; a whole line is its own first part.
    pub part: u32,
}

impl Record<'_> {
    /// Whether the line goes on in the next record.
    #[must_use]
    pub fn more(&self) -> bool {
        self.ending == Ending::Part
    }

    /// How many bytes of the stream it stands for.
    #[must_use]
    pub fn stream_len(&self) -> usize {
        self.bytes.len() + usize::from(self.ending == Ending::Newline)
    }
}

/// Cuts a stream of bytes into records. It holds at most [`MAX_RECORD`] bytes.
#[derive(Debug, Default)]
pub struct Splitter {
    held: Vec<u8>,
    /// Parts of the current line that are out.
    parts: u32,
}

impl Splitter {
    /// A splitter whose first bytes continue a line of which `parts` parts are out.
    pub(super) fn within_line(parts: u32) -> Self {
        Self { held: Vec::new(), parts }
    }

    /// Takes the next bytes and hands out each record that they complete.
    pub fn push(&mut self, mut bytes: &[u8], each: &mut dyn FnMut(Record<'_>)) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.line_end(&bytes[..end], each);
            bytes = &bytes[end + 1..];
        }
        self.hold(bytes, each);
    }

    /// Takes the end of the stream: hands out what a missing last line end left behind.
    pub fn close(&mut self, each: &mut dyn FnMut(Record<'_>)) {
        if !self.held.is_empty() {
            self.emit_held(Ending::Close, each);
        }
        *self = Self::default();
    }

    fn line_end(&mut self, bytes: &[u8], each: &mut dyn FnMut(Record<'_>)) {
        if self.held.is_empty() && bytes.len() <= MAX_RECORD {
            each(Record { bytes, ending: Ending::Newline, part: self.parts + 1 });
        } else {
            self.hold(bytes, each);
            self.emit_held(Ending::Newline, each);
        }
        self.parts = 0;
    }

    fn emit_held(&mut self, ending: Ending, each: &mut dyn FnMut(Record<'_>)) {
        each(Record { bytes: &self.held, ending, part: self.parts + 1 });
        self.held.clear();
    }

    /// Holds bytes of the current line, and hands out a part whenever there are more than one record takes.
    fn hold(&mut self, mut bytes: &[u8], each: &mut dyn FnMut(Record<'_>)) {
        while self.held.len() + bytes.len() > MAX_RECORD {
            let (now, later) = bytes.split_at(MAX_RECORD - self.held.len());
            self.held.extend_from_slice(now);
            bytes = later;
            let cut = character_end(&self.held);
            each(Record { bytes: &self.held[..cut], ending: Ending::Part, part: self.parts + 1 });
            self.parts = self.parts.saturating_add(1);
            self.held.drain(..cut);
        }
        self.held.extend_from_slice(bytes);
    }
}

/// Where to cut so that no UTF-8 character is cut in two: the length, or up to three bytes less.
fn character_end(bytes: &[u8]) -> usize {
    for back in 1..=3.min(bytes.len()) {
        let byte = bytes[bytes.len() - back];
        let needs = match byte {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            0x80..=0xbf => continue,
            _ => break,
        };
        if needs > back {
            return bytes.len() - back;
        }
        break;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(chunks: &[&[u8]]) -> Vec<(Vec<u8>, Ending, u32)> {
        let (mut splitter, mut out) = (Splitter::default(), Vec::new());
        let mut each = |record: Record<'_>| out.push((record.bytes.to_vec(), record.ending, record.part));
        for chunk in chunks {
            splitter.push(chunk, &mut each);
        }
        splitter.close(&mut each);
        out
    }

    #[test]
    fn a_line_of_just_the_limit_is_one_record_and_a_longer_one_parts() {
        let full = vec![b'x'; MAX_RECORD];
        assert_eq!(split(&[&full, b"\n"]), [(full.clone(), Ending::Newline, 1)]);
        assert_eq!(
            split(&[&full, b"y\nz"]),
            [
                (full.clone(), Ending::Part, 1),
                (b"y".to_vec(), Ending::Newline, 2),
                (b"z".to_vec(), Ending::Close, 1)
            ]
        );
    }

    #[test]
    fn a_character_is_not_cut_in_two() {
        let text = "a".repeat(MAX_RECORD - 2) + "€uro\n";
        let parts = split(&[text.as_bytes()]);
        assert_eq!(parts[0].0.len(), MAX_RECORD - 2);
        assert_eq!(parts[1].0, "€uro".as_bytes());
    }

    fn chunk() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..40),
            1 => (MAX_RECORD - 3..MAX_RECORD + 3, any::<u8>()).prop_map(|(len, byte)| vec![byte; len]),
        ]
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_or_moved(chunks in prop::collection::vec(chunk(), 0..12)) {
            let whole = chunks.concat();
            let records = split(&chunks.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let mut back = Vec::new();
            let mut part = 1;
            for (bytes, ending, number) in &records {
                prop_assert!(bytes.len() <= MAX_RECORD && !bytes.contains(&b'\n'));
                prop_assert_eq!(*number, part);
                back.extend_from_slice(bytes);
                part = if *ending == Ending::Part { part + 1 } else { 1 };
                if *ending == Ending::Newline {
                    back.push(b'\n');
                }
            }
            prop_assert!(back == whole);
            let closes = records.iter().filter(|record| record.1 == Ending::Close).count();
            prop_assert_eq!(closes, usize::from(whole.last().is_some_and(|byte| *byte != b'\n')));
        }
    }
}
