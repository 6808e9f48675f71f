//! Where a dead keeper was in the story, from the record it left (docs/design.md, "Recovery").

use crate::host::{HookEnd, Host, StopRequest};
use crate::story::{Life, Stage, live};
use model::{Boot, Event, Phase, ProcessId, StopCause};

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
    if let Some((phase, script)) = place.open_hook.take() {
        let end = if alive(script.process, script.boot.as_ref()) {
            host.adopt_hook(phase, script.process)?
        } else {
            host.lost_hook(phase)?
        };
        if phase == Phase::PreStart {
            place.pre_start = Some(end);
        }
    }
    let stage = place.stage(guest.is_some(), boot);
    live(host, stage)
}

/// A process and the boot it was recorded in.
#[derive(Clone)]
struct Seen {
    process: ProcessId,
    boot: Option<Boot>,
}

/// What the record says so far.
#[derive(Default)]
struct Place {
    boot: Option<Boot>,
    pre_start: Option<HookEnd>,
    hypervisor: Option<Seen>,
    launched: bool,
    restarting: bool,
    restarted: bool,
    ready: bool,
    post_start_begun: bool,
    stop: Option<StopRequest>,
    pre_stop_begun: bool,
    gone: Option<(StopCause, String)>,
    post_stop_begun: bool,
    over: Option<(Option<StopCause>, Option<String>)>,
    open_hook: Option<(Phase, Seen)>,
}

impl Place {
    fn follow(&mut self, event: &Event) {
        match event {
            Event::HookBegin { phase, process, .. } => {
                self.open_hook = Some((*phase, self.seen(*process)));
                self.begun(*phase);
            }
            Event::HookEnd { phase, outcome, cause, .. } => {
                self.open_hook = None;
                self.begun(*phase);
                if *phase == Phase::PreStart {
                    self.pre_start = Some(HookEnd { outcome: *outcome, error: cause.clone() });
                }
            }
            Event::Launch { process } => {
                self.launched = true;
                self.restarted = self.restarting;
                self.restarting = false;
                self.ready = false;
                self.hypervisor = Some(self.seen(*process));
            }
            Event::Ready { .. } => self.ready = true,
            Event::StopAsked { cause, task, hard, timeout, force } => {
                self.pre_stop_begun = false;
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

    fn begun(&mut self, phase: Phase) {
        match phase {
            Phase::PreStart => {}
            Phase::PostStart => self.post_start_begun = true,
            Phase::PreStop => self.pre_stop_begun = true,
            Phase::PostStop => self.post_stop_begun = true,
        }
    }

    fn stage(self, guest: bool, now: &Boot) -> Stage {
        let host_crashed = self.boot.as_ref().is_some_and(|boot| boot.instance != now.instance);
        if let Some((cause, error)) = self.over {
            return Stage::Ended(cause, error);
        }
        if let Some((cause, detail)) = self.gone {
            let error = (cause == StopCause::StartFailed).then_some(detail);
            return if self.post_stop_begun {
                Stage::Over(Some(cause), error)
            } else {
                Stage::Gone(cause, error)
            };
        }
        match (self.launched, guest) {
            (true, true) if !self.ready => Stage::Launched { again: self.restarted },
            (true, true) => match self.stop {
                Some(request) if self.pre_stop_begun => Stage::End(request),
                Some(request) => Stage::PreStop(request),
                None if self.post_start_begun || self.restarted => Stage::Running,
                None => Stage::PostStart,
            },
            (true, false) if host_crashed => Stage::FoundGone(StopCause::HostCrash),
            (true, false) if self.restarting => Stage::Relaunch,
            (true, false) if !self.ready && !self.restarted => {
                Stage::StartFailed("the keeper died while the guest came up".to_owned())
            }
            // Whether it went because it was told to, nobody saw.
            (true, false) => Stage::FoundGone(StopCause::Unknown),
            (false, _) => match self.pre_start {
                Some(HookEnd { outcome, error }) if outcome.is_refusal() => {
                    Stage::PreStartEnded(Some(outcome), error)
                }
                Some(_) if host_crashed => Stage::FoundGone(StopCause::HostCrash),
                // Even where it ended well: whoever asked for the start is no longer there, and time has passed.
                Some(_) => Stage::StartFailed("the keeper died before the guest was launched".to_owned()),
                None => Stage::Refused(Some("the keeper died before the start".to_owned())),
            },
        }
    }
}
