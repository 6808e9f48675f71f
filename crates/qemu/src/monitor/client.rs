use super::message::{Fault, Message, Reply};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendFlags, SocketFlags};
use serde_json::{Map, Value, json};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// The longest line that is taken, in bytes. The longest that QEMU writes in earnest, its own schema, has some 200 KiB.
const LONGEST_LINE: usize = 16 << 20;

/// The most that is kept to be sent while the monitor does not read, in bytes.
const MOST_PENDING: usize = 1 << 20;

/// What a buffer keeps once it is empty: a connection lives as long as its guest, so it stays small.
const KEPT: usize = 4096;

/// Why the monitor cannot be talked to. The connection is of no more use then.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// QEMU closed the connection, or is gone.
    #[error("the monitor closed the connection")]
    Closed,
    /// A line did not end.
    #[error("the monitor wrote a line of more than {LONGEST_LINE} bytes")]
    TooLong,
    /// The monitor does not read.
    #[error("the monitor does not read: more than {MOST_PENDING} bytes wait for it")]
    Stuck,
    /// It did not answer in time.
    #[error("got timeout")]
    Timeout,
    /// A command failed.
    #[error("{0}")]
    Fault(#[from] Fault),
    /// The system refused.
    #[error("cannot talk to the monitor")]
    Io(#[from] io::Error),
}

impl From<rustix::io::Errno> for MonitorError {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Io(error.into())
    }
}

/// A connection to a monitor.
///
/// Its descriptor never blocks; a poll loop waits for what [`Monitor::interest`] says and calls [`Monitor::read`] and
/// [`Monitor::flush`]. Commands may be sent at once: the negotiation goes before them, and QEMU answers in order.
#[derive(Debug)]
pub struct Monitor {
    socket: OwnedFd,
    incoming: Vec<u8>,
    /// How much of `incoming` is known to hold no line's end.
    scanned: usize,
    outgoing: Vec<u8>,
    next_id: u64,
    closed: bool,
    /// Messages that came while a blocking call waited for another one.
    set_aside: Vec<Message>,
}

impl Monitor {
    /// The number of the negotiation, whose answer the user does not see.
    const NEGOTIATION: u64 = 0;

    /// Connects to the monitor at `path`. It need not be served yet: what is sent waits until QEMU comes to it.
    ///
    /// # Errors
    /// [`MonitorError::Io`]: `NotFound` and `ConnectionRefused` where no QEMU is.
    pub fn connect(path: &Path) -> Result<Self, MonitorError> {
        Self::new(crate::socket::connect(path, SocketFlags::NONBLOCK)?)
    }

