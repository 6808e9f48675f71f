//! The layouts that programs share: `key: value` lines, configurations, JSON.

use crate::cli::Answer;
use crate::format::Format;
use config::text::percent_encode;
use serde_json::Value;
use std::fmt::Write as _;

/// A scalar as text; booleans as 0 and 1, nothing for null.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(flag) => u8::from(*flag).to_string(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => other.to_string(),
    }
}

/// A field of an object as text.
pub(crate) fn field(row: &Value, key: &str) -> String {
    plain(&row[key])
}

/// Sorted `key: value` lines; nested objects are indented by a tab for each level.
pub(crate) fn lines(value: &Value, skip: &[&str]) -> String {
    let mut text = String::new();
    nested(&mut text, value, skip, 0);
    text
}

fn nested(text: &mut String, value: &Value, skip: &[&str], depth: usize) {
    let Value::Object(map) = value else { return };
    let mut keys: Vec<&String> = map.keys().filter(|key| !skip.contains(&key.as_str())).collect();
    keys.sort();
    for key in keys {
        let indent = "\t".repeat(depth);
        match &map[key] {
            Value::Null => {}
            inner @ Value::Object(_) => {
                let _ = writeln!(text, "{indent}{key}:");
                nested(text, inner, &[], depth + 1);
            }
            scalar => {
                let _ = writeln!(text, "{indent}{key}: {}", plain(scalar));
            }
        }
    }
}

/// `qm config`, `pct config`: no digest, the description on one line, raw LXC settings last.
pub(crate) fn config(answer: &Answer<'_>) -> (String, u8) {
    let mut text = String::new();
    let Value::Object(map) = answer.value else { return (text, 0) };
    let mut keys: Vec<&String> = map.keys().filter(|key| !matches!(key.as_str(), "digest" | "lxc")).collect();
    keys.sort();
    for key in keys {
        let value = plain(&map[key]);
        let value = if key == "description" { percent_encode(&value) } else { value };
        let _ = writeln!(text, "{key}: {value}");
    }
    for pair in answer.value["lxc"].as_array().into_iter().flatten() {
        let _ = writeln!(text, "{}: {}", plain(&pair[0]), plain(&pair[1]));
    }
    (text, 0)
}

/// `qm pending`, `pct pending`: `cur`, `new` and `del` lines.
pub(crate) fn pending(answer: &Answer<'_>) -> (String, u8) {
    let mut text = String::new();
    for row in answer.value.as_array().into_iter().flatten() {
        let key = field(row, "key");
        if key == "digest" {
            continue;
        }
        let shown = |value: &Value| {
            let value = plain(value);
            if key == "description" { percent_encode(&value) } else { value }
        };
        if row.get("value").is_some() {
            let word = if row.get("delete").is_some() { "del" } else { "cur" };
            let _ = writeln!(text, "{word} {key}: {}", shown(&row["value"]));
        }
        if row.get("pending").is_some() {
            let _ = writeln!(text, "new {key}: {}", shown(&row["pending"]));
        }
    }
    (text, 0)
}

/// `qm status`, `pct status`: one line, or with `--verbose` all there is. The monitor's word for a virtual machine's
/// state goes before the plain one.
pub(crate) fn status(answer: &Answer<'_>) -> (String, u8) {
    if answer.params.flag("verbose", false) {
        return (lines(answer.value, &["ha", "cpu", "relcpu", "clipboard"]), 0);
    }
    let status = answer.value.get("qmpstatus").unwrap_or(&answer.value["status"]);
    (format!("status: {}\n", plain(status)), 0)
}

/// Pretty JSON of a result; nothing for an empty one.
pub(crate) fn json(answer: &Answer<'_>) -> (String, u8) {
    let empty = match answer.value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    };
    let text = if empty { None } else { Format::JsonPretty.print(answer.value) };
    (text.unwrap_or_default(), 0)
}

/// A text as it is.
pub(crate) fn text(answer: &Answer<'_>) -> (String, u8) {
    let text = plain(answer.value);
    (if text.is_empty() { text } else { text + "\n" }, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::Params;
    use serde_json::json;

    fn shown(print: fn(&Answer<'_>) -> (String, u8), value: &Value) -> String {
        print(&Answer { value, params: &Params::default() }).0
    }

    #[test]
    fn a_configuration_has_sorted_lines_and_an_encoded_description() {
        let value = json!({
            "digest": "x", "name": "t100", "description": "line one\nline two: colon %25 ü", "memory": "64",
            "boot": "", "lxc": [["lxc.cap.drop", ""], ["lxc.tty.max", "1"]],
        });
        let want = "boot: \ndescription: line one%0Aline two%3A colon %2525 %C3%BC\nmemory: 64\nname: t100\n\
                    lxc.cap.drop: \nlxc.tty.max: 1\n";
        assert_eq!(shown(config, &value), want);
    }

    #[test]
    fn pending_changes_stand_below_what_is_current() {
        let value = json!([
            {"key": "memory", "value": "64", "pending": "128"},
            {"key": "name", "value": "t100"},
            {"key": "cores", "value": 2, "delete": 1},
            {"key": "vga", "pending": "std"},
            {"key": "digest", "value": "x"},
        ]);
        let want = "cur memory: 64\nnew memory: 128\ncur name: t100\ndel cores: 2\nnew vga: std\n";
        assert_eq!(shown(pending, &value), want);
    }

    #[test]
    fn the_monitors_word_for_the_state_goes_first() {
        assert_eq!(shown(status, &json!({"status": "running", "qmpstatus": "paused"})), "status: paused\n");
        assert_eq!(shown(status, &json!({"status": "stopped"})), "status: stopped\n");
    }
}
