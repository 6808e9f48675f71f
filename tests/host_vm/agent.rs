//! The way into the machine: QEMU's guest agent on a virtio-serial port, which runs commands there.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the machine may take to come up, or for one command: a processor that is emulated is slow.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);

/// A connection to the agent.
pub(crate) struct Agent(BufReader<UnixStream>);

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i64,
    /// What it printed on both outputs.
    pub(crate) text: String,
}

impl Agent {
    /// Connects, and waits until the agent of the machine that comes up answers.
    pub(crate) fn connect(socket: &Path) -> Result<Self, String> {
        let stream = UnixStream::connect(socket).map_err(|error| format!("{}: {error}", socket.display()))?;
        stream.set_read_timeout(Some(LIMIT)).map_err(|error| error.to_string())?;
        let mut agent = Self(BufReader::new(stream));
        // What is sent before the machine has opened its port waits there.
        agent.ask("guest-sync", &json!({"id": 1})).map(|_| agent)
    }

    fn ask(&mut self, command: &str, arguments: &Value) -> Result<Value, String> {
        let line = format!("{}\n", json!({"execute": command, "arguments": arguments}));
        let failed = |error: std::io::Error| format!("{command}: {error}");
        self.0.get_mut().write_all(line.as_bytes()).map_err(failed)?;
        let mut answer = String::new();
        self.0.read_line(&mut answer).map_err(failed)?;
        let answer: Value = serde_json::from_str(&answer).map_err(|error| format!("{command}: {error}"))?;
        answer.get("return").cloned().ok_or_else(|| format!("{command}: {answer}"))
    }

    /// Starts lines of shell in the background and returns their pid.
    pub(crate) fn spawn(&mut self, lines: &str, capture: bool) -> u64 {
        let arguments = json!({"path": "/bin/sh", "arg": ["-c", lines], "capture-output": capture});
        let answer = self.ask("guest-exec", &arguments).unwrap_or_else(|error| panic!("{error}"));
        answer["pid"].as_u64().expect("a process has a pid")
    }

    /// Runs lines of shell to their end.
    pub(crate) fn run(&mut self, lines: &str, limit: Duration) -> Ended {
        let pid = self.spawn(lines, true);
        let began = Instant::now();
        loop {
            let status = self.ask("guest-exec-status", &json!({"pid": pid}));
            let status = status.unwrap_or_else(|error| panic!("{error}"));
            if status["exited"] == true {
                let text = |key: &str| base64(status[key].as_str().unwrap_or_default());
                let bytes = [text("out-data"), text("err-data")].concat();
                let code = status["exitcode"].as_i64().unwrap_or(-1);
                return Ended { code, text: String::from_utf8_lossy(&bytes).into_owned() };
            }
            assert!(began.elapsed() < limit, "`{lines}` does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Decodes base64, RFC 4648.
fn base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits: Vec<u8> = text.bytes().filter_map(value).collect();
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    for group in digits.chunks(4) {
        let word =
            group.iter().fold(0_u32, |word, digit| word << 6 | u32::from(*digit)) << (6 * (4 - group.len()));
        bytes.extend_from_slice(&word.to_be_bytes()[1..group.len()]);
    }
    bytes
}
