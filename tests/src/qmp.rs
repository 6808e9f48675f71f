//! The monitor of a virtual machine, as another program of the host would use it.

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A connection to a monitor.
#[derive(Debug)]
pub struct Monitor {
    reader: BufReader<UnixStream>,
    /// Events that came before an answer and that nobody has waited for yet.
    events: VecDeque<Value>,
}

impl Monitor {
    /// Connects and agrees on capabilities.
    ///
    /// # Panics
    /// If the monitor cannot be reached.
    #[track_caller]
    #[must_use]
    pub fn connect(socket: &Path) -> Self {
        Self::try_connect(socket).expect("the monitor can be reached")
    }

    /// Connects as [`Monitor::connect`] does.
    ///
    /// # Errors
    /// If the monitor cannot be reached, or not yet.
    ///
    /// # Panics
    /// If it is no monitor.
    #[track_caller]
    pub fn try_connect(socket: &Path) -> std::io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(crate::wait::DEADLINE))?;
        let mut monitor = Self { reader: BufReader::new(stream), events: VecDeque::new() };
        let greeting = monitor.line();
        assert!(greeting.as_ref().is_some_and(|line| line.get("QMP").is_some()), "no greeting: {greeting:?}");
        monitor.ask("qmp_capabilities", &json!({}));
        Ok(monitor)
    }

    /// Gives one command and returns its answer; none if the machine ended instead.
    pub fn ask(&mut self, command: &str, arguments: &Value) -> Option<Value> {
        let line = json!({ "execute": command, "arguments": arguments });
        self.reader.get_ref().write_all(format!("{line}\n").as_bytes()).ok()?;
        loop {
            let line = self.line()?;
            if line.get("event").is_none() {
                return Some(line);
            }
            self.events.push_back(line);
        }
    }

    /// Waits for an event, which may have come already.
    ///
    /// # Panics
    /// If it does not come.
    #[track_caller]
    pub fn wait_event(&mut self, name: &str) {
        while let Some(line) = self.events.pop_front().or_else(|| self.line()) {
            if line["event"] == name {
                return;
            }
        }
        panic!("{name} did not come");
    }

    /// The two bytes at an I/O port; all ones where nothing is there yet.
    #[must_use]
    pub fn port(&mut self, port: u16) -> Option<u16> {
        let line = json!({ "command-line": format!("i /h {port:#x}") });
        let answer = self.ask("human-monitor-command", &line)?;
        let text = answer["return"].as_str()?.trim().rsplit("0x").next()?.to_owned();
        u16::from_str_radix(&text, 16).ok()
    }

    fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        serde_json::from_str(&line).ok()
    }
}
