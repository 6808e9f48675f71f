use super::cursor::Cursor;
use super::tail::{Line, Tail};
use super::watch::{Changed, Watch};
use super::{EventsError, Heard};
use crate::{FileError, clock, history};
use model::{Event, Layout, RunId, Vmid};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io::ErrorKind;
use std::ops::ControlFlow::{self, Break, Continue};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// After so much silence it is told that there is nothing.
const SILENCE: Duration = Duration::from_secs(15);

/// Which events are told.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Those of this guest.
    pub vmid: Option<Vmid>,
    /// Whether it ends with what there is, rather than wait for more.
    pub until_now: bool,
}

/// Tells all that happened after a place, and then what happens, in the order of the times at which it was recorded; the order
/// within a run is always its own. Without a place it begins with what happens from now on. Goes on until `take` breaks,
/// or there is no more and the filter says so.
///
/// # Errors
/// A folder or ledger that cannot be read.
pub fn events(
    layout: &Layout,
    after: Option<&Cursor>,
    filter: &Filter,
    take: &mut dyn FnMut(Heard) -> ControlFlow<()>,
) -> Result<(), EventsError> {
    // First, so that nothing happens between a look and the wait.
    let watch = Watch::new(layout)?;
    let mut stream = Stream {
        layout,
        filter,
        after: after.cloned().unwrap_or_else(|| Cursor::at(clock::epoch_millis())),
        at: after.cloned().unwrap_or_else(|| Cursor::at(clock::epoch_millis())),
        tails: BTreeMap::new(),
        current: BTreeMap::new(),
        later: VecDeque::new(),
        seen: BTreeSet::new(),
        heads: BTreeMap::new(),
        caught_up: false,
    };
    stream.look_at_all()?;
    if after.is_none() {
        stream.pass_over()?;
    } else if stream.say_gaps(take).is_break() {
        return Ok(());
    }
    if stream.tell(take)?.is_break() || take(Heard::Idle { id: stream.at.clone() }).is_break() {
        return Ok(());
    }
    // What comes from now on is new, whatever the clock says.
    stream.caught_up = true;
    while !filter.until_now && stream.tell(take)?.is_continue() {
        match watch.wait(SILENCE)? {
            Changed::None if take(Heard::Idle { id: stream.at.clone() }).is_break() => break,
            Changed::None => {}
            Changed::These(guests) => {
                for vmid in guests.into_iter().filter(|vmid| filter.wants(*vmid)) {
                    stream.look_at(vmid)?;
                }
            }
            Changed::Any => stream.look_at_all()?,
        }
    }
    Ok(())
}

impl Filter {
    fn wants(&self, vmid: Vmid) -> bool {
        self.vmid.is_none_or(|only| only == vmid)
    }
}

struct Stream<'a> {
    layout: &'a Layout,
    filter: &'a Filter,
    /// What was told before this stream.
    after: Cursor,
    /// What has been told by now.
    at: Cursor,
    /// Ledgers that are read, by a number of their own.
    tails: BTreeMap<u64, Tail>,
    /// The one of each guest's run that has not ended.
    current: BTreeMap<Vmid, u64>,
    /// Ended runs that began later than what is told now, in the order of their beginnings.
    later: VecDeque<(RunId, Vmid, PathBuf)>,
    /// Runs that are or were read.
    seen: BTreeSet<RunId>,
    /// The next line of each ledger that has one, by time.
    heads: BTreeMap<(u64, u64), Line>,
    /// Whether what is found is new.
    caught_up: bool,
}

