use super::first_answer::FirstAnswer;
use super::{End, Gone, Ground, Hypervisor, Machine, show_command};
use crate::keeper::told;
use crate::protocol::MachineAction;
use crate::stream::Piped;
use config::{GuestConfig, Section};
use hooks::Outputs;
use model::{Event, Layout, ProcessId, Resource, StopCause, Vmid};
use process::{Child, Ended, Program};
use qemu::agent::{self, Agent};
use qemu::command::{AgentOption, Limits};
use qemu::monitor::view::{Status, Turn};
use qemu::monitor::{Message, Monitor};
use qemu::{CommandLine, tap};
use rustix::event::PollFlags;
use rustix::fs::OFlags;
use rustix::process::Signal;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;
use storage::Storages;
use store::ConfigStore;
use supervision::{Share, Supervision};

/// How long the guest agent may take to say that it is there (lifecycle.md 2.1), and to take a request.
const AGENT: Duration = Duration::from_secs(3);

/// A QEMU virtual machine.
#[derive(Default)]
pub(crate) struct VirtualMachine {
    hypervisor: Option<Hypervisor>,
    monitor: Option<Monitor>,
    /// The command whose answer says that the machine is there.
    first_command: Option<u64>,
    setup: Vec<qemu::command::MonitorCommand>,
    ready: bool,
    status: Option<String>,
    shutdown: Option<(bool, String)>,
    panicked: bool,
    /// A child that asks the guest agent for a shutdown.
    asking: Option<Child>,
    /// The guest agent, as the guest was started with it.
    agent: Option<AgentOption>,
    /// The wait for the agent's first answer, where somebody wants to know.
    first_answer: FirstAnswer,
    start_limit: u64,
    taken: Vec<Resource>,
    words: Vec<String>,
}

impl VirtualMachine {
    fn took(&mut self, ground: &Ground<'_>, what: Resource) -> Result<(), String> {
        ground.took(what.clone())?;
        self.taken.push(what);
        Ok(())
    }

    fn take_files(&mut self, ground: &Ground<'_>, line: &CommandLine) -> Result<(), String> {
        let monitor = ground.layout.monitor_socket(ground.vmid);
        for path in line.files.iter().chain([&monitor]) {
            let path_text = path.to_string_lossy().into_owned();
            self.took(ground, Resource::File { path: path_text })?;
            match fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(format!("cannot remove '{}' of an earlier start: {error}", path.display()));
                }
                _ => {}
            }
        }
        for (from, to) in &line.copies {
            fs::copy(from, to).map_err(|error| {
                format!("cannot copy '{}' to '{}': {error}", from.display(), to.display())
            })?;
        }
        Ok(())
    }

    fn take_taps(&mut self, ground: &Ground<'_>, line: &CommandLine) -> Result<Vec<(OwnedFd, i32)>, String> {
        let mut placed = Vec::new();
        for network in &line.networks {
            tap::check_bridge(&network.bridge).map_err(|error| error.to_string())?;
        }
        for network in &line.networks {
            self.took(ground, Resource::Interface { name: network.ifname.clone() })?;
            let fds = tap::open(network).map_err(|error| error.to_string())?;
            placed.extend(fds.into_iter().zip(network.fds.iter().copied()));
        }
        Ok(placed)
    }

    fn monitor_failed(&mut self) {
        self.monitor = None;
    }

    fn read_monitor(&mut self) {
        let Some(monitor) = &mut self.monitor else { return };
        if monitor.flush().is_err() {
            return self.monitor_failed();
        }
        let messages = match monitor.read() {
            Ok(messages) => messages,
            Err(_) => return self.monitor_failed(),
        };
        for message in messages {
            self.hear(message);
        }
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Reply(reply) if reply.id.is_some() && reply.id == self.first_command => {
                self.ready = true;
                self.status = Some("running".to_owned());
                for command in std::mem::take(&mut self.setup) {
                    self.tell(command.name, Some(&command.arguments));
                }
            }
            Message::Event(event) => match event.turn() {
                Some(Turn::Shutdown { guest, reason }) => {
                    self.shutdown.get_or_insert((guest, reason));
                    // QEMU keeps a machine that is off until it is told to quit.
                    self.tell("quit", None);
                }
                Some(Turn::Stop) => self.status = Some("paused".to_owned()),
                Some(Turn::Resume) => self.status = Some("running".to_owned()),
                Some(Turn::Panic) => self.panicked = true,
                Some(Turn::Port { id, open }) if id == agent::PORT => self.first_answer.port(open),
                Some(Turn::Reset { .. } | Turn::Powerdown | Turn::Port { .. }) | None => {}
            },
            Message::Reply(reply) => self.first_answer.hear(&reply),
            Message::Greeting { .. } | Message::Unknown(_) => {}
        }
    }

    fn tell(&mut self, command: &str, arguments: Option<&serde_json::Value>) {
        self.send(command, arguments);
    }

    /// Sends a command, whose answer has this number.
    fn send(&mut self, command: &str, arguments: Option<&serde_json::Value>) -> Option<u64> {
        let sent = self.monitor.as_mut()?.send(command, arguments);
        if sent.is_err() {
            self.monitor_failed();
        }
        sent.ok()
    }

    /// Puts QEMU into its scope, while it comes up. It does without where systemd makes none.
    fn contain(&mut self, vmid: Vmid, name: &str, limits: &Limits) {
        let Some(hypervisor) = &self.hypervisor else { return };
        let share = Share { limit: limits.cpu_limit, weight: limits.cpu_units };
        if let Err(error) = supervision::contain(vmid, hypervisor.process.pid, name, share) {
            self.words.push(format!("WARN: VM {vmid} is in no scope of systemd: {}", told(&error)));
        }
    }

    /// What was taken: by this keeper, or by those before it.
    fn all_taken(&self, ground: &Ground<'_>) -> Vec<Resource> {
        if !self.taken.is_empty() {
            return self.taken.clone();
        }
        super::recorded(ground)
            .into_iter()
            .filter_map(|stamped| match stamped.event {
                Event::Took { what } => Some(what),
                _ => None,
            })
            .collect()
    }
}

