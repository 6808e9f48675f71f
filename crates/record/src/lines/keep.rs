use super::{Ending, MAX_RECORD, Record, Splitter};
use std::collections::VecDeque;

/// How much of each of a phase's streams ledger and task log keep from its beginning, and as much again from its
/// end, in bytes.
pub const KEEP_BYTES: usize = 1024 * 1024;

/// The least that a record counts for, as each costs a line of JSON however short it is.
const LEAST_COST: usize = 4;

/// What is to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept<'a> {
    /// A record.
    Record(Record<'a>),
    /// So many bytes of the stream are left out here.
    Cut(u64),
}

/// Keeps the beginning of a stream at once, and its end when it is over.
#[derive(Debug)]
pub struct Keep {
    head_left: usize,
    tail: Option<Tail>,
}

impl Default for Keep {
    fn default() -> Self {
        Self { head_left: KEEP_BYTES, tail: None }
    }
}

impl Keep {
    /// Takes the next record of the stream; hands it out while the beginning is not full.
    pub fn push(&mut self, record: Record<'_>, each: &mut dyn FnMut(Kept<'_>)) {
        let cost = record.stream_len().max(LEAST_COST);
        if self.tail.is_none() && cost <= self.head_left {
            self.head_left -= cost;
            each(Kept::Record(record));
        } else {
            self.tail.get_or_insert_with(|| Tail::new(record.part - 1)).push(record);
        }
    }

    /// The stream is over: hands out how much is cut, if any, and then its end. Returns how much is cut.
    pub fn finish(self, each: &mut dyn FnMut(Kept<'_>)) -> u64 {
        self.tail.map_or(0, |tail| tail.finish(each))
    }
}

/// The last bytes of the stream, as they were: records are made of them again at the end. One buffer, so that
/// many short lines take no more memory than few long ones.
#[derive(Debug)]
struct Tail {
    bytes: VecDeque<u8>,
    cut: u64,
    /// The last byte that was cut.
    before: u8,
    /// Parts of the first line that came before.
    parts: u32,
}

impl Tail {
    fn new(parts: u32) -> Self {
        Self { bytes: VecDeque::new(), cut: 0, before: b'\n', parts }
    }

    fn push(&mut self, record: Record<'_>) {
        self.bytes.extend(record.bytes);
        if record.ending == Ending::Newline {
            self.bytes.push_back(b'\n');
        }
        self.drop_front(self.bytes.len().saturating_sub(KEEP_BYTES));
    }

    fn drop_front(&mut self, count: usize) {
        if count > 0 {
            self.before = self.bytes[count - 1];
            self.bytes.drain(..count);
            self.cut += count as u64;
        }
    }

    fn finish(mut self, each: &mut dyn FnMut(Kept<'_>)) -> u64 {
        self.drop_front(self.bytes.len() - self.affordable());
        if self.cut > 0 && self.before != b'\n' {
            // Begin with a whole line, unless the line is a long one.
            let first = self.bytes.iter().take(MAX_RECORD).position(|byte| *byte == b'\n');
            self.drop_front(first.map_or(0, |end| end + 1));
        }
        if self.cut > 0 {
            each(Kept::Cut(self.cut));
        }
        let mut splitter = Splitter::within_line(if self.cut > 0 { 0 } else { self.parts });
        let (front, back) = self.bytes.as_slices();
        for bytes in [front, back] {
            splitter.push(bytes, &mut |record| each(Kept::Record(record)));
        }
        splitter.close(&mut |record| each(Kept::Record(record)));
        self.cut
    }

    /// How many of the last bytes cost no more than the limit, short lines counted as [`LEAST_COST`].
    fn affordable(&self) -> usize {
        let (mut cost, mut line) = (0, 0);
        for (count, byte) in self.bytes.iter().rev().enumerate() {
            if *byte == b'\n' && line > 0 {
                cost += LEAST_COST.saturating_sub(line);
                line = 0;
            }
            (cost, line) = (cost + 1, line + 1);
            if cost > KEEP_BYTES {
                return count;
            }
        }
        self.bytes.len()
    }
}

/// Lets the first bytes of a stream pass and counts the others.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    left: u64,
    cut: u64,
}