    /// Talks over a stream that is connected to a monitor already, and makes it non-blocking.
    ///
    /// # Errors
    /// [`MonitorError::Io`], [`MonitorError::Closed`].
    pub fn new(socket: OwnedFd) -> Result<Self, MonitorError> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        let mut monitor = Self {
            socket,
            incoming: Vec::new(),
            scanned: 0,
            outgoing: Vec::new(),
            next_id: Self::NEGOTIATION,
            closed: false,
            set_aside: Vec::new(),
        };
        monitor.send("qmp_capabilities", None)?;
        Ok(monitor)
    }

    /// What to wait for: input always, output where something could not be sent yet.
    #[must_use]
    pub fn interest(&self) -> PollFlags {
        if self.outgoing.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT }
    }

    /// Sends a command, or keeps it until [`Monitor::flush`] can. Says the number that its answer will carry.
    ///
    /// # Errors
    /// [`MonitorError::Closed`], [`MonitorError::Stuck`], [`MonitorError::Io`].
    pub fn send(&mut self, command: &str, arguments: Option<&Value>) -> Result<u64, MonitorError> {
        let id = self.next_id;
        let mut object = Map::new();
        object.insert("execute".to_owned(), command.into());
        if let Some(arguments) = arguments {
            object.insert("arguments".to_owned(), arguments.clone());
        }
        object.insert("id".to_owned(), json!(id));
        let text = Value::Object(object).to_string();
        if self.outgoing.len() + text.len() > MOST_PENDING {
            return Err(MonitorError::Stuck);
        }
        self.next_id += 1;
        self.outgoing.extend_from_slice(text.as_bytes());
        self.outgoing.push(b'\n');
        self.flush()?;
        Ok(id)
    }

    /// Sends what waits, as far as the monitor takes it.
    ///
    /// # Errors
    /// [`MonitorError::Closed`], [`MonitorError::Io`].
    pub fn flush(&mut self) -> Result<(), MonitorError> {
        let mut sent = 0;
        let result = loop {
            if sent == self.outgoing.len() {
                break Ok(());
            }
            match rustix::net::send(&self.socket, &self.outgoing[sent..], SendFlags::NOSIGNAL) {
                Ok(count) => sent += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => break Ok(()),
                Err(rustix::io::Errno::PIPE | rustix::io::Errno::CONNRESET) => {
                    break Err(MonitorError::Closed);
                }
                Err(error) => break Err(error.into()),
            }
        };
        self.outgoing.drain(..sent);
        if self.outgoing.is_empty() {
            self.outgoing.shrink_to(KEPT);
        }
        result
    }

    /// Takes what the monitor said, without waiting; empty where that is nothing. What it said before it closed the
    /// connection comes first, the error with the next call.
    ///
    /// # Errors
    /// [`MonitorError::Closed`], [`MonitorError::TooLong`], [`MonitorError::Io`].
    pub fn read(&mut self) -> Result<Vec<Message>, MonitorError> {
        match self.receive() {
            Ok(()) => {}
            Err(MonitorError::Closed) => self.closed = true,
            Err(error) => return Err(error),
        }
        let came = self.split()?;
        if came.is_empty() && self.set_aside.is_empty() && self.closed {
            return Err(MonitorError::Closed);
        }
        let mut messages = std::mem::take(&mut self.set_aside);
        messages.extend(came);
        Ok(messages)
    }

    fn receive(&mut self) -> Result<(), MonitorError> {
        let mut buffer = [0; 16384];
        while !self.closed && self.incoming.len() <= LONGEST_LINE {
            match rustix::net::recv(&self.socket, &mut buffer[..], RecvFlags::empty()) {
                Ok((0, _)) => return Err(MonitorError::Closed),
                Ok((count, _)) => self.incoming.extend_from_slice(&buffer[..count]),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => break,
                Err(rustix::io::Errno::CONNRESET) => return Err(MonitorError::Closed),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Takes the complete lines out of what came.
    fn split(&mut self) -> Result<Vec<Message>, MonitorError> {
        let mut messages = Vec::new();
        let mut begin = 0;
        while let Some(length) = self.incoming[self.scanned..].iter().position(|byte| *byte == b'\n') {
            let end = self.scanned + length;
            let line = &self.incoming[begin..end];
            begin = end + 1;
            self.scanned = begin;
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match Message::read(line) {
                // An error means that the mode was left already, over the same connection before.
                Message::Reply(Reply { id: Some(Self::NEGOTIATION), .. }) => {}
                message => messages.push(message),
            }
        }
        self.incoming.drain(..begin);
        self.scanned = self.incoming.len();
        if self.incoming.len() > LONGEST_LINE {
            self.closed = true;
            self.incoming = Vec::new();
            self.scanned = 0;
            return Err(MonitorError::TooLong);
        }
        if self.incoming.is_empty() {
            self.incoming.shrink_to(KEPT);
        }
        Ok(messages)
    }

    /// Sends a command and waits for its answer. Events that come meanwhile are kept for [`Monitor::read`].
    ///
    /// # Errors
    /// [`MonitorError::Fault`] with QEMU's words, [`MonitorError::Timeout`], and those of sending and reading.
    pub fn call(
        &mut self,
        command: &str,
        arguments: Option<&Value>,
        timeout: Duration,
    ) -> Result<Value, MonitorError> {
        let deadline = Instant::now() + timeout;
        let id = self.send(command, arguments)?;
        loop {
            let mut answer = None;
            for message in self.read()? {
                match message {
                    Message::Reply(reply) if reply.id == Some(id) => answer = Some(reply.result),
                    other => self.set_aside.push(other),
                }
            }
            if let Some(result) = answer {
                return Ok(result?);
            }
            self.wait(deadline)?;
        }
    }

    /// Waits until something can be read, or sent.
    fn wait(&mut self, deadline: Instant) -> Result<(), MonitorError> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(MonitorError::Timeout);
        }
        let limit = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
        let interest = self.interest();
        match poll(&mut [PollFd::new(&self.socket, interest)], Some(&limit)) {
            Ok(0) => Err(MonitorError::Timeout),
            Ok(_) if interest.contains(PollFlags::OUT) => self.flush(),
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixStream;

    fn pair() -> (Monitor, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Monitor::new(ours.into()).unwrap(), theirs)
    }

    fn names(messages: &[Message]) -> Vec<String> {
        messages
            .iter()
            .map(|message| match message {
                Message::Event(event) => event.name.clone(),
                Message::Greeting { version } => version.clone(),
                Message::Reply(reply) => format!("{:?}", reply.id),
                Message::Unknown(text) => format!("?{text}"),
            })
            .collect()
    }

    #[test]
    fn lines_come_whole_however_they_are_cut() {
        let (mut monitor, mut server) = pair();
        let text = b"{\"QMP\":{\"version\":{\"qemu\":{\"major\":7,\"minor\":2,\"micro\":1}}}}\r\n\
                     {\"return\":{},\"id\":0}\r\n{\"event\":\"A\"}\r\ngarbage\r\n{\"event\":\"B\"}\r\n";
        let mut seen = Vec::new();
        for byte in text {
            server.write_all(&[*byte]).unwrap();
            seen.extend(monitor.read().unwrap());
        }
        assert_eq!(names(&seen), ["7.2.1", "A", "?garbage", "B"]);
        server.write_all(b"{\"event\":\"LAST\"}\n{\"event\":\"CUT").unwrap();
        drop(server);
        assert_eq!(names(&monitor.read().unwrap()), ["LAST"]);
        assert!(matches!(monitor.read(), Err(MonitorError::Closed)));
        assert!(matches!(monitor.send("quit", None), Err(MonitorError::Closed)));
    }

    #[test]
    fn a_call_gets_its_own_answer_and_keeps_the_events() {
        let (mut monitor, server) = pair();
        let helper = std::thread::spawn(move || {
            let mut lines = BufReader::new(server.try_clone().unwrap()).lines();
            let mut server = server;
            let negotiation: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            assert_eq!(negotiation["execute"], "qmp_capabilities");
            let command: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            assert_eq!(command["arguments"]["value"], 5);
            let reply = json!({ "return": "done", "id": command["id"] });
            writeln!(server, "{{\"return\":{{}},\"id\":99}}\n{{\"event\":\"STOP\"}}\n{reply}").unwrap();
            let command: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            let reply =
                json!({ "error": { "class": "GenericError", "desc": "not so" }, "id": command["id"] });
            writeln!(server, "{reply}").unwrap();
            assert_eq!(lines.count(), 1);
        });
        let limit = Duration::from_secs(10);
        let answer = monitor.call("balloon", Some(&json!({ "value": 5 })), limit).unwrap();
        assert_eq!(answer, "done");
        assert_eq!(monitor.call("cont", None, limit).unwrap_err().to_string(), "not so");
        assert_eq!(names(&monitor.read().unwrap()), ["Some(99)", "STOP"]);
        assert!(matches!(monitor.call("stop", None, Duration::from_millis(20)), Err(MonitorError::Timeout)));
        drop(monitor);
        helper.join().unwrap();
    }

    #[test]
    fn a_line_without_end_and_a_deaf_monitor_are_bounded() {
        let (mut monitor, mut server) = pair();
        let writer = std::thread::spawn(move || {
            let block = vec![b'x'; 1 << 20];
            while server.write_all(&block).is_ok() {}
        });
        let error = loop {
            match monitor.read() {
                Ok(_) => monitor.wait(Instant::now() + Duration::from_secs(10)).unwrap(),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, MonitorError::TooLong), "{error}");
        drop(monitor);
        writer.join().unwrap();

        let (mut monitor, _deaf) = pair();
        let long = json!({ "text": "x".repeat(300_000) });
        let error = loop {
            if let Err(error) = monitor.send("nothing", Some(&long)) {
                break error;
            }
        };
        assert!(
            matches!(error, MonitorError::Stuck) && monitor.interest().contains(PollFlags::OUT),
            "{error}"
        );
    }
}
