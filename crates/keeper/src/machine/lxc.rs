use super::{End, Gone, Ground, Hypervisor, Machine};
use crate::keeper::told;
use crate::protocol::MachineAction;
use crate::stream::Piped;
use config::GuestConfig;
use hooks::Outputs;
use lxc::cgroup::{Cgroups, Names};
use lxc::end::{Init, NOTICE, Wish, find_init};
use lxc::{Paths, Signal as Report, Signals, Target, Tools};
use model::{Event, Layout, ProcessId, Resource, StopCause, Vmid};
use process::{Ended, Program};
use rustix::event::PollFlags;
use rustix::process::Signal;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};
use storage::Storages;

/// How long left-over processes and control groups of a container have to go away.
const CLEAR: Duration = Duration::from_secs(5);

/// How long init may take to become its program once everything is set up for it.
const EXEC: Duration = Duration::from_secs(5);

/// How long a container may take to come up, in seconds.
const START_LIMIT: u64 = 60;

/// An LXC container.
#[derive(Default)]
pub(crate) struct Container {
    hypervisor: Option<Hypervisor>,
    signals: Option<Signals>,
    init: Option<Init>,
    first: Option<ProcessId>,
    /// When init was seen to have ended.
    init_gone: Option<Instant>,
    /// Whether LXC's log has been read, lxc-start having ended.
    explained: bool,
    /// How init ended, as lxc-start was told, once that has ended too.
    init_end: Option<Ended>,
    /// Whether init has executed its program: the container is up.
    executed: bool,
    target: Option<Target>,
    halt: Option<i32>,
    /// Why lxc-start says that it failed, once it has ended.
    failure: Option<String>,
    paths: Option<Paths>,
    vmid: Option<Vmid>,
    words: Vec<String>,
}

impl Container {
    fn read_signals(&mut self) {
        let Some(reports) = self.signals.as_mut().and_then(|signals| signals.read().ok()) else { return };
        for report in reports {
            match report {
                Report::Started { init_pid } => {
                    self.init = Init::open(init_pid);
                    match &self.init {
                        Some(init) => {
                            self.first = Some(init.process);
                            self.executed = self.has_executed(init);
                        }
                        // It came and went.
                        None => self.init_gone = Some(Instant::now()),
                    }
                }
                Report::Stopped { target } => self.target = Some(target),
            }
        }
    }

    /// Whether init becomes its program, which it is about to.
    fn has_executed(&self, init: &Init) -> bool {
        let monitor =
            self.hypervisor.as_ref().and_then(|hypervisor| Some((hypervisor.process, hypervisor.fd()?)));
        monitor.is_some_and(|monitor| init.await_exec(&monitor, EXEC))
    }

    /// lxc-start does not notice an init that ended too early (`lxc::end::await_monitor`).
    fn wake_monitor(&mut self) {
        let unseen = !self.executed
            && self.init_gone.is_some_and(|seen| seen.elapsed() >= NOTICE)
            && self.first.is_some_and(|init| process::lookup(init.pid) == Some(init));
        if let Some(hypervisor) =
            self.hypervisor.as_ref().filter(|hypervisor| unseen && hypervisor.end().is_none())
        {
            hypervisor.signal(Signal::KILL);
        }
    }

    fn look_at_init(&mut self) {
        if self.init.as_ref().is_some_and(|init| process::has_ended(init.pidfd())) {
            self.init_gone = Some(Instant::now());
            self.init = None;
        }
    }

    /// What lxc-start said when it failed; read once, when it has ended.
    fn explain(&mut self) {
        let (Some(paths), Some(vmid)) = (&self.paths, self.vmid) else { return };
        if std::mem::replace(&mut self.explained, true) {
            return;
        }
        self.init_end = lxc::init_end(paths);
        if self.failure.is_none() && !self.executed {
            self.words.extend(lxc::start_errors(paths));
            self.failure = Some(lxc::start_failed(vmid));
        }
    }
}

