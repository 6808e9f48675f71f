use super::line::{self, Fault, Stamped};
use crate::FileError;
use model::Event;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, prelude::Read};
use std::path::Path;

/// Everything that could be read of a ledger, and what could not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// The records in their order.
    pub events: Vec<Stamped>,
    /// The lines that are none.
    pub damage: Vec<Damage>,
}

/// A line of a ledger that is no record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct Damage {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    #[source]
    pub fault: Fault,
}

/// Reads a ledger. It may be appended to meanwhile.
///
/// # Errors
/// Where the file cannot be read; damage within it is no error.
pub fn read(path: &Path) -> Result<Contents, FileError> {
    collect(Reader::open(path)?, path)
}

/// Reads a ledger but for what the hookscripts printed, which is most of it and is not even parsed.
///
/// # Errors
/// As [`read`].
pub fn read_without_output(path: &Path) -> Result<Contents, FileError> {
    collect(Reader::open(path)?.without_output(), path)
}

fn collect(reader: Reader<BufReader<File>>, path: &Path) -> Result<Contents, FileError> {
    let mut contents = Contents::default();
    for item in reader {
        match item.map_err(FileError::at("read", path))? {
            Ok(stamped) => contents.events.push(stamped),
            Err(damage) => contents.damage.push(damage),
        }
    }
    Ok(contents)
}

/// Reads a ledger record by record.
#[derive(Debug)]
pub struct Reader<R> {
    lines: R,
    buffer: Vec<u8>,
    number: u64,
    output: bool,
}

impl Reader<BufReader<File>> {
    /// Opens a ledger.
    ///
    /// # Errors
    /// Where the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let file = File::open(path).map_err(FileError::at("open", path))?;
        Ok(Self::new(BufReader::with_capacity(64 * 1024, file)))
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads the lines of `lines`.
    pub fn new(lines: R) -> Self {
        Self { lines, buffer: Vec::new(), number: 0, output: true }
    }

    /// Skips what the hookscripts printed.
    #[must_use]
    pub fn without_output(mut self) -> Self {
        self.output = false;
        self
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = io::Result<Result<Stamped, Damage>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.buffer.clear();
            match self.lines.read_until(b'\n', &mut self.buffer) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
            self.number += 1;
            let line = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
            if line.is_empty() || (!self.output && line::is_output(line)) {
                continue;
            }
            return Some(Ok(line::decode(line).map_err(|fault| Damage { line: self.number, fault })));
        }
    }
}

/// Finds the last record that `wanted` says yes to, from the end of the ledger on. Output is passed over
/// unparsed, and damaged lines in silence.
///
/// # Errors
/// Where the file cannot be read.
pub fn last(path: &Path, mut wanted: impl FnMut(&Event) -> bool) -> Result<Option<Stamped>, FileError> {
    let mut file = File::open(path).map_err(FileError::at("open", path))?;
    let found = backwards(&mut file, |line| {
        if line.is_empty() || line::is_output(line) {
            return None;
        }
        line::decode(line).ok().filter(|stamped| wanted(&stamped.event))
    });
    found.map_err(FileError::at("read", path))
}

/// Hands out lines from the last to the first until `each` has found something.
fn backwards<T>(
    file: &mut (impl Read + Seek),
    mut each: impl FnMut(&[u8]) -> Option<T>,
) -> io::Result<Option<T>> {
    const BLOCK: u64 = 64 * 1024;
    let mut at = file.seek(SeekFrom::End(0))?;
    // The beginning of what has been read, of which it is not yet known where its line begins.
    let mut open = Vec::new();
    while at > 0 {
        let len = at.min(BLOCK);
        at -= len;
        let mut block = vec![0; usize::try_from(len).unwrap_or(0)];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut block)?;
        block.append(&mut open);
        let mut lines = block.rsplit(|byte| *byte == b'\n').peekable();
        while let Some(line) = lines.next() {
            if at > 0 && lines.peek().is_none() {
                open = line.to_vec();
            } else if let Some(found) = each(line) {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Stream, Text};
    use proptest::prelude::*;
    use std::io::Cursor;

    fn lines_backwards(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        let stop = backwards::<()>(&mut Cursor::new(bytes), |line| {
            lines.push(line.to_vec());
            None
        });
        assert_eq!(stop.unwrap(), None);
        lines
    }

    #[test]
    fn the_last_record_is_found_behind_megabytes_of_output() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = crate::Ledger::create(&dir.path().join("100.jsonl")).unwrap();
        ledger.append(&Event::Note { text: "first".into() }).unwrap();
        ledger.append(&Event::Released).unwrap();
        let text = Text::from(vec![0; 64 * 1024].as_slice());
        let output = Event::Output { phase: None, stream: Stream::Stderr, text, more: false };
        for _ in 0..8 {
            ledger.append(&output).unwrap();
        }
        assert_eq!(last(ledger.path(), |_| true).unwrap().unwrap().event, Event::Released);
        let note = last(ledger.path(), |event| matches!(event, Event::Note { .. })).unwrap().unwrap();
        assert_eq!(note.event, Event::Note { text: "first".into() });
        assert_eq!(read_without_output(ledger.path()).unwrap().events.len(), 2);
        assert_eq!(read(ledger.path()).unwrap().events.len(), 10);
    }

    proptest! {
        #[test]
        fn backwards_is_forwards_reversed(lens in prop::collection::vec(0..90_000_usize, 0..6)) {
            let bytes = lens.iter().map(|len| "x".repeat(*len)).collect::<Vec<_>>().join("\n").into_bytes();
            let mut forwards: Vec<_> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            forwards.reverse();
            prop_assert!(bytes.is_empty() || lines_backwards(&bytes) == forwards);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>, lines: Vec<Vec<u8>>) {
            let good = line::encode(1, 2, &Event::Released).unwrap();
            let file = [bytes, b"\n".to_vec(), good, b"\n".to_vec(), lines.join(&b'\n')].concat();
            let items: Vec<_> = Reader::new(Cursor::new(&file)).map(Result::unwrap).collect();
            let read = items.iter().flatten().count();
            prop_assert!(read >= 1, "the good line is found whatever is around it");
            prop_assert!(items.len() <= file.split(|byte| *byte == b'\n').count());
        }
    }
}
