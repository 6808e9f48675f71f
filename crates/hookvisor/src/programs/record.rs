//! A record of the journal as a line for people.

use super::print::{field, plain};
use crate::clock::local_time;
use ::record::journal::Priority;
use model::Stream;
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
    let message = said(&record["message"], record["stream"].as_str(), record["priority"].as_u64())
        .trim_end()
        .replace('\n', &format!("\n{:49}", ""));
    format!("{when}  {:>6} {:<10} {mark} {message}\n", field(record, "vmid"), field(record, "phase"))
}

/// A line of an output, with its priority in a word where it is not the output's usual one; other messages as they are.
pub(crate) fn said(text: &Value, stream: Option<&str>, known: Option<u64>) -> String {
    let text = message(text);
    match stream {
        Some("stdout") => Priority::shown(&text, Stream::Stdout, known),
        Some("stderr") => Priority::shown(&text, Stream::Stderr, known),
        _ => text,
    }
}

/// Lines as programs are told of them: as they are, and with the priority that they begin with.
pub(crate) fn with_priorities(lines: &mut Value) {
    for line in lines.as_array_mut().into_iter().flatten() {
        let priority =
            Priority::prefix(message(&line["text"]).as_bytes()).map(|(priority, _)| priority as u8);
        if let Some(priority) = priority {
            line["priority"] = priority.into();
        }
    }
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
    fn a_priority_is_a_word_where_it_is_not_the_usual_one() {
        for (text, stream, known, want) in [
            ("<3>no such device", "stderr", None, "error: no such device"),
            ("<4>hm", "stderr", None, "hm"),
            ("<6>hm", "stdout", None, "hm"),
            ("<7>hm", "stdout", None, "debug: hm"),
            ("<9>hm", "stdout", None, "<9>hm"),
            ("no such device", "stderr", Some(3), "error: no such device"),
            ("<3>x", "stderr", Some(4), "<3>x"),
        ] {
            assert_eq!(said(&json!(text), Some(stream), known), want, "{text}");
        }
        assert_eq!(said(&json!("<3>x"), None, None), "<3>x");
        let mut lines = json!([{"text": "<3>x"}, {"text": "y"}]);
        with_priorities(&mut lines);
        assert_eq!(lines, json!([{"text": "<3>x", "priority": 3}, {"text": "y"}]));
    }

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
