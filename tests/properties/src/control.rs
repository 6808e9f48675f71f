//! The control socket: neither end falls over what the other one sends.

use crate::socket::{MOST, that_said};
use keeper::client::{self, ClientError};
use keeper::ends::{Heard, conversation};
use keeper::{Request, ends};
use serde_json::Value;
use std::time::{Duration, Instant};

/// What a client sends to a keeper.
pub(crate) fn requests(sent: &[u8]) {
    let sent = &sent[..sent.len().min(MOST)];
    let (ours, _theirs) = that_said(sent);
    let read = ends::requests(ours);
    assert_eq!(read.len(), sent.iter().filter(|byte| **byte == b'\n').count());
    for (line, request) in sent.split(|byte| *byte == b'\n').zip(&read) {
        match request {
            Ok(request) => accepted(line, request),
            Err(why) => assert!(why.contains(" understand the request: "), "{why:?}"),
        }
    }
}

fn accepted(line: &[u8], request: &Request) {
    assert!(std::str::from_utf8(line).is_ok(), "what was no text was taken for {request:?}");
    let told = serde_json::to_value(request).expect("a request is JSON");
    let again: Request = serde_json::from_value(told.clone()).expect("a request reads back");
    assert_eq!(serde_json::to_value(again).expect("a request is JSON"), told);
    for limit in ["timeout", "hook_limit"] {
        let seconds = told.get(limit).and_then(Value::as_u64).unwrap_or(0);
        let end = Instant::now().checked_add(Duration::from_secs(seconds));
        assert!(end.is_some(), "no clock goes to {seconds} s from now");
    }
}

/// What a keeper says to its client: as it is, and after a greeting.
pub(crate) fn replies(said: &[u8]) {
    let said = &said[..said.len().min(MOST / 2)];
    reply(said);
    let greeting = br#"{"proto":1,"min_proto":1,"version":"0.1.0"}"#;
    reply(&[greeting, &b"\n"[..], said].concat());
}

fn reply(said: &[u8]) {
    let vmid = "100".parse().expect("a VMID");
    let (ours, _theirs) = that_said(said);
    let mut printed = 0;
    let heard = conversation(ours, vmid, &Request::Status, &mut |heard| {
        if let client::Heard::Output(bytes) = heard {
            printed += bytes.len();
        }
    });
    assert!(printed <= said.len() + 64, "{printed} bytes were printed of {}", said.len());
    match heard {
        Ok(Heard::Over | Heard::State(_) | Heard::Aborting | Heard::Ending(_)) => {}
        Ok(Heard::Task(result)) => {
            let upid = result.upid.map(|upid| upid.to_string());
            assert!(upid.is_none_or(|upid| upid.parse::<model::Upid>().is_ok()));
        }
        Err(ClientError::Refused(_)) => assert!(said.windows(7).any(|word| word == b"refused")),
        Err(error) => assert!(error.to_string().contains("keeper of 100"), "{error} does not say whose"),
    }
}
