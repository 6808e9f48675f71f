//! The story's host: real scripts, real guests.

use crate::keeper::Keeper;
use crate::machine::Gone;
use crate::requests::INTERRUPTED;
use crate::tasks::Purpose;
use config::GuestConfig;
use lifecycle::{
    Called, Ended, GuestFacts, Happening, HookEnd, Host, Launched, Readiness, StopRequest, Unrecorded,
    admit_start,
};
use model::{Event, GuestKind, Outcome, Phase, ProcessId, Script, StopCause};
use std::convert::Infallible;
use std::time::{Duration, Instant};

/// How long the configuration's lock is waited for.
const LOCK_LIMIT: Duration = Duration::from_secs(10);

/// How long a guest that is asked to shut down has, where nobody says; how long one that is told to quit has.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// How long one that never came up has to quit: it has nothing to save.
const STILLBORN_LIMIT: Duration = Duration::from_secs(5);

/// How long a hypervisor has after SIGTERM, and how long after SIGKILL.
const TERM_LIMIT: Duration = Duration::from_secs(10);

impl Host for Keeper {
    // A keeper that dies does not come back to tell.
    type Death = Infallible;

    fn record(&mut self, event: Event, durable: bool) -> Result<Result<(), Unrecorded>, Infallible> {
        if let Event::Gone { cause, detail } = &event {
            let entry = self.scene().guest_gone(*cause, detail);
            self.journal.send(entry);
        }
        match &event {
            Event::RunEnd { .. } => self.clients.hold(),
            Event::StopFailed { .. } => self.stop_deadline = None,
            Event::PhaseEnd { phase: Phase::PostStart } => self.tell_of_no_agent(),
            _ => {}
        }
        // Where no hook applies nothing depends on what a loss of power leaves of the record.
        let durable = durable && self.has_hooks;
        let written =
            self.ledger.append(&event).and_then(|()| if durable { self.ledger.sync() } else { Ok(()) });
        Ok(written.map_err(|error| Unrecorded(error.to_string())))
    }

    fn delay(&mut self) -> Result<Result<(), String>, Infallible> {
        Ok(self.wait_out_delay())
    }

    fn scripts(
        &mut self,
        phase: Phase,
        pre_starts: &[(Script, Outcome)],
    ) -> Result<Result<Vec<Script>, String>, Infallible> {
        Ok(self.chain(phase, pre_starts))
    }

    fn hook(
        &mut self,
        phase: Phase,
        script: &Script,
        cause: Option<StopCause>,
        stoppable: bool,
    ) -> Result<Called, Infallible> {
        Ok(self.run_hook(phase, script, cause, stoppable))
    }

    fn adopt_hook(
        &mut self,
        phase: Phase,
        script: &Script,
        process: ProcessId,
    ) -> Result<HookEnd, Infallible> {
        Ok(self.adopt_script(phase, script, process))
    }

    fn lost_hook(&mut self, phase: Phase, script: &Script) -> Result<HookEnd, Infallible> {
        Ok(self.close_lost_script(phase, script))
    }

    fn adopt_guest(&mut self, process: ProcessId) -> Result<(), Infallible> {
        self.on_ground(|machine, ground| machine.adopt(ground, process));
        Ok(())
    }

    fn prepare(&mut self) -> Result<Result<(), String>, Infallible> {
        self.stage = "launch";
        Ok(self.lock_and_read())
    }

    fn launch(&mut self) -> Result<Launched, Infallible> {
        let Some(config) = self.config.take() else {
            return Ok(Launched::No("the configuration has not been read".to_owned()));
        };
        let launched = self.on_ground(|machine, ground| machine.launch(ground, &config));
        self.config = Some(config);
        self.config_lock = None;
        for line in self.machine.take_words() {
            self.say(&line);
        }
        Ok(match launched {
            Ok(()) => Launched::Yes,
            Err(error) => Launched::No(error),
        })
    }

