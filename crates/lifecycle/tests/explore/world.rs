use crate::choices::Choices;
use lifecycle::{Evidence, Line, mend};
use model::{
    Boot, Event, GuestKind, Outcome, Phase, ProcessId, RunId, Script, StartReason, StopCause, UserId,
};

/// How far the exploration goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// Deaths of the keeper.
    pub(crate) deaths: u32,
    /// Requests for a stop.
    pub(crate) requests: u32,
    /// Reboots of a container by itself.
    pub(crate) restarts: u32,
    /// How many hookscripts the guest has.
    pub(crate) scripts: u8,
    /// Lines of the record that become unreadable.
    pub(crate) damage: u32,
    /// Whether the guest's agent may answer, and scripts ask for that.
    pub(crate) agent: bool,
}

/// A script by its number, from the outside in.
pub(crate) fn script(number: u8) -> Script {
    format!("local:snippets/hook{number}").parse().unwrap()
}

/// What really happened, as the scripts and the guest themselves would tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    Begun(Phase, u8),
    HookEnded(Phase, u8, Outcome),
    Launched,
    Up,
    StopDelivered,
    GaveUp,
    /// The agent's first answer was told.
    Answered,
    /// `agent-up` was cut short by a stop before its first script had begun.
    CutShort,
    GuestEnded(StopCause),
    KeeperDied,
    HostCrashed,
    /// A delayed start was given up.
    StartDropped,
    /// A line of the record became unreadable.
    Damaged,
    StartAnswered(bool),
    StopAnswered(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guest {
    Booting,
    Up,
    /// Powered itself off while nobody told its hypervisor to quit.
    PoweredOff,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) phase: Phase,
    pub(crate) number: u8,
    pub(crate) process: ProcessId,
    pub(crate) running: bool,
}

pub(crate) struct World {
    pub(crate) budget: Budget,
    pub(crate) ledger: Vec<Event>,
    pub(crate) truth: Vec<Truth>,
    pub(crate) boot: Boot,
    pub(crate) guest: Option<(ProcessId, Guest)>,
    pub(crate) script: Option<Running>,
    pub(crate) taken: bool,
    pub(crate) pids: u32,
    pub(crate) broken: Option<String>,
}

impl World {
    pub(crate) fn new(budget: Budget) -> Self {
        let boot = Boot { instance: "i0".into(), kernel: "k0".into() };
        Self {
            budget,
            ledger: Vec::new(),
            truth: Vec::new(),
            boot,
            guest: None,
            script: None,
            taken: false,
            pids: 1000,
            broken: None,
        }
    }

    pub(crate) fn process(&mut self) -> ProcessId {
        self.pids += 1;
        ProcessId { pid: self.pids, start: u64::from(self.pids) }
    }

    pub(crate) fn begin(&mut self) {
        let keeper = self.process();
        self.ledger.push(Event::RunBegin {
            run: RunId::new(1, 1),
            vmid: "100".parse().unwrap(),
            kind: GuestKind::Qemu,
            name: "guest".into(),
            reason: StartReason::User,
            user: UserId::root(),
            hookscript: None,
        });
        self.ledger.push(Event::Keeper { process: keeper, host: self.boot.clone(), adopted: false });
    }

    pub(crate) fn successor(&mut self) {
        let keeper = self.process();
        self.ledger.push(Event::Keeper { process: keeper, host: self.boot.clone(), adopted: true });
    }

    pub(crate) fn say(&mut self, truth: Truth) {
        self.truth.push(truth);
    }

    pub(crate) fn require(&mut self, holds: bool, what: &str) {
        if !holds && self.broken.is_none() {
            self.broken = Some(what.to_owned());
        }
    }

    pub(crate) fn count(&self, truth: Truth) -> usize {
        self.truth.iter().filter(|seen| **seen == truth).count()
    }

    pub(crate) fn died(&self) -> bool {
        self.truth.contains(&Truth::KeeperDied)
    }

    pub(crate) fn living(&self) -> Vec<ProcessId> {
        let script = self.script.filter(|script| script.running).map(|script| script.process);
        self.guest.map(|(process, _)| process).into_iter().chain(script).collect()
    }

    pub(crate) fn guest_ends(&mut self, cause: StopCause) {
        if self.guest.take().is_some() {
            self.say(Truth::GuestEnded(cause));
        }
    }

    /// What a guest that does not come up ends of: its start, or its own reboot.
    pub(crate) fn failed_launch(&self) -> StopCause {
        let again = self.ledger.iter().any(|event| matches!(event, Event::Restart));
        if again { StopCause::GuestReboot } else { StopCause::StartFailed }
    }

