use crate::clock;
use model::{Stream, Text};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// How urgent a record is: the levels of syslog(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Nothing can be used any more.
    Emergency = 0,
    /// Something must be done at once.
    Alert = 1,
    /// Something vital failed.
    Critical = 2,
    /// Something failed.
    Error = 3,
    /// Something may be wrong.
    Warning = 4,
    /// Something worth noticing.
    Notice = 5,
    /// In the ordinary course of things.
    Info = 6,
    /// For whoever looks for a mistake.
    Debug = 7,
}

impl Priority {
    /// The priority that a line begins with, as sd-daemon(3) has it, `<3>no such device`; and the rest of the line.
    #[must_use]
    pub fn prefix(line: &[u8]) -> Option<(Self, &[u8])> {
        const ALL: [Priority; 8] = [
            Priority::Emergency,
            Priority::Alert,
            Priority::Critical,
            Priority::Error,
            Priority::Warning,
            Priority::Notice,
            Priority::Info,
            Priority::Debug,
        ];
        let [b'<', level @ b'0'..=b'7', b'>', rest @ ..] = line else { return None };
        Some((ALL[usize::from(level - b'0')], rest))
    }

    /// The word for a priority by its number.
    #[must_use]
    pub fn word(number: u64) -> Option<&'static str> {
        const WORDS: [&str; 8] =
            ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];
        WORDS.get(usize::try_from(number).ok()?).copied()
    }

    /// A line of an output as it is shown to people: with its priority in a word where it is not the output's usual one. The
    /// priority is `known`, or the line itself begins with it, which is not shown.
    #[must_use]
    pub fn shown(line: &str, stream: Stream, known: Option<u64>) -> String {
        let usual = Self::usual(stream) as u64;
        let own = Self::prefix(line.as_bytes()).filter(|_| known.is_none());
        let (priority, rest) = match own {
            Some((priority, rest)) => (priority as u64, &line[line.len() - rest.len()..]),
            None => (known.unwrap_or(usual), line),
        };
        match Self::word(priority).filter(|_| priority != usual) {
            Some(word) => format!("{word}: {rest}"),
            None => rest.to_owned(),
        }
    }

    /// That of a line on an output that says none itself: output is information, and complaints are warnings.
    #[must_use]
    pub fn usual(stream: Stream) -> Self {
        match stream {
            Stream::Stdout => Self::Info,
            Stream::Stderr => Self::Warning,
        }
    }
}

/// A record for the journal: fields with values of any bytes. A field may occur more than once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// In microseconds since the Unix epoch: the record may reach the journal later.
    time: u64,
    fields: Vec<(Cow<'static, str>, Vec<u8>)>,
}

impl Entry {
    /// A record of what happens now. `identifier` is the word that journalctl(1) shows before the message.
    #[must_use]
    pub fn new(priority: Priority, identifier: &str, message: impl AsRef<[u8]>) -> Self {
        let time = clock::epoch_micros();
        let mut entry = Self { time, fields: Vec::with_capacity(16) };
        entry.push("MESSAGE", message.as_ref());
        entry.push("PRIORITY", (priority as u8).to_string().as_bytes());
        entry.push("SYSLOG_FACILITY", b"3");
        entry.push("SYSLOG_IDENTIFIER", identifier.as_bytes());
        entry.push("SYSLOG_PID", std::process::id().to_string().as_bytes());
        entry.push(TIME_FIELD, time.to_string().as_bytes());
        entry
    }

    /// Adds a field: capitals, digits and `_`, not beginning with a digit or `_`, at most 64
    /// (systemd.journal-fields(7)).
    #[must_use]
    pub fn field(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        self.push(name, value.as_ref());
        self
    }

    /// Adds a field where there is a value.
    #[must_use]
    pub fn field_if(self, name: &'static str, value: Option<impl AsRef<[u8]>>) -> Self {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }

    pub(super) fn push(&mut self, name: &'static str, value: &[u8]) {
        debug_assert!(
            name.starts_with(|c: char| c.is_ascii_uppercase())
                && name.len() <= 64
                && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'),
            "{name}"
        );
        self.fields.push((Cow::Borrowed(name), value.to_vec()));
    }

    /// The first value of a field.
    pub(super) fn value(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_slice())
    }

