//! What others ask of a keeper while it goes about its story.

use crate::callers::is_circle;
use crate::clients::ClientId;
use crate::keeper::Keeper;
use crate::protocol::{Asked, MachineAction, Reply, Request, StartRequest};
use crate::tasks::Purpose;
use lifecycle::StopRequest;
use model::{GuestKind, Layout, RunId, StopCause, Upid, UserId};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How long all phases of a stop have together when the host goes down (lifecycle.md 8.3).
const HOST_LIMIT: Duration = Duration::from_secs(180);

/// What a task that somebody ended ends with.
pub(crate) const INTERRUPTED: &str = "received interrupt";

impl Keeper {
    /// Reads and serves the requests that have come.
    pub(crate) fn read_requests(&mut self) {
        self.serve_first();
        let ids: Vec<(ClientId, Option<u32>)> =
            self.clients.iter().map(|client| (client.id, client.pid)).collect();
        for (id, pid) in ids {
            while let Some(line) = self.clients.read(id) {
                match Asked::read(&line) {
                    Ok(asked) => self.serve(id, pid, asked),
                    Err(why) => self.clients.reply(id, &Reply::Refused { why }),
                }
            }
        }
    }

    pub(crate) fn serve(&mut self, client: ClientId, pid: Option<u32>, asked: Asked) {
        let from_hook = self.is_from_hook(pid, &asked.callers);
        if !from_hook && asked.request.is_stop() {
            self.callers.extend(asked.callers);
        }
        match asked.request {
            Request::Status | Request::Recover { .. } => {
                let state = self.state();
                self.clients.reply(client, &Reply::State(state));
            }
            Request::Start(request) => self.start_asked(client, request, from_hook),
            Request::Stop { user, skiplock, timeout } => {
                let stop =
                    StopRequest { cause: StopCause::Stop, hard: true, timeout, force: true, task: None };
                self.stop_asked(client, "stop", &user, skiplock, stop, from_hook);
            }
            Request::Shutdown { user, skiplock, timeout, force, host } => {
                let (hard, force) = match self.paused_shutdown(force) {
                    Ok(stop_instead) => (stop_instead, force || stop_instead),
                    Err(why) => return self.clients.reply(client, &Reply::Refused { why }),
                };
                let cause = if host { StopCause::HostShutdown } else { StopCause::Shutdown };
                let stop = StopRequest { cause, hard, timeout, force, task: None };
                if host {
                    self.limit_stop(timeout);
                }
                self.stop_asked(client, "shutdown", &user, skiplock, stop, from_hook);
                if hard {
                    self.say("VM is paused - stop instead of shutdown");
                }
            }
            Request::Reboot { user, timeout } => {
                if let Err(why) = self.paused_shutdown(false) {
                    return self.clients.reply(client, &Reply::Refused { why });
                }
                // A container that does not obey in time is ended; a virtual machine lives on.
                let force = self.kind == GuestKind::Lxc;
                let stop = StopRequest { cause: StopCause::Reboot, hard: false, timeout, force, task: None };
                self.stop_asked(client, "reboot", &user, false, stop, from_hook);
            }
            Request::Machine { user, action, skiplock } => self.act(client, &user, action, skiplock),
            Request::EndTask { upid } => self.end_task(client, &upid),
            Request::Abort => match &self.hook {
                Some(hook) => {
                    let phase = hook.phase;
                    self.abort = true;
                    self.clients.reply(client, &Reply::Aborting { phase });
                }
                None => self.nothing_to_abort(client),
            },
        }
    }

    pub(crate) fn nothing_to_abort(&mut self, client: ClientId) {
        let why = format!("no hookscript of {} {} runs now", self.kind.label(), self.vmid);
        self.clients.reply(client, &Reply::Refused { why });
    }

