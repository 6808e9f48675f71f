use crate::choices::Choices;
use crate::world::{Guest, Running, Truth, World, script};
use lifecycle::{Called, Ended, Happening, HookEnd, Host, Launched, Readiness, StopRequest, Unrecorded};
use model::{Event, Outcome, Phase, ProcessId, Resource, Script, StopCause};

/// The keeper's death.
#[derive(Debug)]
pub(crate) struct Died;

/// A keeper of the made-up world.
pub(crate) struct ModelHost<'a> {
    pub(crate) world: &'a mut World,
    choices: &'a mut Choices,
    pending: Option<StopRequest>,
    stop_open: bool,
}

fn request(hard: bool) -> StopRequest {
    let cause = if hard { StopCause::Stop } else { StopCause::Shutdown };
    StopRequest { cause, hard, timeout: None, force: false, task: None }
}

impl<'a> ModelHost<'a> {
    pub(crate) fn new(world: &'a mut World, choices: &'a mut Choices) -> Self {
        Self { world, choices, pending: None, stop_open: false }
    }

    /// A point at which the keeper may be killed.
    fn may_die(&mut self) -> Result<(), Died> {
        if self.world.budget.deaths > 0 && self.choices.pick(2) == 1 {
            self.world.budget.deaths -= 1;
            self.world.say(Truth::KeeperDied);
            return Err(Died);
        }
        Ok(())
    }

    fn asked(&mut self, hard: bool) -> StopRequest {
        self.world.budget.requests -= 1;
        request(hard)
    }

    fn write(&mut self, event: Event) -> Result<(), Died> {
        self.may_die()?;
        self.world.ledger.push(event);
        self.may_die()
    }

    fn hook_end(&mut self, phase: Phase, script: &Script, outcome: Outcome) -> Result<HookEnd, Died> {
        let error = (outcome != Outcome::Ok).then(|| format!("{phase}: {outcome}"));
        self.write(Event::HookEnd {
            phase,
            script: script.to_string(),
            outcome,
            cause: error.clone(),
            millis: 0,
            cut: 0,
            left: Vec::new(),
        })?;
        Ok(HookEnd { outcome, error })
    }

    /// How a script of `agent-up` ends: by itself, by a stop of either kind, or by the guest's own end.
    fn agent_up_ends(&mut self, outer: bool, can_stop: bool) -> Outcome {
        let ways = 2 + usize::from(outer) + usize::from(can_stop) * 2;
        match self.choices.pick(ways) {
            0 => Outcome::Ok,
            1 if outer => {
                self.world.guest_ends(StopCause::Killed);
                Outcome::Aborted
            }
            1 => Outcome::Exit(1),
            // By somebody who meant this one alone.
            2 if outer => Outcome::Aborted,
            way => {
                self.pending = Some(self.asked(way % 2 == 0));
                Outcome::Aborted
            }
        }
    }

    fn check_begin(&mut self, phase: Phase, number: u8) {
        let alive = self.world.guest.is_some();
        let (taken, truth) = (self.world.taken, self.world.truth.clone());
        match phase {
            Phase::PreStart => self.world.require(!alive, "pre-start with a running guest"),
            Phase::PostStart => {
                self.world.require(truth.contains(&Truth::Up), "post-start before the guest was up")
            }
            Phase::AgentUp => {
                let begun = truth.iter().any(|t| matches!(t, Truth::StartAnswered(true)));
                self.world.require(begun || self.world.died(), "agent-up while the start is held");
                self.world.require(self.pending.is_none(), "agent-up holds a stop");
            }
            Phase::PreStop => {
                let asked = truth.iter().rposition(|t| *t == Truth::StopDelivered);
                let run = truth.iter().rposition(|t| *t == Truth::Begun(Phase::PreStop, number));
                self.world.require(asked > run, "pre-stop without a request of its own");
            }
            Phase::PostStop => {
                self.world.require(!alive, "post-stop with a running guest");
                self.world.require(!taken, "post-stop before everything was given back");
            }
        }
    }
}

