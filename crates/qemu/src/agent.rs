//! The guest agent: a program in the guest that carries out commands, reached over a serial channel.
//!
//! The channel is one stream for everybody who ever talks over it, and QEMU takes one client at a time. So a client holds
//! a lock beside the socket, and begins by finding the end of whatever an earlier one left behind.

mod question;

use crate::base64;
use crate::command::AgentOption;
use config::Section;
use model::{Layout, Vmid};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::net::{RecvFlags, SendFlags, SocketFlags};
use serde_json::{Map, Value, json};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use question::Question;

/// The id of the port that the agent opens, by which QEMU tells of that.
pub const PORT: &str = "qga0port";

/// The name of the character device behind it.
pub const CHARDEV: &str = "qga0";

/// The longest answer that is taken, in bytes. The agent itself keeps 16 MiB of a program's output; in base64 that is
/// more.
const LONGEST_ANSWER: usize = 64 << 20;

/// How long the agent has to answer a ping, as at Proxmox VE (lifecycle.md 2.1).
pub const PING: Duration = Duration::from_secs(3);

/// How long it has for an ordinary command.
pub const ORDINARY: Duration = Duration::from_secs(10);

/// How long a refusal of `guest-shutdown` is waited for: the agent does not answer when it obeys.
const REFUSAL: Duration = Duration::from_secs(2);

/// The byte that makes the agent forget half a command, and that it puts before the answer to a synchronisation. No UTF-8
/// text holds it.
const DELIMITER: u8 = 0xff;

/// Why the agent did not do what it was asked for. The texts are Proxmox VE's.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The configuration has none.
    #[error("No QEMU guest agent configured")]
    NotConfigured,
    /// The guest is stopped.
    #[error("VM {vmid} is not running")]
    GuestNotRunning {
        /// The guest.
        vmid: Vmid,
    },
    /// It does not answer.
    #[error("QEMU guest agent is not running")]
    NotRunning,
    /// It did not answer a command in time.
    #[error("VM {vmid} qga command '{command}' failed - got timeout")]
    Timeout {
        /// The guest.
        vmid: Vmid,
        /// The command.
        command: String,
    },
    /// It answered with an error.
    #[error("Agent error: {desc}")]
    Fault {
        /// Its class.
        class: String,
        /// In its own words.
        desc: String,
    },
    /// It closed the channel, which is the guest's end, or said what is no answer.
    #[error("VM {vmid} qga command '{command}' failed - {what}")]
    Broken {
        /// The guest.
        vmid: Vmid,
        /// The command.
        command: String,
        /// What was wrong.
        what: &'static str,
    },
    /// The lock beside the socket cannot be taken.
    #[error("cannot lock '{path}'")]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// How `guest-shutdown` ends the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownMode {
    /// The power goes off.
    Powerdown,
    /// The guest halts.
    Halt,
    /// It boots again.
    Reboot,
}

/// What became of a program that the agent ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// Whether it has ended.
    pub exited: bool,
    /// Its exit code, where it ended by itself.
    pub exitcode: Option<i64>,
    /// The signal that ended it.
    pub signal: Option<i64>,
    /// What it wrote.
    pub out_data: Option<Vec<u8>>,
    /// What it wrote as errors.
    pub err_data: Option<Vec<u8>>,
    /// Whether some of the output is lost.
    pub out_truncated: bool,
    /// Whether some of the errors is lost.
    pub err_truncated: bool,
}

/// A client of a guest's agent, the only one as long as it lives.
#[derive(Debug)]
pub struct Agent {
    vmid: Vmid,
    socket: OwnedFd,
    incoming: Vec<u8>,
    /// Held for as long as the client lives.
    _lock: Option<OwnedFd>,
}

impl Agent {
    /// Begins to talk to the agent of a guest, in the order in which Proxmox VE checks: configured, guest running, agent
    /// answers within `timeout`.
    ///
    /// # Errors
    /// [`AgentError::NotConfigured`], [`AgentError::GuestNotRunning`], [`AgentError::NotRunning`].
    pub fn open(
        main: &Section,
        layout: &Layout,
        vmid: Vmid,
        guest_running: bool,
        timeout: Duration,
    ) -> Result<Self, AgentError> {
        let enabled = AgentOption::read(main).ok().flatten().is_some_and(|option| option.enabled);
        if !enabled {
            return Err(AgentError::NotConfigured);
        }
        if !guest_running {
            return Err(AgentError::GuestNotRunning { vmid });
        }
        Self::connect(&layout.run_qemu_file(vmid, "qga"), vmid, timeout)
    }