impl Machine for VirtualMachine {
    fn launch(&mut self, ground: &Ground<'_>, config: &GuestConfig) -> Result<(), String> {
        let line = show_command(ground.store, ground.vmid, config)?;
        self.words.extend(line.warnings.iter().cloned());
        let supervised = Supervision::of(ground.layout) == Supervision::Systemd;
        if line.limits != Limits::default() && !supervised {
            self.words.push("WARN: cpulimit and cpuunits do not limit virtual machines here".to_owned());
        }
        self.agent = AgentOption::read(&config.main).ok().flatten();
        self.start_limit = qemu::start_timeout(&config.main, false).as_secs();
        activate(ground.store, config)?;
        make_folder(&ground.layout.run_qemu())?;
        let taps = self.take_taps(ground, &line)?;
        self.take_files(ground, &line)?;
        let monitor = ground.layout.monitor_socket(ground.vmid);
        let failed =
            |what: &'static str| move |error: std::io::Error| format!("start failed: {what}: {error}");
        let listener = qemu::socket::listen(&monitor).map_err(failed("cannot make the monitor's socket"))?;
        let outputs = outputs(ground.layout, ground.vmid);
        outputs.make().map_err(failed("cannot make QEMU's outputs"))?;
        let readers = outputs.readers().map_err(failed("cannot read QEMU's outputs"))?;

        let mut placed = taps;
        placed.push((listener, line.monitor_fd));
        if let Some(number) = line.run_dir_fd {
            let folder = rustix::fs::open(
                ground.layout.run_qemu(),
                OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
                rustix::fs::Mode::empty(),
            );
            placed.push((folder.map_err(|error| failed("cannot open QEMU's folder")(error.into()))?, number));
        }
        let argv = std::iter::once(line.program.clone().into_os_string()).chain(line.args.iter().cloned());
        let env = [("PATH", crate::environment::PATH), ("LC_ALL", "C"), ("HOME", "/root")];
        let program =
            Program::new(&line.program, argv, env).map_err(failed("its arguments hold a NUL byte"))?;
        let child = process::fork(|| {
            let become_qemu = || -> std::io::Result<()> {
                process::set_session();
                super::place(&outputs, &placed)?;
                process::become_default();
                rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
                ground.launches()?;
                Err(process::exec(&program))
            };
            if let Err(error) = become_qemu() {
                eprintln!("cannot execute QEMU: {error}");
            }
            127
        })
        .map_err(failed("cannot fork"))?;
        // From here only QEMU holds the listening socket: its death shows at once.
        drop(placed);
        let piped = Piped::pair(readers, None, "QEMU");
        self.hypervisor = Some(Hypervisor::launched(child, piped));
        (self.ready, self.shutdown, self.panicked) = (false, None, false);
        match Monitor::connect(&monitor) {
            Ok(mut connection) => {
                self.first_command = connection.send("query-version", None).ok();
                self.monitor = Some(connection);
                self.setup = line.setup;
            }
            // QEMU has ended already; how, its end tells.
            Err(_) => self.monitor = None,
        }
        if supervised {
            self.contain(ground.vmid, config.main.get("name").unwrap_or_default(), &line.limits);
        }
        Ok(())
    }

