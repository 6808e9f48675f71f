//! A run whose record is damaged: what the world tells stands in for what cannot be read, so that the guest is kept on and
//! can be stopped.

use crate::keep::epoch_millis;
use crate::machine;
use hooks::chain;
use lifecycle::{Evidence, Line, mend};
use model::{Event, GuestKind, Layout, Phase, RunId, Script, StartReason, UserId, Vmid};
use record::FileError;
use record::ledger::{self, RawLine};
use store::ConfigStore;

/// The most faults of a ledger that are told one by one.
const TOLD: usize = 20;

/// The record of a run that is to be gone on with.
#[derive(Default)]
pub(crate) struct Recorded {
    /// What it says, but for output; nothing where nothing was begun.
    pub(crate) events: Vec<Event>,
    /// What has just been found wrong with it.
    pub(crate) faults: Vec<String>,
}

/// Reads the record of a run that is to be gone on with, and mends it where that has to be.
///
/// # Errors
/// Where the mended record cannot be written.
pub(crate) fn record(layout: &Layout, store: &ConfigStore, vmid: Vmid) -> Result<Recorded, String> {
    let path = layout.ledger(vmid);
    let mut read = ledger::raw_lines(&path);
    if read.as_ref().is_ok_and(|lines| is_left_by_power(layout, lines)) {
        ledger::cut_tail(&path).map_err(|error| format!("cannot mend '{}': {error}", path.display()))?;
        read = ledger::raw_lines(&path);
    }
    let is_whole = |lines: &[RawLine]| {
        let begins = lines.first().and_then(|line| line.record.as_ref().ok());
        let begins = begins.is_some_and(|first| matches!(first.event, Event::RunBegin { .. }));
        begins && lines.iter().all(|line| line.record.is_ok())
    };
    match read {
        Ok(lines) if is_whole(&lines) => Ok(Recorded { events: events(&lines), faults: Vec::new() }),
        read => mended(layout, store, vmid, read),
    }
}

fn mended(
    layout: &Layout,
    store: &ConfigStore,
    vmid: Vmid,
    read: Result<Vec<RawLine>, FileError>,
) -> Result<Recorded, String> {
    let path = layout.ledger(vmid);
    let mut faults: Vec<String> = Vec::new();
    // Of a begin whose writing was cut short nothing has come.
    let mut nothing_begun = false;
    let lines = match read {
        Ok(lines) => {
            nothing_begun = lines.is_empty() || (lines.len() == 1 && is_torn(&lines[0]));
            faults
                .extend(lines.iter().filter_map(|line| line.record.as_ref().err()).map(ToString::to_string));
            lines
        }
        Err(error) => {
            nothing_begun |= error.source.kind() == std::io::ErrorKind::NotFound;
            faults.push(crate::keeper::told(&error));
            Vec::new()
        }
    };
    let readable = lines.iter().filter_map(|line| line.record.as_ref().ok());
    let told = readable.map(|stamped| &stamped.event).find_map(|event| match event {
        Event::RunBegin { kind, run, .. } => Some((*kind, run.clone())),
        _ => None,
    });
    let kinds = match &told {
        Some((kind, _)) => vec![*kind],
        None => store.find(vmid).map_or_else(|| GuestKind::ALL.to_vec(), |kind| vec![kind]),
    };
    let found = kinds.iter().find_map(|kind| Some((*kind, machine::find(layout, *kind, vmid)?)));
    if found.is_none() && (nothing_begun || kinds.len() != 1) {
        let _ = std::fs::rename(&path, path.with_extension("jsonl.torn"));
        return Ok(Recorded::default());
    }
    let kind = found.map_or(kinds[0], |(kind, _)| kind);
    let run = told.map_or_else(|| RunId::new(epoch_millis(), crate::keep::random()), |(_, run)| run);
    let evidence = Evidence {
        begin: begin(store, kind, vmid, &run),
        guest: found.map(|(_, process)| process),
        scripts: scripts(layout, store, kind, vmid),
    };
    let mut records: Vec<Option<Event>> =
        lines.iter().map(|line| line.record.as_ref().ok().map(|stamped| stamped.event.clone())).collect();
    if !records.contains(&None) {
        // The record has no beginning, or is not there at all.
        records.insert(0, None);
    }
    let offset = records.len() - lines.len();
    let mut whole: Vec<RawLine> = Vec::with_capacity(records.len() + 8);
    let failed = |error: std::io::Error| format!("cannot mend '{}': {error}", path.display());
    let mut lines: Vec<Option<RawLine>> = lines.into_iter().map(Some).collect();
    for line in mend(&records, &evidence) {
        match line {
            Line::Kept(at) => whole.extend(lines[at - offset].take()),
            Line::New(event) => whole.push(RawLine::new(event).map_err(failed)?),
        }
    }
    let leftovers = machine::leftovers(layout, kind, vmid).into_iter().map(|what| Event::Took { what });
    let aside = layout.history(vmid).join(format!("{run}.damaged"));
    let faults = faults.iter().take(TOLD).map(|fault| format!("the record of the run is damaged: {fault}"));
    let kept = format!("what was there of the record is kept as '{}'", aside.display());
    let faults: Vec<String> = faults.chain([kept]).collect();
    let notes = faults.iter().map(|text| Event::Note { text: text.clone() });
    for (place, event) in (1..).zip(leftovers.chain(notes)) {
        whole.insert(place, RawLine::new(event).map_err(failed)?);
    }
    ledger::replace(&path, &aside, &whole).map_err(failed)?;
    Ok(Recorded { events: events(&whole), faults })
}

/// Whether a record ends in what the host had not brought to disk when its power went. That hides no call: the begin of each
/// is on disk before it.
fn is_left_by_power(layout: &Layout, lines: &[RawLine]) -> bool {
    let before = lines.iter().rev().find_map(|line| match &line.record.as_ref().ok()?.event {
        Event::Keeper { host, .. } => Some(&host.instance),
        _ => None,
    });
    let now = record::instance::id(layout).ok();
    lines.last().is_some_and(|line| line.record.is_err())
        && before.zip(now.as_ref()).is_some_and(|(before, now)| before != now)
}

fn is_torn(line: &RawLine) -> bool {
    matches!(&line.record, Err(damage) if damage.fault == ledger::Fault::Torn)
}

fn events(lines: &[RawLine]) -> Vec<Event> {
    let readable = lines.iter().filter_map(|line| line.record.as_ref().ok());
    let wanted = readable.filter(|stamped| !matches!(stamped.event, Event::Output { .. }));
    wanted.map(|stamped| stamped.event.clone()).collect()
}

/// The beginning of a run as the configuration tells of it now.
fn begin(store: &ConfigStore, kind: GuestKind, vmid: Vmid, run: &RunId) -> Event {
    let config = store.read(kind, vmid).ok();
    let main = config.as_ref().map(|config| &config.main);
    let name = main.and_then(|main| main.get("name").or_else(|| main.get("hostname")));
    Event::RunBegin {
        run: run.clone(),
        vmid,
        kind,
        name: name.unwrap_or_default().to_owned(),
        reason: StartReason::User,
        user: UserId::root(),
        hookscript: main.and_then(|main| main.hookscript().ok().flatten()),
    }
}

fn scripts(layout: &Layout, store: &ConfigStore, kind: GuestKind, vmid: Vmid) -> Vec<Script> {
    let found = chain::find(layout, vmid).unwrap_or_default();
    let own = store.read(kind, vmid).ok().and_then(|config| config.main.hookscript().ok().flatten());
    chain::order(Phase::PreStart, &found.drop_ins, own.as_ref())
}
