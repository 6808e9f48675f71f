use model::{Event, Outcome, Phase, ProcessId, Script, StopCause};

/// What the story asks of the world. A method returns when its thing is done; meanwhile the implementation serves
/// whoever else wants something of the keeper.
///
/// `Death` is the keeper's own end in the middle of something. A real keeper does not return from that, so its `Death`
/// has no value; the exhaustive test's does, at every step.
pub trait Host {
    /// The end of the keeper itself.
    type Death;

    /// Appends to the ledger; with `durable` it is on disk on return.
    fn record(&mut self, event: Event, durable: bool) -> Result<Result<(), Unrecorded>, Self::Death>;

    /// Waits until the start may begin: one that follows starts that failed is held back. An error where it was dropped
    /// meanwhile.
    fn delay(&mut self) -> Result<Result<(), String>, Self::Death>;

    /// The scripts that a phase calls, in their order. `pre_starts` are the calls of `pre-start` in this run. An error
    /// refuses a start; in other phases it is a warning, and what can be called is.
    fn scripts(
        &mut self,
        phase: Phase,
        pre_starts: &[(Script, Outcome)],
    ) -> Result<Result<Vec<Script>, String>, Self::Death>;

    /// Calls a script and waits for its end.
    /// The begin is on record before the script runs, by the process that becomes it; the end is recorded too.
    /// With `stoppable` a request for a stop aborts the script, and [`Host::pending_stop`] then has it; the script of
    /// `agent-up` is aborted by the guest's end too, so that nothing waits for it.
    fn hook(
        &mut self,
        phase: Phase,
        script: &Script,
        cause: Option<StopCause>,
        stoppable: bool,
    ) -> Result<Called, Self::Death>;

    /// Waits for a script that an earlier keeper began, and records its end.
    fn adopt_hook(
        &mut self,
        phase: Phase,
        script: &Script,
        process: ProcessId,
    ) -> Result<HookEnd, Self::Death>;

    /// Records that nobody saw how a script that an earlier keeper began ended.
    fn lost_hook(&mut self, phase: Phase, script: &Script) -> Result<HookEnd, Self::Death>;

    /// Takes over the hypervisor that an earlier keeper launched and finds out what became of its guest meanwhile.
    fn adopt_guest(&mut self, process: ProcessId) -> Result<(), Self::Death>;

    /// Reads the configuration again after `pre-start`, applies what is pending and asks for admission again.
    /// From here until [`Host::launch`] returns the configuration stays locked.
    fn prepare(&mut self) -> Result<Result<(), String>, Self::Death>;

    /// Takes what the guest needs and starts its hypervisor, with each on record before it happens.
    fn launch(&mut self) -> Result<Launched, Self::Death>;

    /// Waits until the guest is up; with `stoppable` a request for a stop ends the wait.
    fn ready(&mut self, stoppable: bool) -> Result<Readiness, Self::Death>;

    /// A request for a stop that came in while something that it may interrupt was going on.
    fn pending_stop(&mut self) -> Option<StopRequest>;

    /// Waits for something to happen to a running guest; with `agent_up` that may be [`Happening::AgentUp`].
    fn wait(&mut self, agent_up: bool) -> Result<Happening, Self::Death>;

    /// Ends the guest as asked. Requests that come in meanwhile join this one or overrule it.
    fn end(&mut self, request: &StopRequest) -> Result<Ended, Self::Death>;

    /// Ends what is left of a guest whose start failed or was cancelled, without asking it.
    fn kill(&mut self) -> Result<(), Self::Death>;

    /// Gives back everything that the run took, in reverse; harmless when nothing is left.
    fn release(&mut self) -> Result<(), Self::Death>;

    /// Ends the task that asked for the start.
    fn answer_start(&mut self, result: Result<(), String>) -> Result<(), Self::Death>;

    /// Ends the tasks that asked for a stop.
    fn answer_stop(&mut self, result: Result<(), String>) -> Result<(), Self::Death>;
}

/// The ledger could not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot record the run: {0}")]
pub struct Unrecorded(pub String);

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Called {
    /// The script ran, or could not be run.
    Ended(HookEnd),
    /// It does not want to be called in this phase.
    Unwanted,
    /// That of `agent-up` was cut short before the script had begun, so nothing is on record: it may come yet.
    CutShort,
}

/// How a hookscript's call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookEnd {
    /// The outcome.
    pub outcome: Outcome,
    /// The whole text for the task where it did not end well, as Proxmox VE words it (lifecycle.md 1.3).
    pub error: Option<String>,
}

/// Whether the hypervisor was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Launched {
    /// It runs; whether the guest comes up is another matter.
    Yes,
    /// It could not be started, for this reason.
    No(String),
}

/// Whether the guest came up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It is up.
    Ready,
    /// It is not, for this reason. What is left of it must be ended.
    Failed(String),
    /// Somebody asked for a stop meanwhile.
    Cancelled,
}

/// What happened to a running guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// It is gone, nobody having asked through hookvisor.
    Gone(StopCause, String),
    /// Its agent, or a container's init, has answered.
    AgentUp,
    /// A container rebooted itself and is to be launched again.
    Restart,
    /// Its end is asked for.
    StopAsked(StopRequest),
}

/// A request to end the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopRequest {
    /// What the stop is to be recorded as.
    pub cause: StopCause,
    /// Whether the guest is not asked but ended at once.
    pub hard: bool,
    /// How long a guest that is asked has, in seconds; none for its kind's default.
    pub timeout: Option<u64>,
    /// Whether a guest that does not obey in time is ended.
    pub force: bool,
    /// The task that asked.
    pub task: Option<model::Upid>,
}

/// How the attempt to end a guest came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It is gone.
    Gone(StopCause, String),
    /// It lives on, for this reason.
    StillRunning(String),
}
