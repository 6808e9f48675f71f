use crate::clients::{ClientId, Clients};
use crate::hook::ActiveHook;
use crate::machine::{Container, Ground, Machine, Simulated, VirtualMachine};
use crate::protocol::{Asked, GuestState, Reply, Request, RunningGuest, StartRequest};
use crate::status::Shown;
use crate::stream::{Piped, Sinks};
use crate::tasks::{Purpose, Tasks};
use config::GuestConfig;
use lifecycle::StopRequest;
use model::{
    Boot, Event, GuestKind, Layout, NodeName, Phase, RunId, Script, StartReason, UserId, Vmid, VolumeId,
};
use process::Term;
use record::journal::Scene;
use record::{Journal, Ledger};
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};
use store::{ConfigLock, ConfigStore};

/// The state of the process that keeps one guest.
pub(crate) struct Keeper {
    pub(crate) layout: Layout,
    pub(crate) store: ConfigStore,
    pub(crate) node: NodeName,
    pub(crate) vmid: Vmid,
    pub(crate) kind: GuestKind,
    /// The guest's name or hostname.
    pub(crate) name: String,
    pub(crate) run: RunId,
    pub(crate) reason: StartReason,
    pub(crate) user: UserId,
    pub(crate) boot: Boot,
    /// The hookscript of this start: what a `pre-start` changes counts from the next phase after the start.
    pub(crate) hookscript: Option<VolumeId>,
    /// How many scripts `pre-start` had to call.
    pub(crate) pre_start_scripts: usize,
    /// Whether any hookscript is there to be called, so that what a loss of power leaves of the record matters.
    pub(crate) has_hooks: bool,
    pub(crate) skiplock: bool,
    /// How long the guest may take to come up, where the request said so; in seconds.
    pub(crate) start_limit: Option<u64>,
    /// How long each hookscript of the start may run that says nothing itself.
    pub(crate) hook_limit: Option<Duration>,
    /// The same for each hookscript of what a dead keeper left.
    pub(crate) recovery_limit: Option<Duration>,
    /// Whether the `post-stop` of a start that failed asked for this one.
    pub(crate) after_failure: bool,
    /// When a start that is delayed begins.
    pub(crate) delayed_until: Option<Instant>,
    /// The first script that asks for `agent-up`, as far as is known.
    pub(crate) agent_up: Option<String>,
    /// The runs whose hookscripts asked for what goes on.
    pub(crate) callers: Vec<RunId>,
    /// When all phases of a stop must be over, where the host goes down.
    pub(crate) stop_deadline: Option<Instant>,

    pub(crate) ledger: Ledger,
    pub(crate) journal: Journal,
    pub(crate) listener: Option<UnixListener>,
    /// Tells that the control socket's name is gone, as when `/run` is emptied.
    pub(crate) watch: Option<OwnedFd>,
    pub(crate) clients: Clients,
    /// SIGTERM, by which the host's end is announced.
    pub(crate) term: Option<Term>,
    pub(crate) tasks: Tasks,

    pub(crate) config: Option<GuestConfig>,
    pub(crate) config_lock: Option<ConfigLock>,
    pub(crate) machine: Box<dyn Machine>,
    pub(crate) hook: Option<ActiveHook>,
    /// Outputs that children of ended hookscripts hold open.
    pub(crate) lingering: Vec<Piped>,
    /// How often each script was called in a phase.
    pub(crate) attempts: BTreeMap<(Phase, Script), u32>,
    /// How many calls of a phase are on record.
    pub(crate) calls: BTreeMap<Phase, u32>,
    /// The calls of this run that have ended.
    pub(crate) earlier: Vec<hooks::context::Earlier>,
    /// What the keeper does, for whoever looks.
    pub(crate) stage: &'static str,
    /// What systemd was told of it last.
    pub(crate) shown: Shown,

    /// Requests for a stop that nothing has been done about.
    pub(crate) pending: VecDeque<StopRequest>,
    /// Requests of a hookscript about its own guest: they wait for its end.
    pub(crate) queued: Vec<StopRequest>,
    /// Starts that wait for the end of this run.
    pub(crate) waiting: Vec<(ClientId, StartRequest)>,
    /// What is to be started once this run is over.
    pub(crate) next_start: Option<StartRequest>,
    /// Whether the hookscript that runs is to be aborted.
    pub(crate) abort: bool,
    /// Whether the guest that is asked to shut down is not waited for any longer.
    pub(crate) give_up: bool,
    /// The outputs of the script that a dead keeper left running, opened before anything else: what is in them goes with
    /// their last holder.
    pub(crate) left_open: Option<[hooks::Reader; 2]>,
    /// Who asked for a recovery, and is told once it is done.
    pub(crate) recovering: Option<ClientId>,
    /// The request that bore this keeper, until it is known what the guest does.
    pub(crate) first: Option<(ClientId, Asked)>,
}

