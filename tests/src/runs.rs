//! What ledgers and the history hold, found wherever it stands in their JSON.

use serde_json::Value;
use std::fs;
use std::path::Path;

/// The events of a ledger, oldest first.
pub(crate) fn read_events(ledger: &Path) -> Vec<Value> {
    let text = fs::read_to_string(ledger).unwrap_or_default();
    text.lines().filter_map(|line| find_event(&serde_json::from_str(line).ok()?)).collect()
}

/// The event that a line carries.
pub(crate) fn find_event(line: &Value) -> Option<Value> {
    match line {
        Value::Object(fields) if fields.get("event").is_some_and(Value::is_string) => Some(line.clone()),
        Value::Object(fields) => fields.values().find_map(find_event),
        Value::Array(items) => items.iter().find_map(find_event),
        _ => None,
    }
}

/// Each run's begin and the phases that it called, wherever it stands in the history.
pub(crate) fn collect_runs(value: &Value, runs: &mut Vec<(u64, Vec<String>)>) {
    match value {
        Value::Object(fields) => match fields.get("phases").and_then(Value::as_array) {
            Some(calls) => {
                let phases =
                    calls.iter().filter_map(|call| call["phase"].as_str().map(str::to_owned)).collect();
                runs.push((fields.get("begun").and_then(Value::as_u64).unwrap_or_default(), phases));
            }
            None => fields.values().for_each(|value| collect_runs(value, runs)),
        },
        Value::Array(items) => items.iter().for_each(|value| collect_runs(value, runs)),
        _ => {}
    }
}
