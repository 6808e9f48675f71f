//! The process of a call that is made again.

use model::{Outcome, Phase, Stream, Text, Vmid};
use process::{Child, Ended, Program};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal};
use serde::Serialize;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
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
    /// How long it ran, in milliseconds.
    pub millis: u64,
    /// What it printed.
    pub lines: Vec<Line>,
    /// Bytes of that which were not kept.
    pub cut: usize,
}

/// A line that a script printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// On which of its outputs.
    pub stream: Stream,
    /// Without the line's end.
    pub text: Text,
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
    let mut printed = Printed::of([(Stream::Stdout, out), (Stream::Stderr, err)])?;
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
    Ok(Again { outcome, cause, millis, lines: printed.lines, cut: printed.cut })
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
        let open = printed.outputs.iter().filter_map(|output| output.fd.as_ref());
        let mut fds: Vec<PollFd<'_>> = open.map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
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

/// One of the script's outputs.
struct Output {
    stream: Stream,
    /// None once everybody has closed it.
    fd: Option<OwnedFd>,
    /// A line that has not ended.
    open: Vec<u8>,
}

/// What has been printed so far.
struct Printed {
    outputs: [Output; 2],
    lines: Vec<Line>,
    kept: usize,
    cut: usize,
}

impl Printed {
    fn of(outputs: [(Stream, OwnedFd); 2]) -> io::Result<Self> {
        for (_, fd) in &outputs {
            rustix::fs::fcntl_setfl(fd, OFlags::NONBLOCK)?;
        }
        let outputs = outputs.map(|(stream, fd)| Output { stream, fd: Some(fd), open: Vec::new() });
        Ok(Self { outputs, lines: Vec::new(), kept: 0, cut: 0 })
    }

    /// Takes what is there now of each output, a pipe's content at most.
    fn pump(&mut self) {
        let mut buffer = vec![0; 1 << 16];
        for output in &mut self.outputs {
            let Some(fd) = &output.fd else { continue };
            let count = match rustix::io::read(fd, &mut buffer[..]) {
                Ok(0) => {
                    output.fd = None;
                    continue;
                }
                Ok(count) => count,
                Err(_) => continue,
            };
            let room = KEPT.saturating_sub(self.kept).min(count);
            self.kept += room;
            self.cut += count - room;
            output.open.extend_from_slice(&buffer[..room]);
            while let Some(end) = output.open.iter().position(|byte| *byte == b'\n') {
                let text = output.open[..end].into();
                self.lines.push(Line { stream: output.stream, text });
                output.open.drain(..=end);
            }
        }
    }

    /// Nothing more comes: a last line need not have an end.
    fn finish(&mut self) {
        for output in &mut self.outputs {
            if !output.open.is_empty() {
                self.lines.push(Line { stream: output.stream, text: output.open[..].into() });
            }
        }
    }
}