    /// What may happen while nobody keeps the guest.
    pub(crate) fn without_keeper(&mut self, choices: &mut Choices) {
        match choices.pick(4) {
            0 => {}
            1 => self.guest_ends(StopCause::Killed),
            2 => {
                // The host crashes: nothing is left of what ran or was taken.
                self.boot = Boot {
                    instance: format!("{}'", self.boot.instance),
                    kernel: format!("{}'", self.boot.kernel),
                };
                self.guest = None;
                self.script = None;
                self.taken = false;
                self.say(Truth::HostCrashed);
            }
            _ => match &mut self.guest {
                Some((_, state)) => *state = Guest::PoweredOff,
                // Only /run is emptied.
                None => self.boot.instance.push('~'),
            },
        }
        if let Some(script) = self.script.filter(|script| script.running)
            && choices.pick(2) == 1
        {
            self.script = Some(Running { running: false, ..script });
            self.say(Truth::HookEnded(script.phase, script.number, Outcome::Ok));
        }
    }

    /// One line of the record may become unreadable; what stands in for it then is what a successor goes by.
    pub(crate) fn may_damage(&mut self, choices: &mut Choices) {
        if self.budget.damage == 0 {
            return;
        }
        let Some(lost) = choices.pick(self.ledger.len() + 1).checked_sub(1) else { return };
        self.budget.damage -= 1;
        self.say(Truth::Damaged);
        let mut lines: Vec<Option<Event>> = self.ledger.iter().cloned().map(Some).collect();
        lines[lost] = None;
        let evidence = Evidence {
            begin: self.ledger[0].clone(),
            guest: self.guest.map(|(process, _)| process),
            scripts: (0..self.budget.scripts).map(script).collect(),
        };
        let line = |line| match line {
            Line::Kept(at) => self.ledger[at].clone(),
            Line::New(event) => event,
        };
        self.ledger = mend(&lines, &evidence).into_iter().map(line).collect();
    }

    /// What is on record of the ends of one script's calls in a phase.
    fn recorded(&self, phase: Phase, number: u8) -> Vec<Outcome> {
        let name = script(number).to_string();
        let ends = self.ledger.iter().filter_map(|event| match event {
            Event::HookEnd { phase: ended, script, outcome, .. } if *ended == phase && *script == name => {
                Some(*outcome)
            }
            _ => None,
        });
        ends.collect()
    }

    /// The promise, once the story is over.
    pub(crate) fn check_end(&mut self) {
        let crashed = self.truth.contains(&Truth::HostCrashed);
        if self.truth.contains(&Truth::Damaged) {
            return self.check_damaged();
        }
        for number in 0..self.budget.scripts {
            self.check_script(number, crashed);
        }
        self.check_order();
        let called = self
            .truth
            .iter()
            .any(|truth| matches!(truth, Truth::Begun(_, number) if *number >= self.budget.scripts));
        self.require(!called, "a phase without a hookscript");
        self.require(self.guest.is_none(), "the guest outlived its run");
        self.require(!self.taken, "something was not given back");
        let ends = self.ledger.iter().filter(|event| matches!(event, Event::RunEnd { .. })).count();
        self.require(ends == 1, "the run has not one end on record");
        self.check_causes(crashed);
        if !self.died() {
            let started = self.count(Truth::StartAnswered(true)) + self.count(Truth::StartAnswered(false));
            self.require(started == 1, "the start was not answered once");
            let up = self.count(Truth::Up) > 0;
            self.require(
                up || self.count(Truth::StartAnswered(true)) == 0,
                "a start that failed was answered as a success",
            );
        }
    }

    /// What is left of the promise where a line of the record was lost: nothing twice, and nothing left out without a word.
    fn check_damaged(&mut self) {
        for number in 0..self.budget.scripts {
            let [pre_start, post_start, agent_up, pre_stop, post_stop] =
                Phase::ALL.map(|phase| self.count(Truth::Begun(phase, number)));
            let once = pre_start <= 1 && post_start <= 1 && agent_up <= 1 && post_stop <= 1;
            self.require(once, "a phase was begun twice behind a lost line");
            let asked = self.count(Truth::StopDelivered);
            self.require(pre_stop <= asked, "pre-stop was begun twice behind a lost line");
            let took = self.truth.iter().any(|truth| {
                matches!(truth, Truth::HookEnded(Phase::PreStart, n, outcome) if *n == number && !outcome.is_refusal())
            });
            let told = self.recorded(Phase::PostStop, number).contains(&Outcome::Unknown);
            self.require(post_stop == 1 || told || !took, "post-stop was left out behind a lost line");
        }
        self.require(self.guest.is_none(), "the guest outlived its run behind a lost line");
        self.require(!self.taken, "something was not given back behind a lost line");
        let ends = self.ledger.iter().filter(|event| matches!(event, Event::RunEnd { .. })).count();
        self.require(ends == 1, "the run has not one end on record behind a lost line");
    }