impl Keeper {
    /// The machine of a guest of this kind; another one in the workshop's sandbox alone.
    pub(crate) fn machine(layout: &Layout, kind: GuestKind, vmid: Vmid) -> Box<dyn Machine> {
        match (crate::simulation::conduct(layout, vmid), kind) {
            (Some(conduct), _) => Box::new(Simulated::new(kind, vmid, conduct)),
            (None, GuestKind::Qemu) => Box::new(VirtualMachine::default()),
            (None, GuestKind::Lxc) => Box::new(Container::default()),
        }
    }

    /// The machine, and what it needs of the rest.
    pub(crate) fn on_ground<T>(&mut self, act: impl FnOnce(&mut dyn Machine, &Ground<'_>) -> T) -> T {
        let ground = Ground {
            layout: &self.layout,
            kind: self.kind,
            store: &self.store,
            vmid: self.vmid,
            ledger: &self.ledger,
            launch_lasts: self.has_hooks && self.takes_part_later(),
        };
        act(self.machine.as_mut(), &ground)
    }

    /// Whether there are scripts that had no `pre-start` and have `post-stop` once the guest is launched.
    fn takes_part_later(&self) -> bool {
        let called = self.earlier.iter().filter(|call| call.phase == Phase::PreStart).count();
        called < self.pre_start_scripts
    }

    pub(crate) fn scene(&self) -> Scene {
        Scene {
            vmid: self.vmid,
            kind: self.kind,
            name: self.name.clone(),
            run: self.run.clone(),
            task: self.tasks.newest().cloned(),
        }
    }

    /// Where output goes now.
    pub(crate) fn sinks<'a>(&'a mut self, scene: &'a Scene) -> Sinks<'a> {
        Sinks {
            ledger: Some(&self.ledger),
            journal: &mut self.journal,
            tasks: &mut self.tasks,
            clients: &mut self.clients,
            scene: Some(scene),
        }
    }

    /// A line in the task, as a warning of hookvisor's own or of Proxmox VE's words.
    pub(crate) fn say(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.tasks.show(line.as_bytes(), &mut self.clients);
        self.tasks.log(line.as_bytes());
    }

    /// Appends to the ledger what nothing depends on.
    pub(crate) fn note(&self, event: &Event) {
        let _ = self.ledger.append(event);
    }

    /// Ends all tasks of a purpose, on record everywhere.
    pub(crate) fn end_tasks(&mut self, purpose: Purpose, result: &Result<(), String>) {
        for (upid, status) in self.tasks.end(purpose, result, &mut self.clients) {
            if result.is_err() {
                let entry = self.scene().record(
                    record::journal::Priority::Error,
                    program(self.kind),
                    status.trim_end(),
                );
                self.journal.send(entry);
            }
            self.journal.send(record::journal::task_ended(program(self.kind), &upid, &status));
            self.note(&Event::TaskEnd { upid, status });
        }
    }

    /// Makes a task, on record everywhere.
    pub(crate) fn begin_task(
        &mut self,
        action: &str,
        purpose: Purpose,
        user: &UserId,
        client: Option<ClientId>,
    ) -> Result<model::Upid, String> {
        let kind = format!("{}{action}", self.kind.task_prefix());
        let at = (&self.layout, &self.node);
        let upid = self
            .tasks
            .begin(at, (&kind, &self.vmid.to_string()), user, purpose, client, &mut self.clients)
            .map_err(|error| format!("cannot make a task: {}", told(&error)))?;
        begin_records(&mut self.journal, self.kind, self.vmid, action, &upid);
        self.note(&Event::TaskBegin { upid: upid.clone() });
        Ok(upid)
    }

    /// What the guest does now.
    pub(crate) fn state(&self) -> GuestState {
        let running = self.machine.first_process().filter(|_| self.machine.gone().is_none()).map(|process| {
            RunningGuest {
                pid: process.pid,
                uptime: self.machine.hypervisor().map_or(0, crate::machine::Hypervisor::uptime),
                qmpstatus: self.machine.qmp_status().map(str::to_owned),
            }
        });
        GuestState {
            running,
            phase: self.hook.as_ref().map(|hook| hook.phase),
            hook_pid: self.hook.as_ref().and_then(|hook| hook.process).map(|process| process.pid),
            hook_ends_in: self.hook_deadline().map(|(at, _)| millis_until(at)),
            keeper: Some(std::process::id()),
            stage: self.stage.to_owned(),
            abandoned: false,
        }
    }

    /// Serves the request that bore a keeper which found a run to go on with.
    pub(crate) fn asked_first(&mut self, client: ClientId, asked: Asked) {
        match asked.request {
            Request::Recover { hook_limit } => {
                self.recovery_limit = hook_limit.map(Duration::from_secs);
                self.recovering = Some(client);
            }
            // The script that runs would wait for itself.
            Request::Start(request)
                if self.left_open.is_some() && asked.callers.last() == Some(&self.run) =>
            {
                self.queue_start(client, request);
            }
            Request::Start(request) => {
                self.recovery_limit = request.hook_limit.map(Duration::from_secs);
                self.clients.reply(client, &Reply::Busy { what: String::new() });
                self.waiting.push((client, request));
            }
            // Once it is known what the guest does.
            request => self.first = Some((client, Asked { request, ..asked })),
        }
    }

    /// Serves the request that bore this keeper: a look at once, and anything else when the start that it goes on with is over. A
    /// script that the dead keeper left running is not waited for: it may be what the request is about.
    pub(crate) fn serve_first(&mut self) {
        let starting = matches!(self.stage, "recovery" | "pre-start" | "launch" | "post-start");
        let adopted = self.hook.as_ref().is_some_and(ActiveHook::is_adopted);
        let due = |(_, asked): &mut (ClientId, Asked)| {
            !starting || adopted || matches!(asked.request, Request::Status | Request::Abort)
        };
        match self.first.take_if(due) {
            // What was begun after it is not what it is about.
            Some((client, Asked { request: Request::Abort, .. })) if !adopted => {
                self.nothing_to_abort(client)
            }
            Some((client, asked)) => self.serve(client, None, asked),
            None => {}
        }
    }

    /// Tells whoever asked for a recovery that it is done.
    pub(crate) fn recovered(&mut self) {
        self.recovery_limit = None;
        if let Some(client) = self.recovering.take() {
            let state = self.state();
            self.clients.reply(client, &Reply::State(state));
        }
    }

    /// Answers the starts that wait for the end of a run that did not come.
    pub(crate) fn refuse_waiting(&mut self) {
        for (client, request) in std::mem::take(&mut self.waiting) {
            self.refuse_start(client, &request);
        }
    }

    /// What others wait for, and how to end it, as a line: a hookscript that runs for longer than a moment.
    pub(crate) fn in_the_way(&self) -> String {
        const MOMENT: Duration = Duration::from_secs(1);
        let Some(hook) = self.hook.as_ref().filter(|hook| hook.began.elapsed() >= MOMENT) else {
            return String::new();
        };
        let (kind, vmid, seconds) = (self.kind.label(), self.vmid, hook.began.elapsed().as_secs());
        let pid = hook.process.map(|process| format!(", pid {}", process.pid)).unwrap_or_default();
        format!(
            "{} of {kind} {vmid} runs for {seconds} s ({}{pid}): 'hookvisor hooks abort {vmid}' ends it\n",
            hook.phase, hook.script
        )
    }

    /// A start of a guest that is started already.
    pub(crate) fn refuse_start(&mut self, client: ClientId, request: &StartRequest) {
        let up = self.machine.first_process().is_some() && self.stage != "launch";
        let why = if up {
            lifecycle::Denied::AlreadyRunning { kind: self.kind, vmid: self.vmid }.to_string()
        } else {
            let abort = match &self.hook {
                Some(_) => format!("; 'hookvisor hooks abort {}' ends it", self.vmid),
                None => String::new(),
            };
            format!("{} {} already starting ({} runs{abort})", self.kind.label(), self.vmid, self.stage)
        };
        match self.kind {
            // Proxmox VE has a task for it here, and none there.
            GuestKind::Lxc => self.clients.reply(client, &Reply::Refused { why }),
            GuestKind::Qemu => match self.begin_task("start", Purpose::Other, &request.user, Some(client)) {
                Ok(_) => self.end_tasks(Purpose::Other, &Err(why)),
                Err(_) => self.clients.reply(client, &Reply::Refused { why }),
            },
        }
    }
}

/// An error with what it comes of, on one line.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}

/// Whose words a record of the journal is in.
pub(crate) fn program(kind: GuestKind) -> &'static str {
    match kind {
        GuestKind::Qemu => "qm",
        GuestKind::Lxc => "pct",
    }
}