    /// Ends a task: aborts what it waits for, or has the wait given up. A stop that is under way goes on.
    fn end_task(&mut self, client: ClientId, upid: &Upid) {
        let Some(purpose) = self.tasks.purpose(upid) else {
            return self.clients.reply(client, &Reply::Ending { mine: false });
        };
        match purpose {
            Purpose::NextStart => {
                self.owe_nothing();
                self.end_tasks(Purpose::NextStart, &Err(INTERRUPTED.to_owned()));
            }
            _ if self.hook.is_some() => self.abort = true,
            Purpose::Start => self.pending.push_back(StopRequest {
                cause: StopCause::Stop,
                hard: true,
                timeout: None,
                force: true,
                task: None,
            }),
            Purpose::Shutdown | Purpose::Reboot => self.give_up = true,
            Purpose::Stop | Purpose::Other => {
                let why = format!("{upid} cannot be ended: {} is under way", self.stage);
                return self.clients.reply(client, &Reply::Refused { why });
            }
        }
        self.clients.reply(client, &Reply::Ending { mine: true });
    }

    /// Whether the hookscript that runs waits for who asks: that is the script itself or a process below it, or the
    /// hookscript of another guest that it started or stopped.
    fn is_from_hook(&self, pid: Option<u32>, callers: &[RunId]) -> bool {
        let Some(hook) = self.hook.as_ref().and_then(|hook| hook.process) else { return false };
        pid.is_some_and(|pid| process::descends_from(pid, hook)) || is_circle(callers, &self.run)
    }

    fn start_asked(&mut self, client: ClientId, request: StartRequest, from_hook: bool) {
        if request.kind != self.kind {
            let name = Layout::guest_config_name(&self.node, request.kind, self.vmid);
            let why = format!("Configuration file '{name}' does not exist");
            return self.clients.reply(client, &Reply::Refused { why });
        }
        match self.stage {
            "pre-stop" | "stop" | "post-stop" | "over" if from_hook => self.queue_start(client, request),
            "pre-stop" | "stop" | "post-stop" | "over" => {
                self.clients.reply(client, &Reply::Busy { what: self.in_the_way() });
                self.waiting.push((client, request));
            }
            "delayed" => self.hurry_start(client, &request),
            _ if from_hook && let Some(upid) = self.tasks.of(Purpose::Start) => {
                self.answer_hook(client, &upid, &format!("the start of {} is under way", self.vmid));
            }
            _ => self.refuse_start(client, &request),
        }
    }

    /// A hookscript asks for the next start of its own guest.
    pub(crate) fn queue_start(&mut self, client: ClientId, request: StartRequest) {
        let upid = match self.tasks.of(Purpose::NextStart) {
            Some(upid) => Ok(upid),
            None => self.begin_task("start", Purpose::NextStart, &request.user, None),
        };
        let upid = match upid {
            Ok(upid) => upid,
            Err(why) => return self.clients.reply(client, &Reply::Refused { why }),
        };
        if self.next_start.is_none() {
            let task = Some(upid.clone());
            self.owe(StartRequest { reason: model::StartReason::Hook, task, ..request });
        }
        let text = format!("the start of {} waits until {} has ended", self.vmid, self.stage);
        self.answer_hook(client, &upid, &text);
    }

    /// Tells a hookscript, which must not wait for itself, which task does what it asked for.
    fn answer_hook(&mut self, client: ClientId, upid: &Upid, text: &str) {
        let text = format!("{text}: {upid}\n");
        self.clients.reply(client, &Reply::Task { upid: upid.clone() });
        self.clients.reply(client, &Reply::Output { text: text.as_bytes().into() });
        self.clients.reply(client, &Reply::Done { error: None, warning: None });
    }

