//! One call of a hookscript, from the fork to its end on record.

use crate::keeper::Keeper;
use crate::stream::{Piped, Sinks};
use crate::tree::{Tree, left_behind};
use hooks::progress::Progress;
use hooks::{Located, Problem, Reader, Running, Started, command_line, error_text, failure};
use lifecycle::{Called, HookEnd};
use model::{Event, Left, Limit, Outcome, Phase, ProcessId, Script};
use process::Ended;
use rustix::event::PollFlags;
use rustix::process::Signal;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long a script that is told to end has before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// How long a killed script is waited for: one that the kernel does not let go is left to it.
const LAST: Duration = Duration::from_secs(5);

/// How long what is left in a script's outputs may take to be taken.
const REST: Duration = Duration::from_secs(5);

/// A hookscript that runs.
pub(crate) struct ActiveHook {
    pub(crate) phase: Phase,
    pub(crate) process: Option<ProcessId>,
    pub(crate) script: String,
    running: Body,
    piped: [Piped; 2],
    pub(crate) started: Started,
    announced: bool,
    ended: Option<Option<Ended>>,
    pub(crate) began: Instant,
    /// Since when its limit counts: since its call, and once it was found, since its own beginning.
    pub(crate) since: Instant,
    ending: Option<Ending>,
    /// Whether it may have printed more than has been taken.
    more: bool,
    /// When the task log says next that it still runs.
    progress: Progress,
    /// What it has forked, as far as that was looked at.
    tree: Tree,
    /// What has to end with it and has outlived it.
    rest: Vec<OwnedFd>,
}

/// A script that is being ended.
#[derive(Clone, Copy)]
struct Ending {
    /// The outcome that it gets for it.
    outcome: Outcome,
    /// The limit that it ran into.
    limit: Option<Limit>,
    /// Whether it has been killed, having been told to end before.
    killed: bool,
    /// When the next step is due.
    next: Instant,
}

/// The process behind it.
enum Body {
    Own(Running),
    Adopted(Option<OwnedFd>),
}

impl ActiveHook {
    /// Whether a keeper that died had called it.
    pub(crate) fn is_adopted(&self) -> bool {
        matches!(self.running, Body::Adopted(_))
    }

    /// Whether its process is the script already, and no more looking for its file.
    pub(crate) fn is_found(&self) -> bool {
        matches!(self.started, Started::Yes(_))
    }

    /// Whether it has been told to end.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// What to wait for; its outputs only where they can be taken.
    pub(crate) fn sources<'a>(&'a self, outputs: bool, sources: &mut Vec<(BorrowedFd<'a>, PollFlags)>) {
        match &self.running {
            // Its own end would wake the keeper over and over.
            _ if self.ended.is_some() => {
                sources.extend(self.rest.iter().map(|pidfd| (pidfd.as_fd(), PollFlags::IN)));
            }
            Body::Own(running) => {
                sources.push((running.child.pidfd(), PollFlags::IN));
                if self.started == Started::NotYet {
                    sources.push((running.report(), PollFlags::IN));
                }
            }
            Body::Adopted(pidfd) => sources.extend(pidfd.as_ref().map(|fd| (fd.as_fd(), PollFlags::IN))),
        }
        let open = self.piped.iter().filter(|piped| outputs && !piped.is_closed());
        sources.extend(open.map(|piped| (piped.fd(), PollFlags::IN)));
    }

    /// Looks at everything that may have happened.
    pub(crate) fn attend(&mut self, sinks: &mut Sinks<'_>) {
        if let Body::Own(running) = &mut self.running {
            if self.started == Started::NotYet {
                self.started = running.started();
                if self.started != Started::NotYet {
                    self.since = Instant::now();
                }
            }
            self.ended = self.ended.or_else(|| running.child.try_wait().ok().flatten().map(Some));
            if self.ended.is_some() && self.started == Started::NotYet {
                self.started = running.started();
            }
        }
        self.announce(sinks);
        if let Body::Adopted(pidfd) = &self.running {
            let over = pidfd.as_ref().is_none_or(process::has_ended);
            if over && self.ended.is_none() {
                let told = pidfd.as_ref().and_then(process::exit_of);
                self.ended = Some(told);
            }
        }
        // Nothing is printed before the script runs, and its begin goes on record before what it prints.
        if matches!(self.running, Body::Own(_)) && self.started == Started::NotYet {
            return;
        }
        let [out, err] = &mut self.piped;
        self.more = out.pump(sinks) | err.pump(sinks);
    }