/// The two lines that Proxmox VE writes when a task begins (api.md 4.5).
pub(crate) fn begin_records(
    journal: &mut Journal,
    kind: GuestKind,
    vmid: Vmid,
    action: &str,
    upid: &model::Upid,
) {
    let words = match (kind, action) {
        (GuestKind::Qemu, "start") => "start",
        (GuestKind::Qemu, "stop") => "stop",
        (_, "shutdown") => "shutdown",
        (_, "reboot") => "requesting reboot of",
        (GuestKind::Lxc, "start") => "starting",
        (GuestKind::Lxc, "stop") => "stopping",
        (_, "pause") => "suspend",
        (_, "resume") => "resume",
        _ => "",
    };
    journal.send(record::journal::task_began(program(kind), upid));
    if !words.is_empty() {
        let message = format!("{words} {} {vmid}: {upid}", kind.label());
        let entry = record::journal::Entry::new(record::journal::Priority::Info, program(kind), message)
            .field("GUEST_VMID", vmid.to_string())
            .field("TASK_UPID", upid.to_string());
        journal.send(entry);
    }
}

fn millis_until(deadline: Instant) -> u64 {
    u64::try_from(deadline.saturating_duration_since(Instant::now()).as_millis()).unwrap_or(u64::MAX)
}
