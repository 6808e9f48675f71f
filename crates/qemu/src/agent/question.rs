//! The wait for an agent's first answer, in a poll loop and for as long as it takes.

use super::DELIMITER;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags};
use serde_json::{Value, json};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// The longest that an answer can be; what is longer is something else.
const LONGEST: usize = 4096;

/// How much may come that is no answer, in bytes, before it is no agent that says it.
const MOST: usize = 1 << 20;

/// A question that was put to an agent. It holds no lock: who comes while it is not answered waits for the same agent, and
/// QEMU lets them in one after the other.
#[derive(Debug)]
pub struct Question {
    socket: OwnedFd,
    number: u64,
    incoming: Vec<u8>,
    taken: usize,
}

impl Question {
    /// Asks the agent behind the socket at `path` to say `number` back. Never blocks.
    ///
    /// # Errors
    /// Those of connect(2) and send(2).
    pub fn put(path: &Path, number: u64) -> io::Result<Self> {
        Self::over(crate::socket::connect(path, SocketFlags::NONBLOCK)?, number)
    }

    fn over(socket: OwnedFd, number: u64) -> io::Result<Self> {
        let request = json!({ "execute": "guest-sync-delimited", "arguments": { "id": number } });
        let mut bytes = vec![DELIMITER];
        bytes.extend_from_slice(format!("{request}\n").as_bytes());
        // A new socket takes so little at once.
        if rustix::net::send(&socket, &bytes, SendFlags::NOSIGNAL)? != bytes.len() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        Ok(Self { socket, number, incoming: Vec::new(), taken: 0 })
    }

    /// Readable when something has come.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether the answer has come. Never blocks.
    ///
    /// # Errors
    /// The channel was closed, or whoever is behind it is no agent.
    pub fn is_answered(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 4096];
        loop {
            match rustix::net::recv(&self.socket, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((0, _)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok((count, _)) => {
                    self.taken += count;
                    self.incoming.extend_from_slice(&buffer[..count]);
                    if self.look() {
                        return Ok(true);
                    }
                    if self.taken > MOST {
                        return Err(io::ErrorKind::InvalidData.into());
                    }
                }
                Err(Errno::AGAIN) => return Ok(false),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Looks through what has come, of which only what stands behind the last delimiter can still become the answer.
    fn look(&mut self) -> bool {
        let is_answer = |line: &[u8]| {
            let answer: Option<Value> = serde_json::from_slice(line).ok();
            answer.and_then(|answer| answer.get("return")?.as_u64()) == Some(self.number)
        };
        let parts: Vec<&[u8]> = self.incoming.split(|byte| *byte == DELIMITER).skip(1).collect();
        let line = |part: &&[u8]| part.split(|byte| *byte == b'\n').next().is_some_and(is_answer);
        // A line without its end may go on with another digit.
        let whole = parts.iter().filter(|part| part.contains(&b'\n'));
        if whole.clone().any(line) {
            return true;
        }
        match self.incoming.iter().rposition(|byte| *byte == DELIMITER) {
            Some(at) if self.incoming.len() - at <= LONGEST => drop(self.incoming.drain(..at)),
            _ => self.incoming.clear(),
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    fn asked() -> (Question, UnixStream) {
        let (ours, agents) = UnixStream::pair().unwrap();
        (Question::over(ours.into(), 42).unwrap(), agents)
    }

    #[test]
    fn the_answer_is_found_however_it_is_cut_and_whatever_stands_before_it() {
        let (mut question, mut agent) = asked();
        assert!(!question.is_answered().unwrap());
        let said = b"{\"return\": {}}\n\xff{\"return\": 41}\n\xff{\"return\": 42}\n";
        for byte in &said[..said.len() - 1] {
            agent.write_all(&[*byte]).unwrap();
            assert!(!question.is_answered().unwrap());
        }
        agent.write_all(b"\n").unwrap();
        assert!(question.is_answered().unwrap());
        let (mut question, mut agent) = asked();
        agent.write_all(said).unwrap();
        assert!(question.is_answered().unwrap());
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for said in ["{\"return\": 42}\n", "\u{fffd}{\"return\": 42}\n", "42\n"] {
            let (mut question, mut agent) = asked();
            agent.write_all(said.as_bytes()).unwrap();
            assert!(!question.is_answered().unwrap(), "{said}");
        }
        let (mut question, mut agent) = asked();
        let chatter = std::thread::spawn(move || while agent.write_all(&[0xff; 4096]).is_ok() {});
        let end = loop {
            match question.is_answered() {
                Ok(answered) => assert!(!answered),
                Err(error) => break error,
            }
        };
        assert_eq!(end.kind(), io::ErrorKind::InvalidData);
        assert!(question.incoming.len() <= LONGEST);
        drop(question);
        chatter.join().unwrap();
        let (mut question, agent) = asked();
        drop(agent);
        // What it had not read is told as a reset.
        assert!(question.is_answered().is_err());
    }
}
