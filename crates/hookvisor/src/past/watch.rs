//! `hookvisor hooks watch`: runs as they happen.

use crate::cli::Command;
use crate::clock::seconds;
use crate::local::told;
use crate::programs::record::line as record_line;
use crate::run::Failure;
use api::{Output, Params};
use config::schema::Property;
use model::{Event, Layout, Outcome, Stream, Vmid};
use record::events::{Filter, Heard, events};
use record::history::{self, RunHistory};
use serde_json::{Value, json};
use std::ops::ControlFlow::Continue;
use std::time::SystemTime;

static PARAMETERS: &[&[Property]] =
    &[&[Property::integer("vmid").optional().describe("Only what happens to this guest.")]];

/// `hookvisor hooks watch`
pub(crate) const WATCH: Command = Command::local(
    "hooks watch",
    "Follows the runs of guests as they happen: calls of hookscripts, what they print and how they end. Goes on until it is \
     ended.",
    PARAMETERS,
    &["vmid"],
    watch,
)
.example("hookvisor hooks watch 100");

fn watch(layout: &Layout, params: &Params, out: &mut dyn Output) -> Result<Value, Failure> {
    let vmid = params.text("vmid").map(str::parse::<Vmid>).transpose().map_err(|error| error.to_string())?;
    let filter = Filter { vmid, until_now: false };
    let mut began = false;
    let mut say = |line: &str| out.write(Stream::Stdout, line.as_bytes());
    let followed = events(layout, None, &filter, &mut |heard| {
        match &heard {
            // From here on nothing is missed.
            Heard::Idle { .. } if !std::mem::replace(&mut began, true) => {
                live(layout, vmid).iter().for_each(|run| say(&going_on(run)));
            }
            Heard::Idle { .. } => {}
            Heard::Gap { vmid, what, .. } => say(&line(now(), *vmid, None, None, &format!("gap: {what}"))),
            Heard::Record { vmid, run, stamped, .. } => {
                if let Some((phase, stream, message)) = message(&stamped.event, run.as_str()) {
                    say(&line(stamped.time_ms, Some(*vmid), phase, stream, &message));
                }
            }
        }
        Continue(())
    });
    followed.map(|()| Value::Null).map_err(|error| told(&error).into())
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0)
}

fn line(time: u64, vmid: Option<Vmid>, phase: Option<&str>, stream: Option<Stream>, message: &str) -> String {
    record_line(&json!({
        "time_usec": time * 1000,
        "vmid": vmid.map(Vmid::get),
        "phase": phase,
        "stream": stream.map(Stream::as_str),
        "message": message,
    }))
}

/// The runs that go on, of one guest or of all.
fn live(layout: &Layout, vmid: Option<Vmid>) -> Vec<RunHistory> {
    let all = store::ConfigStore::open(layout.clone()).and_then(|store| store.list()).unwrap_or_default();
    let wanted =
        all.into_iter().map(|(guest, _)| guest).filter(|guest| vmid.is_none_or(|only| only == *guest));
    let last = wanted.filter_map(|guest| history::runs(layout, guest, 1).ok()?.runs.into_iter().next());
    last.filter(|run| run.ended.is_none()).collect()
}

fn going_on(run: &RunHistory) -> String {
    let phases: Vec<String> = run
        .phases
        .iter()
        .map(|call| match call.outcome {
            Some(outcome) => format!("{} {outcome}", call.phase),
            None => format!(
                "{} runs since {} ({})",
                call.phase,
                seconds(now().saturating_sub(call.begun)),
                call.script
            ),
        })
        .collect();
    let phases = if phases.is_empty() { "no hookscript called".to_owned() } else { phases.join(", ") };
    line(now(), Some(run.vmid), None, None, &format!("run {} goes on: {phases}", run.run))
}

/// What an event says to somebody who looks on: in which phase, on which output, and the words.
fn message<'e>(event: &'e Event, run: &str) -> Option<(Option<&'e str>, Option<Stream>, String)> {
    let plain = |text: String| Some((None, None, text));
    match event {
        Event::RunBegin { reason, user, .. } => plain(format!("run {run} begins: {reason} by {user}")),
        Event::Keeper { adopted: true, .. } => {
            plain("its keeper had died; another one goes on with the run".to_owned())
        }
        Event::HookBegin { phase, script, process, .. } => {
            Some((Some(phase.as_str()), None, format!("{script} begins (pid {})", process.pid)))
        }
        Event::Output { phase, stream, text, .. } => {
            let text = String::from_utf8_lossy(text.as_bytes()).into_owned();
            Some((phase.map(model::Phase::as_str), Some(*stream), text))
        }
        Event::HookEnd { phase, script, outcome, cause, millis, .. } => {
            let cause = cause.as_ref().filter(|_| *outcome != Outcome::Ok);
            let cause = cause.map(|cause| format!(": {}", cause.trim_end())).unwrap_or_default();
            Some((
                Some(phase.as_str()),
                None,
                format!("{script} ended: {outcome} after {}{cause}", seconds(*millis)),
            ))
        }
        Event::Ready { .. } => plain("the guest is up".to_owned()),
        Event::StopAsked { cause, .. } => plain(format!("its end is asked for: {cause}")),
        Event::StopFailed { why } => plain(format!("it lives on: {}", why.trim_end())),
        Event::Restart => plain("it reboots itself".to_owned()),
        Event::Gone { cause, detail } if detail.trim().is_empty() => {
            plain(format!("the guest is gone: {cause}"))
        }
        Event::Gone { cause, detail } => plain(format!("the guest is gone: {cause} ({})", detail.trim_end())),
        Event::RunEnd { error: Some(error), .. } => plain(format!("run {run} is over: {}", error.trim_end())),
        Event::RunEnd { error: None, .. } => plain(format!("run {run} is over")),
        Event::Note { text } => plain(text.clone()),
        Event::Keeper { .. }
        | Event::TaskBegin { .. }
        | Event::TaskEnd { .. }
        | Event::Took { .. }
        | Event::Released
        | Event::PhaseEnd { .. }
        | Event::Launch { .. } => None,
    }
}
