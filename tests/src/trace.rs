//! A command and the keepers that it bears, held before any of their system calls: an instant that can be had again.
//!
//! This is ptrace(2): a keeper is the same program as ever and does not know that it is watched. What a keeper has forked is
//! watched until it has become another program, so that the moments between fork and exec are instants too.
#![expect(unsafe_code, reason = "ptrace(2) and waitpid(2) with __WNOTHREAD, which rustix does not have")]

use crate::output::{LIMIT, Output, Running};
use crate::{host, proc};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::mpsc;

/// What a keeper, or a child of it that is about to become a hookscript or a hypervisor, is about to do or has done.
#[derive(Debug)]
pub enum Moment<'a> {
    /// The next system call.
    Call {
        /// Which one it is, from 1.
        number: u64,
        /// Whether it waits for something to happen.
        waits: bool,
    },
    /// This event has just been written to the ledger.
    Recorded(&'a Value),
}

/// Where a trace is held.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// The process that is held.
    pub pid: u32,
    /// The keeper: that process, or its parent.
    pub keeper: u32,
}

/// A command that is traced, with the keepers it has borne.
#[derive(Debug)]
pub struct Trace {
    command: Option<Running>,
    root: u32,
    status: Option<ExitStatus>,
    program: PathBuf,
    tracees: BTreeMap<u32, Tracee>,
    calls: u64,
    last: String,
    /// Ends the command when it takes too long; gone with this.
    _watchdog: mpsc::Sender<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The command, or what it has forked and is no keeper yet.
    Command,
    Keeper,
    /// A child of this keeper that has not become another program.
    Child(u32),
}

#[derive(Debug)]
struct Tracee {
    role: Role,
    stopped: bool,
    /// Whether it waits for nothing but requests and the guest's end.
    idle: bool,
    /// What the call that it is in writes to the ledger.
    writes: Option<Value>,
}

const OPTIONS: i32 = libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEEXEC;
const SYSCALL_STOP: i32 = libc::SIGTRAP | 0x80;

impl Trace {
    /// Starts a command. It goes no further than [`Trace::run_until`] says.
    ///
    /// # Panics
    /// If it cannot be started or traced.
    #[track_caller]
    #[must_use]
    pub fn start(host: &host::Host, program: &str, args: &[&str]) -> Self {
        let mut command = host.command("sh");
        command.args(["-c", "kill -STOP $$; exec \"$0\" \"$@\"", program]).args(args);
        Self::of(&mut command)
    }

