//! QEMU's monitor: lines come whole however they are cut, each once, and nothing that they say is too much.

use crate::socket::{MOST, that_said};
use qemu::monitor::view::Status;
use qemu::monitor::{Message, Monitor};
use serde_json::Value;
use std::io::Write;
use std::os::unix::net::UnixStream;

/// What a monitor says on a connection.
pub(crate) fn lines(said: &[u8]) {
    let said = &said[..said.len().min(MOST)];
    let (ours, _theirs) = that_said(said);
    let mut monitor = Monitor::new(ours.into()).expect("the other end takes what is sent");
    let whole = all(&mut monitor);
    assert_eq!(whole.len(), expected(said), "{whole:?}");
    for message in &whole {
        understood(message);
    }
    // Cut where the bytes themselves say.
    let step = said.first().map_or(1, |byte| 1 + usize::from(*byte));
    let (ours, mut theirs) = UnixStream::pair().expect("two descriptors");
    let mut monitor = Monitor::new(ours.into()).expect("the other end takes what is sent");
    let mut cut = Vec::new();
    for piece in said.chunks(step.max(said.len() / 64)) {
        theirs.write_all(piece).expect("it fits into the buffer");
        cut.extend(monitor.read().expect("the connection is open"));
    }
    assert_eq!(cut, whole);
}

/// Everything until the connection is closed.
fn all(monitor: &mut Monitor) -> Vec<Message> {
    std::iter::from_fn(|| monitor.read().ok()).flatten().collect()
}

/// How many messages that is: the lines that say something but for the answer to the negotiation.
fn expected(said: &[u8]) -> usize {
    let mut lines: Vec<&[u8]> = said.split(|byte| *byte == b'\n').collect();
    lines.pop();
    lines
        .into_iter()
        .filter(|line| !line.iter().all(u8::is_ascii_whitespace) && !is_negotiation(line))
        .count()
}

fn is_negotiation(line: &[u8]) -> bool {
    let answer: Option<Value> = serde_json::from_slice(line).ok();
    answer.is_some_and(|answer| {
        answer.get("id").and_then(Value::as_u64) == Some(0)
            && (answer.get("return").is_some() || answer.get("error").is_some())
    })
}

fn understood(message: &Message) {
    match message {
        Message::Event(event) => drop(event.turn()),
        Message::Reply(reply) => drop(reply.result.as_ref().map(Status::read)),
        Message::Greeting { version } => assert_eq!(version.split('.').count(), 3),
        Message::Unknown(text) => assert!(text.chars().count() <= 200, "{text}"),
    }
}
