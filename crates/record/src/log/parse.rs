use crate::journal::TIME_FIELD;
use model::{Phase, RunId, Stream, Upid, Vmid};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::str::FromStr;

/// A record as it was read back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogRecord {
    /// When it was made, in microseconds since the Unix epoch.
    pub time_usec: u64,
    /// Its fields; one may have several values.
    pub fields: BTreeMap<String, Vec<Vec<u8>>>,
}

impl LogRecord {
    /// Reads a line of `journalctl -o json --all`, or of the file, which has the same form: a value is a string,
    /// an array of numbers where it is no UTF-8, an array of these where there are several, and null where
    /// journalctl held it back for its size.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        let object: Map<String, Value> = serde_json::from_slice(line).ok()?;
        let mut record = Self::default();
        for (name, value) in object {
            let values = match value {
                Value::Array(items) if items.first().is_some_and(|item| !item.is_number()) => {
                    items.into_iter().filter_map(bytes).collect()
                }
                other => bytes(other).into_iter().collect(),
            };
            record.fields.insert(name, values);
        }
        let time = [TIME_FIELD, "__REALTIME_TIMESTAMP"].into_iter().find_map(|name| record.parsed(name));
        record.time_usec = time?;
        Some(record)
    }

    /// The first value of a field.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.fields.get(name)?.first().map(Vec::as_slice)
    }

    /// The first value of a field, where it is UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.bytes(name)?).ok()
    }

    /// The message: for what a hookscript printed, its line.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        self.bytes("MESSAGE").unwrap_or_default()
    }

    /// The priority, 0 to 7 as in syslog(3).
    #[must_use]
    pub fn priority(&self) -> Option<u8> {
        self.parsed("PRIORITY")
    }

    /// The word for whose record it is: `hookscript`, `hookvisor`, `qm` and so on.
    #[must_use]
    pub fn identifier(&self) -> &str {
        self.text("SYSLOG_IDENTIFIER").unwrap_or_default()
    }

    /// The guest.
    #[must_use]
    pub fn vmid(&self) -> Option<Vmid> {
        self.parsed("GUEST_VMID")
    }

    /// The phase.
    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        self.parsed("HOOK_PHASE")
    }

    /// The hookscript.
    #[must_use]
    pub fn script(&self) -> Option<&str> {
        self.text("HOOK_SCRIPT")
    }

    /// On which of its outputs a hookscript printed the line; none for other records.
    #[must_use]
    pub fn stream(&self) -> Option<Stream> {
        [Stream::Stdout, Stream::Stderr].into_iter().find(|s| self.text("HOOK_STREAM") == Some(s.as_str()))
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> Option<RunId> {
        self.parsed("RUN_ID")
    }

    /// The task.
    #[must_use]
    pub fn task(&self) -> Option<Upid> {
        self.parsed("TASK_UPID")
    }

    fn parsed<T: FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.into_bytes()),
        Value::Array(numbers) => {
            numbers.iter().map(|number| number.as_u64().and_then(|n| u8::try_from(n).ok())).collect()
        }
        Value::Number(number) => Some(number.to_string().into_bytes()),
        Value::Null | Value::Bool(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_form_of_a_value_is_read() {
        let line = br#"{"__REALTIME_TIMESTAMP":"7","MESSAGE":[97,255],"A":["x",[254]],"B":null,"C":"y"}"#;
        let record = LogRecord::parse(line).unwrap();
        assert_eq!((record.time_usec, record.message()), (7, b"a\xff".as_slice()));
        assert_eq!(record.fields["A"], [b"x".to_vec(), vec![254]]);
        assert_eq!((record.bytes("B"), record.text("C")), (None, Some("y")));
    }

    #[test]
    fn the_time_of_making_counts_before_that_of_arrival() {
        let line = br#"{"__REALTIME_TIMESTAMP":"9","RECORD_TIME_USEC":"7"}"#;
        assert_eq!(LogRecord::parse(line).unwrap().time_usec, 7);
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line: Vec<u8>) {
            let _ = LogRecord::parse(&line);
        }
    }
}
