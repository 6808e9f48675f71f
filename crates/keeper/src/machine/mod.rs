//! What keeps a guest's processes: the same few things for a virtual machine and for a container.

mod command;
mod find;
mod first_answer;
mod hypervisor;
mod lxc;
mod qemu;
mod simulated;

pub use command::show_command;
pub(crate) use find::{find, find_by_pid_file, leftovers};
pub(crate) use hypervisor::{End, Hypervisor};
pub(crate) use lxc::Container;
pub(crate) use qemu::VirtualMachine;
pub(crate) use simulated::Simulated;

use crate::protocol::MachineAction;
use ::qemu::monitor::Monitor;
use config::GuestConfig;
use hooks::Outputs;
use model::{Event, GuestKind, Layout, ProcessId, Resource, StopCause, Vmid, VolumeId};
use record::Ledger;
use record::ledger::Stamped;
use rustix::event::PollFlags;
use rustix::process::Signal;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};
use store::ConfigStore;

/// What a machine needs of its keeper.
pub(crate) struct Ground<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) kind: GuestKind,
    pub(crate) store: &'a ConfigStore,
    pub(crate) vmid: Vmid,
    pub(crate) ledger: &'a Ledger,
    /// Whether the launch is to be on disk before it happens.
    pub(crate) launch_lasts: bool,
}

impl Ground<'_> {
    /// Puts on record that something is about to be taken. Without that on record it must not be taken.
    pub(crate) fn took(&self, what: Resource) -> Result<(), String> {
        self.ledger.append(&Event::Took { what }).map_err(|error| format!("cannot record the run: {error}"))
    }

    /// Puts on record that this process becomes the hypervisor. From here on scripts that had no `pre-start` have
    /// `post-stop` to come, also after the host loses power.
    fn launches(&self) -> io::Result<()> {
        self.ledger.append(&Event::Launch { process: process::current() })?;
        if self.launch_lasts { self.ledger.sync() } else { Ok(()) }
    }
}

/// What is on record about the run.
fn recorded(ground: &Ground<'_>) -> Vec<Stamped> {
    record::ledger::read_without_output(ground.ledger.path())
        .map(|contents| contents.events)
        .unwrap_or_default()
}

/// When a hypervisor was launched, in milliseconds since the host booted.
fn launched_at(ground: &Ground<'_>, process: ProcessId) -> u64 {
    let launch =
        recorded(ground).into_iter().rev().find(|stamped| stamped.event == Event::Launch { process });
    launch.map_or_else(process::boot_millis, |stamped| stamped.boot_ms)
}

/// The volumes that a guest cannot run without.
fn used_volumes(config: &GuestConfig) -> Vec<VolumeId> {
    let used = config.main.options.iter().filter(|(key, _)| !key.starts_with("unused") && *key != "vmstate");
    used.filter_map(|(key, value)| config::volumes::volume(config.kind, key, value)).collect()
}

/// Puts descriptors where a program expects them: nothing to read, its outputs, and these at their numbers.
fn place(outputs: &Outputs, fds: &[(OwnedFd, i32)]) -> io::Result<()> {
    // First out of the way of every number that is about to be taken; what was there is closed before that.
    let high = |fd: OwnedFd| rustix::io::fcntl_dupfd_cloexec(&fd, 200);
    let [stdout, stderr] = outputs.writers()?;
    let null = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty())?;
    let mut moved = vec![(high(null)?, 0), (high(stdout)?, 1), (high(stderr)?, 2)];
    for (fd, number) in fds {
        moved.push((rustix::io::fcntl_dupfd_cloexec(fd, 200)?, *number));
    }
    for (fd, number) in &moved {
        process::place_fd(fd, *number)?;
    }
    Ok(())
}