impl Budget {
    /// Lets `bytes` pass.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self { left: bytes, cut: 0 }
    }

    /// What the journal takes of each of a phase's streams: 16 MiB.
    #[must_use]
    pub fn journal() -> Self {
        Self::new(16 * 1024 * 1024)
    }

    /// Whether the record may pass. Once one may not, no later one may.
    pub fn take(&mut self, record: &Record<'_>) -> bool {
        let cost = record.stream_len() as u64;
        let passes = self.cut == 0 && cost <= self.left;
        if passes {
            self.left -= cost;
        } else {
            self.cut += cost;
        }
        passes
    }

    /// How many bytes did not pass.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept of `stream`: the bytes before the cut, the cut, the bytes after it.
    fn keep(stream: &[u8]) -> (Vec<u8>, u64, Vec<u8>) {
        let (mut splitter, mut keep) = (Splitter::default(), Keep::default());
        let (mut head, mut tail, mut said) = (Vec::new(), Vec::new(), None);
        let mut each = |kept: Kept<'_>| match kept {
            Kept::Cut(count) => said = Some(count),
            Kept::Record(record) => {
                let side = if said.is_some() { &mut tail } else { &mut head };
                side.extend_from_slice(record.bytes);
                side.extend_from_slice(if record.ending == Ending::Newline { b"\n" } else { b"" });
            }
        };
        for chunk in stream.chunks(4096) {
            splitter.push(chunk, &mut |record| keep.push(record, &mut each));
        }
        splitter.close(&mut |record| keep.push(record, &mut each));
        let cut = keep.finish(&mut each);
        assert_eq!(said.unwrap_or(0), cut);
        (head, cut, tail)
    }

    fn numbered(lines: usize) -> Vec<u8> {
        (0..lines).flat_map(|n| format!("line {n:09}\n").into_bytes()).collect()
    }

    #[test]
    fn up_to_two_mebibytes_nothing_is_cut() {
        let stream = numbered(2 * KEEP_BYTES / 15);
        assert_eq!(keep(&stream), (stream, 0, Vec::new()));
    }

    #[test]
    fn of_more_the_first_and_the_last_mebibyte_are_kept_in_whole_lines() {
        let stream = numbered(300_000);
        let (head, cut, tail) = keep(&stream);
        assert!(stream.starts_with(&head) && stream.ends_with(&tail));
        assert_eq!(head.len() + tail.len() + usize::try_from(cut).unwrap(), stream.len());
        for side in [&head, &tail] {
            assert!((KEEP_BYTES - 15..=KEEP_BYTES).contains(&side.len()), "{}", side.len());
            assert!(side.starts_with(b"line ") && side.ends_with(b"\n"));
        }
    }

    #[test]
    fn one_endless_line_keeps_both_its_ends() {
        let stream: Vec<u8> = (0..5 * KEEP_BYTES).map(|n| b'a' + (n % 23) as u8).collect();
        let (head, cut, tail) = keep(&stream);
        assert!(stream.starts_with(&head) && stream.ends_with(&tail));
        assert_eq!((head.len(), tail.len()), (KEEP_BYTES, KEEP_BYTES));
        assert_eq!(cut, 3 * KEEP_BYTES as u64);
    }

    #[test]
    fn a_flood_of_empty_lines_is_bounded_in_number() {
        let (head, cut, tail) = keep(&vec![b'\n'; 4 * KEEP_BYTES]);
        assert_eq!((head.len(), tail.len()), (KEEP_BYTES / LEAST_COST, KEEP_BYTES / LEAST_COST));
        assert_eq!(cut as usize, 4 * KEEP_BYTES - KEEP_BYTES / 2);
    }

    #[test]
    fn a_budget_lets_the_beginning_pass_and_counts_the_rest() {
        let record = Record { bytes: b"123", ending: Ending::Newline, part: 1 };
        let mut budget = Budget::new(9);
        assert!(budget.take(&record) && budget.take(&record) && !budget.take(&record));
        assert!(!budget.take(&Record { bytes: b"", ending: Ending::Newline, part: 1 }));
        assert_eq!(budget.cut(), 5);
    }
}