    #[track_caller]
    fn of(command: &mut Command) -> Self {
        let command = Running::start(command);
        let root = command.pid();
        let mut status = 0;
        // SAFETY: a wait for a child of this process, into a local.
        let stopped = unsafe { libc::waitpid(signed(root), &raw mut status, libc::WUNTRACED) };
        assert!(stopped == signed(root) && libc::WIFSTOPPED(status), "the command should wait: {status:#x}");
        assert!(
            request(libc::PTRACE_SEIZE, root, OPTIONS),
            "cannot trace: {}",
            std::io::Error::last_os_error()
        );
        proc::signal(root, rustix::process::Signal::CONT);
        let (watchdog, over) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            if over.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
                proc::kill(root);
            }
        });
        let program = fs::canonicalize(host::binary()).expect("the program under test is there");
        let mut tracees = BTreeMap::new();
        tracees.insert(root, Tracee::new(Role::Command));
        let (calls, last) = (0, String::new());
        Self {
            command: Some(command),
            root,
            status: None,
            program,
            tracees,
            calls,
            last,
            _watchdog: watchdog,
        }
    }

    /// Traces a keeper that lives already, too.
    ///
    /// # Panics
    /// If that cannot be done.
    #[track_caller]
    #[must_use]
    pub fn with_keeper(mut self, pid: u32) -> Self {
        let seized = request(libc::PTRACE_SEIZE, pid, OPTIONS) && request(libc::PTRACE_INTERRUPT, pid, 0);
        assert!(seized, "cannot trace keeper {pid}: {}", std::io::Error::last_os_error());
        self.tracees.insert(pid, Tracee::new(Role::Keeper));
        self
    }

    /// Lets everything go on until `reached` says so; none where the command and what its keepers have to do ended before.
    pub fn run_until(&mut self, mut reached: impl FnMut(&Moment<'_>) -> bool) -> Option<Held> {
        loop {
            if self.is_over() {
                return None;
            }
            let (pid, status) = wait()?;
            if self.has_ended(pid, status) {
                continue;
            }
            let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
            let role = self.tracee(pid).role;
            if signal == SYSCALL_STOP {
                if let Some(moment) = self.look_at_call(pid)
                    && reached(&moment.view())
                {
                    let keeper = if let Role::Child(keeper) = role { keeper } else { pid };
                    return Some(Held { pid, keeper });
                }
                self.resume(pid, 0);
            } else if event == libc::PTRACE_EVENT_EXEC {
                self.look_at_program(pid);
            } else {
                self.resume(pid, if event == 0 { signal } else { 0 });
            }
        }
    }

    /// How many system calls there were.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// The last event that was recorded, with its phase.
    #[must_use]
    pub fn last(&self) -> &str {
        &self.last
    }

    /// Stops watching, and waits for the command's end.
    ///
    /// # Panics
    /// If it does not end in time.
    #[track_caller]
    pub fn finish(mut self) -> Output {
        self.let_go();
        let command = self.command.take().expect("a trace is finished once");
        match self.status {
            Some(status) => command.ended_with(status),
            None => command.finish(),
        }
    }

    fn is_over(&self) -> bool {
        let idle = |tracee: &Tracee| tracee.role == Role::Keeper && tracee.idle;
        self.tracees.is_empty() || (self.status.is_some() && self.tracees.values().all(idle))
    }

    /// Takes note of a process's end, if that is what the status is about.
    fn has_ended(&mut self, pid: u32, status: i32) -> bool {
        if libc::WIFSTOPPED(status) {
            self.tracee(pid).stopped = true;
            return false;
        }
        self.tracees.remove(&pid);
        if pid == self.root {
            self.status = Some(ExitStatus::from_raw(status));
        }
        true
    }

    fn tracee(&mut self, pid: u32) -> &mut Tracee {
        if !self.tracees.contains_key(&pid) {
            let parent = proc::process(pid).map_or(0, |process| process.parent);
            let role = match self.tracees.get(&parent).map(|parent| parent.role) {
                Some(Role::Keeper) => Role::Child(parent),
                Some(Role::Child(keeper)) => Role::Child(keeper),
                Some(Role::Command) | None => Role::Command,
            };
            self.tracees.insert(pid, Tracee::new(role));
        }
        self.tracees.get_mut(&pid).expect("it has just been seen to")
    }

    fn look_at_program(&mut self, pid: u32) {
        let own = fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|path| path == self.program);
        match own {
            true => {
                if pid != self.root {
                    self.tracee(pid).role = Role::Keeper;
                }
                self.resume(pid, 0);
            }
            false if pid == self.root => self.resume(pid, 0),
            // A hookscript, a hypervisor: it goes its own way.
            false => self.detach(pid, 0),
        }
    }

    /// What a system call is about, at its entry; what it has written to the ledger, at its exit.
    fn look_at_call(&mut self, pid: u32) -> Option<Owned> {
        match call(pid)? {
            Call::Entry { number, args } => {
                self.calls += 1;
                let calls = self.calls;
                let writes =
                    (number == libc::SYS_write).then(|| ledger_line(pid, args[1], args[2])).flatten();
                let tracee = self.tracee(pid);
                // A poll without a limit.
                let waits = number == libc::SYS_ppoll;
                tracee.idle = waits && args[2] == 0;
                tracee.writes = writes;
                Some(Owned::Call { number: calls, waits })
            }
            Call::Exit { failed } => {
                let tracee = self.tracee(pid);
                tracee.idle = false;
                let event = tracee.writes.take().filter(|_| !failed)?;
                self.last = name(&event);
                Some(Owned::Recorded(event))
            }
        }
    }

    fn resume(&mut self, pid: u32, signal: i32) {
        let tracee = self.tracee(pid);
        tracee.stopped = false;
        let how = if tracee.role == Role::Command { libc::PTRACE_CONT } else { libc::PTRACE_SYSCALL };
        request(how, pid, signal);
    }

    /// Lets a stopped process go. One that has been killed meanwhile stays: its end is told to this process first.
    fn detach(&mut self, pid: u32, signal: i32) {
        if request(libc::PTRACE_DETACH, pid, signal) {
            self.tracees.remove(&pid);
        }
    }

    fn let_go(&mut self) {
        for (pid, stopped) in
            self.tracees.iter().map(|(pid, tracee)| (*pid, tracee.stopped)).collect::<Vec<_>>()
        {
            if stopped {
                self.detach(pid, 0);
            } else {
                request(libc::PTRACE_INTERRUPT, pid, 0);
            }
        }
        loop {
            while !self.tracees.is_empty() {
                let Some((pid, status)) = wait() else { return };
                if !self.has_ended(pid, status) {
                    let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
                    self.detach(pid, if event == 0 && signal != SYSCALL_STOP { signal } else { 0 });
                }
            }
            // What one of them had just forked is traced and stopped, too, and has not been heard of yet.
            let unheard = own_tracees();
            if unheard.is_empty() {
                return;
            }
            self.tracees.extend(unheard.into_iter().map(|pid| (pid, Tracee::new(Role::Command))));
        }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        if self.command.is_some() {
            proc::kill(self.root);
            self.let_go();
        }
    }
}