impl Machine for Container {
    fn launch(&mut self, ground: &Ground<'_>, config: &GuestConfig) -> Result<(), String> {
        let text = |error: &dyn std::error::Error| told(error);
        let tools = Tools::find().map_err(|error| text(&error))?;
        let storages = Storages::load(ground.store).map_err(|error| text(&error))?;
        storages.activate_volumes(&super::used_volumes(config)).map_err(|error| text(&error))?;
        let facts =
            lxc::facts(ground.layout, &config.main, |volume| storages.path(volume).map(|found| found.path))
                .map_err(|error| text(&error))?;
        let made = lxc::configuration(&config.main, ground.vmid, &facts).map_err(|error| text(&error))?;
        self.words.extend(made.warnings.iter().map(|warning| format!("WARN: {warning}")));
        facts.cgroups.remove(&made.cgroups, CLEAR).map_err(|error| text(&error))?;
        for path in [&made.cgroups.monitor, &made.cgroups.payload] {
            ground.took(Resource::Cgroup { path: path.clone() })?;
        }
        // Of before a restart.
        lxc::end::remove_interfaces(&taken_interfaces(ground));
        for name in &made.interfaces {
            // It is somebody else's, and not to be removed at the end.
            if lxc::end::has_interface(name) {
                return Err(format!("interface '{name}' exists already"));
            }
            ground.took(Resource::Interface { name: name.clone() })?;
        }
        let failed =
            |what: &'static str| move |error: std::io::Error| format!("start failed: {what}: {error}");
        made.write().map_err(failed("cannot write LXC's configuration"))?;
        let signals =
            Signals::create(&made.paths).map_err(failed("cannot make the FIFO for LXC's reports"))?;
        let launch = lxc::launch(&tools, &made.paths, ground.vmid, config.main.flag("debug", false));
        if let Some(volume) = facts.volumes.get("rootfs") {
            lxc::create::refresh(ground.vmid, &config.main, volume).map_err(|error| text(&error))?;
        }
        for stale in [&made.paths.log, &made.paths.hook_errors] {
            let _ = fs::remove_file(stale);
        }
        let outputs = outputs(ground.layout, ground.vmid);
        outputs.make().map_err(failed("cannot make lxc-start's outputs"))?;
        let readers = outputs.readers().map_err(failed("cannot read lxc-start's outputs"))?;
        let program =
            Program::new(&launch.program, &launch.argv, launch.env.iter().map(|(key, value)| (key, value)))
                .map_err(failed("its arguments hold a NUL byte"))?;
        let child = process::fork(|| {
            let become_lxc = || -> std::io::Result<()> {
                process::set_session();
                super::place(&outputs, &[])?;
                process::become_default();
                ground.launches()?;
                Err(process::exec(&program))
            };
            if let Err(error) = become_lxc() {
                eprintln!("cannot execute lxc-start: {error}");
            }
            127
        })
        .map_err(failed("cannot fork"))?;
        *self = Self {
            hypervisor: Some(Hypervisor::launched(child, Piped::pair(readers, None, "lxc-start"))),
            signals: Some(signals),
            halt: made.halt_signal,
            paths: Some(made.paths),
            vmid: Some(ground.vmid),
            words: std::mem::take(&mut self.words),
            ..Self::default()
        };
        Ok(())
    }

    fn adopt(&mut self, ground: &Ground<'_>, process: ProcessId) {
        let paths = Paths::new(ground.layout, ground.vmid);
        let since = super::launched_at(ground, process);
        self.hypervisor = Some(Hypervisor::adopted(process, &outputs(ground.layout, ground.vmid), since));
        self.signals = Signals::open(&paths).ok();
        self.vmid = Some(ground.vmid);
        self.read_signals();
        if self.first.is_none() {
            self.init = find_init(process);
            self.first = self.init.as_ref().map(|init| init.process);
            self.executed = self.init.as_ref().is_some_and(|init| self.has_executed(init));
        }
        let config = ground.store.read(ground.kind, ground.vmid).ok();
        self.halt = config.and_then(|config| {
            let raw = config.main.lxc.iter().rev().find(|(key, _)| key == "lxc.signal.halt")?;
            lxc::end::parse_signal(&raw.1)
        });
        self.paths = Some(paths);
    }

    fn sources<'a>(&'a self, sources: &mut Vec<(BorrowedFd<'a>, PollFlags)>) {
        if let Some(hypervisor) = &self.hypervisor {
            sources.extend(hypervisor.fd().map(|fd| (fd, PollFlags::IN)));
            let open = hypervisor.piped.iter().flatten().filter(|piped| !piped.is_closed());
            sources.extend(open.map(|piped| (piped.fd(), PollFlags::IN)));
        }
        sources.extend(self.signals.as_ref().map(|signals| (signals.fd(), PollFlags::IN)));
        sources.extend(self.init.as_ref().map(|init| (init.pidfd().as_fd(), PollFlags::IN)));
    }

    fn attend(&mut self) {
        let over = self.hypervisor.as_mut().is_some_and(|hypervisor| hypervisor.attend().is_some());
        self.read_signals();
        self.look_at_init();
        self.wake_monitor();
        if over {
            self.explain();
        }
    }

    fn wake(&self) -> Option<Instant> {
        let running = self.hypervisor.as_ref().is_some_and(|hypervisor| hypervisor.end().is_none());
        self.init_gone.filter(|_| running && !self.executed).map(|seen| seen + NOTICE)
    }