    fn stop_asked(
        &mut self,
        client: ClientId,
        action: &str,
        user: &UserId,
        skiplock: bool,
        mut stop: StopRequest,
        from_hook: bool,
    ) {
        let purpose = match (stop.hard, stop.cause) {
            (true, _) => Purpose::Stop,
            (false, StopCause::Reboot) => Purpose::Reboot,
            (false, _) => Purpose::Shutdown,
        };
        let task = self.begin_task(action, purpose, user, (!from_hook).then_some(client));
        match &task {
            Ok(upid) => stop.task = Some(upid.clone()),
            Err(why) => return self.clients.reply(client, &Reply::Refused { why: why.clone() }),
        }
        if !skiplock && let Some(lock) = self.lock_in_the_way() {
            return self.end_tasks(purpose, &Err(lock));
        }
        if !from_hook {
            // They were asked for before it.
            for (client, _) in std::mem::take(&mut self.waiting) {
                let why = "the start was cancelled by a stop".to_owned();
                self.clients.reply(client, &Reply::Refused { why });
            }
        }
        let waits_for = self.in_the_way();
        if !from_hook && !waits_for.is_empty() {
            self.clients.reply(client, &Reply::Output { text: waits_for.as_bytes().into() });
        }
        if from_hook && let Some(upid) = &stop.task {
            let text = format!("the {action} of {} waits until {} has ended", self.vmid, self.stage);
            self.answer_hook(client, upid, &text);
            self.queued.push(stop);
            return;
        }
        // A guest that is on its way out takes no further request: its task ends with that way.
        if !matches!(self.stage, "post-stop" | "over") {
            self.pending.push_back(stop);
        }
    }

    /// SIGTERM, which systemd sends when the host goes down: as `hookvisor stopall` does, with all that the guest has to end.
    pub(crate) fn end_with_host(&mut self) {
        // Whoever sees the host go down asks in an order, and comes first.
        if self.stop_deadline.is_some() {
            return;
        }
        let (Ok((_nobody, theirs)), user) = (UnixStream::pair(), UserId::root()) else { return };
        let config = self.store.read(self.kind, self.vmid).ok();
        let startup = config.as_ref().and_then(|config| config::format::startup(config.main.get("startup")?));
        let down = startup.and_then(|startup| startup.down).unwrap_or(HOST_LIMIT.as_secs());
        let request =
            Request::Shutdown { user, skiplock: true, timeout: Some(down), force: true, host: true };
        let client = self.clients.take_in(theirs);
        self.serve(client, None, Asked { callers: Vec::new(), request });
    }

    /// The host goes down: all phases of the stop, also of one that is under way, are over by then.
    fn limit_stop(&mut self, timeout: Option<u64>) {
        let deadline = Instant::now() + timeout.map_or(HOST_LIMIT, Duration::from_secs);
        self.stop_deadline = Some(self.stop_deadline.map_or(deadline, |earlier| earlier.min(deadline)));
    }

    /// The lock in the configuration that forbids a stop.
    fn lock_in_the_way(&self) -> Option<String> {
        let config = self.store.read(self.kind, self.vmid).ok()?;
        let lock = config.main.get("lock")?;
        let tolerated = self.kind == GuestKind::Lxc && lock == "mounted";
        (!tolerated).then(|| format!("{} is locked ({lock})", self.kind.label()))
    }

    /// A virtual machine that is paused cannot obey: whether it is to be stopped instead.
    fn paused_shutdown(&self, force: bool) -> Result<bool, String> {
        let paused = self.kind == GuestKind::Qemu && self.machine.qmp_status() == Some("paused");
        match (paused, force) {
            (true, false) => Err("VM is paused - cannot shutdown".to_owned()),
            (paused, _) => Ok(paused),
        }
    }

    fn act(&mut self, client: ClientId, user: &UserId, action: MachineAction, skiplock: bool) {
        let name = match action {
            MachineAction::Reset => "reset",
            MachineAction::Suspend => "pause",
            MachineAction::Resume => "resume",
        };
        if let Err(why) = self.begin_task(name, Purpose::Other, user, Some(client)) {
            return self.clients.reply(client, &Reply::Refused { why });
        }
        let result = match self.lock_in_the_way().filter(|_| !skiplock) {
            Some(lock) => Err(lock),
            None if self.machine.gone().is_some() || self.machine.first_process().is_none() => {
                Err(format!("{} {} not running", self.kind.label(), self.vmid))
            }
            None => self.machine.act(action),
        };
        self.end_tasks(Purpose::Other, &result);
    }
}
