//! The guest agent: whatever an earlier client left in the channel, and whatever the guest says, each answer is that to its
//! own command.

use crate::socket::{MOST, that_said};
use qemu::agent::{Agent, AgentError};
use serde_json::Value;
use std::time::Duration;

/// What the agent is to say back first.
const NUMBER: u64 = 1_234_567;

/// How many commands are sent: nobody reads them.
const MOST_COMMANDS: usize = 100;

/// No test waits so long: everything has been said.
const LIMIT: Duration = Duration::from_secs(30);

/// What an earlier client left behind and what the agent then answers, apart where the first byte says:
/// `<byte><left behind><answers>`.
pub(crate) fn replies(bytes: &[u8]) {
    let Some((at, rest)) = bytes.split_first() else { return };
    let rest = &rest[..rest.len().min(MOST / 2)];
    let (left, answers) = rest.split_at(rest.len() * usize::from(*at) / 255);
    let number = NUMBER.to_string();
    if left.windows(number.len()).any(|window| window == number.as_bytes()) {
        return;
    }
    let synchronised = format!("{{\"return\": {NUMBER}}}\n");
    let said = [left, b"\xff", synchronised.as_bytes(), answers].concat();
    let (ours, _theirs) = that_said(&said);
    let vmid = "100".parse().expect("a VMID");
    let mut agent = Agent::over(ours.into(), vmid, NUMBER, LIMIT).expect("its number came back");
    let mut lines: Vec<&[u8]> = answers.split(|byte| *byte == b'\n').collect();
    lines.pop();
    let all = lines.len() <= MOST_COMMANDS;
    for (number, line) in lines.into_iter().take(MOST_COMMANDS).enumerate() {
        // The agent forgets a program once it has told of its end: each other answer is taken for one about a program.
        if number % 2 == 1 {
            let _ = agent.exec_status(1);
            continue;
        }
        let value: Option<Value> = serde_json::from_slice(line).ok();
        let expected = value.as_ref().filter(|value| value.get("error").is_none());
        let expected = expected.and_then(|value| value.get("return"));
        match agent.call("guest-ping", None, LIMIT) {
            Ok(answer) => assert_eq!(Some(&answer), expected),
            Err(AgentError::Fault { .. }) => assert!(value.is_some_and(|value| value.get("error").is_some())),
            Err(AgentError::Broken { .. }) => assert_eq!(expected, None),
            Err(other) => panic!("{other}"),
        }
    }
    if !all {
        return;
    }
    let over = agent.call("guest-ping", None, LIMIT);
    assert!(matches!(over, Err(AgentError::Broken { what: "the channel was closed", .. })), "{over:?}");
}
