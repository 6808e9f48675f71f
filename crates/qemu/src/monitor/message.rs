use serde_json::Value;
use std::time::Duration;

/// Something that the monitor said.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// The first thing it says on a connection. Devices may not exist yet.
    Greeting {
        /// The version of QEMU, `7.2.22`.
        version: String,
    },
    /// The answer to a command.
    Reply(Reply),
    /// Something happened.
    Event(Event),
    /// A line that is none of these, cut to some length.
    Unknown(String),
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The number that [`super::Monitor::send`] gave; none where the monitor could not make out the command.
    pub id: Option<u64>,
    /// What came of it.
    pub result: Result<Value, Fault>,
}

/// Why a command failed, in QEMU's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{desc}")]
pub struct Fault {
    /// Its class: `GenericError`, `CommandNotFound` and so on.
    pub class: String,
    /// For a reader.
    pub desc: String,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its name: `SHUTDOWN`, `RESET` and so on.
    pub name: String,
    /// More about it; null where there is none.
    pub data: Value,
    /// When, since the Unix epoch.
    pub time: Duration,
}

impl Message {
    /// Reads one line.
    pub(super) fn read(line: &[u8]) -> Self {
        Self::parse(line).unwrap_or_else(|| {
            let text = String::from_utf8_lossy(&line[..line.len().min(200)]);
            Self::Unknown(text.trim_end().to_owned())
        })
    }

    fn parse(line: &[u8]) -> Option<Self> {
        let Value::Object(mut object) = serde_json::from_slice(line).ok()? else { return None };
        let id = object.get("id").and_then(Value::as_u64);
        if let Some(value) = object.get_mut("return") {
            return Some(Self::Reply(Reply { id, result: Ok(value.take()) }));
        }
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        if let Some(error) = object.get("error") {
            let fault = Fault {
                class: text(error, "class").unwrap_or_else(|| "GenericError".to_owned()),
                desc: text(error, "desc").unwrap_or_default(),
            };
            return Some(Self::Reply(Reply { id, result: Err(fault) }));
        }
        if let Some(name) = object.get("event").and_then(Value::as_str) {
            let name = name.to_owned();
            let stamp =
                |key| object.get("timestamp").and_then(|stamp| stamp.get(key)).and_then(Value::as_u64);
            let micros = stamp("microseconds").unwrap_or(0);
            let seconds = Duration::from_secs(stamp("seconds").unwrap_or(0));
            let time = seconds.saturating_add(Duration::from_micros(micros));
            let data = object.get_mut("data").map(Value::take).unwrap_or_default();
            return Some(Self::Event(Event { name, data, time }));
        }
        let version = object.get("QMP")?.get("version")?.get("qemu")?;
        let number = |key| version.get(key).and_then(Value::as_u64).unwrap_or(0);
        Some(Self::Greeting {
            version: format!("{}.{}.{}", number("major"), number("minor"), number("micro")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_kind_of_line_is_told_apart() {
        let read = |text: &str| Message::read(text.as_bytes());
        let greeting = r#"{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "x"}, "capabilities": ["oob"]}}"#;
        assert_eq!(read(greeting), Message::Greeting { version: "7.2.22".to_owned() });
        let reply = |id, result| Message::Reply(Reply { id, result });
        assert_eq!(read(r#"{"return": {"a": 1}, "id": 7}"#), reply(Some(7), Ok(json!({ "a": 1 }))));
        let fault = Fault { class: "CommandNotFound".to_owned(), desc: "no".to_owned() };
        assert_eq!(read(r#"{"error": {"class": "CommandNotFound", "desc": "no"}}"#), reply(None, Err(fault)));
        let event =
            r#"{"timestamp": {"seconds": 5, "microseconds": 7}, "event": "NEW_THING", "data": {"x": [1]}}"#;
        assert_eq!(
            read(event),
            Message::Event(Event {
                name: "NEW_THING".to_owned(),
                data: json!({ "x": [1] }),
                time: Duration::from_micros(5_000_007),
            })
        );
        for odd in ["", "null", "[1]", "{", "{}", "\u{fffd}"] {
            assert!(matches!(read(odd), Message::Unknown(_)), "{odd}");
        }
    }
}
