//! Faults that a careless hand could bring into the story, put between the story and the world.

use crate::model_host::{Died, ModelHost};
use lifecycle::{Called, Ended, Happening, HookEnd, Host, Launched, Readiness, StopRequest, Unrecorded};
use model::{Event, Outcome, Phase, ProcessId, Script, StopCause};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    PostStopDropped,
    PostStartDoubled,
    PostStartDropped,
    PreStopForGuestsOwnEnd,
    PreStopRepeated,
    RefusalIgnored,
    ReleaseForgotten,
    PostStopBeforeRelease,
    FailedStartLeftRunning,
    StopNotRecorded,
    GoneNotRecorded,
    WrongCause,
    RunEndNotRecorded,
    StopNotAnswered,
    FailedStartAnsweredWell,
    PhaseOnOwnReboot,
    RestOfChainAfterRefusal,
    ChainNotTurnedRound,
    InnerPostStopDropped,
    AgentUpDoubled,
    AgentUpDropped,
    AgentUpHoldsStop,
    AgentUpUnasked,
    AgentUpOverWhereCutShort,
}

impl Fault {
    /// How many hookscripts it takes to see it.
    pub(crate) fn scripts(self) -> u8 {
        match self {
            Self::RestOfChainAfterRefusal
            | Self::ChainNotTurnedRound
            | Self::InnerPostStopDropped
            | Self::AgentUpHoldsStop => 2,
            _ => 1,
        }
    }

    /// Whether it takes an agent that answers to see it.
    pub(crate) fn agent(self) -> bool {
        matches!(
            self,
            Self::AgentUpDoubled
                | Self::AgentUpDropped
                | Self::AgentUpHoldsStop
                | Self::AgentUpUnasked
                | Self::AgentUpOverWhereCutShort
        )
    }

    pub(crate) const ALL: [Self; 24] = [
        Self::PostStopDropped,
        Self::PostStartDoubled,
        Self::PostStartDropped,
        Self::PreStopForGuestsOwnEnd,
        Self::PreStopRepeated,
        Self::RefusalIgnored,
        Self::ReleaseForgotten,
        Self::PostStopBeforeRelease,
        Self::FailedStartLeftRunning,
        Self::StopNotRecorded,
        Self::GoneNotRecorded,
        Self::WrongCause,
        Self::RunEndNotRecorded,
        Self::StopNotAnswered,
        Self::FailedStartAnsweredWell,
        Self::PhaseOnOwnReboot,
        Self::RestOfChainAfterRefusal,
        Self::ChainNotTurnedRound,
        Self::InnerPostStopDropped,
        Self::AgentUpDoubled,
        Self::AgentUpDropped,
        Self::AgentUpHoldsStop,
        Self::AgentUpUnasked,
        Self::AgentUpOverWhereCutShort,
    ];
}

/// A host through which the story does one thing wrong.
pub(crate) struct Seeded<'a> {
    host: ModelHost<'a>,
    fault: Option<Fault>,
    restarted: bool,
}

impl<'a> Seeded<'a> {
    pub(crate) fn new(host: ModelHost<'a>, fault: Option<Fault>) -> Self {
        Self { host, fault, restarted: false }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }
}

