//! A record of the journal as a line for people.

use super::print::{field, plain};
use crate::clock::local_time;
use serde_json::Value;

/// `2026-11-22 19:16:02.123  100 pre-start   out | text`
pub(crate) fn line(record: &Value) -> String {
    let when = record["time_usec"].as_u64().map(|usec| local_time(usec / 1000)).unwrap_or_default();
    let mark = match record["stream"].as_str() {
        Some("stdout") => "out |",
        Some("stderr") => "err |",
        _ => "    -",
    };
    // The lines of a message that has several stand below each other.
    let message = message(&record["message"]).trim_end().replace('\n', &format!("\n{:49}", ""));
    format!("{when}  {:>6} {:<10} {mark} {message}\n", field(record, "vmid"), field(record, "phase"))
}

/// Text as it is; bytes that are none as an array of numbers, with what is readable of them.
pub(crate) fn message(value: &Value) -> String {
    let Value::Array(numbers) = value else { return plain(value) };
    let bytes: Vec<u8> = numbers.iter().filter_map(|number| u8::try_from(number.as_u64()?).ok()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_says_when_who_and_what() {
        let record = json!({
            "time_usec": 1_795_374_947_497_000_u64, "vmid": 100, "phase": "pre-start", "stream": "stderr",
            "message": [111, 255],
        });
        let line = line(&record);
        assert!(line.ends_with("     100 pre-start  err | o\u{fffd}\n"), "{line}");
        assert!(line.contains(":47.497 "), "{line}");
    }
}