    fn ready(&mut self, stoppable: bool) -> Result<Readiness, Infallible> {
        let limit = Duration::from_secs(self.start_limit.unwrap_or_else(|| self.machine.start_limit()));
        let deadline = Instant::now() + limit;
        loop {
            self.attend();
            match self.machine.ready() {
                Some(Ok(())) => break,
                Some(Err(error)) => {
                    self.pump_hypervisor();
                    return Ok(Readiness::Failed(error));
                }
                None => {}
            }
            if stoppable && self.pending.iter().any(cancels) {
                return Ok(Readiness::Cancelled);
            }
            if Instant::now() >= deadline {
                return Ok(Readiness::Failed(self.too_slow()));
            }
            self.wait_for(Some(deadline));
        }
        let init = self.machine.init();
        self.note(&Event::Ready { init });
        let pid = self.machine.first_process().map_or(0, |process| process.pid);
        let entry = self.scene().guest_started(pid);
        self.journal.send(entry);
        self.stage = "running";
        Ok(Readiness::Ready)
    }

    fn pending_stop(&mut self) -> Option<StopRequest> {
        self.attend();
        // One that has ended meanwhile is not to be stopped; the wait tells of its end.
        let stop = self.pending.pop_front_if(|_| self.machine.gone().is_none())?;
        self.refuse_waiting();
        Some(stop)
    }

    fn wait(&mut self, agent_up: bool) -> Result<Happening, Infallible> {
        self.stage = "running";
        self.callers.clear();
        self.refuse_waiting();
        self.recovered();
        let agent_up = agent_up && self.looks_out();
        loop {
            self.attend();
            if let Some(Gone { cause, detail, restart }) = self.machine.gone() {
                return Ok(if restart { Happening::Restart } else { Happening::Gone(cause, detail) });
            }
            if let Some(request) = self.pending.pop_front() {
                return Ok(Happening::StopAsked(request));
            }
            if agent_up && self.machine.has_answered() {
                return Ok(Happening::AgentUp);
            }
            self.wait_for(None);
        }
    }

    fn end(&mut self, request: &StopRequest) -> Result<Ended, Infallible> {
        self.stage = "stop";
        Ok(self.end_guest(request))
    }

    fn kill(&mut self) -> Result<(), Infallible> {
        self.config_lock = None;
        self.end_hard(StopCause::StartFailed, Some(STILLBORN_LIMIT));
        Ok(())
    }

    fn release(&mut self) -> Result<(), Infallible> {
        self.config_lock = None;
        self.on_ground(|machine, ground| machine.release(ground));
        for line in self.machine.take_words() {
            self.say(&line);
        }
        Ok(())
    }

    fn answer_start(&mut self, result: Result<(), String>) -> Result<(), Infallible> {
        if result.is_ok() && self.tasks.of(Purpose::Start).is_some() && self.machine.gone().is_some() {
            self.say(&format!("WARN: {} {} has ended since it was started", self.kind.label(), self.vmid));
        }
        self.end_tasks(Purpose::Start, &result);
        Ok(())
    }

    fn answer_stop(&mut self, result: Result<(), String>) -> Result<(), Infallible> {
        self.end_tasks(Purpose::Stop, &result);
        self.end_tasks(Purpose::Shutdown, &result);
        // Whether a reboot succeeds is seen once the run is over.
        if result.is_err() {
            self.end_tasks(Purpose::Reboot, &result);
        }
        Ok(())
    }
}