    /// Begins to talk to the agent behind the socket at `path`, within `timeout`.
    ///
    /// # Errors
    /// [`AgentError::NotRunning`] where it does not answer in time, [`AgentError::Timeout`] where another client does not
    /// end in time, [`AgentError::Lock`].
    pub fn connect(path: &Path, vmid: Vmid, timeout: Duration) -> Result<Self, AgentError> {
        let deadline = Instant::now() + timeout;
        let lock = take_lock(path, vmid, deadline)?;
        let socket =
            crate::socket::connect(path, SocketFlags::NONBLOCK).map_err(|_| AgentError::NotRunning)?;
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let number = (u64::from(std::process::id()) << 30 ^ now.tv_nsec as u64) & 0xff_ffff_ffff;
        let mut agent = Self { vmid, socket, incoming: Vec::new(), _lock: Some(lock) };
        agent.synchronise(number, deadline).map_err(|error| match error {
            AgentError::Timeout { .. } | AgentError::Broken { .. } | AgentError::Fault { .. } => {
                AgentError::NotRunning
            }
            other => other,
        })?;
        Ok(agent)
    }

    /// Begins to talk over a stream that is connected to an agent already and that nobody else talks over, within
    /// `timeout`; `number` is what the agent is to say back first.
    ///
    /// # Errors
    /// [`AgentError::Timeout`], [`AgentError::Broken`].
    pub fn over(socket: OwnedFd, vmid: Vmid, number: u64, timeout: Duration) -> Result<Self, AgentError> {
        let _ = rustix::io::ioctl_fionbio(&socket, true);
        let mut agent = Self { vmid, socket, incoming: Vec::new(), _lock: None };
        agent.synchronise(number, Instant::now() + timeout)?;
        Ok(agent)
    }