    fn ready(&self) -> Option<Result<(), String>> {
        self.hypervisor.as_ref()?;
        if self.executed {
            return Some(Ok(()));
        }
        self.failure.clone().map(Err)
    }

    fn may_answer(&self) -> Result<(), String> {
        Ok(())
    }

    fn look_out(&mut self, _: &Ground<'_>) {}

    /// What runs as init has no word for "I am there" that every init knows. That it runs is what the kernel tells, and
    /// from then on `lxc-attach` works.
    fn has_answered(&self) -> bool {
        self.executed
    }

    fn gone(&self) -> Option<Gone> {
        let end = self.hypervisor.as_ref()?.end()?;
        // The kernel ends init with its monitor; until it has, the container is not gone.
        if self.init.is_some() {
            return None;
        }
        if let Some(Target::Reboot) = self.target {
            return Some(Gone { cause: StopCause::GuestReboot, detail: String::new(), restart: true });
        }
        let told = self.init_end.or(match end {
            End::Known(ended) => Some(ended),
            End::Unknown => None,
        });
        let (cause, detail) = match told {
            // A power-off ends init with this signal, pid_namespaces(7).
            Some(Ended::Code(0) | Ended::Signal(2)) => (StopCause::GuestPoweroff, String::new()),
            Some(Ended::Signal(signal)) => (super::cause_of_signal(signal), format!("signal {signal}")),
            Some(Ended::Code(code)) => (StopCause::Crash, format!("init ended with exit code {code}")),
            None => (StopCause::Unknown, String::new()),
        };
        Some(Gone { cause, detail, restart: false })
    }

    fn ask_down(&mut self, _: &Ground<'_>, _: Option<&GuestConfig>) {
        if let Some(Err(error)) = self.init.as_ref().map(|init| init.ask(Wish::Halt, self.halt)) {
            self.words.push(format!("warning: cannot ask the container to shut down: {error}"));
        }
    }

    fn quit(&mut self) {
        match &self.init {
            Some(init) => init.kill(),
            // Not up yet, or going: the monitor takes everything along.
            None => self.kill(false),
        }
    }

    fn kill(&mut self, gently: bool) {
        if let Some(init) = &self.init {
            init.kill();
        }
        // Any other signal would be passed on to init, for which some are a wish to restart.
        if let Some(hypervisor) = self.hypervisor.as_ref().filter(|_| !gently) {
            hypervisor.signal(Signal::KILL);
        }
    }

    fn release(&mut self, ground: &Ground<'_>) {
        let names = Names::new(ground.layout, ground.vmid);
        let cleared = Cgroups::probe().map_err(|error| error.to_string());
        let cleared = cleared.and_then(|groups| groups.remove(&names, CLEAR).map_err(|error| told(&error)));
        if let Err(error) = cleared {
            self.words.push(format!("warning: {error}"));
        }
        lxc::end::remove_interfaces(&taken_interfaces(ground));
        let paths = Paths::new(ground.layout, ground.vmid);
        for path in [&paths.signals, &paths.wake] {
            let _ = fs::remove_file(path);
        }
        outputs(ground.layout, ground.vmid).remove();
    }

    fn act(&mut self, action: MachineAction) -> Result<(), String> {
        let what = match action {
            MachineAction::Reset => "be reset",
            MachineAction::Suspend | MachineAction::Resume => "be checkpointed",
        };
        Err(format!("a container cannot {what} by hookvisor"))
    }

    fn hypervisor(&self) -> Option<&Hypervisor> {
        self.hypervisor.as_ref()
    }

    fn hypervisor_mut(&mut self) -> Option<&mut Hypervisor> {
        self.hypervisor.as_mut()
    }

    fn first_process(&self) -> Option<ProcessId> {
        self.first
    }

    fn init(&self) -> Option<ProcessId> {
        self.first
    }

    fn qmp_status(&self) -> Option<&str> {
        None
    }

    fn start_limit(&self) -> u64 {
        START_LIMIT
    }

    fn take_words(&mut self) -> Vec<String> {
        std::mem::take(&mut self.words)
    }
}

/// The network interfaces that the run took, by its record.
fn taken_interfaces(ground: &Ground<'_>) -> Vec<String> {
    let taken = super::recorded(ground).into_iter().filter_map(|stamped| match stamped.event {
        Event::Took { what: Resource::Interface { name } } => Some(name),
        _ => None,
    });
    taken.collect()
}

fn outputs(layout: &Layout, vmid: Vmid) -> Outputs {
    Outputs::at(&layout.run_guest(vmid), "lxc")
}
