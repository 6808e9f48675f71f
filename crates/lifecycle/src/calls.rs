use crate::host::{Called, HookEnd, Host};
use model::{Event, Outcome, Phase, Script, StopCause};

/// The calls of hookscripts in a run, so that none is made twice and each `pre-start` gets its `post-stop`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls {
    /// Those of `pre-start` with their outcomes, in their order.
    pre_starts: Vec<(Script, Outcome)>,
    begun: Vec<(Phase, Script)>,
    /// Whether all scripts had their `pre-start`, so that the guest was launched.
    launched: bool,
    /// Whether `agent-up` is not to come any more.
    pub(crate) agent_up_over: bool,
}

impl Calls {
    /// A script was called; of `pre-start` with this outcome.
    pub(crate) fn note(&mut self, phase: Phase, script: &Script, outcome: Outcome) {
        if phase == Phase::PreStart {
            self.pre_starts.push((script.clone(), outcome));
        }
        self.begun.push((phase, script.clone()));
    }

    /// A stop is asked for: its `pre-stop` is one of its own.
    pub(crate) fn stop_asked(&mut self) {
        self.begun.retain(|(phase, _)| *phase != Phase::PreStop);
    }

    pub(crate) fn launched(&mut self) {
        self.launched = true;
    }

    pub(crate) fn any_pre_start(&self) -> bool {
        !self.pre_starts.is_empty()
    }

    /// The scripts that get `post-stop` where the start came to nothing: those whose `pre-start` may have taken something,
    /// the last one first. One that refused has taken nothing, and those behind it were never called.
    pub(crate) fn undo(&self) -> Vec<Script> {
        let took = |(script, outcome): &(Script, Outcome)| (!outcome.is_refusal()).then(|| script.clone());
        self.pre_starts.iter().rev().filter_map(took).collect()
    }

    /// Calls the scripts of a phase that have not been called yet, one after the other. Returns how the phase ended where a
    /// script ended it: a `pre-start` that aborts the start, a `post-start` or `agent-up` that was
    /// aborted.
    pub(crate) fn phase<H: Host>(
        &mut self,
        host: &mut H,
        phase: Phase,
        cause: Option<StopCause>,
    ) -> Result<Option<HookEnd>, H::Death> {
        let failed_start =
            phase == Phase::PostStop && (!self.launched || cause == Some(StopCause::StartFailed));
        let scripts = if failed_start { Ok(self.undo()) } else { host.scripts(phase, &self.pre_starts)? };
        let scripts = match scripts {
            Ok(scripts) => scripts,
            Err(error) => return Ok(Some(HookEnd { outcome: Outcome::NotFound, error: Some(error) })),
        };
        let stoppable = matches!(phase, Phase::PreStart | Phase::PostStart | Phase::AgentUp);
        let mut called = false;
        for script in scripts {
            if self.begun.iter().any(|(begun, known)| *begun == phase && *known == script) {
                continue;
            }
            let end = match host.hook(phase, &script, cause, stoppable)? {
                Called::Ended(end) => end,
                Called::Unwanted => continue,
                Called::CutShort => return Ok(Some(HookEnd { outcome: Outcome::Aborted, error: None })),
            };
            called = true;
            self.note(phase, &script, end.outcome);
            let aborts = match phase {
                Phase::PreStart => end.outcome.aborts_start(),
                Phase::PostStart | Phase::AgentUp => end.outcome == Outcome::Aborted,
                Phase::PreStop | Phase::PostStop => false,
            };
            if aborts {
                return Ok(Some(end));
            }
        }
        // That nothing was called is worth knowing where it is not to be made up for later.
        if called || matches!(phase, Phase::PostStart | Phase::AgentUp) {
            let _ = host.record(Event::PhaseEnd { phase }, false)?;
        }
        Ok(None)
    }
}