    /// Finds the place in the stream from which on every answer is one to this client: sends a byte that resets the
    /// agent's reader and a number, and passes over everything before that number comes back.
    fn synchronise(&mut self, number: u64, deadline: Instant) -> Result<(), AgentError> {
        let command = "guest-sync-delimited";
        let mut request = vec![DELIMITER];
        request.extend_from_slice(
            json!({ "execute": command, "arguments": { "id": number } }).to_string().as_bytes(),
        );
        request.push(b'\n');
        self.write(command, &request, deadline)?;
        loop {
            while !self.incoming.contains(&DELIMITER) {
                self.incoming.clear();
                self.receive(command, deadline)?;
            }
            let at = self.incoming.iter().position(|byte| *byte == DELIMITER).unwrap_or(0);
            self.incoming.drain(..=at);
            let line = self.line(command, deadline)?;
            // The answer may stand behind one to an earlier client that was cut short.
            let last = line.rsplit(|byte| *byte == DELIMITER).next().unwrap_or_default();
            let answer: Option<Value> = serde_json::from_slice(last).ok();
            if answer.and_then(|answer| answer.get("return")?.as_u64()) == Some(number) {
                return Ok(());
            }
        }
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Errors
    /// [`AgentError::Fault`] with the agent's words, [`AgentError::Timeout`], [`AgentError::Broken`].
    pub fn call(
        &mut self,
        command: &str,
        arguments: Option<&Value>,
        timeout: Duration,
    ) -> Result<Value, AgentError> {
        let deadline = Instant::now() + timeout;
        let mut object = Map::new();
        object.insert("execute".to_owned(), command.into());
        if let Some(arguments) = arguments {
            object.insert("arguments".to_owned(), arguments.clone());
        }
        self.write(command, format!("{}\n", Value::Object(object)).as_bytes(), deadline)?;
        let line = self.line(command, deadline)?;
        let broken =
            || AgentError::Broken { vmid: self.vmid, command: command.to_owned(), what: "unexpected answer" };
        let mut answer: Value = serde_json::from_slice(&line).map_err(|_| broken())?;
        if let Some(error) = answer.get("error") {
            let text = |key| error.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            return Err(AgentError::Fault { class: text("class"), desc: text("desc") });
        }
        answer.get_mut("return").map(Value::take).ok_or_else(broken)
    }

    /// Asks whether the agent is there.
    ///
    /// # Errors
    /// Those of [`Agent::call`].
    pub fn ping(&mut self) -> Result<(), AgentError> {
        self.call("guest-ping", None, PING).map(drop)
    }

    /// Asks the guest to end. It obeys without an answer, so this waits a moment for a refusal and takes silence, or the
    /// end of the channel, for consent.
    ///
    /// # Errors
    /// [`AgentError::Fault`] where it refuses.
    pub fn shutdown(&mut self, mode: ShutdownMode) -> Result<(), AgentError> {
        let mode = match mode {
            ShutdownMode::Powerdown => "powerdown",
            ShutdownMode::Halt => "halt",
            ShutdownMode::Reboot => "reboot",
        };
        match self.call("guest-shutdown", Some(&json!({ "mode": mode })), REFUSAL) {
            Ok(_) | Err(AgentError::Timeout { .. } | AgentError::Broken { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Runs a program in the guest, its output kept; says its pid there.
    ///
    /// # Errors
    /// Those of [`Agent::call`].
    pub fn exec(&mut self, command: &[String], input: Option<&[u8]>) -> Result<i64, AgentError> {
        let (path, arguments) = command.split_first().ok_or_else(|| AgentError::Broken {
            vmid: self.vmid,
            command: "guest-exec".to_owned(),
            what: "no program named",
        })?;
        let mut request = json!({ "path": path, "arg": arguments, "capture-output": true });
        if let Some(input) = input {
            request["input-data"] = base64::encode(input).into();
        }
        let answer = self.call("guest-exec", Some(&request), ORDINARY)?;
        answer.get("pid").and_then(Value::as_i64).ok_or_else(|| self.unexpected("guest-exec"))
    }

    /// Asks what became of a program that [`Agent::exec`] ran. Once it has ended the agent forgets it.
    ///
    /// # Errors
    /// Those of [`Agent::call`].
    pub fn exec_status(&mut self, pid: i64) -> Result<Execution, AgentError> {
        let command = "guest-exec-status";
        let answer = self.call(command, Some(&json!({ "pid": pid })), ORDINARY)?;
        let data = |key| match answer.get(key).and_then(Value::as_str) {
            None => Ok(None),
            Some(text) => base64::decode(text).map(Some).ok_or_else(|| self.unexpected(command)),
        };
        let flag = |key| answer.get(key).and_then(Value::as_bool).unwrap_or(false);
        Ok(Execution {
            exited: answer.get("exited").and_then(Value::as_bool).ok_or_else(|| self.unexpected(command))?,
            exitcode: answer.get("exitcode").and_then(Value::as_i64),
            signal: answer.get("signal").and_then(Value::as_i64),
            out_data: data("out-data")?,
            err_data: data("err-data")?,
            out_truncated: flag("out-truncated"),
            err_truncated: flag("err-truncated"),
        })
    }

    /// What the guest's system calls itself.
    ///
    /// # Errors
    /// Those of [`Agent::call`].
    pub fn os_info(&mut self) -> Result<Value, AgentError> {
        self.call("guest-get-osinfo", None, ORDINARY)
    }

    fn unexpected(&self, command: &str) -> AgentError {
        AgentError::Broken { vmid: self.vmid, command: command.to_owned(), what: "unexpected answer" }
    }

    fn line(&mut self, command: &str, deadline: Instant) -> Result<Vec<u8>, AgentError> {
        let mut scanned = 0;
        loop {
            if let Some(length) = self.incoming[scanned..].iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.incoming.drain(..=scanned + length).collect();
                line.pop();
                return Ok(line);
            }
            scanned = self.incoming.len();
            if scanned > LONGEST_ANSWER {
                return Err(AgentError::Broken {
                    vmid: self.vmid,
                    command: command.to_owned(),
                    what: "answer too long",
                });
            }
            self.receive(command, deadline)?;
        }
    }

    fn receive(&mut self, command: &str, deadline: Instant) -> Result<(), AgentError> {
        let mut buffer = [0; 16384];
        loop {
            match rustix::net::recv(&self.socket, &mut buffer[..], RecvFlags::empty()) {
                Ok((0, _)) => return Err(self.closed(command)),
                Ok((count, _)) => {
                    self.incoming.extend_from_slice(&buffer[..count]);
                    return Ok(());
                }
                Err(rustix::io::Errno::AGAIN) => self.wait(command, PollFlags::IN, deadline)?,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return Err(self.closed(command)),
            }
        }
    }

    fn write(&self, command: &str, bytes: &[u8], deadline: Instant) -> Result<(), AgentError> {
        let mut sent = 0;
        while sent < bytes.len() {
            match rustix::net::send(&self.socket, &bytes[sent..], SendFlags::NOSIGNAL) {
                Ok(count) => sent += count,
                Err(rustix::io::Errno::AGAIN) => self.wait(command, PollFlags::OUT, deadline)?,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return Err(self.closed(command)),
            }
        }
        Ok(())
    }

    fn wait(&self, command: &str, interest: PollFlags, deadline: Instant) -> Result<(), AgentError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
        match poll(&mut [PollFd::new(&self.socket, interest)], Some(&limit)) {
            Ok(0) => Err(AgentError::Timeout { vmid: self.vmid, command: command.to_owned() }),
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(_) => Err(self.closed(command)),
        }
    }

    fn closed(&self, command: &str) -> AgentError {
        AgentError::Broken { vmid: self.vmid, command: command.to_owned(), what: "the channel was closed" }
    }
}

/// Takes the lock beside the socket. flock(2) knows no limit, so it is tried again and again.
fn take_lock(socket: &Path, vmid: Vmid, deadline: Instant) -> Result<OwnedFd, AgentError> {
    let mut path = socket.to_owned().into_os_string();
    path.push(".lock");
    let path = PathBuf::from(path);
    let failed = |error: rustix::io::Errno| AgentError::Lock { path: path.clone(), source: error.into() };
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR).map_err(|error| match error {
        rustix::io::Errno::NOENT => AgentError::NotRunning,
        error => failed(error),
    })?;
    loop {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {
                return Err(AgentError::Timeout { vmid, command: "guest-sync-delimited".to_owned() });
            }
            Err(error) => return Err(failed(error)),
        }
    }
}
