//! Records as journalctl prints them: written down again they read back as the same record.

use record::log::LogRecord;
use serde_json::{Map, Value};

/// What journalctl printed.
pub(crate) fn lines(bytes: &[u8]) {
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some(record) = LogRecord::parse(line) else { continue };
        let object: Map<String, Value> =
            record.fields.iter().map(|(name, values)| (name.clone(), field(values))).collect();
        let printed = Value::Object(object).to_string();
        assert_eq!(LogRecord::parse(printed.as_bytes()).as_ref(), Some(&record), "{printed}");
        let _ =
            (record.priority(), record.vmid(), record.phase(), record.stream(), record.run(), record.task());
        let _ = (record.message(), record.identifier(), record.script());
    }
}

fn field(values: &[Vec<u8>]) -> Value {
    match values {
        [] => Value::Null,
        [one] => value(one),
        several => several.iter().map(|bytes| value(bytes)).collect(),
    }
}

fn value(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.into(),
    }
}
