use super::{End, Gone, Ground, Hypervisor, Machine};
use crate::protocol::MachineAction;
use crate::simulation::{self, Conduct, MONITOR_FD};
use crate::stream::Piped;
use config::GuestConfig;
use hooks::Outputs;
use model::{Event, GuestKind, Layout, ProcessId, Resource, StopCause, Vmid};
use process::{Ended, Program};
use qemu::monitor::view::{Status, Turn};
use qemu::monitor::{Message, Monitor};
use rustix::event::PollFlags;
use rustix::process::Signal;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd};

/// How long the stand-in may take to come up, in seconds.
const START_LIMIT: u64 = 30;

/// A guest of a simulated world: a process that stands in for QEMU, or for a container with its monitor, and does what the
/// plan of the world says.
pub(crate) struct Simulated {
    conduct: Conduct,
    kind: GuestKind,
    vmid: Vmid,
    hypervisor: Option<Hypervisor>,
    monitor: Option<Monitor>,
    first_command: Option<u64>,
    ready: bool,
    status: Option<String>,
    shutdown: Option<(bool, String)>,
    words: Vec<String>,
}

impl Simulated {
    pub(crate) fn new(kind: GuestKind, vmid: Vmid, conduct: Conduct) -> Self {
        Self {
            conduct,
            kind,
            vmid,
            hypervisor: None,
            monitor: None,
            first_command: None,
            ready: false,
            status: None,
            shutdown: None,
            words: Vec::new(),
        }
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Reply(reply) if reply.id.is_some() && reply.id == self.first_command => {
                self.ready = true;
                self.status = Some("running".to_owned());
            }
            Message::Event(event) => match event.turn() {
                Some(Turn::Shutdown { guest, reason }) => {
                    self.shutdown.get_or_insert((guest, reason));
                    self.tell("quit");
                }
                Some(Turn::Stop) => self.status = Some("paused".to_owned()),
                Some(Turn::Resume) => self.status = Some("running".to_owned()),
                _ => {}
            },
            _ => {}
        }
    }

    fn tell(&mut self, command: &str) {
        if self.monitor.as_mut().is_some_and(|monitor| monitor.send(command, None).is_err()) {
            self.monitor = None;
        }
    }

    fn read_monitor(&mut self) {
        let Some(monitor) = &mut self.monitor else { return };
        let heard = monitor.flush().and_then(|()| monitor.read());
        match heard {
            Ok(messages) => messages.into_iter().for_each(|message| self.hear(message)),
            Err(_) => self.monitor = None,
        }
    }
}

impl Machine for Simulated {
    fn launch(&mut self, ground: &Ground<'_>, config: &GuestConfig) -> Result<(), String> {
        let failed =
            |what: &'static str| move |error: std::io::Error| format!("start failed: {what}: {error}");
        let (layout, vmid) = (ground.layout, ground.vmid);
        fs::create_dir_all(layout.run_qemu()).map_err(failed("cannot make the run folder"))?;
        for name in simulation::interfaces(layout, self.kind, vmid, config) {
            ground.took(Resource::Interface { name: name.clone() })?;
            simulation::make_interface(&name);
        }
        let monitor = layout.monitor_socket(vmid);
        for path in simulation::files(layout, self.kind, vmid).into_iter().chain([monitor.clone()]) {
            ground.took(Resource::File { path: path.to_string_lossy().into_owned() })?;
            let _ = fs::remove_file(path);
        }
        let listener = qemu::socket::listen(&monitor).map_err(failed("cannot make the monitor's socket"))?;
        let outputs = outputs(layout, vmid);
        outputs.make().map_err(failed("cannot make its outputs"))?;
        let readers = outputs.readers().map_err(failed("cannot read its outputs"))?;
        let (program, argv) = simulation::stand_in(layout, self.kind, vmid, config, &self.conduct)
            .map_err(failed("cannot prepare the stand-in"))?;
        let env = [("PATH", crate::environment::PATH), ("LC_ALL", "C"), ("HOME", "/root")];
        let program = Program::new(&program, &argv, env).map_err(failed("its arguments hold a NUL byte"))?;
        let placed = [(listener, MONITOR_FD)];
        let child = process::fork(|| {
            let become_it = || -> std::io::Result<()> {
                process::set_session();
                super::place(&outputs, &placed)?;
                process::become_default();
                ground.launches()?;
                Err(process::exec(&program))
            };
            if let Err(error) = become_it() {
                eprintln!("cannot execute the stand-in: {error}");
            }
            127
        })
        .map_err(failed("cannot fork"))?;
        drop(placed);
        self.hypervisor = Some(Hypervisor::launched(child, Piped::pair(readers, None, "guest")));
        (self.ready, self.shutdown) = (false, None);
        if let Ok(mut connection) = Monitor::connect(&monitor) {
            self.first_command = connection.send("query-version", None).ok();
            self.monitor = Some(connection);
        }
        Ok(())
    }