    fn announce(&mut self, sinks: &mut Sinks<'_>) {
        let path = match &self.started {
            _ if self.announced => return,
            Started::Yes(script) => script.path(),
            Started::No(Some(path), _) => path.clone(),
            Started::No(None, _) | Started::NotYet | Started::NotCalled(_) => return,
        };
        if let (Some(scene), Some(process)) = (sinks.scene, self.process) {
            let entry = scene.hook_began(self.phase, &self.script, &path.to_string_lossy(), process.pid);
            sinks.journal.send(entry);
            self.announced = true;
        }
        // Its begin came to disk in another process, which forgets that with its exec (`Keeper::call`).
        if let (Started::Yes(_), Phase::PreStart, Some(ledger)) = (&self.started, self.phase, sinks.ledger) {
            ledger.is_on_disk();
        }
    }

    /// Sends a signal to the script and its process group; where it says so to everything that it forked.
    fn signal(&mut self, signal: Signal) {
        if let (Started::Yes(script), Some(process)) = (&self.started, self.process)
            && script.tree
        {
            self.tree.look(process);
            self.tree.send(signal);
        }
        match &self.running {
            // Its pid may be another's soon.
            _ if self.ended.is_some() => {
                for pidfd in &self.rest {
                    process::send(pidfd, signal);
                }
            }
            Body::Own(running) => running.signal_group(signal),
            Body::Adopted(pidfd) => {
                // The group has the script's pid; while the pidfd is not readable the pid is still the script's.
                if let (Some(_), Some(process)) = (pidfd, self.process)
                    && let Some(group) = rustix::process::Pid::from_raw(process.pid.cast_signed())
                {
                    let _ = rustix::process::kill_process_group(group, signal);
                }
            }
        }
    }

    /// What the task's log is told about a script that takes its time, now and then; `usual` is its limit where it has none.
    fn still_runs(&mut self, usual: Option<Duration>) -> Option<String> {
        let said = match &self.started {
            Started::Yes(script) => script.limit.map(|limit| limit.after),
            _ => None,
        };
        self.progress.limit = said.or(usual);
        self.progress.due(self.began.elapsed())
    }

    /// Looks at what has to end with a script that was told to end, and has outlived it. Returns whether nothing has.
    fn rest_is_gone(&mut self, first: bool) -> bool {
        if first && let Some(process) = self.process {
            let group = left_behind(process.pid).into_iter().map(|left| left.process);
            let all = group.chain(self.tree.processes());
            self.rest = all.filter_map(process::open).collect();
        }
        self.rest.retain(|pidfd| !process::has_ended(pidfd));
        self.rest.is_empty()
    }
}

impl Keeper {
    /// Takes a call that has just been made for the one that runs.
    pub(crate) fn follow(&mut self, phase: Phase, script: &Script, running: Running, readers: [Reader; 2]) {
        let tree = self.tree(phase, script);
        let script = script.to_string();
        let process = running.child.id;
        self.hook = Some(ActiveHook {
            phase,
            process: Some(process),
            piped: Piped::pair(readers, Some(phase), &script),
            progress: Progress::new(self.vmid, phase, script.clone(), Some(process.pid), None),
            script,
            running: Body::Own(running),
            started: Started::NotYet,
            announced: false,
            ended: None,
            began: Instant::now(),
            since: Instant::now(),
            ending: None,
            more: false,
            tree,
            rest: Vec::new(),
        });
    }

    /// Follows a script that an earlier keeper began.
    pub(crate) fn adopt_script(&mut self, phase: Phase, script: &Script, process: ProcessId) -> HookEnd {
        self.stage = phase.as_str();
        let call = self.recorded_call(process);
        let (name, tree) = (script.to_string(), self.tree(phase, script));
        let outputs = self.outputs(phase, call.number);
        let began = Instant::now().checked_sub(call.ran).unwrap_or_else(Instant::now);
        let opened = self.left_open.take().map_or_else(|| outputs.readers(), Ok);
        let Ok(readers) = opened.or_else(|_| outputs.make().and_then(|()| outputs.readers())) else {
            return self.finish(phase, &name, (Outcome::Unknown, None), None, Duration::ZERO, 0, Vec::new());
        };
        self.hook = Some(ActiveHook {
            phase,
            process: Some(process),
            piped: Piped::pair(readers, Some(phase), &name),
            progress: Progress::new(self.vmid, phase, name.clone(), Some(process.pid), None),
            script: name.clone(),
            running: Body::Adopted(process::open(process)),
            started: Started::Yes(Located::before(&call.path, call.limit, call.tree)),
            announced: true,
            ended: None,
            began,
            since: began,
            ending: None,
            more: false,
            tree,
            rest: Vec::new(),
        });
        let stoppable = matches!(phase, Phase::PreStart | Phase::PostStart | Phase::AgentUp);
        match self.see_through(stoppable) {
            Called::Ended(end) => end,
            Called::Unwanted | Called::CutShort => HookEnd { outcome: Outcome::Unknown, error: None },
        }
    }

