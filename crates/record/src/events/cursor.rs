use super::Heard;
use model::{Event, InvalidId, RunId};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// How much later than others of the same time a record may come to be read, in milliseconds: whoever writes one takes the
/// time first, and may have to wait for a processor.
const LATE: u64 = 5000;

/// A place in the stream of all events: everything before it has been told.
///
/// It says when the last event was recorded and, as a record of another run may come late, how far each run had been told that
/// had one shortly before. Its text is `<milliseconds>` and for each of these runs `.<run>-<line>`, with
/// `-end` where its end has been told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    pub(super) time: u64,
    pub(super) runs: BTreeMap<RunId, Told>,
}

/// How far a run has been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    /// The last line.
    line: u64,
    /// When that was recorded.
    time: u64,
    /// Whether the run's end is among it; the ends of tasks may follow.
    ended: bool,
}

impl Cursor {
    /// The place where nothing before a time is missing.
    pub(super) fn at(time: u64) -> Self {
        Self { time, runs: BTreeMap::new() }
    }

    /// Goes on over an event.
    pub(super) fn advance(&mut self, run: &RunId, line: u64, time: u64, last: bool) {
        self.time = self.time.max(time);
        let ended = last || self.runs.get(run).is_some_and(|told| told.ended);
        self.runs.insert(run.clone(), Told { line, time, ended });
        let before = self.time.saturating_sub(LATE);
        self.runs.retain(|_, told| told.time >= before);
    }

    /// Whether an event is before this place.
    pub(super) fn is_past(&self, run: &RunId, line: u64, time: u64) -> bool {
        match self.runs.get(run) {
            Some(told) => line <= told.line,
            None => time < self.time.saturating_sub(LATE),
        }
    }

    /// Goes on over what was heard, unless it has been told before this place; says whether it has not. What is `fresh` was
    /// recorded after the place for certain, whatever the clock says.
    pub fn go_over(&mut self, heard: &Heard, fresh: bool) -> bool {
        let (run, line, time, last) = match heard {
            Heard::Record { run, line, stamped, .. } => {
                (run, *line, stamped.time_ms, matches!(stamped.event, Event::RunEnd { .. }))
            }
            Heard::Gap { place: Some((run, line)), .. } => (run, *line, self.time, false),
            Heard::Gap { place: None, .. } | Heard::Idle { .. } => return true,
        };
        let known = self.runs.contains_key(run);
        if (known || !fresh) && self.is_past(run, line, time) {
            return false;
        }
        self.advance(run, line, time, last);
        true
    }

    /// Keeps of how far runs had been told only that of some: a stream of one guest does not miss those of another.
    pub fn only(&mut self, mut keep: impl FnMut(&RunId) -> bool) {
        self.runs.retain(|run, _| keep(run));
    }

    /// Whether it says how far a run had been told.
    #[must_use]
    pub fn knows(&self, run: &RunId) -> bool {
        self.runs.contains_key(run)
    }

    /// Whether a file that was last changed at this time can have events after this place.
    pub(super) fn concerns(&self, changed: u64) -> bool {
        // File systems have coarser clocks.
        changed + 1000 >= self.time.saturating_sub(LATE)
    }

    /// Runs whose end has not been told.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = &RunId> {
        self.runs.iter().filter(|(_, told)| !told.ended).map(|(run, _)| run)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.time)?;
        for (run, told) in &self.runs {
            let ended = if told.ended { "-end" } else { "" };
            write!(f, ".{run}-{}{ended}", told.line)?;
        }
        Ok(())
    }
}

impl FromStr for Cursor {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId { what: "event id", value: text.chars().take(80).collect() };
        let mut parts = text.split('.');
        let time = number(parts.next().unwrap_or_default()).ok_or_else(invalid)?;
        let run = |part: &str| {
            let (run, line) = part.split_once('-')?;
            let ended = line.ends_with("-end");
            let line = number(line.strip_suffix("-end").unwrap_or(line))?;
            Some((run.parse().ok()?, Told { line, time, ended }))
        };
        let runs = parts.map(|part| run(part).ok_or_else(invalid)).collect::<Result<_, _>>()?;
        Ok(Self { time, runs })
    }
}

fn number(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(number: u32) -> RunId {
        RunId::new(1_795_374_719_000, number)
    }

    #[test]
    fn a_place_reads_back_as_written() {
        let mut cursor = Cursor::at(1_795_374_719_000);
        cursor.advance(&run(1), 3, 1_795_374_719_100, false);
        cursor.advance(&run(2), 9, 1_795_374_719_090, true);
        let text = cursor.to_string();
        assert_eq!(text, format!("1795374719100.{}-3.{}-9-end", run(1), run(2)));
        assert_eq!(text.parse::<Cursor>().unwrap().to_string(), text);
        for bad in ["", "x", "1.", "1.abc-3", "-1", "1.2-3", "1.2-end", "99999999999999999999", "1 "] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_comes_late_is_told_once() {
        let mut cursor = Cursor::at(100_000);
        cursor.advance(&run(1), 5, 100_500, false);
        assert!(cursor.is_past(&run(1), 5, 100_500));
        assert!(!cursor.is_past(&run(1), 6, 100_400), "the order within a run is that of its lines");
        assert!(!cursor.is_past(&run(2), 1, 99_000), "a run that was not told of, shortly before");
        assert!(cursor.is_past(&run(2), 1, 95_000));
        cursor.advance(&run(2), 1, 99_000, true);
        assert!(cursor.is_past(&run(2), 1, 200_000));
        assert!(!cursor.is_past(&run(2), 2, 99_001), "the end of a task follows that of the run");
        assert_eq!((cursor.time, cursor.unfinished().count()), (100_500, 1));
        cursor.advance(&run(3), 1, 110_000, false);
        assert_eq!(cursor.runs.len(), 1, "runs that are long past are not carried along");
    }
}