    fn adopt(&mut self, ground: &Ground<'_>, process: ProcessId) {
        let since = super::launched_at(ground, process);
        self.hypervisor = Some(Hypervisor::adopted(process, &outputs(ground.layout, ground.vmid), since));
        let Ok(mut monitor) = Monitor::connect(&ground.layout.monitor_socket(ground.vmid)) else { return };
        let status = monitor.call("query-status", None, super::ANSWER).ok().as_ref().and_then(Status::read);
        self.monitor = Some(monitor);
        if let Some(status) = status {
            self.ready = true;
            if status.is_shutdown() {
                self.shutdown = Some((true, "guest-shutdown".to_owned()));
                self.tell("quit");
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
    }

    fn attend(&mut self) {
        if let Some(hypervisor) = &mut self.hypervisor {
            hypervisor.attend();
        }
        self.read_monitor();
    }

    fn ready(&self) -> Option<Result<(), String>> {
        match (self.kind, self.hypervisor.as_ref()?.end()) {
            (_, None) => self.ready.then_some(Ok(())),
            (GuestKind::Lxc, Some(_)) => Some(Err(lxc::start_failed(self.vmid))),
            (GuestKind::Qemu, Some(End::Known(Ended::Code(code)))) => {
                Some(Err(format!("start failed: QEMU exited with code {code}")))
            }
            (GuestKind::Qemu, Some(_)) => Some(Err("start failed: QEMU exited".to_owned())),
        }
    }

    fn may_answer(&self) -> Result<(), String> {
        Ok(())
    }

    fn look_out(&mut self, _: &Ground<'_>) {}

    /// Nobody is in it who would take his time.
    fn has_answered(&self) -> bool {
        self.ready
    }

    fn gone(&self) -> Option<Gone> {
        let end = self.hypervisor.as_ref()?.end()?;
        let (cause, detail) = match (&self.shutdown, end) {
            (Some((true, reason)), _) if reason == "guest-reset" => (StopCause::GuestReboot, String::new()),
            (Some((true, _)), _) => (StopCause::GuestPoweroff, String::new()),
            (Some((false, reason)), _) => (StopCause::Killed, reason.clone()),
            (None, End::Known(Ended::Signal(signal))) => {
                (super::cause_of_signal(signal), format!("signal {signal}"))
            }
            (None, End::Known(Ended::Code(code))) => (StopCause::Crash, format!("exit code {code}")),
            (None, End::Unknown) => (StopCause::Unknown, String::new()),
        };
        Some(Gone { cause, detail, restart: false })
    }

    fn ask_down(&mut self, _: &Ground<'_>, _: Option<&GuestConfig>) {
        self.tell("system_powerdown");
    }

    fn quit(&mut self) {
        if self.monitor.is_some() && self.ready {
            self.tell("quit");
        } else {
            self.kill(true);
        }
    }

    fn kill(&mut self, gently: bool) {
        if let Some(hypervisor) = &self.hypervisor {
            hypervisor.signal(if gently { Signal::TERM } else { Signal::KILL });
        }
    }

    fn release(&mut self, ground: &Ground<'_>) {
        for stamped in super::recorded(ground).into_iter().rev() {
            match stamped.event {
                Event::Took { what: Resource::File { path } } => {
                    let _ = fs::remove_file(path);
                }
                Event::Took { what: Resource::Interface { name } } => simulation::remove_interface(&name),
                _ => {}
            }
        }
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
        self.first_process().filter(|_| self.kind == GuestKind::Lxc)
    }

    fn qmp_status(&self) -> Option<&str> {
        self.status.as_deref().filter(|_| self.kind == GuestKind::Qemu)
    }

    fn start_limit(&self) -> u64 {
        START_LIMIT
    }

    fn take_words(&mut self) -> Vec<String> {
        std::mem::take(&mut self.words)
    }

    fn migrated_from(&self) -> Option<&str> {
        self.conduct.migrated_from.as_deref()
    }
}

fn outputs(layout: &Layout, vmid: Vmid) -> Outputs {
    Outputs::at(&layout.run_guest(vmid), "guest")
}
