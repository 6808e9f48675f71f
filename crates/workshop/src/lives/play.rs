//! A life as hookvisor has it: its own commands, its own keepers.

use super::Life;
use super::drive::Stage;
use super::life::Step;
use super::report::EntryKind;
use super::world::Laid;
use keeper::{client, simulation};
use model::{Event, GuestKind, Phase, Vmid};
use rustix::process::{Pid, Signal, kill_process};
use std::time::{Duration, Instant};

/// How long a guest's `agent-up` is waited for; one without an agent has none.
const AGENT_UP: Duration = Duration::from_secs(5);

/// Plays it.
pub(super) fn play(stage: &mut Stage, life: Life) {
    for step in life.steps() {
        let taken = take(stage, *step).filter(|well| !well || settle(stage, *step));
        match taken {
            // Over, by a limit.
            None => return,
            Some(true) if life.start_fails() => {
                stage.trouble.push("the start should have failed, and did not".to_owned());
            }
            // What comes next is for a guest that runs.
            Some(false) if *step == Step::Start || *step == Step::StartBoth => break,
            Some(_) => {}
        }
    }
    tidy(stage);
}

/// What is left of it comes to its end: runs whose keepers were killed, guests that do not heed.
fn tidy(stage: &mut Stage) {
    let vmids = stage.laid.vmids.clone();
    let unfinished = |stage: &Stage| {
        let layout = &stage.laid.layout;
        vmids.iter().find(|vmid| layout.ledger(**vmid).exists()).copied()
    };
    if unfinished(stage).is_some() && stage.command(&["hookvisor", "recover"]).is_none() {
        return;
    }
    if let Some(vmid) = unfinished(stage) {
        command(stage, "stop", vmid, &[]);
    }
}

fn take(stage: &mut Stage, step: Step) -> Option<bool> {
    let (first, last) = (stage.laid.vmids[0], *stage.laid.vmids.last()?);
    match step {
        Step::Start => command(stage, "start", first, &[]),
        Step::StartInVain => {
            let started = command(stage, "start", first, &[])?;
            stage.laid.let_come_up();
            Some(!started)
        }
        Step::StartBoth => {
            let lines: Vec<Vec<String>> =
                [first, last].map(|vmid| line(stage.laid.kind, "start", vmid, &[])).to_vec();
            Some(stage.commands(&lines)?.into_iter().all(|well| well))
        }
        Step::Shutdown => command(stage, "shutdown", first, &["--timeout", "20"]),
        Step::ShutdownOther => command(stage, "shutdown", last, &["--timeout", "20"]),
        Step::ShutdownInVain => command(stage, "shutdown", first, &["--timeout", "1"]).map(|_| true),
        Step::Reboot => {
            let well = command(stage, "reboot", first, &["--timeout", "20"])?;
            stage.until(|laid| newest_is_settled(&laid.layout, first)).then_some(well)
        }
        Step::PowerOff => {
            stage.note(EntryKind::Command, Some(first.get()), None, "the guest powers itself off");
            let done = simulation::power_off(&stage.laid.layout, first);
            if let Err(error) = done {
                stage.trouble.push(format!("the guest cannot be reached: {error}"));
            }
            gone(stage, first)
        }
        Step::Kill => {
            stage.note(EntryKind::Command, Some(first.get()), None, "the guest's hypervisor is killed");
            let running = client::state(&stage.laid.layout, first).running;
            if let Some(pid) = running.and_then(|running| Pid::from_raw(running.pid.cast_signed())) {
                let _ = kill_process(pid, Signal::KILL);
            }
            gone(stage, first)
        }
    }
}

/// Waits for the end of the run.
fn gone(stage: &mut Stage, vmid: Vmid) -> Option<bool> {
    stage.until(|laid| !laid.layout.ledger(vmid).exists()).then_some(true)
}

/// Whether the second run of the guest is up, or over.
fn newest_is_settled(layout: &model::Layout, vmid: Vmid) -> bool {
    let Ok(history) = record::history::runs(layout, vmid, 2) else { return true };
    history.runs.len() == 2 && (history.runs[0].ended.is_some() || is_up(&events(layout, vmid)))
}

/// Whether the start is over, with all that is called in it.
fn is_up(events: &[Event]) -> bool {
    let ready = events.iter().position(|event| matches!(event, Event::Ready { .. }));
    ready.is_some_and(|at| events[at..].iter().any(|event| matches!(event, Event::TaskEnd { .. })))
}

fn events(layout: &model::Layout, vmid: Vmid) -> Vec<Event> {
    let contents = record::ledger::read_without_output(&layout.ledger(vmid));
    contents
        .map(|contents| contents.events.into_iter().map(|stamped| stamped.event).collect())
        .unwrap_or_default()
}

/// Waits for the `agent-up` of guests that have just started, where the script wants it; false where the life is over before.
fn settle(stage: &mut Stage, step: Step) -> bool {
    let vmids = match step {
        Step::Start | Step::Reboot => vec![stage.laid.vmids[0]],
        Step::StartBoth => stage.laid.vmids.clone(),
        _ => return true,
    };
    let script = std::fs::read(&stage.laid.script).unwrap_or_default();
    if !hooks::settings::parse(&script).is_ok_and(|settings| settings.phases.contains(&Phase::AgentUp)) {
        return true;
    }
    let until = Instant::now() + AGENT_UP;
    let over = |laid: &Laid, vmid: Vmid| {
        let events = events(&laid.layout, vmid);
        let begun =
            events.iter().any(|event| matches!(event, Event::HookBegin { phase: Phase::AgentUp, .. }));
        let ended = events.iter().any(|event| matches!(event, Event::HookEnd { phase: Phase::AgentUp, .. }));
        ended || events.is_empty() || !begun && Instant::now() >= until
    };
    stage.until(|laid| vmids.iter().all(|vmid| over(laid, *vmid)))
}

fn line(kind: GuestKind, what: &str, vmid: Vmid, more: &[&str]) -> Vec<String> {
    let program = if kind == GuestKind::Qemu { "qm" } else { "pct" };
    let vmid = vmid.to_string();
    [program, what, &vmid].into_iter().chain(more.iter().copied()).map(str::to_owned).collect()
}

fn command(stage: &mut Stage, what: &str, vmid: Vmid, more: &[&str]) -> Option<bool> {
    let line = line(stage.laid.kind, what, vmid, more);
    stage.commands(&[line])?.first().copied()
}