    /// The tree of the last call of a script.
    fn tree(&self, phase: Phase, script: &Script) -> Tree {
        let attempt = self.attempts.get(&(phase, script.clone())).copied().unwrap_or(1);
        Tree::of(vec![
            format!("HOOKVISOR_RUN_ID={}", self.run),
            format!("HOOKVISOR_PHASE={phase}"),
            format!("HOOKVISOR_SCRIPT={script}"),
            format!("HOOKVISOR_ATTEMPT={attempt}"),
        ])
    }

    /// Records what is left of a script whose end nobody saw.
    pub(crate) fn close_lost_script(&mut self, phase: Phase, script: &Script) -> HookEnd {
        let name = script.to_string();
        let mut cut = 0;
        if let Some(readers) = self.left_open.take() {
            let scene = self.scene();
            for mut piped in Piped::pair(readers, Some(phase), &name) {
                while piped.pump(&mut self.sinks(&scene)) {
                    if self.pause().is_some() {
                        self.wait_for(None);
                        self.journal.flush();
                    }
                }
                cut += piped.finish(&mut self.sinks(&scene));
                self.lingering.extend(Some(piped).filter(Piped::is_held));
            }
        }
        let cause = Some("nobody saw how it ended: its keeper died".to_owned());
        self.finish(phase, &name, (Outcome::Unknown, None), cause, Duration::ZERO, cut, Vec::new())
    }

    /// Turns until the script has ended, and puts its end on record.
    pub(crate) fn see_through(&mut self, stoppable: bool) -> Called {
        self.abort = false;
        loop {
            let before = self.hook.as_ref().is_some_and(|hook| hook.ended.is_some());
            self.attend();
            let Some(hook) = &mut self.hook else { break };
            if hook.ended.is_some() && (hook.ending.is_none() || hook.rest_is_gone(!before)) {
                break;
            }
            let stop = stoppable && self.is_cut_short();
            let limit = self.hook_deadline();
            self.pass_on_warnings();
            let usual =
                self.hook.as_ref().and_then(|hook| self.limit_of(hook.phase)).map(|limit| limit.after);
            let due = self.hook.as_mut().and_then(|hook| hook.still_runs(usual));
            if let Some(line) = due {
                self.say(&line);
            }
            let now = Instant::now();
            let over = limit.filter(|(at, _)| now >= *at).map(|(_, limit)| limit);
            let words = over.map(|limit| self.limit_words(limit)).unwrap_or_default();
            let Some(hook) = &mut self.hook else { break };
            if (self.abort || stop || over.is_some()) && hook.ending.is_none() {
                hook.signal(Signal::TERM);
                // One that was stopped would not even end.
                hook.signal(Signal::CONT);
                let limit = over.filter(|_| !self.abort && !stop);
                let outcome = if limit.is_some() { Outcome::TimedOut } else { Outcome::Aborted };
                hook.ending = Some(Ending { outcome, limit, killed: false, next: now + GRACE });
                let why = match limit {
                    _ if self.abort => "somebody aborted it".to_owned(),
                    None => "a stop was asked for".to_owned(),
                    Some(_) => format!("its limit is over, {words}"),
                };
                let line = format!("note: {} is ended: {why}", hook.script);
                self.say(&line);
            }
            let Some(hook) = &mut self.hook else { break };
            if let Some(ending) = hook.ending.filter(|ending| now >= ending.next) {
                if ending.killed {
                    break;
                }
                hook.signal(Signal::KILL);
                hook.ending = Some(Ending { killed: true, next: now + LAST, ..ending });
            }
            let progress = hook.began + hook.progress.next();
            let next = hook.ending.map_or(limit.map(|(at, _)| at), |ending| Some(ending.next));
            let deadline = next.map_or(progress, |next| next.min(progress));
            self.wait_for(Some(deadline));
        }
        self.take_the_rest();
        self.pass_on_warnings();
        let Some(mut hook) = self.hook.take() else {
            return Called::Ended(HookEnd { outcome: Outcome::Unknown, error: None });
        };
        self.note_wish(&hook.script, &hook.started);
        if let Started::NotCalled(not_called) = &hook.started {
            if let Some(warning) = &not_called.warning {
                self.say(warning);
            }
            return Called::Unwanted;
        }
        let cut_short = matches!(hook.started, Started::No(None, _)) && hook.ending.is_some() && !self.abort;
        if cut_short && hook.phase == Phase::AgentUp {
            self.take_back(&hook.script);
            return Called::CutShort;
        }
        let scene = self.scene();
        let cut = hook.piped.iter_mut().map(|piped| piped.finish(&mut self.sinks(&scene))).sum();
        let left = hook.process.map(|process| left_behind(process.pid)).unwrap_or_default();
        let path = match &hook.started {
            Started::Yes(script) => Some(script.path()),
            Started::No(path, _) => path.clone(),
            Started::NotYet | Started::NotCalled(_) => None,
        };
        let problem = match std::mem::replace(&mut hook.started, Started::NotYet) {
            Started::No(_, problem) => Some(problem),
            _ => None,
        };
        let outcome = match (&problem, hook.ended.flatten()) {
            // One that was ended before it became the script has taken nothing.
            (Some(problem), _) => problem.outcome(),
            _ if let Some(ending) = hook.ending => ending.outcome,
            (None, Some(Ended::Code(0))) => Outcome::Ok,
            (None, Some(Ended::Code(code))) => Outcome::Exit(code),
            (None, Some(Ended::Signal(signal))) => Outcome::Signal(signal),
            (None, None) => Outcome::Unknown,
        };
        let hint = problem.as_ref().and_then(Problem::hint).map(|hint| format!("hint: {hint}"));
        let command = path.map(|path| command_line(&path, self.vmid, hook.phase));
        let cause = match (problem, command) {
            (Some(Problem::Exec(text)), Some(command)) => Some(format!("command '{command}' failed: {text}")),
            (Some(problem), _) => Some(problem.to_string()),
            (None, Some(command)) => failure(&command, outcome),
            (None, None) => failure(&hook.script, outcome),
        };
        let limit = hook.ending.filter(|_| outcome == Outcome::TimedOut).and_then(|ending| ending.limit);
        let (phase, script, took) = (hook.phase, hook.script.clone(), hook.began.elapsed());
        self.lingering.extend(hook.piped.into_iter().filter(Piped::is_held));
        let end = self.finish(phase, &script, (outcome, limit), cause, took, cut, left);
        // Behind the error, which of a refused start is the end of the task: a command shows the hint behind that.
        hint.iter().for_each(|hint| self.say(hint));
        Called::Ended(end)
    }

