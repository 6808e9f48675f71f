//! A life as Proxmox VE has it, as far as a script can tell: the script is a child in the foreground, the guest's lock is
//! held, nothing limits it, and whoever has its outputs open is waited for.

use super::Life;
use super::drive::Stage;
use super::job::OneCall;
use super::life::Step;
use super::report::{CallReport, EntryKind};
use super::running::{Running, wait_for_any};
use super::worker;
use hooks::{command_line, error_text, failure};
use keeper::simulation::{self, Conduct};
use model::{GuestKind, Outcome, Phase, Stream, Vmid};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use store::ConfigLock;

/// How long a command waits for a guest's lock.
const LOCK: Duration = Duration::from_secs(10);

/// How long a guest that heeds may take to go down.
const DOWN: Duration = Duration::from_secs(20);

/// When somebody loses patience with a script that hangs.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long after a script's end its outputs may be open before somebody holds them: a child that just ends is none.
const MOMENT: Duration = Duration::from_millis(500);

/// Plays it.
pub(super) fn play(stage: &mut Stage, life: Life) {
    let mut host = Host::new(stage, life.conduct(), life == Life::HungHook);
    let (first, last) = (host.stage.laid.vmids[0], host.stage.laid.vmids[host.stage.laid.vmids.len() - 1]);
    for step in life.steps() {
        let well = match step {
            Step::Start if life == Life::Refused => host.refuse(first),
            Step::Start => host.start(&[first], "start"),
            Step::StartInVain => {
                host.start(&[first], "start");
                host.conduct.fails = false;
                true
            }
            Step::StartBoth => host.start(&[first, last], "start"),
            Step::Shutdown => host.shutdown(first, DOWN),
            Step::ShutdownOther => host.shutdown(last, DOWN),
            Step::ShutdownInVain => {
                host.shutdown(first, Duration::from_secs(1));
                true
            }
            Step::Reboot => host.shutdown(first, DOWN) && host.start(&[first], "start (of the reboot)"),
            Step::PowerOff | Step::Kill => host.ends_by_itself(first, *step == Step::Kill),
        };
        if host.stage.watch.cut.is_some() || !well {
            break;
        }
    }
    for (_, mut child) in std::mem::take(&mut host.guests) {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Makes one call with an environment that is given.
pub(super) fn call(stage: &mut Stage, call: &OneCall) {
    let mut host = Host::new(stage, Conduct::default(), false);
    let vmid = host.stage.laid.vmids[0];
    if matches!(call.phase, Phase::PostStart | Phase::AgentUp | Phase::PreStop) {
        let _ = host.launch(vmid);
    }
    host.hooks(&[vmid], call.phase, Some(&call.env));
    for (_, mut child) in std::mem::take(&mut host.guests) {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// A host whose guests live as at Proxmox VE.
struct Host<'a> {
    stage: &'a mut Stage,
    conduct: Conduct,
    /// Whether the first `pre-start` hangs until somebody kills it.
    hangs: bool,
    guests: BTreeMap<Vmid, Child>,
    /// The locks of their runs: no keeper is to take over what has none.
    _runs: Vec<File>,
}

impl<'a> Host<'a> {
    fn new(stage: &'a mut Stage, conduct: Conduct, hangs: bool) -> Self {
        let layout = &stage.laid.layout;
        let lock = |vmid: &Vmid| {
            let file = File::options().create(true).append(true).open(layout.run_lock(*vmid)).ok()?;
            file.try_lock().ok()?;
            Some(file)
        };
        let runs: Vec<File> = stage.laid.vmids.iter().filter_map(lock).collect();
        Self { stage, conduct, hangs, guests: BTreeMap::new(), _runs: runs }
    }
    fn say(&mut self, kind: EntryKind, vmid: Vmid, text: impl Into<String>) {
        self.stage.note(kind, Some(vmid.get()), None, text);
    }

    fn program(&self) -> &'static str {
        if self.stage.laid.kind == GuestKind::Qemu { "qm" } else { "pct" }
    }

    fn lock(&mut self, vmid: Vmid) -> Option<ConfigLock> {
        let locked = self.stage.laid.store.lock(self.stage.laid.kind, vmid, LOCK, &mut |_| {});
        locked.inspect_err(|error| self.say(EntryKind::Said, vmid, error.to_string())).ok()
    }

    fn refuse(&mut self, vmid: Vmid) -> bool {
        let text = format!("{} start {vmid}", self.program());
        self.stage.note(EntryKind::Command, None, None, text).failed = true;
        let label = self.stage.laid.kind.label();
        self.say(EntryKind::Said, vmid, format!("{label} is locked (backup)"));
        true
    }

    fn start(&mut self, vmids: &[Vmid], what: &str) -> bool {
        let mut places = Vec::new();
        for vmid in vmids {
            places.push(self.stage.timeline.len());
            let text = format!("{} {what} {vmid}", self.program());
            self.stage.note(EntryKind::Command, None, None, text);
        }
        let locks: Vec<Option<ConfigLock>> = vmids.iter().map(|vmid| self.lock(*vmid)).collect();
        let mut well = true;
        let mut up = Vec::new();
        for (at, result) in self.hooks(vmids, Phase::PreStart, None).into_iter().enumerate() {
            let vmid = vmids[at];
            let launched = result.and_then(|()| self.launch(vmid));
            match launched {
                Ok(()) => up.push(vmid),
                Err(error) => {
                    well = false;
                    self.stage.timeline[places[at]].failed = true;
                    self.say(EntryKind::Said, vmid, error.trim_end());
                }
            }
        }
        self.hooks(&up, Phase::PostStart, None);
        drop(locks);
        well
    }

    /// The guest comes up, or not.
    fn launch(&mut self, vmid: Vmid) -> Result<(), String> {
        let text = |error: std::io::Error| error.to_string();
        let (layout, kind) = (self.stage.laid.layout.clone(), self.stage.laid.kind);
        let config = self.stage.laid.config(vmid)?;
        for name in simulation::interfaces(&layout, kind, vmid, &config) {
            simulation::make_interface(&name);
        }
        let conduct =
            if vmid == self.stage.laid.vmids[0] { self.conduct.clone() } else { Conduct::default() };
        let mut child = simulation::spawn(&layout, kind, vmid, &config, &conduct).map_err(text)?;
        let up = |child: &mut Child| match child.try_wait() {
            Ok(None) => simulation::is_up(&layout, vmid).then_some(true),
            _ => Some(false),
        };
        let came = loop {
            if let Some(came) = up(&mut child) {
                break came;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        if came {
            self.guests.insert(vmid, child);
            self.say(EntryKind::Guest, vmid, "is up");
            return Ok(());
        }
        self.release(vmid);
        match kind {
            GuestKind::Qemu => Err("start failed: QEMU exited with code 1".to_owned()),
            GuestKind::Lxc => {
                // The container's own monitor runs it, after whatever came of the start.
                self.hooks(&[vmid], Phase::PostStop, None);
                Err(format!("startup for container '{vmid}' failed"))
            }
        }
    }

    fn release(&mut self, vmid: Vmid) {
        let (layout, kind) = (&self.stage.laid.layout, self.stage.laid.kind);
        for path in simulation::files(layout, kind, vmid) {
            let _ = std::fs::remove_file(path);
        }
        let _ = std::fs::remove_file(layout.monitor_socket(vmid));
        if let Ok(config) = self.stage.laid.config(vmid) {
            for name in simulation::interfaces(layout, kind, vmid, &config) {
                simulation::remove_interface(&name);
            }
        }
    }

    fn shutdown(&mut self, vmid: Vmid, limit: Duration) -> bool {
        let place = self.stage.timeline.len();
        let text = format!("{} shutdown {vmid} --timeout {}", self.program(), limit.as_secs());
        self.stage.note(EntryKind::Command, None, None, text);
        let lock = self.lock(vmid);
        self.hooks(&[vmid], Phase::PreStop, None);
        if self.stage.watch.cut.is_some() {
            return false;
        }
        let went = simulation::ask_down(&self.stage.laid.layout, vmid, limit).unwrap_or(false);
        if !went {
            self.stage.timeline[place].failed = true;
            let error = match self.stage.laid.kind {
                GuestKind::Qemu => "VM quit/powerdown failed - got timeout",
                GuestKind::Lxc => "container did not stop",
            };
            self.say(EntryKind::Said, vmid, error);
            return false;
        }
        self.is_gone(vmid, "is gone: shutdown");
        drop(lock);
        self.stage.watch.cut.is_none()
    }

    fn ends_by_itself(&mut self, vmid: Vmid, killed: bool) -> bool {
        let what = if killed { "the guest's hypervisor is killed" } else { "the guest powers itself off" };
        self.stage.note(EntryKind::Command, Some(vmid.get()), None, what);
        if killed {
            if let Some(child) = self.guests.get_mut(&vmid) {
                let _ = child.kill();
            }
        } else {
            let _ = simulation::power_off(&self.stage.laid.layout, vmid);
        }
        let lock = self.lock(vmid);
        self.is_gone(vmid, if killed { "is gone: killed" } else { "is gone: guest-poweroff" });
        drop(lock);
        true
    }

    /// The guest has ended, or is off: it is told to quit, what it had is given back, and `post-stop` runs.
    fn is_gone(&mut self, vmid: Vmid, how: &str) {
        let _ = simulation::quit(&self.stage.laid.layout, vmid);
        if let Some(mut child) = self.guests.remove(&vmid)
            && !self.stage.wait_for(&mut child)
        {
            let _ = child.kill();
        }
        self.say(EntryKind::Guest, vmid, how);
        self.release(vmid);
        self.hooks(&[vmid], Phase::PostStop, None);
    }

    /// Calls the script for each guest, beside each other, and waits until nobody has their outputs open any more.
    fn hooks(
        &mut self,
        vmids: &[Vmid],
        phase: Phase,
        env: Option<&[(String, String)]>,
    ) -> Vec<Result<(), String>> {
        let mut results = Vec::new();
        let mut running = Vec::new();
        for (at, vmid) in vmids.iter().enumerate() {
            let text = command_line(&self.stage.laid.script, *vmid, phase);
            self.stage.note(EntryKind::Begin, Some(vmid.get()), Some(phase), text);
            let env = env.map_or_else(|| self.environment(*vmid, phase), <[_]>::to_vec);
            results.push(Err("the life is over".to_owned()));
            match self.spawn(*vmid, phase, env) {
                Ok(call) => running.push((at, call)),
                Err(cause) => {
                    self.ended(*vmid, phase, "cannot be run", None, (0, false));
                    results[at] = Err(cause);
                }
            }
        }
        self.see_through(phase, running, &mut results);
        for (vmid, result) in vmids.iter().zip(&mut results) {
            let Err(cause) = result else { continue };
            let error = error_text(*vmid, phase, cause);
            if phase != Phase::PreStart {
                self.stage.note(EntryKind::Said, Some(vmid.get()), Some(phase), error.trim_end());
            }
            *result = Err(error);
        }
        results
    }

    fn ended(
        &mut self,
        vmid: Vmid,
        phase: Phase,
        outcome: &str,
        millis: Option<u64>,
        (cut, held): (u64, bool),
    ) {
        let took = millis.map(|millis| format!(" after {millis} ms")).unwrap_or_default();
        let text = format!("{phase} ended: {outcome}{took}");
        self.stage.note(EntryKind::End, Some(vmid.get()), Some(phase), text).failed = outcome != "ok";
        let outcome = Some(outcome.to_owned());
        self.stage.calls.push(CallReport { vmid: vmid.get(), phase, outcome, millis, cut, held });
    }

    /// What a worker of the API has, and nothing of hookvisor's own.
    fn environment(&self, vmid: Vmid, phase: Phase) -> Vec<(String, String)> {
        let kind = self.stage.laid.kind;
        let mut env = vec![("PATH".to_owned(), "/sbin:/bin:/usr/sbin:/usr/bin".to_owned())];
        let mut set = |key: &str, value: String| env.push((key.to_owned(), value));
        set("LC_ALL", "C".to_owned());
        set("LVM_SUPPRESS_FD_WARNINGS", "1".to_owned());
        // Proxmox VE has none; whoever gives some wants the script to find them.
        for (name, value) in &self.stage.laid.params {
            set(&format!("HOOKVISOR_PARAM_{}", name.to_uppercase()), value.clone());
        }
        if kind == GuestKind::Qemu && matches!(phase, Phase::PreStart | Phase::PostStart) {
            set("PVE_MIGRATED_FROM", self.conduct.migrated_from.clone().unwrap_or_default());
        }
        if kind == GuestKind::Lxc && phase == Phase::PostStop {
            set("LXC_NAME", vmid.to_string());
            set("LXC_CONFIG_FILE", format!("/var/lib/lxc/{vmid}/config"));
            set("LXC_ROOTFS_MOUNT", "/usr/lib/x86_64-linux-gnu/lxc/rootfs".to_owned());
            set("LXC_ROOTFS_PATH", format!("/var/lib/lxc/{vmid}/rootfs"));
            set("LXC_CGNS_AWARE", "1".to_owned());
            set("LXC_LOG_LEVEL", "ERROR".to_owned());
            set("LXC_HOOK_VERSION", "0".to_owned());
            set("LXC_TARGET", "stop".to_owned());
        }
        env
    }

    fn spawn(&self, vmid: Vmid, phase: Phase, env: Vec<(String, String)>) -> Result<Running, String> {
        let script = &self.stage.laid.script;
        let volume = format!("local:snippets/{}", script.file_name().unwrap_or_default().to_string_lossy());
        match std::fs::metadata(script) {
            Ok(meta) if !meta.is_file() => return Err(format!("script '{volume}' does not exist\n")),
            Err(_) => return Err(format!("script '{volume}' does not exist\n")),
            Ok(meta) if meta.permissions().mode() & 0o111 == 0 => {
                return Err(format!("script '{volume}' is not executable\n"));
            }
            Ok(_) => {}
        }
        let words = [vmid.to_string(), phase.to_string()];
        let set = |command: &mut Command| {
            command.env_clear().envs(env.clone()).current_dir("/").process_group(0);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        };
        let child = worker::call(self.stage.laid.own, script, &words, set);
        let line = command_line(script, vmid, phase);
        let child = child.map_err(|error| not_run(&line, &error.to_string()))?;
        Running::of(vmid, child).map_err(|error| not_run(&line, &error.to_string()))
    }

    /// Waits for the ends of calls that run beside each other, and for the ends of their outputs.
    fn see_through(
        &mut self,
        phase: Phase,
        mut open: Vec<(usize, Running)>,
        results: &mut [Result<(), String>],
    ) {
        while !open.is_empty() {
            for (_, call) in &mut open {
                self.look_at(phase, call);
            }
            let over = self.stage.watch.is_over();
            let (done, still) = open.into_iter().partition(|(_, call)| over || call.is_done());
            open = still;
            let done: Vec<(usize, Running)> = done;
            for (at, call) in done {
                results[at] = self.close(phase, call);
            }
            wait_for_any(&open);
        }
    }

    /// Takes what is new of a call.
    fn look_at(&mut self, phase: Phase, call: &mut Running) {
        let vmid = Some(call.vmid.get());
        if call.ended.is_none()
            && let Ok(Some(status)) = call.child.try_wait()
        {
            call.ended = Some((status, Instant::now()));
        }
        call.printed.pump();
        if call.printed.open().next().is_none() {
            call.printed.finish();
        }
        for line in call.printed.take() {
            let kind = if line.stream == Stream::Stdout { EntryKind::Out } else { EntryKind::Err };
            self.stage.note(
                kind,
                vmid,
                Some(phase),
                String::from_utf8_lossy(line.text.as_bytes()).into_owned(),
            );
        }
        match call.ended {
            Some((_, at)) if !call.held && !call.is_done() && at.elapsed() > MOMENT => {
                call.held = true;
                let text = "the script has ended, and a child of it has its outputs open: Proxmox VE waits";
                self.stage.note(EntryKind::Said, vmid, Some(phase), text);
            }
            None if self.hangs && phase == Phase::PreStart && call.began.elapsed() >= PATIENCE => {
                self.hangs = false;
                let text = "it hangs, nothing limits it, and the guest is locked: somebody kills it";
                self.stage.note(EntryKind::Said, vmid, Some(phase), text);
                call.kill();
            }
            _ => {}
        }
    }

    /// What came of a call that is over, or has to be.
    fn close(&mut self, phase: Phase, mut call: Running) -> Result<(), String> {
        let vmid = call.vmid;
        let (cut, held) = (u64::try_from(call.printed.cut()).unwrap_or(u64::MAX), call.held);
        let millis = u64::try_from(call.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let Some((status, _)) = call.ended else {
            call.kill();
            let _ = call.child.kill();
            let (outcome, millis) = (None, Some(millis));
            self.stage.calls.push(CallReport { vmid: vmid.get(), phase, outcome, millis, cut, held });
            return Err("the life is over".to_owned());
        };
        let line = command_line(&self.stage.laid.script, vmid, phase);
        let end = worker::end(self.stage.laid.own, &vmid.to_string(), status);
        let outcome = match end {
            Some(Err(why)) => {
                self.ended(vmid, phase, &Outcome::CannotSpawn.to_string(), Some(millis), (cut, held));
                return Err(not_run(&line, &why));
            }
            Some(Ok(status)) => match (status.code(), status.signal()) {
                (Some(0), _) => Outcome::Ok,
                (Some(code), _) => Outcome::Exit(code),
                (None, signal) => Outcome::Signal(signal.unwrap_or(0)),
            },
            None => {
                self.stage.workers_killed += 1;
                Outcome::Unknown
            }
        };
        self.ended(vmid, phase, &outcome.to_string(), Some(millis), (cut, held));
        failure(&line, outcome).map_or(Ok(()), Err)
    }
}

fn not_run(line: &str, why: &str) -> String {
    format!("command '{line}' failed: open3: exec of {line} failed: {why}\n")
}
