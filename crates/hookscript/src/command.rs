//! Programs, run within a limit.

use crate::{Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use std::ffi::OsStr;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a program that was told to end may take for it.
const GRACE: Duration = Duration::from_secs(2);

/// How long a program may run: one of these is always chosen, so that no hookscript hangs by accident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(Option<Duration>);

impl Limit {
    /// At most that long.
    #[must_use]
    pub const fn of(limit: Duration) -> Self {
        Self(Some(limit))
    }

    /// As long as it likes.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }
}

/// What a program printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// On standard output.
    pub stdout: Vec<u8>,
    /// On standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Standard output as text, without the white space at its end.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end().to_owned()
    }
}

/// Runs a program, with nothing to read, and takes what it prints. When its time is over it is told to end, with all of its
/// process group, and killed where it does not.
///
/// # Errors
/// Where it cannot be run, its time is over, or it fails: with its last line on standard error.
pub fn run<A: AsRef<OsStr>>(
    program: &str,
    args: impl IntoIterator<Item = A>,
    limit: Limit,
) -> Result<Output> {
    let failed = |error: std::io::Error| Error::from(format!("cannot run '{program}': {error}"));
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(failed)?;
    let (stdout, stderr) = (gather(child.stdout.take()), gather(child.stderr.take()));
    let (status, late) = end(&mut child, limit).map_err(failed)?;
    if late {
        // What holds its outputs open may live on.
        let limit = limit.0.unwrap_or_default().as_secs_f32();
        return Err(format!("'{program}' did not end in {limit} s").into());
    }
    let output = Output { stdout: joined(stdout), stderr: joined(stderr) };
    if status.success() {
        return Ok(output);
    }
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (_, signal) => format!("signal {}", signal.unwrap_or_default()),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().rev().find(|line| !line.trim().is_empty());
    Err(match said {
        Some(said) => format!("'{program}' failed with {how}: {said}"),
        None => format!("'{program}' failed with {how}"),
    }
    .into())
}

type Gathering = Option<JoinHandle<Vec<u8>>>;

fn gather(stream: Option<impl Read + Send + 'static>) -> Gathering {
    let mut stream = stream?;
    Some(std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        bytes
    }))
}

fn joined(gathering: Gathering) -> Vec<u8> {
    gathering.and_then(|thread| thread.join().ok()).unwrap_or_default()
}

/// Waits for its end; whether it had to be ended.
fn end(child: &mut Child, limit: Limit) -> std::io::Result<(ExitStatus, bool)> {
    let Limit(Some(limit)) = limit else { return Ok((child.wait()?, false)) };
    let group = Pid::from_child(child);
    let pidfd = pidfd_open(group, PidfdFlags::empty())?;
    if ends_within(&pidfd, limit)? {
        return Ok((child.wait()?, false));
    }
    for signal in [Signal::TERM, Signal::KILL] {
        let _ = kill_process_group(group, signal);
        if ends_within(&pidfd, GRACE)? {
            break;
        }
    }
    Ok((child.wait()?, true))
}

fn ends_within(pidfd: &OwnedFd, limit: Duration) -> std::io::Result<bool> {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        match poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&timeout)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit::of(Duration::from_secs(20));

    #[test]
    fn it_says_what_the_program_says() {
        assert_eq!(run("sh", ["-c", "echo hello"], LIMIT).unwrap().text(), "hello");
        let failed = |script: &str| run("sh", ["-c", script], LIMIT).unwrap_err().to_string();
        assert_eq!(failed("echo no such bridge >&2; exit 3"), "'sh' failed with exit code 3: no such bridge");
        assert_eq!(failed("kill -9 $$"), "'sh' failed with signal 9");
        assert!(
            run("/nowhere/program", [""; 0], LIMIT)
                .unwrap_err()
                .to_string()
                .starts_with("cannot run '/nowhere")
        );
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_its_children() {
        let began = Instant::now();
        let script = "trap '' TERM; sleep 100 & sleep 100";
        let error = run("sh", ["-c", script], Limit::of(Duration::from_millis(50))).unwrap_err();
        assert_eq!(error.to_string(), "'sh' did not end in 0.05 s");
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
