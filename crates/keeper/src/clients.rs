//! The connections to a keeper: what they asked, and what they have not taken yet.

use crate::protocol::{Hello, Reply, line};
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// The longest request that is read, in bytes.
const MAX_REQUEST: usize = 64 * 1024;

/// How much a client may leave unread before output is left out for it, in bytes. From half of it on scripts wait for it.
const MAX_BEHIND: usize = 1 << 20;

/// How long scripts wait for a client that takes nothing.
const STUCK: Duration = Duration::from_secs(1);

/// Which connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientId(u64);

/// One connection.
pub(crate) struct Client {
    pub(crate) id: ClientId,
    /// The process at the other end, where the kernel knows it.
    pub(crate) pid: Option<u32>,
    stream: UnixStream,
    input: Vec<u8>,
    /// How much of `input` has been handed out.
    taken: usize,
    output: VecDeque<u8>,
    skipped: bool,
    gone: bool,
    /// When it last took something while there was something to take.
    took: Instant,
}

/// All connections.
#[derive(Default)]
pub(crate) struct Clients {
    all: Vec<Client>,
    last: u64,
    /// Whether replies wait until the run is put away.
    held: bool,
}

impl Clients {
    /// Takes a connection in and greets it.
    pub(crate) fn add(&mut self, stream: UnixStream) {
        let greeted = self.take_in(stream);
        if let Some(client) = self.all.iter_mut().find(|client| client.id == greeted) {
            client.push(&line(&Hello::own()));
            client.flush();
        }
    }

    /// Takes a connection in that has been greeted.
    pub(crate) fn take_in(&mut self, stream: UnixStream) -> ClientId {
        // Where that fails the calls that follow say themselves that they are not to wait.
        let _ = stream.set_nonblocking(true);
        let pid = rustix::net::sockopt::socket_peercred(&stream)
            .ok()
            .map(|peer| peer.pid.as_raw_nonzero().get().unsigned_abs());
        self.last += 1;
        let id = ClientId(self.last);
        let (input, output) = (Vec::new(), VecDeque::new());
        self.all.push(Client {
            id,
            pid,
            stream,
            input,
            taken: 0,
            output,
            skipped: false,
            gone: false,
            took: Instant::now(),
        });
        id
    }

    /// Lets everybody take what is left for them, at most this long.
    pub(crate) fn drain(&mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        self.flush();
        while self.behind() && Instant::now() < deadline {
            let sources: Vec<_> = self
                .iter()
                .filter(|client| client.wants_to_write())
                .map(|client| (client.fd(), PollFlags::OUT))
                .collect();
            crate::turn::wait(&sources, Some(deadline.saturating_duration_since(Instant::now())));
            drop(sources);
            self.flush();
        }
    }

    /// Gives the oldest connection away.
    pub(crate) fn take_first(&mut self) -> Option<UnixStream> {
        (!self.all.is_empty()).then(|| self.all.remove(0).stream)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Client> {
        self.all.iter()
    }

    /// Sends a reply; to a client that is gone, nothing.
    pub(crate) fn reply(&mut self, id: ClientId, reply: &Reply) {
        if let Some(client) = self.all.iter_mut().find(|client| client.id == id) {
            client.reply(reply);
            if !self.held {
                client.flush();
            }
        }
    }

    /// How long to leave outputs unread for clients that are behind, at most; none where nobody is, or is stuck.
    pub(crate) fn pause(&self) -> Option<Duration> {
        let behind = self.all.iter().filter(|client| !self.held && client.output.len() > MAX_BEHIND / 2);
        behind.map(|client| STUCK.saturating_sub(client.took.elapsed())).filter(|left| !left.is_zero()).max()
    }

    /// Keeps replies back from now on.
    pub(crate) fn hold(&mut self) {
        self.held = true;
    }

    /// Sends what was kept back.
    pub(crate) fn let_go(&mut self) {
        self.held = false;
        self.flush();
    }

    /// Reads what the client has sent. Returns its request once there is a whole one.
    pub(crate) fn read(&mut self, id: ClientId) -> Option<Vec<u8>> {
        self.all.iter_mut().find(|client| client.id == id)?.read()
    }

    /// Sends on what is left, and forgets those that are gone.
    pub(crate) fn flush(&mut self) {
        if self.held {
            return;
        }
        for client in &mut self.all {
            client.flush();
        }
        self.all.retain(|client| !client.gone);
    }

    /// Whether somebody has not taken everything yet.
    fn behind(&self) -> bool {
        self.all.iter().any(|client| !client.output.is_empty())
    }
}

impl Client {
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    pub(crate) fn wants_to_write(&self) -> bool {
        !self.output.is_empty()
    }

    fn reply(&mut self, reply: &Reply) {
        if matches!(reply, Reply::Output { .. }) {
            // A client that does not read must not fill the keeper's memory.
            if self.output.len() > MAX_BEHIND {
                self.skipped = true;
                return;
            }
            if std::mem::take(&mut self.skipped) {
                let text =
                    (&b"\n[some output is left out here: it came faster than it was read]\n"[..]).into();
                self.push(&line(&Reply::Output { text }));
            }
        }
        self.push(&line(reply));
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.output.is_empty() {
            self.took = Instant::now();
        }
        self.output.extend(bytes);
    }

    fn flush(&mut self) {
        while !self.gone && !self.output.is_empty() {
            let (front, _) = self.output.as_slices();
            match rustix::net::send(&self.stream, front, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(count) => {
                    drop(self.output.drain(..count));
                    self.took = Instant::now();
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => self.gone = true,
            }
        }
    }

    fn read(&mut self) -> Option<Vec<u8>> {
        let mut buffer = [0; 4096];
        loop {
            match rustix::net::recv(&self.stream, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((_, 0)) => {
                    self.gone = true;
                    break;
                }
                Ok((_, count)) if self.input.len() - self.taken + count <= MAX_REQUEST => {
                    self.input.drain(..std::mem::take(&mut self.taken));
                    self.input.extend_from_slice(&buffer[..count]);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Ok(_) | Err(_) => {
                    self.gone = true;
                    break;
                }
            }
        }
        let waiting = &self.input[self.taken..];
        let end = waiting.iter().position(|byte| *byte == b'\n')?;
        let line = waiting[..end].to_vec();
        self.taken += end + 1;
        Some(line)
    }
}