/// What a process that a signal ended died of: its own fault, or somebody's will.
fn cause_of_signal(signal: i32) -> StopCause {
    const FAULTS: [Signal; 7] =
        [Signal::ILL, Signal::ABORT, Signal::BUS, Signal::FPE, Signal::SEGV, Signal::SYS, Signal::TRAP];
    if FAULTS.iter().any(|fault| fault.as_raw() == signal) { StopCause::Crash } else { StopCause::Killed }
}

/// How long a monitor's answer is waited for.
const ANSWER: Duration = Duration::from_secs(5);

/// Has a monitor do something to its guest.
fn act(monitor: Option<&mut Monitor>, action: MachineAction) -> Result<(), String> {
    let command = match action {
        MachineAction::Reset => "system_reset",
        MachineAction::Suspend => "stop",
        MachineAction::Resume => "cont",
    };
    let monitor = monitor.ok_or("the monitor is not reachable")?;
    monitor.call(command, None, ANSWER).map(|_| ()).map_err(|error| error.to_string())
}

/// A guest that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gone {
    /// What it ended of by itself, as far as anything tells.
    pub(crate) cause: StopCause,
    /// More for a reader.
    pub(crate) detail: String,
    /// Whether it is to be launched again, without a phase.
    pub(crate) restart: bool,
}

/// The processes of one guest.
pub(crate) trait Machine {
    /// Takes what the guest needs and starts its hypervisor.
    fn launch(&mut self, ground: &Ground<'_>, config: &GuestConfig) -> Result<(), String>;

    /// Takes over a hypervisor that an earlier keeper launched.
    fn adopt(&mut self, ground: &Ground<'_>, process: ProcessId);

    /// What to wait for.
    fn sources<'a>(&'a self, sources: &mut Vec<(BorrowedFd<'a>, PollFlags)>);

    /// Looks at everything that may have happened. Never blocks.
    fn attend(&mut self);

    /// When to look again although nothing has happened.
    fn wake(&self) -> Option<Instant> {
        None
    }

    /// Whether the guest is up; an error where it will not be.
    fn ready(&self) -> Option<Result<(), String>>;

    /// Whether something in the guest can answer: its agent, or a container's init; an error where nothing will, with the
    /// reason as what is said of the guest.
    fn may_answer(&self) -> Result<(), String>;

    /// Looks out for that answer from now on. Never blocks.
    fn look_out(&mut self, ground: &Ground<'_>);

    /// Whether it has come.
    fn has_answered(&self) -> bool;

    /// How it ended, once all of its processes have.
    fn gone(&self) -> Option<Gone>;

    /// Asks the guest to shut down, in its own way.
    fn ask_down(&mut self, ground: &Ground<'_>, config: Option<&GuestConfig>);

    /// Tells the hypervisor to quit.
    fn quit(&mut self);

    /// Ends the hypervisor, gently the first time.
    fn kill(&mut self, gently: bool);

    /// Gives back what was taken, in reverse. Harmless when nothing is left.
    fn release(&mut self, ground: &Ground<'_>);

    /// Does something at once.
    fn act(&mut self, action: MachineAction) -> Result<(), String>;

    /// The hypervisor.
    fn hypervisor(&self) -> Option<&Hypervisor>;

    /// As [`Machine::hypervisor`].
    fn hypervisor_mut(&mut self) -> Option<&mut Hypervisor>;

    /// The guest's first process, as the host sees it: QEMU, or the container's init.
    fn first_process(&self) -> Option<ProcessId>;

    /// The container's init in the host's pids; none for a virtual machine.
    fn init(&self) -> Option<ProcessId>;

    /// The monitor's word for what a virtual machine does.
    fn qmp_status(&self) -> Option<&str>;

    /// How long the guest may take to come up, in seconds.
    fn start_limit(&self) -> u64;

    /// Lines for the task log that the last thing gave rise to.
    fn take_words(&mut self) -> Vec<String>;

    /// The node that the guest is migrated from, for its start.
    fn migrated_from(&self) -> Option<&str> {
        None
    }
}