    fn adopt(&mut self, ground: &Ground<'_>, process: ProcessId) {
        let since = super::launched_at(ground, process);
        self.hypervisor = Some(Hypervisor::adopted(process, &outputs(ground.layout, ground.vmid), since));
        self.start_limit = 30;
        let config = ground.store.read(ground.kind, ground.vmid).ok();
        self.agent = config.and_then(|config| AgentOption::read(&config.main).ok().flatten());
        let Ok(mut monitor) = Monitor::connect(&ground.layout.monitor_socket(ground.vmid)) else {
            self.words.push("warning: the monitor is gone: what the guest does cannot be seen".to_owned());
            return;
        };
        let status = monitor.call("query-status", None, super::ANSWER).ok().as_ref().and_then(Status::read);
        self.monitor = Some(monitor);
        if let Some(status) = status {
            self.ready = true;
            if status.is_shutdown() {
                // It powered itself off while nobody was there to see.
                self.shutdown = Some((true, "guest-shutdown".to_owned()));
                self.tell("quit", None);
            }
            self.status = Some(status.state);
        }
    }

    fn sources<'a>(&'a self, sources: &mut Vec<(BorrowedFd<'a>, PollFlags)>) {
        if let Some(hypervisor) = &self.hypervisor {
            sources.extend(hypervisor.fd().map(|fd| (fd, PollFlags::IN)));
            let open = hypervisor.piped.iter().flatten().filter(|piped| !piped.is_closed());
            sources.extend(open.map(|piped| (piped.fd(), PollFlags::IN)));
        }
        sources.extend(self.monitor.as_ref().map(|monitor| (monitor.as_fd(), monitor.interest())));
        sources.extend(self.first_answer.fd().map(|fd| (fd, PollFlags::IN)));
        sources.extend(self.asking.as_ref().map(|child| (child.pidfd(), PollFlags::IN)));
    }

    fn attend(&mut self) {
        // First its end, then its last words, which stay readable.
        if let Some(hypervisor) = &mut self.hypervisor {
            hypervisor.attend();
        }
        self.read_monitor();
        self.first_answer.attend();
        if let Some(ended) = self.asking.as_ref().and_then(|child| child.try_wait().ok().flatten()) {
            self.asking = None;
            if ended != Ended::Code(0) {
                self.tell("system_powerdown", None);
            }
        }
    }

    fn ready(&self) -> Option<Result<(), String>> {
        let hypervisor = self.hypervisor.as_ref()?;
        match hypervisor.end() {
            Some(End::Known(Ended::Code(code))) => {
                Some(Err(format!("start failed: QEMU exited with code {code}")))
            }
            Some(End::Known(Ended::Signal(signal))) => {
                Some(Err(format!("start failed: QEMU got signal {signal}")))
            }
            Some(End::Unknown) => Some(Err("start failed: QEMU exited".to_owned())),
            None => self.ready.then_some(Ok(())),
        }
    }

    fn may_answer(&self) -> Result<(), String> {
        match self.agent.filter(|agent| agent.enabled) {
            None => Err("has no guest agent configured (agent: 1)".to_owned()),
            Some(agent) if agent.isa => {
                Err("has a guest agent of type isa, of which QEMU does not tell when it comes".to_owned())
            }
            Some(_) => Ok(()),
        }
    }

    fn look_out(&mut self, ground: &Ground<'_>) {
        if self.first_answer.is_ignored() {
            let state = self.send("query-chardev", None);
            self.first_answer.wait(ground.layout.run_qemu_file(ground.vmid, "qga"), state);
        }
    }

    fn has_answered(&self) -> bool {
        self.first_answer.is_given()
    }