impl Host for ModelHost<'_> {
    type Death = Died;

    fn record(&mut self, event: Event, _durable: bool) -> Result<Result<(), Unrecorded>, Died> {
        self.write(event)?;
        Ok(Ok(()))
    }

    fn delay(&mut self) -> Result<Result<(), String>, Died> {
        self.may_die()?;
        if self.world.budget.requests > 0 && self.choices.pick(2) == 1 {
            self.pending = Some(self.asked(true));
            self.world.say(Truth::StartDropped);
            return Ok(Err("dropped".to_owned()));
        }
        Ok(Ok(()))
    }

    fn scripts(
        &mut self,
        phase: Phase,
        _: &[(Script, Outcome)],
    ) -> Result<Result<Vec<Script>, String>, Died> {
        self.may_die()?;
        let mut scripts: Vec<Script> = (0..self.world.budget.scripts).map(script).collect();
        if matches!(phase, Phase::PostStart | Phase::AgentUp | Phase::PostStop) {
            scripts.reverse();
        }
        Ok(Ok(scripts))
    }

    fn hook(
        &mut self,
        phase: Phase,
        script: &Script,
        _cause: Option<StopCause>,
        stoppable: bool,
    ) -> Result<Called, Died> {
        let number = (0..9).find(|number| crate::world::script(*number) == *script).unwrap_or(9);
        self.may_die()?;
        self.check_begin(phase, number);
        // What one script can show need not be shown by each.
        let outer = number == 0;
        let can_stop = stoppable && self.world.budget.requests > 0;
        if phase == Phase::AgentUp && outer && can_stop && self.choices.pick(2) == 1 {
            self.pending = Some(self.asked(false));
            self.world.say(Truth::CutShort);
            return Ok(Called::CutShort);
        }
        let process = self.world.process();
        self.world.ledger.push(Event::HookBegin {
            phase,
            script: script.clone(),
            path: "/hook".into(),
            process,
            call: 1,
            limit_ms: None,
            limit_by: model::LimitBy::Unknown,
            tree: false,
            retry: false,
            sha256: None,
            with: model::CalledWith::default(),
        });
        self.world.script = Some(Running { phase, number, process, running: true });
        self.world.say(Truth::Begun(phase, number));
        self.may_die()?;
        if outer && matches!(phase, Phase::PostStart | Phase::PreStop) && self.choices.pick(2) == 1 {
            self.world.guest_ends(StopCause::Killed);
        }
        let outcome = if phase == Phase::AgentUp {
            self.agent_up_ends(outer, can_stop)
        } else {
            match self.choices.pick(2 + usize::from(outer || can_stop) + usize::from(outer && can_stop)) {
                0 => Outcome::Ok,
                1 => Outcome::Exit(1),
                2 if outer => Outcome::TimedOut,
                _ => {
                    self.pending = Some(self.asked(true));
                    Outcome::Aborted
                }
            }
        };
        self.world.script = None;
        self.world.say(Truth::HookEnded(phase, number, outcome));
        self.hook_end(phase, script, outcome).map(Called::Ended)
    }

    fn adopt_hook(&mut self, phase: Phase, script: &Script, process: ProcessId) -> Result<HookEnd, Died> {
        let running = self.world.script.is_some_and(|script| script.process == process && script.running);
        self.world.require(running, "a script was adopted that does not run");
        self.may_die()?;
        let truly = if self.choices.pick(2) == 0 { Outcome::Ok } else { Outcome::Exit(1) };
        let number = self.world.script.take().map_or(9, |script| script.number);
        self.world.say(Truth::HookEnded(phase, number, truly));
        // The kernel may tell how it ended, or not.
        let told = if self.choices.pick(2) == 0 { truly } else { Outcome::Unknown };
        self.hook_end(phase, script, told)
    }

    fn lost_hook(&mut self, phase: Phase, script: &Script) -> Result<HookEnd, Died> {
        let running = self.world.script.is_some_and(|script| script.running);
        self.world.require(!running, "a script that runs was given up as lost");
        self.hook_end(phase, script, Outcome::Unknown)
    }

    fn adopt_guest(&mut self, process: ProcessId) -> Result<(), Died> {
        let same = self.world.guest.is_some_and(|(guest, _)| guest == process);
        self.world.require(same, "a guest was adopted that does not run");
        self.may_die()
    }

    fn prepare(&mut self) -> Result<Result<(), String>, Died> {
        self.may_die()?;
        Ok(if self.choices.pick(2) == 0 { Ok(()) } else { Err("locked".into()) })
    }

    fn launch(&mut self) -> Result<Launched, Died> {
        let refused = self
            .world
            .truth
            .iter()
            .any(|t| matches!(t, Truth::HookEnded(Phase::PreStart, _, o) if o.aborts_start()));
        self.world.require(!refused, "a launch after a pre-start that refused");
        let unrun =
            (0..self.world.budget.scripts).any(|n| self.world.count(Truth::Begun(Phase::PreStart, n)) == 0);
        self.world.require(!unrun, "a launch before pre-start");
        self.world.require(self.world.guest.is_none(), "a second launch of a guest that runs");
        self.write(Event::Took { what: Resource::File { path: "/pid".into() } })?;
        self.world.taken = true;
        self.may_die()?;
        if self.choices.pick(2) == 1 {
            return Ok(Launched::No("no such device".into()));
        }
        let process = self.world.process();
        self.world.ledger.push(Event::Launch { process });
        self.world.guest = Some((process, Guest::Booting));
        self.world.say(Truth::Launched);
        self.may_die()?;
        Ok(Launched::Yes)
    }

    fn ready(&mut self, stoppable: bool) -> Result<Readiness, Died> {
        self.may_die()?;
        if self.world.guest.is_none() {
            return Ok(Readiness::Failed("gone".into()));
        }
        if stoppable && self.pending.is_some() {
            return Ok(Readiness::Cancelled);
        }
        let can_stop = stoppable && self.world.budget.requests > 0;
        match self.choices.pick(if can_stop { 4 } else { 3 }) {
            0 => {
                if let Some((_, state @ Guest::Booting)) = &mut self.world.guest {
                    *state = Guest::Up;
                }
                self.world.say(Truth::Up);
                self.write(Event::Ready { init: None })?;
                Ok(Readiness::Ready)
            }
            1 => {
                self.world.guest_ends(self.world.failed_launch());
                Ok(Readiness::Failed("exit code 1".into()))
            }
            2 => Ok(Readiness::Failed("timeout".into())),
            _ => {
                self.pending = Some(self.asked(true));
                Ok(Readiness::Cancelled)
            }
        }
    }

    fn pending_stop(&mut self) -> Option<StopRequest> {
        let stop = self.pending.take()?;
        self.stop_open = true;
        self.world.say(Truth::StopDelivered);
        Some(stop)
    }

    fn wait(&mut self, agent_up: bool) -> Result<Happening, Died> {
        self.may_die()?;
        let asked = self.world.truth.iter().rposition(|t| matches!(t, Truth::Begun(Phase::PreStop, _)));
        let given_up = self.world.truth.iter().rposition(|t| *t == Truth::GaveUp);
        self.world
            .require(asked.is_none() || given_up > asked, "a stop whose pre-stop has run was not carried on");
        let Some((_, guest)) = self.world.guest else {
            let cause = self.world.truth.iter().rev().find_map(|t| match t {
                Truth::GuestEnded(cause) => Some(*cause),
                _ => None,
            });
            return Ok(Happening::Gone(cause.unwrap_or(StopCause::Unknown), String::new()));
        };
        if guest == Guest::PoweredOff {
            self.world.guest_ends(StopCause::GuestPoweroff);
            return Ok(Happening::Gone(StopCause::GuestPoweroff, String::new()));
        }
        let (requests, restarts) = (self.world.budget.requests > 0, self.world.budget.restarts > 0);
        // Once it has answered it goes on doing so.
        if agent_up
            && self.world.budget.agent
            && (self.world.count(Truth::Answered) > 0 || self.choices.pick(2) == 1)
        {
            self.world.say(Truth::Answered);
            return Ok(Happening::AgentUp);
        }
        match self.choices.pick(2 + usize::from(requests) * 2 + usize::from(restarts)) {
            0 => {
                self.world.guest_ends(StopCause::GuestPoweroff);
                Ok(Happening::Gone(StopCause::GuestPoweroff, String::new()))
            }
            1 => {
                self.world.guest_ends(StopCause::Crash);
                Ok(Happening::Gone(StopCause::Crash, String::new()))
            }
            pick @ (2 | 3) if requests => {
                let stop = self.asked(pick == 2);
                self.stop_open = true;
                self.world.say(Truth::StopDelivered);
                Ok(Happening::StopAsked(stop))
            }
            _ => {
                self.world.budget.restarts -= 1;
                self.world.guest = None;
                Ok(Happening::Restart)
            }
        }
    }

    fn end(&mut self, request: &StopRequest) -> Result<Ended, Died> {
        self.may_die()?;
        if self.world.guest.is_none() {
            // It went by itself before it was told to.
            return Ok(Ended::Gone(StopCause::Killed, String::new()));
        }
        let may_live = !request.hard && !request.force;
        let cause = match self.choices.pick(if may_live { 3 } else { 1 }) {
            0 => request.cause,
            // Overruled by a hard stop.
            1 => StopCause::Stop,
            _ => {
                self.world.say(Truth::GaveUp);
                return Ok(Ended::StillRunning("timeout".into()));
            }
        };
        self.world.guest_ends(cause);
        self.may_die()?;
        Ok(Ended::Gone(cause, String::new()))
    }

    fn kill(&mut self) -> Result<(), Died> {
        self.may_die()?;
        self.world.guest_ends(self.world.failed_launch());
        Ok(())
    }

    fn release(&mut self) -> Result<(), Died> {
        self.may_die()?;
        self.world.require(self.world.guest.is_none(), "a running guest's things were given back");
        self.world.taken = false;
        self.may_die()
    }

    fn answer_start(&mut self, result: Result<(), String>) -> Result<(), Died> {
        let open =
            self.world.count(Truth::StartAnswered(true)) + self.world.count(Truth::StartAnswered(false)) == 0;
        if open && !self.world.died() {
            self.world.say(Truth::StartAnswered(result.is_ok()));
        }
        self.may_die()
    }

    fn answer_stop(&mut self, result: Result<(), String>) -> Result<(), Died> {
        if std::mem::take(&mut self.stop_open) || self.pending.take().is_some() {
            self.world.say(Truth::StopAnswered(result.is_ok()));
        }
        self.may_die()
    }
}

impl Drop for ModelHost<'_> {
    fn drop(&mut self) {
        let died = self.world.truth.last() == Some(&Truth::KeeperDied);
        let open = self.stop_open || self.pending.is_some();
        self.world.require(!open || died, "a request for a stop was never answered");
    }
}
