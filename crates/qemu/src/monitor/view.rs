//! The events and answers that keeping a guest relies on, typed.

use super::Event;
use serde_json::Value;

/// An event that matters to the life of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// The guest has powered off, or QEMU was told to end.
    Shutdown {
        /// Whether the guest did it, also where it was asked to.
        guest: bool,
        /// QEMU's word for why: `guest-shutdown`, `guest-reset`, `guest-panic`, `host-qmp-quit`, `host-signal` …
        reason: String,
    },
    /// The machine was reset.
    Reset {
        /// Whether the guest did it.
        guest: bool,
        /// QEMU's word for why.
        reason: String,
    },
    /// The virtual CPUs stopped.
    Stop,
    /// They run on.
    Resume,
    /// The power button was pressed, by a command.
    Powerdown,
    /// The guest's kernel gave up.
    Panic,
    /// A program in the guest opened a virtio serial port, or closed it.
    Port {
        /// The device's id.
        id: String,
        /// Which of both.
        open: bool,
    },
}

impl Event {
    /// What the event means for the life of the guest; none for all others.
    #[must_use]
    pub fn turn(&self) -> Option<Turn> {
        let guest = || self.data.get("guest").and_then(Value::as_bool).unwrap_or(false);
        let reason = || self.data.get("reason").and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(match self.name.as_str() {
            "SHUTDOWN" => Turn::Shutdown { guest: guest(), reason: reason() },
            "RESET" => Turn::Reset { guest: guest(), reason: reason() },
            "STOP" => Turn::Stop,
            "RESUME" => Turn::Resume,
            "POWERDOWN" => Turn::Powerdown,
            "GUEST_PANICKED" => Turn::Panic,
            "VSERPORT_CHANGE" => Turn::Port {
                id: self.data.get("id")?.as_str()?.to_owned(),
                open: self.data.get("open")?.as_bool()?,
            },
            _ => return None,
        })
    }
}

/// Whether the answer to `query-chardev` says that what is in front of a character device is open: for a virtio serial
/// port, that a program in the guest has opened it.
#[must_use]
pub fn is_frontend_open(answer: &Value, label: &str) -> bool {
    let is_open = |device: &Value| {
        device.get("label").and_then(Value::as_str) == Some(label)
            && device.get("frontend-open").and_then(Value::as_bool) == Some(true)
    };
    answer.as_array().is_some_and(|devices| devices.iter().any(is_open))
}

/// The answer to `query-status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Whether the virtual CPUs run.
    pub running: bool,
    /// QEMU's word: `running`, `paused`, `shutdown`, `prelaunch`, `internal-error` …
    pub state: String,
}

impl Status {
    /// Reads the answer; none where it has another form.
    #[must_use]
    pub fn read(answer: &Value) -> Option<Self> {
        Some(Self {
            running: answer.get("running")?.as_bool()?,
            state: answer.get("status")?.as_str()?.to_owned(),
        })
    }

    /// Whether the guest has powered off and QEMU waits to be told to end: what `-no-shutdown` makes of it.
    #[must_use]
    pub fn is_shutdown(&self) -> bool {
        self.state == "shutdown"
    }

    /// Whether the guest can be asked to shut down: its CPUs are not stopped.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        matches!(self.state.as_str(), "paused" | "suspended" | "prelaunch")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn events_and_status_are_read_and_strange_ones_left() {
        let turn = |name: &str, data| Event { name: name.to_owned(), data, time: Duration::ZERO }.turn();
        let reason = "guest-shutdown".to_owned();
        let data = json!({ "guest": true, "reason": "guest-shutdown", "more": 1 });
        assert_eq!(turn("SHUTDOWN", data), Some(Turn::Shutdown { guest: true, reason }));
        assert_eq!(turn("RESET", Value::Null), Some(Turn::Reset { guest: false, reason: String::new() }));
        assert_eq!(turn("RTC_CHANGE", json!({})), None);
        let data = json!({ "id": "port", "open": true });
        assert_eq!(turn("VSERPORT_CHANGE", data), Some(Turn::Port { id: "port".to_owned(), open: true }));
        assert_eq!(turn("VSERPORT_CHANGE", json!({ "open": true })), None);
        let devices =
            json!([{ "label": "a", "frontend-open": true }, { "label": "b", "frontend-open": false }]);
        assert!(is_frontend_open(&devices, "a") && !is_frontend_open(&devices, "b"));
        assert!(!is_frontend_open(&devices, "c") && !is_frontend_open(&json!({}), "a"));
        let status = Status::read(&json!({ "status": "shutdown", "running": false, "new": 1 })).unwrap();
        assert!(status.is_shutdown() && !status.running);
        assert_eq!(Status::read(&json!({ "status": 1 })), None);
    }
}
