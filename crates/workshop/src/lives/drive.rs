//! Inside the sandbox: the first process of all, which plays one life and tells what it saw.

use super::collect::{Baseline, finish};
use super::job::{Job, What};
use super::ledgers::Ledgers;
use super::report::{CallReport, Entry, EntryKind, Played};
use super::sandbox::World;
use super::watch::{EVERY, Watch};
use super::world::Laid;
use super::{limits, play, pve};
use model::Phase;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

/// How much of what a command says is kept, in bytes.
const SAID: u64 = 16 << 10;

/// Plays the life that standard input asks for, and tells it on standard output. Returns the exit code.
#[must_use]
pub fn drive() -> i32 {
    let mut text = Vec::new();
    let job = io::stdin().read_to_end(&mut text).and_then(|_| Ok(serde_json::from_slice::<Job>(&text)?));
    let told = job.and_then(|job| played(&job)).and_then(|played| Ok(serde_json::to_vec(&played)?));
    match told.and_then(|told| io::stdout().write_all(&told)) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{error}");
            1
        }
    }
}

fn played(job: &Job) -> io::Result<Played> {
    if job.root == Path::new("/") && !keeper::simulation::is_own_world() {
        return Err(io::Error::other("a life is played in its own world: 'hookvisor hooks test' makes one"));
    }
    let laid = Laid::out(job)?;
    let baseline = Baseline::take(&laid);
    if laid.own {
        limits::set(&job.limits);
    }
    let watch = Watch::new(job.limits, laid.own, &laid.secrets);
    let ledgers = Ledgers::hold(&laid.layout)?;
    let (timeline, calls, trouble) = (Vec::new(), Vec::new(), Vec::new());
    let mut stage = Stage { laid, watch, ledgers, began: now(), timeline, calls, trouble, workers_killed: 0 };
    match (&job.what, job.world) {
        (What::Life(life), World::Hookvisor) => play::play(&mut stage, *life),
        (What::Life(life), World::Pve) => pve::play(&mut stage, *life),
        (What::Call(call), _) => pve::call(&mut stage, call),
    }
    Ok(finish(stage, &baseline))
}

/// A life that is being played.
pub(super) struct Stage {
    pub(super) laid: Laid,
    pub(super) watch: Watch,
    pub(super) ledgers: Ledgers,
    /// When it began, in milliseconds since the Unix epoch.
    pub(super) began: u64,
    pub(super) timeline: Vec<Entry>,
    pub(super) calls: Vec<CallReport>,
    pub(super) trouble: Vec<String>,
    /// How many workers were killed that called the script as at Proxmox VE.
    pub(super) workers_killed: u32,
}

impl Stage {
    /// Puts something on the timeline, now.
    pub(super) fn note(
        &mut self,
        kind: EntryKind,
        vmid: Option<u32>,
        phase: Option<Phase>,
        text: impl Into<String>,
    ) -> &mut Entry {
        let ms = now().saturating_sub(self.began);
        self.timeline.push(Entry { ms, vmid, kind, phase, text: text.into(), failed: false });
        let last = self.timeline.len() - 1;
        &mut self.timeline[last]
    }

    /// Runs commands of hookvisor beside each other, and waits for their ends. Says which went well; none where the life
    /// is over before.
    pub(super) fn commands(&mut self, lines: &[Vec<String>]) -> Option<Vec<bool>> {
        let mut running: Vec<(Child, _)> = Vec::new();
        let mut well = vec![false; lines.len()];
        let mut places = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            places.push(self.timeline.len());
            self.note(EntryKind::Command, None, None, line.join(" "));
            match spawn(&self.laid, line) {
                Ok(child) => running.push(child),
                Err(error) => {
                    self.trouble.push(format!("'{}' cannot be run: {error}", line.join(" ")));
                    well[at] = false;
                    return Some(well);
                }
            }
        }
        let mut over = false;
        for (at, (mut child, said)) in running.into_iter().enumerate() {
            over |= !self.wait_for(&mut child);
            if over {
                let _ = child.kill();
            }
            well[at] = child.wait().is_ok_and(|status| status.success()) && !over;
            self.timeline[places[at]].failed = !well[at];
            let said = said.join().unwrap_or_default();
            if !well[at] {
                for line in said.lines().filter(|line| !line.is_empty()) {
                    self.note(EntryKind::Said, None, None, line);
                }
            }
        }
        (!over).then_some(well)
    }

    /// As [`Self::commands`], for one.
    pub(super) fn command(&mut self, words: &[&str]) -> Option<bool> {
        let line = words.iter().map(|word| (*word).to_owned()).collect();
        self.commands(&[line])?.first().copied()
    }

    /// Waits for the end of a process; false where the life is over before.
    pub(super) fn wait_for(&mut self, child: &mut Child) -> bool {
        loop {
            match child.try_wait() {
                Ok(None) => {}
                _ => return true,
            }
            if self.watch.is_over() {
                return false;
            }
            pause(child.id());
        }
    }

    /// Waits until something is so; false where the life is over before.
    pub(super) fn until(&mut self, mut so: impl FnMut(&Laid) -> bool) -> bool {
        loop {
            if so(&self.laid) {
                return true;
            }
            if self.watch.is_over() {
                return false;
            }
            std::thread::sleep(EVERY / 5);
        }
    }
}

/// Returns once the process has ended, or it is time to look again.
fn pause(pid: u32) {
    let pid = Pid::from_raw(pid.cast_signed());
    let Some(Ok(fd)) = pid.map(|pid| pidfd_open(pid, PidfdFlags::empty())) else {
        return std::thread::sleep(EVERY);
    };
    let _ = poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&every()));
}

/// [`EVERY`] as the kernel has it.
pub(super) fn every() -> Timespec {
    Timespec { tv_sec: 0, tv_nsec: EVERY.subsec_nanos().into() }
}

type Said = std::thread::JoinHandle<String>;

fn spawn(laid: &Laid, line: &[String]) -> io::Result<(Child, Said)> {
    let mut command = Command::new(std::env::current_exe()?);
    let words = if line.first().is_some_and(|word| word == "hookvisor") { &line[1..] } else { line };
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).current_dir("/");
    if !laid.layout.is_host() {
        command.env("HOOKVISOR_ROOT", laid.layout.root());
    }
    let mut child = command.spawn()?;
    let stderr = child.stderr.take();
    // All of it is taken, so that nobody waits for a reader.
    let said = std::thread::Builder::new().stack_size(256 << 10).spawn(move || {
        let mut text = Vec::new();
        if let Some(mut stderr) = stderr {
            let _ = stderr.by_ref().take(SAID).read_to_end(&mut text);
            let _ = io::copy(&mut stderr, &mut io::sink());
        }
        String::from_utf8_lossy(&text).into_owned()
    })?;
    Ok((child, said))
}

/// In milliseconds since the Unix epoch.
pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(0)
}
