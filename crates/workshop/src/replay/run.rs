//! The process of a call that is made again.

use crate::printed::{Line, Printed};
use model::{Outcome, Phase, Vmid};
use process::{Child, Ended, Program};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal};
use serde::Serialize;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a script that is told to end has before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// How much of what it prints is kept, in bytes.
const KEPT: usize = 1 << 20;

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Again {
    /// How it ended.
    pub outcome: Outcome,
    /// Why, in the words that Proxmox VE uses; none when it ended well.
    pub cause: Option<String>,
    /// The sandbox's own limit, in words, where that ended it and not the call's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox_limit: Option<String>,
    /// How long it ran, in milliseconds.
    pub millis: u64,
    /// What it printed.
    pub lines: Vec<Line>,
    /// Bytes of that which were not kept.
    pub cut: usize,
}

/// Runs a script as a phase does, and waits for its end.
pub(super) fn run(
    file: &Path,
    vmid: Vmid,
    phase: Phase,
    env: &[(OsString, OsString)],
    limit: Option<Duration>,
) -> io::Result<Again> {
    let argv = [file.as_os_str().to_owned(), vmid.to_string().into(), phase.as_str().into()];
    let program = Program::new(file, &argv, env.iter().map(|(key, value)| (key, value)))?;
    let (out, out_end) = pipe_with(PipeFlags::CLOEXEC)?;
    let (err, err_end) = pipe_with(PipeFlags::CLOEXEC)?;
    let (report, teller) = pipe_with(PipeFlags::CLOEXEC)?;
    let began = Instant::now();
    let child = process::fork(|| {
        let _ = rustix::process::setpgid(None, None);
        // Whoever looks on and goes leaves nothing running.
        let _ = rustix::process::set_parent_process_death_signal(Some(Signal::TERM));
        let place = || -> io::Result<()> {
            let null =
                rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, rustix::fs::Mode::empty())?;
            for (fd, number) in [(&null, 0), (&out_end, 1), (&err_end, 2)] {
                process::place_fd(fd, number)?;
            }
            process::become_default();
            Err(process::exec(&program))
        };
        if let Err(error) = place() {
            let _ = rustix::io::write(&teller, error.to_string().as_bytes());
        }
        127
    })?;
    drop((out_end, err_end, teller));
    let mut printed = Printed::of(out, err, KEPT)?;
    let timed_out = follow(&child, &mut printed, limit.map(|limit| began + limit))?;
    let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let ended = child.wait()?;
    printed.pump();
    printed.finish();
    let mut why = [0; 512];
    let told = rustix::io::read(&report, &mut why).unwrap_or(0);
    let outcome = match ended {
        _ if told > 0 => Outcome::CannotSpawn,
        _ if timed_out => Outcome::TimedOut,
        Ended::Code(0) => Outcome::Ok,
        Ended::Code(code) => Outcome::Exit(code),
        Ended::Signal(signal) => Outcome::Signal(signal),
    };
    let cause = match told {
        0 => hooks::failure(&hooks::command_line(file, vmid, phase), outcome),
        _ => Some(String::from_utf8_lossy(&why[..told]).into_owned()),
    };
    Ok(Again { outcome, cause, sandbox_limit: None, millis, lines: printed.take(), cut: printed.cut() })
}

/// Reads what the script prints until it has ended. Returns whether its time was up before that.
fn follow(child: &Child, printed: &mut Printed, limit: Option<Instant>) -> io::Result<bool> {
    let group = Pid::from_raw(child.id.pid.cast_signed());
    let signal = |signal| {
        if let Some(group) = group {
            let _ = rustix::process::kill_process_group(group, signal);
        }
    };
    let (mut deadline, mut timed_out) = (limit, false);
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let mut fds: Vec<PollFd<'_>> = printed.open().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        fds.push(PollFd::from_borrowed_fd(child.pidfd(), PollFlags::IN));
        match poll(&mut fds, left.as_ref()) {
            Ok(0) if timed_out => {
                signal(Signal::KILL);
                deadline = None;
            }
            Ok(0) => {
                signal(Signal::TERM);
                (timed_out, deadline) = (true, Some(Instant::now() + GRACE));
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ended = fds.last().is_some_and(|fd| !fd.revents().is_empty());
        printed.pump();
        if ended {
            return Ok(timed_out);
        }
    }
}