impl Keeper {
    /// Reads the configuration under its lock, which stays until the launch is on record, and asks for admission again.
    fn lock_and_read(&mut self) -> Result<(), String> {
        let mut words = Vec::new();
        let lock = self.store.lock(self.kind, self.vmid, LOCK_LIMIT, &mut |line| words.push(line.to_owned()));
        for line in words {
            self.say(&line);
        }
        let lock = lock.map_err(|error| error.to_string())?;
        let (mut config, warnings) =
            self.store.read_with_warnings(self.kind, self.vmid).map_err(|error| error.to_string())?;
        for warning in warnings {
            self.say(&warning.to_string());
        }
        let facts = GuestFacts { bad_hookscript: None, ..facts(&config, self.skiplock) };
        admit_start(self.kind, self.vmid, &facts).map_err(|denied| denied.to_string())?;
        if !config.pending.is_empty() {
            let owner = self.vmid.to_string();
            let is_own = |volume: &model::VolumeId| volume.name().split('/').next() == Some(owner.as_str());
            let freed = config::pending::apply(&mut config, &is_own);
            let digest = config.digest.clone();
            config.digest =
                self.store.write(&lock, &config, Some(&digest)).map_err(|error| error.to_string())?;
            self.free(&freed);
        }
        self.config = Some(config);
        self.config_lock = Some(lock);
        Ok(())
    }

    /// Removes volumes that no longer belong to the guest. One that stays is a nuisance, not a reason not to start.
    fn free(&mut self, volumes: &[model::VolumeId]) {
        for volume in volumes {
            let freed = storage::Storages::load(&self.store).and_then(|storages| storages.free(volume));
            if let Err(error) = freed {
                self.say(&format!("warning: cannot remove volume '{volume}': {error}"));
            }
        }
    }

    fn too_slow(&self) -> String {
        match self.kind {
            GuestKind::Qemu => "start failed: the monitor did not answer: got timeout".to_owned(),
            GuestKind::Lxc => format!("{}: got timeout", lxc::start_failed(self.vmid)),
        }
    }

    fn end_guest(&mut self, request: &StopRequest) -> Ended {
        self.attend();
        if let Some(gone) = self.machine.gone() {
            if self.kind == GuestKind::Qemu {
                self.say("Unexpected: VM shutdown command failed, but VM not running anymore..");
            }
            return Ended::Gone(gone.cause, gone.detail);
        }
        let timeout = request.timeout.map(Duration::from_secs);
        if request.hard {
            return self.end_hard(request.cause, timeout);
        }
        let config = self.store.read(self.kind, self.vmid).ok();
        let limit = timeout
            .or_else(|| config.as_ref().and_then(|config| down_limit(self.kind, config)))
            .unwrap_or(STOP_LIMIT);
        let (mut force, mut deadline) = (request.force, Instant::now() + limit);
        self.give_up = false;
        self.on_ground(|machine, ground| machine.ask_down(ground, config.as_ref()));
        let asked = Instant::now();
        loop {
            self.attend();
            if let Some(gone) = self.machine.gone() {
                return Ended::Gone(
                    if ended_as_asked(self.kind, &gone) { request.cause } else { gone.cause },
                    gone.detail,
                );
            }
            if let Some(at) = self.pending.iter().position(|request| request.hard) {
                let overruling = self.pending.remove(at);
                let interrupted = Err(INTERRUPTED.to_owned());
                self.end_tasks(Purpose::Shutdown, &interrupted);
                self.end_tasks(Purpose::Reboot, &interrupted);
                self.note(&Event::Note { text: "the shutdown is overruled by a stop".to_owned() });
                let cause = overruling.map_or(StopCause::Stop, |request| request.cause);
                return self.end_hard(cause, None);
            }
            if std::mem::take(&mut self.give_up) {
                return Ended::StillRunning(INTERRUPTED.to_owned());
            }
            // Others that ask for a shutdown wait for this one. A host that goes down has the last word on its time.
            force |=
                self.pending.drain(..).any(|other| other.cause == StopCause::HostShutdown && other.force);
            deadline = self.stop_deadline.unwrap_or(deadline);
            if Instant::now() >= deadline {
                break;
            }
            self.wait_for(Some(deadline));
        }
        match (self.kind, force) {
            (GuestKind::Qemu, false) => {
                Ended::StillRunning("VM quit/powerdown failed - got timeout".to_owned())
            }
            (GuestKind::Lxc, false) => Ended::StillRunning("container did not stop".to_owned()),
            (GuestKind::Qemu, true) => {
                self.tell_of_force(asked.elapsed());
                self.say("VM still running - terminating now with SIGTERM");
                self.terminate(request.cause)
            }
            (GuestKind::Lxc, true) => {
                self.tell_of_force(asked.elapsed());
                self.end_hard(request.cause, None)
            }
        }
    }