impl Host for Seeded<'_> {
    type Death = Died;

    fn record(&mut self, event: Event, durable: bool) -> Result<Result<(), Unrecorded>, Died> {
        let event = match event {
            Event::StopAsked { .. } if self.is(Fault::StopNotRecorded) => return Ok(Ok(())),
            Event::Gone { .. } if self.is(Fault::GoneNotRecorded) => return Ok(Ok(())),
            Event::RunEnd { .. } if self.is(Fault::RunEndNotRecorded) => return Ok(Ok(())),
            Event::Gone { cause: StopCause::Crash, detail } if self.is(Fault::WrongCause) => {
                Event::Gone { cause: StopCause::GuestPoweroff, detail }
            }
            event => event,
        };
        self.host.record(event, durable)
    }

    fn delay(&mut self) -> Result<Result<(), String>, Died> {
        self.host.delay()
    }

    fn scripts(
        &mut self,
        phase: Phase,
        pre_starts: &[(Script, Outcome)],
    ) -> Result<Result<Vec<Script>, String>, Died> {
        let phase = if self.is(Fault::ChainNotTurnedRound) { Phase::PreStart } else { phase };
        self.host.scripts(phase, pre_starts)
    }

    fn hook(
        &mut self,
        phase: Phase,
        script: &Script,
        cause: Option<StopCause>,
        stoppable: bool,
    ) -> Result<Called, Died> {
        match phase {
            Phase::PostStop if self.is(Fault::PostStopDropped) => return Ok(Called::Unwanted),
            Phase::PostStop if self.is(Fault::InnerPostStopDropped) && *script == crate::world::script(1) => {
                return Ok(Called::Unwanted);
            }
            Phase::PostStart if self.is(Fault::PostStartDropped) => return Ok(Called::Unwanted),
            Phase::PostStart if self.is(Fault::PostStartDoubled) => {
                self.host.hook(phase, script, cause, false)?;
            }
            Phase::AgentUp if self.is(Fault::AgentUpDropped) => return Ok(Called::Unwanted),
            Phase::AgentUp if self.is(Fault::AgentUpDoubled) => {
                self.host.hook(phase, script, cause, false)?;
            }
            Phase::AgentUp if self.is(Fault::AgentUpHoldsStop) => {
                // As if it had ended by itself, so that the next one is called.
                let end = self.host.hook(phase, script, cause, stoppable)?;
                return Ok(well(end));
            }
            Phase::PreStop if self.is(Fault::PreStopRepeated) => {
                self.host.hook(phase, script, cause, false)?;
            }
            _ => {}
        }
        let end = self.host.hook(phase, script, cause, stoppable)?;
        if phase == Phase::PreStart
            && self.is(Fault::RestOfChainAfterRefusal)
            && *script == crate::world::script(0)
        {
            return Ok(well(end));
        }
        if end == Called::CutShort && self.is(Fault::AgentUpOverWhereCutShort) {
            return Ok(Called::Unwanted);
        }
        if phase == Phase::PreStart && self.is(Fault::RefusalIgnored) {
            return Ok(well(end));
        }
        if phase == Phase::PostStop && self.is(Fault::PostStopBeforeRelease) {
            self.host.release()?;
        }
        Ok(end)
    }

    fn adopt_hook(&mut self, phase: Phase, script: &Script, process: ProcessId) -> Result<HookEnd, Died> {
        self.host.adopt_hook(phase, script, process)
    }

    fn lost_hook(&mut self, phase: Phase, script: &Script) -> Result<HookEnd, Died> {
        self.host.lost_hook(phase, script)
    }

    fn adopt_guest(&mut self, process: ProcessId) -> Result<(), Died> {
        self.host.adopt_guest(process)
    }

    fn prepare(&mut self) -> Result<Result<(), String>, Died> {
        self.host.prepare()
    }

    fn launch(&mut self) -> Result<Launched, Died> {
        self.host.launch()
    }

    fn ready(&mut self, stoppable: bool) -> Result<Readiness, Died> {
        let ready = self.host.ready(stoppable)?;
        if self.restarted && ready == Readiness::Ready && self.is(Fault::PhaseOnOwnReboot) {
            self.host.hook(Phase::PostStart, &crate::world::script(0), None, false)?;
        }
        Ok(ready)
    }

    fn pending_stop(&mut self) -> Option<StopRequest> {
        self.host.pending_stop()
    }

    fn wait(&mut self, agent_up: bool) -> Result<Happening, Died> {
        if agent_up && self.is(Fault::AgentUpUnasked) {
            return Ok(Happening::AgentUp);
        }
        let happening = self.host.wait(agent_up)?;
        self.restarted |= happening == Happening::Restart;
        if matches!(happening, Happening::Gone(..)) && self.is(Fault::PreStopForGuestsOwnEnd) {
            self.host.hook(Phase::PreStop, &crate::world::script(0), None, false)?;
        }
        Ok(happening)
    }

    fn end(&mut self, request: &StopRequest) -> Result<Ended, Died> {
        self.host.end(request)
    }

    fn kill(&mut self) -> Result<(), Died> {
        if self.is(Fault::FailedStartLeftRunning) { Ok(()) } else { self.host.kill() }
    }

    fn release(&mut self) -> Result<(), Died> {
        if self.is(Fault::ReleaseForgotten) || self.is(Fault::PostStopBeforeRelease) {
            Ok(())
        } else {
            self.host.release()
        }
    }

    fn answer_start(&mut self, result: Result<(), String>) -> Result<(), Died> {
        let result = if self.is(Fault::FailedStartAnsweredWell) { Ok(()) } else { result };
        self.host.answer_start(result)
    }

    fn answer_stop(&mut self, result: Result<(), String>) -> Result<(), Died> {
        if self.is(Fault::StopNotAnswered) { Ok(()) } else { self.host.answer_stop(result) }
    }
}

/// As if the script had ended well.
fn well(called: Called) -> Called {
    match called {
        Called::Ended(end) => Called::Ended(HookEnd { outcome: Outcome::Ok, ..end }),
        called => called,
    }
}