    /// How many bytes it counts for in the queue.
    pub(super) fn size(&self) -> usize {
        self.fields.iter().map(|(name, value)| name.len() + value.len() + 64).sum()
    }

    /// As a datagram of systemd's native journal protocol (systemd.io, "Native Journal Protocol").
    pub(super) fn datagram(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.size());
        for (name, value) in &self.fields {
            bytes.extend_from_slice(name.as_bytes());
            if value.contains(&b'\n') || std::str::from_utf8(value).is_err() {
                bytes.push(b'\n');
                bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
            } else {
                bytes.push(b'=');
            }
            bytes.extend_from_slice(value);
            bytes.push(b'\n');
        }
        bytes
    }

    /// Reads what [`Entry::datagram`] has made; none where it is not whole.
    pub(super) fn from_datagram(mut bytes: &[u8]) -> Option<Self> {
        let mut entry = Self { time: 0, fields: Vec::with_capacity(16) };
        while !bytes.is_empty() {
            let at = bytes.iter().position(|byte| matches!(byte, b'=' | b'\n'))?;
            let (name, rest) = (str::from_utf8(&bytes[..at]).ok()?, &bytes[at + 1..]);
            let (value, rest) = if bytes[at] == b'=' {
                rest.split_at_checked(rest.iter().position(|byte| *byte == b'\n')?)?
            } else {
                let (length, rest) = rest.split_first_chunk()?;
                rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?
            };
            entry.fields.push((Cow::Owned(name.to_owned()), value.to_vec()));
            bytes = rest.strip_prefix(b"\n")?;
        }
        entry.time = str::from_utf8(entry.value(TIME_FIELD)?).ok()?.parse().ok()?;
        Some(entry)
    }

    /// As a line of the form that `journalctl -o json` has.
    pub(super) fn json(&self) -> Vec<u8> {
        let mut object = Map::new();
        object.insert("__REALTIME_TIMESTAMP".to_owned(), self.time.to_string().into());
        for (name, value) in &self.fields {
            let value = match Text::from(value.as_slice()) {
                Text::Utf8(text) => Value::from(text),
                Text::Bytes(bytes) => Value::from(bytes),
            };
            match object.get_mut(name.as_ref()) {
                None => {
                    object.insert(name.clone().into_owned(), value);
                }
                Some(Value::Array(values)) if !values.iter().all(Value::is_number) => values.push(value),
                Some(first) => *first = Value::Array(vec![first.take(), value]),
            }
        }
        Value::Object(object).to_string().into_bytes()
    }
}

/// The field with the time of a record, in microseconds since the Unix epoch: the journal's own is when it got
/// the record.
pub(crate) const TIME_FIELD: &str = "RECORD_TIME_USEC";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_line_ends_or_other_bytes_carry_their_length() {
        let entry = Entry { time: 0, fields: Vec::new() }
            .field("A", "plain=\0")
            .field("B", "two\nlines")
            .field("C", b"\xff");
        let expected: &[u8] = b"A=plain=\0\nB\n\x09\0\0\0\0\0\0\0two\nlines\nC\n\x01\0\0\0\0\0\0\0\xff\n";
        assert_eq!(entry.datagram(), expected);
    }

    #[test]
    fn a_line_may_say_its_priority() {
        assert_eq!(Priority::prefix(b"<3>no such device"), Some((Priority::Error, &b"no such device"[..])));
        assert_eq!(Priority::prefix(b"<7>"), Some((Priority::Debug, &b""[..])));
        for line in [&b"<8>x"[..], b"<33>x", b"3>x", b" <3>x", b"<3", b""] {
            assert_eq!(Priority::prefix(line), None);
        }
    }

    #[test]
    fn json_is_as_journalctl_has_it() {
        let entry = Entry { time: 7, fields: Vec::new() }
            .field("A", "x")
            .field("B", [255, 10])
            .field("C", "1")
            .field("C", [254])
            .field("C", "3");
        assert_eq!(
            String::from_utf8(entry.json()).unwrap(),
            r#"{"__REALTIME_TIMESTAMP":"7","A":"x","B":[255,10],"C":["1",[254],"3"]}"#
        );
    }
}
