//! A command that was run to its end, and what is expected of it.

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fmt::Write as _;
use std::os::unix::fs::FileExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// No command of a test may take longer.
pub const LIMIT: Duration = Duration::from_secs(60);

/// What a command printed and how it ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// The command, for messages.
    pub command: String,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
    /// How it ended.
    pub status: ExitStatus,
    /// How long it took.
    pub took: Duration,
}

/// Runs a command to its end, its outputs into files so that nothing it leaves behind can hold the test.
///
/// # Panics
/// If it cannot be started or does not end within [`LIMIT`]; it is killed then.
#[track_caller]
pub fn run(command: &mut Command) -> Output {
    Running::start(command).finish()
}

/// A command that is still running.
#[derive(Debug)]
pub struct Running {
    command: String,
    child: Child,
    stdout: std::fs::File,
    stderr: std::fs::File,
    began: Instant,
}

impl Running {
    /// Starts a command in the background.
    ///
    /// # Panics
    /// If it cannot be started.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let mut words = command.get_program().to_string_lossy().into_owned();
        for word in command.get_args() {
            let _ = write!(words, " {}", word.to_string_lossy());
        }
        let stdout = tempfile::tempfile().expect("a temporary file can be made");
        let stderr = tempfile::tempfile().expect("a temporary file can be made");
        command
            .stdin(Stdio::null())
            .stdout(stdout.try_clone().expect("a descriptor can be copied"))
            .stderr(stderr.try_clone().expect("a descriptor can be copied"));
        let began = Instant::now();
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot run `{words}`: {error}"));
        Self { command: words, child, stdout, stderr, began }
    }

    /// The pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the command itself.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = Pid::from_child(&self.child);
        // Already gone is fine: the test looks at how it ended.
        let _ = rustix::process::kill_process(pid, signal);
    }

    /// What it has printed on standard output so far.
    #[must_use]
    pub fn stdout_so_far(&self) -> String {
        String::from_utf8_lossy(&read_back(&self.stdout)).into_owned()
    }

    /// What it has printed on standard error so far.
    #[must_use]
    pub fn stderr_so_far(&self) -> String {
        String::from_utf8_lossy(&read_back(&self.stderr)).into_owned()
    }

    /// Whether it has ended.
    #[must_use]
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it does not end within [`LIMIT`]; it is killed then.
    #[track_caller]
    #[must_use]
    pub fn finish(self) -> Output {
        self.finish_within(LIMIT)
    }

    /// Waits for the end of what has been told to end, however long it has been there.
    ///
    /// # Panics
    /// If it does not end within [`LIMIT`] from now on; it is killed then.
    #[track_caller]
    #[must_use]
    pub fn finish_now(self) -> Output {
        let limit = self.began.elapsed() + LIMIT;
        self.finish_within(limit)
    }

    /// Waits for its end, as long as it may take.
    ///
    /// # Panics
    /// If it does not end within the limit since it was started; it is killed then.
    #[track_caller]
    #[must_use]
    pub fn finish_within(mut self, limit: Duration) -> Output {
        let ended = match pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty()) {
            Ok(pidfd) => {
                let left = limit.saturating_sub(self.began.elapsed());
                let timeout = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: 0 };
                let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
                rustix::event::poll(&mut fds, Some(&timeout)).is_ok_and(|ready| ready > 0)
            }
            Err(_) => true,
        };
        if !ended {
            let _ = self.child.kill();
        }
        let status = self.child.wait().expect("a child can be waited for");
        let output = self.ended_with(status);
        assert!(ended, "still running after {limit:?}:\n{}", output.describe());
        output
    }

    /// What it printed, its end having been seen by somebody else.
    pub(crate) fn ended_with(self, status: ExitStatus) -> Output {
        Output {
            stdout: read_back(&self.stdout),
            stderr: read_back(&self.stderr),
            status,
            took: self.began.elapsed(),
            command: self.command,
        }
    }
}

/// The offset is shared with the command, which may write at this moment: it must not move.
fn read_back(file: &std::fs::File) -> Vec<u8> {
    let (mut bytes, mut part) = (Vec::new(), vec![0; 1 << 16]);
    while let Ok(count @ 1..) = file.read_at(&mut part, bytes.len() as u64) {
        bytes.extend(&part[..count]);
    }
    bytes
}

impl Output {
    /// Standard output as text.
    #[must_use]
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    #[must_use]
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Both outputs and the end, for a message.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = format!("$ {}\n", self.command);
        for (mark, bytes) in [("1| ", &self.stdout), ("2| ", &self.stderr)] {
            for line in String::from_utf8_lossy(bytes).lines().take(60) {
                let _ = writeln!(text, "{mark}{}", line.chars().take(400).collect::<String>());
            }
        }
        let _ = write!(text, "=> {} ({:.2}s)", self.status, self.took.as_secs_f64());
        text
    }

    /// It succeeded.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.status.success(), "should have succeeded:\n{}", self.describe());
        self
    }

    /// It failed, and not by a signal or a panic.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn fails(self) -> Self {
        let code = self.status.code();
        assert!(
            code.is_some_and(|code| code != 0 && code != 101),
            "should have failed:\n{}",
            self.describe()
        );
        self
    }

    /// Its standard output holds this text.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn prints(self, text: &str) -> Self {
        assert!(self.out().contains(text), "stdout should have {text:?}:\n{}", self.describe());
        self
    }

    /// Its standard output is exactly this text.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn prints_exactly(self, text: &str) -> Self {
        assert!(self.out() == text, "stdout should be exactly {text:?}:\n{}", self.describe());
        self
    }

    /// Its standard error holds this text.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn complains(self, text: &str) -> Self {
        assert!(self.err().contains(text), "stderr should have {text:?}:\n{}", self.describe());
        self
    }
}
