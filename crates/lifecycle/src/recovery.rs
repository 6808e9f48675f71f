//! Where a dead keeper was in the story, from the record it left (docs/design.md, "Recovery").

use crate::calls::Calls;
use crate::host::{Host, StopRequest};
use crate::story::{Life, Stage, live_on};
use model::{Boot, Event, Outcome, Phase, ProcessId, Script, StopCause};

/// Goes on with a run whose keeper died, from its record, oldest first.
///
/// `boot` is the host's present one. `alive` tells whether a process that was recorded in some boot still runs; which boot
/// that was is not known where the record is damaged.
///
/// # Errors
/// The keeper's own death, where the host knows such a thing.
pub fn resume<H: Host>(
    host: &mut H,
    events: &[Event],
    boot: &Boot,
    alive: impl Fn(ProcessId, Option<&Boot>) -> bool,
) -> Result<Life, H::Death> {
    let mut place = Place::default();
    for event in events {
        place.follow(event);
    }
    let guest = place
        .hypervisor
        .clone()
        .filter(|seen| alive(seen.process, seen.boot.as_ref()))
        .map(|seen| seen.process);
    if let Some(process) = guest {
        host.adopt_guest(process)?;
    }
    if let Some(open) = place.open_hook.take() {
        let OpenHook { phase, script, seen, retry } = open;
        let lives = alive(seen.process, seen.boot.as_ref());
        let end = if lives {
            host.adopt_hook(phase, &script, seen.process)?
        } else {
            host.lost_hook(phase, &script)?
        };
        if phase == Phase::PreStart {
            place.refusal.clone_from(&end.error);
        }
        // Where it says that it may be called again, nothing is known to have come of the call that nobody saw the end of.
        if !(retry && end.outcome == Outcome::Unknown) {
            place.calls.note(phase, &script, end.outcome);
        }
    }
    let stage = place.stage(guest.is_some(), boot);
    live_on(host, place.calls, stage)
}

/// A process and the boot it was recorded in.
#[derive(Clone)]
struct Seen {
    process: ProcessId,
    boot: Option<Boot>,
}

/// A call that has a begin on record and no end.
struct OpenHook {
    phase: Phase,
    script: Script,
    seen: Seen,
    retry: bool,
}

/// What the record says so far.
#[derive(Default)]
struct Place {
    boot: Option<Boot>,
    calls: Calls,
    /// Why the last `pre-start` did not end well.
    refusal: Option<String>,
    hypervisor: Option<Seen>,
    launched: bool,
    restarting: bool,
    restarted: bool,
    ready: bool,
    post_start_over: bool,
    stop: Option<StopRequest>,
    pre_stop_over: bool,
    gone: Option<(StopCause, String)>,
    post_stop_over: bool,
    over: Option<(Option<StopCause>, Option<String>)>,
    open_hook: Option<OpenHook>,
}

impl Place {
    fn follow(&mut self, event: &Event) {
        match event {
            Event::HookBegin { phase, script, process, retry, .. } => {
                let seen = self.seen(*process);
                self.open_hook =
                    Some(OpenHook { phase: *phase, script: script.clone(), seen, retry: *retry });
            }
            Event::HookEnd { phase, script, outcome, cause, .. } => {
                // As where its end is put on record in the first place.
                let again =
                    self.open_hook.take().is_some_and(|open| open.retry) && *outcome == Outcome::Unknown;
                if let Ok(script) = script.parse()
                    && !again
                {
                    self.calls.note(*phase, &script, *outcome);
                }
                if *phase == Phase::PreStart {
                    self.refusal.clone_from(cause);
                }
            }
            Event::PhaseEnd { phase } => match phase {
                Phase::PreStart => {}
                Phase::PostStart => self.post_start_over = true,
                Phase::AgentUp => self.calls.agent_up_over = true,
                Phase::PreStop => self.pre_stop_over = true,
                Phase::PostStop => self.post_stop_over = true,
            },
            Event::Launch { process } => {
                self.launched = true;
                self.calls.launched();
                self.restarted = self.restarting;
                self.restarting = false;
                self.ready = false;
                self.hypervisor = Some(self.seen(*process));
            }
            Event::Ready { .. } => {
                self.ready = true;
                // The launch before it may not be readable.
                self.launched = true;
                self.calls.launched();
                self.restarted |= std::mem::take(&mut self.restarting);
            }
            Event::StopAsked { cause, task, hard, timeout, force } => {
                // Only of a guest that is up.
                self.ready = true;
                self.pre_stop_over = false;
                self.calls.stop_asked();
                self.stop = Some(StopRequest {
                    cause: *cause,
                    hard: *hard,
                    timeout: *timeout,
                    force: *force,
                    task: task.clone(),
                });
            }
            Event::StopFailed { .. } => self.stop = None,
            Event::Restart => {
                self.restarting = true;
                self.hypervisor = None;
            }
            Event::Gone { cause, detail } => {
                self.gone = Some((*cause, detail.clone()));
                self.hypervisor = None;
            }
            Event::RunEnd { cause, error } => self.over = Some((*cause, error.clone())),
            Event::Keeper { host, .. } => self.boot = Some(host.clone()),
            Event::RunBegin { .. }
            | Event::TaskBegin { .. }
            | Event::TaskEnd { .. }
            | Event::Took { .. }
            | Event::Released
            | Event::Output { .. }
            | Event::Note { .. } => {}
        }
    }

    fn seen(&self, process: ProcessId) -> Seen {
        Seen { process, boot: self.boot.clone() }
    }

    fn stage(&self, guest: bool, now: &Boot) -> Stage {
        let host_crashed = self.boot.as_ref().is_some_and(|boot| boot.instance != now.instance);
        if let Some((cause, error)) = self.over.clone() {
            return Stage::Ended(cause, error);
        }
        if let Some((cause, detail)) = self.gone.clone() {
            let error = (cause == StopCause::StartFailed).then_some(detail);
            return if self.post_stop_over {
                Stage::Over(Some(cause), error)
            } else {
                Stage::Gone(cause, error)
            };
        }
        match (self.launched, guest) {
            (true, true) if !self.ready => Stage::Launched { again: self.restarted },
            (true, true) => match self.stop.clone() {
                Some(request) if self.pre_stop_over => Stage::End(request),
                Some(request) => Stage::PreStop(request),
                None if self.post_start_over || self.restarted => Stage::Running,
                None => Stage::PostStart,
            },
            (true, false) if host_crashed => Stage::FoundGone(StopCause::HostCrash),
            (true, false) if self.restarting => Stage::Relaunch,
            (true, false) if !self.ready && !self.restarted => {
                Stage::StartFailed("the keeper died while the guest came up".to_owned())
            }
            // Whether it went because it was told to, nobody saw.
            (true, false) => Stage::FoundGone(StopCause::Unknown),
            (false, _) if !self.calls.any_pre_start() => {
                Stage::Refused(Some("the keeper died before the start".to_owned()))
            }
            (false, _) if self.calls.undo().is_empty() => Stage::Refused(self.refusal.clone()),
            (false, _) if host_crashed => Stage::FoundGone(StopCause::HostCrash),
            // Even where it ended well: whoever asked for the start is no longer there, and time has passed.
            (false, _) => Stage::StartFailed("the keeper died before the guest was launched".to_owned()),
        }
    }
}