    fn gone(&self) -> Option<Gone> {
        let end = self.hypervisor.as_ref()?.end()?;
        let (cause, detail) = match (&self.shutdown, end) {
            _ if self.panicked => (StopCause::Crash, "the guest's kernel panicked".to_owned()),
            (Some((true, reason)), _) => match reason.as_str() {
                "guest-reset" => (StopCause::GuestReboot, String::new()),
                "guest-panic" => (StopCause::Crash, "the guest's kernel panicked".to_owned()),
                _ => (StopCause::GuestPoweroff, String::new()),
            },
            (Some((false, reason)), _) => (StopCause::Killed, reason.clone()),
            (None, End::Known(Ended::Signal(signal))) => {
                (super::cause_of_signal(signal), format!("signal {signal}"))
            }
            (None, End::Known(Ended::Code(code))) => (StopCause::Crash, format!("exit code {code}")),
            (None, End::Unknown) => (StopCause::Unknown, String::new()),
        };
        Some(Gone { cause, detail, restart: false })
    }

    fn ask_down(&mut self, ground: &Ground<'_>, config: Option<&GuestConfig>) {
        self.first_answer.give_up();
        let agent = config.is_some_and(|config| has_agent(&config.main));
        if let Some(config) = config.filter(|_| agent) {
            let (main, layout, vmid) = (&config.main, ground.layout, ground.vmid);
            // The agent may take its time: a child asks it, and the keeper goes on.
            self.asking = process::fork(|| i32::from(!agent_takes(main, layout, vmid))).ok();
        }
        if self.asking.is_none() {
            self.tell("system_powerdown", None);
        }
    }

    fn quit(&mut self) {
        match &self.monitor {
            Some(_) if self.ready => self.tell("quit", None),
            // It has never answered, so there is nobody to tell.
            _ => self.kill(true),
        }
    }

    fn kill(&mut self, gently: bool) {
        if let Some(hypervisor) = &self.hypervisor {
            hypervisor.signal(if gently { Signal::TERM } else { Signal::KILL });
        }
    }

    fn release(&mut self, ground: &Ground<'_>) {
        for what in self.all_taken(ground).into_iter().rev() {
            match what {
                Resource::File { path } => {
                    let _ = fs::remove_file(path);
                }
                // The interface went with its last descriptor.
                Resource::Interface { .. } | Resource::Mount { .. } | Resource::Cgroup { .. } => {}
            }
        }
        self.taken.clear();
        outputs(ground.layout, ground.vmid).remove();
    }

    fn act(&mut self, action: MachineAction) -> Result<(), String> {
        super::act(self.monitor.as_mut(), action)
    }

    fn hypervisor(&self) -> Option<&Hypervisor> {
        self.hypervisor.as_ref()
    }

    fn hypervisor_mut(&mut self) -> Option<&mut Hypervisor> {
        self.hypervisor.as_mut()
    }

    fn first_process(&self) -> Option<ProcessId> {
        self.hypervisor.as_ref().map(|hypervisor| hypervisor.process)
    }

    fn init(&self) -> Option<ProcessId> {
        None
    }

    fn qmp_status(&self) -> Option<&str> {
        self.status.as_deref()
    }

    fn start_limit(&self) -> u64 {
        self.start_limit
    }

    fn take_words(&mut self) -> Vec<String> {
        std::mem::take(&mut self.words)
    }
}

fn outputs(layout: &Layout, vmid: Vmid) -> Outputs {
    Outputs::at(&layout.run_guest(vmid), "qemu")
}

fn has_agent(main: &Section) -> bool {
    qemu::command::AgentOption::read(main).ok().flatten().is_some_and(|option| option.enabled)
}

/// Asks the guest agent for a shutdown. False where it is not there.
fn agent_takes(main: &Section, layout: &Layout, vmid: Vmid) -> bool {
    let Ok(mut agent) = Agent::open(main, layout, vmid, true, AGENT) else { return false };
    // It does not answer this one: the guest goes down.
    !matches!(agent.call("guest-shutdown", None, AGENT), Err(qemu::agent::AgentError::Fault { .. }))
}

fn make_folder(path: &Path) -> Result<(), String> {
    fs::create_dir_all(path).map_err(|error| format!("cannot make '{}': {error}", path.display()))
}

/// Makes ready the storages of the volumes that the guest uses, and checks that the volumes are there.
fn activate(store: &ConfigStore, config: &GuestConfig) -> Result<(), String> {
    let volumes = super::used_volumes(config);
    if volumes.is_empty() {
        return Ok(());
    }
    let storages = Storages::load(store).map_err(|error| error.to_string())?;
    storages.activate_volumes(&volumes).map(|_| ()).map_err(|error| error.to_string())
}