    /// A guest that does not obey is about to lose what it has not written: that must not go unnoticed.
    fn tell_of_force(&mut self, waited: Duration) {
        let waited = (waited + Duration::from_millis(500)).as_secs();
        let text = match waited {
            0 => "no time is left for it to shut down: it is ended by force".to_owned(),
            _ => format!("it has not shut down within {waited} s: it is ended by force"),
        };
        let entry = self.scene().guest_forced(&text);
        self.journal.send(entry);
        self.tasks.warn(&text);
        self.note(&Event::Note { text });
    }

    /// Ends the guest without asking it.
    fn end_hard(&mut self, cause: StopCause, timeout: Option<Duration>) -> Ended {
        self.attend();
        if self.machine.hypervisor().is_none() || self.machine.gone().is_some() {
            return Ended::Gone(cause, String::new());
        }
        self.machine.quit();
        if let Some(gone) = self.gone_within(timeout.unwrap_or(STOP_LIMIT)) {
            return Ended::Gone(cause, gone.detail);
        }
        self.say(&format!("{} still running - terminating now with SIGTERM", self.kind.label()));
        self.terminate(cause)
    }

    fn terminate(&mut self, cause: StopCause) -> Ended {
        self.machine.kill(true);
        if let Some(gone) = self.gone_within(TERM_LIMIT) {
            return Ended::Gone(cause, gone.detail);
        }
        self.say(&format!("{} still running - terminating now with SIGKILL", self.kind.label()));
        self.machine.kill(false);
        match self.gone_within(TERM_LIMIT) {
            Some(gone) => Ended::Gone(cause, gone.detail),
            None => Ended::StillRunning(format!(
                "{} {} does not end, even by SIGKILL",
                self.kind.label(),
                self.vmid
            )),
        }
    }

    fn gone_within(&mut self, limit: Duration) -> Option<Gone> {
        let deadline = Instant::now() + limit;
        loop {
            self.attend();
            // A stop on its way is joined by every other one.
            self.pending.clear();
            if let Some(gone) = self.machine.gone() {
                return Some(gone);
            }
            if Instant::now() >= deadline {
                return None;
            }
            self.wait_for(Some(deadline));
        }
    }
}

/// Whether a request for a stop ends a start that is under way: one that ends the guest at once, and a host that goes down.
pub(crate) fn cancels(request: &StopRequest) -> bool {
    request.hard || request.cause == StopCause::HostShutdown
}

/// Whether the guest went the way it goes when it is asked to.
fn ended_as_asked(kind: GuestKind, gone: &Gone) -> bool {
    match gone.cause {
        StopCause::GuestPoweroff | StopCause::GuestReboot => true,
        // Some kernels do not tell how a container ended that another keeper started. It was asked to, and it did.
        StopCause::Unknown => kind == GuestKind::Lxc,
        _ => false,
    }
}

/// The time for a virtual machine's shutdown that its configuration gives (lifecycle.md 2.3): containers have none.
fn down_limit(kind: GuestKind, config: &GuestConfig) -> Option<Duration> {
    let startup = config.main.get("startup").filter(|_| kind == GuestKind::Qemu)?;
    let down = startup.split(',').find_map(|part| part.trim().strip_prefix("down="))?;
    down.parse().ok().map(Duration::from_secs)
}

/// What a start's admission depends on.
pub(crate) fn facts(config: &GuestConfig, skip_lock: bool) -> GuestFacts {
    GuestFacts {
        template: config.main.flag("template", false),
        lock: config.main.get("lock").map(str::to_owned),
        skip_lock,
        bad_hookscript: config.main.hookscript().err().map(|invalid| invalid.0),
    }
}