impl Stream<'_> {
    fn look_at_all(&mut self) -> Result<(), FileError> {
        let mut guests = BTreeSet::new();
        for (folder, suffix) in [(self.layout.runs(), ".jsonl"), (self.layout.state().join("history"), "")] {
            for entry in entries(&folder)? {
                let vmid = entry.name.strip_suffix(suffix).and_then(|name| name.parse::<Vmid>().ok());
                let Some(vmid) = vmid.filter(|vmid| self.filter.wants(*vmid)) else { continue };
                // A folder changes when a ledger is moved into it.
                if !suffix.is_empty() || self.after.concerns(entry.changed()) {
                    guests.insert(vmid);
                }
            }
        }
        guests.into_iter().try_for_each(|vmid| self.look_at(vmid))
    }

    /// Reads on what a guest's ledgers have, and finds new ones.
    fn look_at(&mut self, vmid: Vmid) -> Result<(), FileError> {
        let known = self.current.get(&vmid).copied();
        if let Some(number) = known {
            self.next_of(number)?;
        }
        let replaced = known.and_then(|number| self.tails.get(&number)).is_none_or(Tail::is_replaced);
        if !replaced {
            return Ok(());
        }
        // What it had before it was moved away.
        if let Some(number) = known {
            self.next_of(number)?;
            self.current.remove(&vmid);
        }
        if let Some(tail) = Tail::open(&self.layout.ledger(vmid), vmid)? {
            let number = self.read(tail)?;
            self.current.insert(vmid, number);
        }
        // After that: what ends meanwhile is open already.
        self.find_ended(vmid)
    }

    /// Finds ended runs that nobody has read yet.
    fn find_ended(&mut self, vmid: Vmid) -> Result<(), FileError> {
        let folder = self.layout.history(vmid);
        for entry in entries(&folder)? {
            let run = entry.name.strip_suffix(".jsonl").and_then(|name| name.parse::<RunId>().ok());
            let Some(run) = run.filter(|run| !self.seen.contains(run)) else { continue };
            if self.after.concerns(entry.changed()) {
                self.seen.insert(run.clone());
                let at = self.later.partition_point(|(other, ..)| *other < run);
                self.later.insert(at, (run, vmid, folder.join(entry.name)));
            }
        }
        Ok(())
    }

    /// Begins to read a ledger.
    fn read(&mut self, tail: Tail) -> Result<u64, FileError> {
        let number = self.tails.last_key_value().map_or(0, |(last, _)| last + 1);
        self.tails.insert(number, tail);
        self.next_of(number)?;
        self.seen.extend(self.tails[&number].run.clone());
        Ok(number)
    }

    /// Puts the next line of a ledger among the heads, unless it has one there.
    fn next_of(&mut self, number: u64) -> Result<(), FileError> {
        let there = self.heads.keys().any(|(_, of)| *of == number);
        let Some(tail) = self.tails.get_mut(&number).filter(|_| !there) else { return Ok(()) };
        while let Some(line) = tail.next()? {
            self.seen.insert(line.run.clone());
            // What cannot be read has no time: it comes as soon as it can.
            let time = line.record.as_ref().map_or(0, |stamped| stamped.time_ms);
            let past = match &line.record {
                Ok(stamped) => self.after.is_past(&line.run, line.number, stamped.time_ms),
                Err(_) => self.after.is_past(&line.run, line.number, self.after.time),
            };
            if self.caught_up || !past {
                self.heads.insert((time, number), line);
                break;
            }
        }
        Ok(())
    }

    /// The next line of all.
    fn next(&mut self) -> Result<Option<(u64, Line)>, FileError> {
        loop {
            let first = self.heads.first_key_value().map(|((time, _), _)| *time);
            let due =
                self.later.front().is_some_and(|(run, ..)| first.is_none_or(|time| run.millis() <= time));
            let Some((_, vmid, path)) = due.then(|| self.later.pop_front()).flatten() else { break };
            // One that was removed meanwhile is one of those that gaps are said of.
            if let Some(tail) = Tail::open(&path, vmid)? {
                self.read(tail)?;
            }
        }
        let Some(((_, number), line)) = self.heads.pop_first() else { return Ok(None) };
        Ok(Some((number, line)))
    }

    /// Tells all there is.
    fn tell(&mut self, take: &mut dyn FnMut(Heard) -> ControlFlow<()>) -> Result<ControlFlow<()>, FileError> {
        while let Some((number, line)) = self.next()? {
            if take(self.advance(number, line)).is_break() {
                return Ok(Break(()));
            }
            self.next_of(number)?;
        }
        self.forget();
        Ok(Continue(()))
    }

    /// Goes on over a line, and makes of it what is told.
    fn advance(&mut self, number: u64, line: Line) -> Heard {
        let vmid = self.tails[&number].vmid;
        let Line { run, number: at, record } = line;
        match record {
            Ok(stamped) => {
                let last = matches!(stamped.event, Event::RunEnd { .. });
                self.at.advance(&run, at, stamped.time_ms, last);
                Heard::Record { id: self.at.clone(), vmid, run, line: at, stamped: Box::new(stamped) }
            }
            Err(fault) => {
                self.at.advance(&run, at, self.at.time, false);
                Heard::Gap {
                    id: self.at.clone(),
                    vmid: Some(vmid),
                    what: format!("run {run}, line {at}: {fault}"),
                    place: Some((run, at)),
                }
            }
        }
    }

    /// Goes on over all there is, in silence.
    fn pass_over(&mut self) -> Result<(), FileError> {
        while let Some((number, line)) = self.next()? {
            self.advance(number, line);
            self.next_of(number)?;
        }
        self.forget();
        Ok(())
    }

    /// Lets go of ledgers that will not grow.
    fn forget(&mut self) {
        let current: BTreeSet<u64> = self.current.values().copied().collect();
        self.tails.retain(|number, _| current.contains(number));
    }

    /// Says what is not there any more.
    fn say_gaps(&mut self, take: &mut dyn FnMut(Heard) -> ControlFlow<()>) -> ControlFlow<()> {
        let lost: Vec<RunId> =
            self.after.unfinished().filter(|run| !self.seen.contains(*run)).cloned().collect();
        for run in lost {
            let what = format!("the rest of run {run} is not on record any more");
            // Said once: not again to who goes on from here.
            self.at.runs.remove(&run);
            take(Heard::Gap { id: self.at.clone(), vmid: None, place: None, what })?;
        }
        // Guests whose history is full, and begins after the place.
        let mut oldest: BTreeMap<Vmid, (usize, RunId)> = BTreeMap::new();
        for (run, vmid, _) in self.later.iter().rev() {
            let entry = oldest.entry(*vmid).or_insert_with(|| (0, run.clone()));
            *entry = (entry.0 + 1, run.clone());
        }
        for (vmid, (count, run)) in oldest {
            if count >= history::KEPT_RUNS && run.millis() > self.after.time {
                let what = format!("runs of {vmid} before {run} may have been removed");
                take(Heard::Gap { id: self.at.clone(), vmid: Some(vmid), place: None, what })?;
            }
        }
        Continue(())
    }
}

/// A file or folder in a folder.
struct Entry {
    name: String,
    entry: fs::DirEntry,
}

impl Entry {
    /// When it was changed last, in milliseconds since the Unix epoch; far in the future where that cannot be told.
    fn changed(&self) -> u64 {
        let modified = self.entry.metadata().and_then(|meta| meta.modified()).ok();
        let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        since.and_then(|since| u64::try_from(since.as_millis()).ok()).unwrap_or(u64::MAX / 2)
    }
}

/// What is in a folder; nothing where there is none.
fn entries(folder: &Path) -> Result<Vec<Entry>, FileError> {
    let listed = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.map_err(FileError::at("read", folder))?,
    };
    let named = |entry: fs::DirEntry| Some(Entry { name: entry.file_name().into_string().ok()?, entry });
    Ok(listed.flatten().filter_map(named).collect())
}

#[cfg(test)]
mod tests;