    /// Says what is wrong with the script and no reason not to call it.
    fn pass_on_warnings(&mut self) {
        let Some(hook) = &mut self.hook else { return };
        let Started::Yes(located) = &mut hook.started else { return };
        let script = hook.script.clone();
        for warning in std::mem::take(&mut located.warnings) {
            self.say(&format!("warning: {warning}"));
            let entry = self.scene().hook_warned(&script, &warning);
            self.journal.send(entry);
        }
    }

    /// Takes what a script that has ended left in its outputs. Children of it may go on printing, so there is a limit.
    fn take_the_rest(&mut self) {
        let deadline = Instant::now() + REST;
        loop {
            self.attend();
            if self.hook.as_ref().is_none_or(|hook| !hook.more) || Instant::now() >= deadline {
                return;
            }
            if self.pause().is_some() {
                self.wait_for(Some(deadline));
            }
        }
    }

    /// A phase whose script could not even be forked for.
    pub(crate) fn no_call(&mut self, phase: Phase, script: &str, problem: &Problem) -> HookEnd {
        self.finish(
            phase,
            script,
            (problem.outcome(), None),
            Some(problem.to_string()),
            Duration::ZERO,
            0,
            Vec::new(),
        )
    }

    /// Puts the end of a phase on record and warns about one that did not go well.
    #[expect(clippy::too_many_arguments, reason = "it is the record, field by field")]
    pub(crate) fn finish(
        &mut self,
        phase: Phase,
        script: &str,
        (outcome, limit): (Outcome, Option<Limit>),
        cause: Option<String>,
        took: Duration,
        cut: u64,
        left: Vec<Left>,
    ) -> HookEnd {
        let limit = limit.map(|limit| self.limit_words(limit));
        let ended = record::journal::Ended {
            outcome,
            limit: limit.as_deref(),
            cause: cause.as_deref(),
            duration: took,
            cut,
            left: left.len(),
        };
        self.remember(phase, script, outcome, took);
        let entry = self.scene().hook_ended(phase, script, &ended);
        self.journal.send(entry);
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        for child in &left {
            self.say(&format!("note: {script} left {} (pid {}) running", child.comm, child.process.pid));
        }
        self.note(&Event::HookEnd {
            phase,
            script: script.to_owned(),
            outcome,
            cause: cause.clone(),
            millis,
            cut,
            left,
        });
        let error = cause.map(|cause| error_text(self.vmid, phase, &cause));
        if phase != Phase::PreStart
            && let Some(error) = &error
        {
            self.tasks.show(error.as_bytes(), &mut self.clients);
            self.tasks.log(error.as_bytes());
        }
        self.pending.extend(std::mem::take(&mut self.queued));
        HookEnd { outcome, error }
    }
}
