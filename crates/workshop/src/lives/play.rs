//! A life as hookvisor has it: its own commands, its own keepers.

use super::Life;
use super::drive::Stage;
use super::life::Step;
use super::report::EntryKind;
use keeper::{client, simulation};
use model::{GuestKind, Vmid};
use rustix::process::{Pid, Signal, kill_process};

/// Plays it.
pub(super) fn play(stage: &mut Stage, life: Life) {
    for step in life.steps() {
        match take(stage, *step) {
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
    let up = |run: &record::history::RunHistory| {
        let post_start = run.phases.iter().find(|phase| phase.phase == model::Phase::PostStart);
        run.ended.is_some() || post_start.is_some_and(|phase| phase.outcome.is_some())
    };
    history.runs.len() == 2 && up(&history.runs[0])
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