impl Tracee {
    fn new(role: Role) -> Self {
        Self { role, stopped: false, idle: false, writes: None }
    }
}

enum Owned {
    Call { number: u64, waits: bool },
    Recorded(Value),
}

impl Owned {
    fn view(&self) -> Moment<'_> {
        match self {
            Self::Call { number, waits } => Moment::Call { number: *number, waits: *waits },
            Self::Recorded(event) => Moment::Recorded(event),
        }
    }
}

/// The name of an event with its phase: `hook-begin pre-start`.
#[must_use]
pub fn name(event: &Value) -> String {
    let word = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
    format!("{} {}", word("event"), word("phase")).trim_end().to_owned()
}

enum Call {
    Entry { number: i64, args: [u64; 6] },
    Exit { failed: bool },
}

/// The system call that a stopped process is in.
fn call(pid: u32) -> Option<Call> {
    // SAFETY: plain numbers, for which all zeros are fine; the kernel writes no more than the size it is told.
    let info = unsafe {
        let mut info: libc::ptrace_syscall_info = std::mem::zeroed();
        let size = size_of::<libc::ptrace_syscall_info>();
        let got = libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, signed(pid), size, &raw mut info);
        (got > 0).then_some(info)?
    };
    // SAFETY: the kernel has written the variant that `op` names.
    unsafe {
        match info.op {
            libc::PTRACE_SYSCALL_INFO_ENTRY => {
                let number = i64::try_from(info.u.entry.nr).unwrap_or(-1);
                Some(Call::Entry { number, args: info.u.entry.args })
            }
            libc::PTRACE_SYSCALL_INFO_EXIT => Some(Call::Exit { failed: info.u.exit.is_error != 0 }),
            _ => None,
        }
    }
}

/// The event in what a process is about to write, if that is a line of a ledger.
fn ledger_line(pid: u32, at: u64, length: u64) -> Option<Value> {
    let mut bytes = vec![0; usize::try_from(length.min(1 << 20)).ok()?];
    File::open(format!("/proc/{pid}/mem")).ok()?.read_exact_at(&mut bytes, at).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?.trim();
    if !text.starts_with("{\"v\":") {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// The next child or tracee of this thread that has something to tell; none where it has none.
fn wait() -> Option<(u32, i32)> {
    loop {
        let mut status = 0;
        // SAFETY: a wait for children and tracees of this thread, into a local.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL | libc::__WNOTHREAD) };
        match u32::try_from(pid) {
            Ok(pid) => return Some((pid, status)),
            Err(_) if std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

/// The processes that this thread traces.
fn own_tracees() -> Vec<u32> {
    let line = format!("TracerPid:\t{}\n", rustix::thread::gettid());
    let traced = |pid: &u32| {
        fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| status.contains(&line))
    };
    proc::all().into_iter().map(|process| process.pid).filter(traced).collect()
}

/// A request without an address. False where the process has been killed.
fn request(request: libc::c_uint, pid: u32, data: i32) -> bool {
    // SAFETY: none of the requests that this is used for takes a pointer.
    unsafe { libc::ptrace(request, signed(pid), 0, data) == 0 }
}

fn signed(pid: u32) -> i32 {
    i32::try_from(pid).expect("pids are smaller than 2^22")
}