    /// The promise to one script.
    fn check_script(&mut self, number: u8, crashed: bool) {
        let [pre_start, post_start, agent_up, pre_stop, post_stop] =
            Phase::ALL.map(|phase| self.count(Truth::Begun(phase, number)));
        let once = pre_start <= 1 && post_start <= 1 && agent_up <= 1 && post_stop <= 1;
        self.require(once, "a phase was begun twice");
        let answered = self.count(Truth::Answered) > 0;
        self.require(agent_up == 0 || answered, "agent-up without an answer of the agent");
        let aborted = self
            .truth
            .iter()
            .any(|truth| matches!(truth, Truth::HookEnded(Phase::AgentUp, _, Outcome::Aborted)));
        // A stop that comes to nothing leaves the phase due.
        let cut = self.truth.iter().rposition(|t| *t == Truth::CutShort);
        let given_up = self.truth.iter().rposition(|t| *t == Truth::GaveUp);
        let ended = cut.is_some() && given_up < cut;
        let left_out = answered && agent_up == 0 && !aborted && !ended && !self.died();
        self.require(!left_out, "agent-up was left out");
        self.require(
            pre_stop <= self.count(Truth::StopDelivered),
            "pre-stop was begun without a request for a stop",
        );
        let refused = (0..number)
            .any(|outer| self.recorded(Phase::PreStart, outer).iter().any(|end| *end != Outcome::Ok));
        let dropped = self.count(Truth::StartDropped) > 0;
        self.require(pre_start == 1 || self.died() || refused || dropped, "pre-start was left out");
        self.require(pre_start == 0 || !dropped, "pre-start of a start that was dropped");
        self.require(pre_start == 0 || !refused, "pre-start behind one that refused");
        let owed = pre_start == 1
            && self.recorded(Phase::PreStart, number).iter().all(|outcome| !outcome.is_refusal());
        self.require(post_stop == usize::from(owed), "post-stop was left out, or run after a refused start");
        let up = self.count(Truth::Up) > 0;
        let excused = crashed
            || self.died()
            || self.truth.contains(&Truth::GuestEnded(StopCause::Killed))
            || self
                .truth
                .iter()
                .any(|truth| matches!(truth, Truth::HookEnded(Phase::PostStart, _, Outcome::Aborted)));
        self.require(post_start == 1 || !up || excused, "post-start was left out");
        for phase in Phase::ALL {
            let name = script(number);
            let begins = self.ledger.iter().filter(
                |event| matches!(event, Event::HookBegin { phase: p, script, .. } if *p == phase && *script == name),
            );
            let begins = begins.count();
            let told = self.recorded(phase, number);
            self.require(begins == told.len(), "a phase's begin has no end on record");
            self.require(
                begins == self.count(Truth::Begun(phase, number)),
                "the record's phases are not those that ran",
            );
            let true_ones: Vec<_> = self
                .truth
                .iter()
                .filter_map(|truth| match truth {
                    Truth::HookEnded(p, n, outcome) if (*p, *n) == (phase, number) => Some(*outcome),
                    _ => None,
                })
                .collect();
            let honest = told
                .iter()
                .all(|outcome| true_ones.contains(outcome) || (*outcome == Outcome::Unknown && self.died()));
            self.require(honest, "an outcome is on record that was not");
        }
    }

    /// Each phase goes through the scripts in its own direction.
    fn check_order(&mut self) {
        for phase in [Phase::PreStart, Phase::PostStart, Phase::PostStop] {
            let called: Vec<u8> = self
                .truth
                .iter()
                .filter_map(|truth| match truth {
                    Truth::Begun(begun, number) if *begun == phase => Some(*number),
                    _ => None,
                })
                .collect();
            let inwards = phase == Phase::PreStart;
            let in_order =
                called.windows(2).all(|pair| if inwards { pair[0] < pair[1] } else { pair[0] > pair[1] });
            self.require(in_order, "scripts were called out of order");
        }
    }

    fn check_causes(&mut self, crashed: bool) {
        let told = self.ledger.iter().rev().find_map(|e| match e {
            Event::Gone { cause, .. } => Some(*cause),
            _ => None,
        });
        let ended = self.truth.iter().rev().find_map(|t| match t {
            Truth::GuestEnded(cause) => Some(*cause),
            _ => None,
        });
        let concluded = self.ledger.iter().rev().find_map(|e| match e {
            Event::RunEnd { cause, .. } => Some(*cause),
            _ => None,
        });
        self.require(
            concluded.flatten() == told,
            "the end of the guest is not on record as the end of the run has it",
        );
        let up = self.count(Truth::Up) > 0;
        match (told, ended) {
            (Some(told), Some(ended)) if up && !self.died() => {
                self.require(told == ended, "the wrong stop cause is on record")
            }
            (Some(StopCause::HostCrash), _) => {
                let reason = crashed || self.boot.instance != "i0";
                self.require(reason, "a host crash is on record that was not");
            }
            (Some(told), Some(ended)) if up => {
                let honest = told == ended || told == StopCause::Unknown || told == StopCause::StartFailed;
                self.require(honest, "a stop cause was guessed");
            }
            _ => {}
        }
        if !up && !self.died() && told.is_some() {
            self.require(
                told == Some(StopCause::StartFailed),
                "a failed start is on record as something else",
            );
        }
    }
}
