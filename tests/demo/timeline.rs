//! Records as a table: when, which guest, which phase, what.

use e2e::journal::{Record, text};

/// Prints what concerns a guest's phases, starts and ends.
pub(crate) fn print(records: &[Record]) {
    let begin = records.iter().find_map(time).unwrap_or_default();
    println!("{:>10}  {:<6}  {:<10}  what", "seconds", "guest", "phase");
    for record in records {
        let phase = text(record, "HOOK_PHASE");
        let kept = ["STOP_CAUSE", "GUEST_PID"].iter().any(|field| record.contains_key(*field));
        if phase.is_empty() && !kept {
            continue;
        }
        let seconds = time(record).map_or(0.0, |time| time.saturating_sub(begin) as f64 / 1e6);
        let kind = if text(record, "GUEST_KIND") == "lxc" { "CT" } else { "VM" };
        let guest = format!("{kind} {}", text(record, "GUEST_VMID"));
        println!("{seconds:>10.3}  {guest:<6}  {phase:<10}  {}", what(record, &guest, &phase));
    }
}

/// In microseconds since the epoch.
fn time(record: &Record) -> Option<u64> {
    ["_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP"]
        .iter()
        .find_map(|field| text(record, field).parse().ok())
}

/// The message, less what the columns before it say.
fn what(record: &Record, guest: &str, phase: &str) -> String {
    let message = text(record, "MESSAGE");
    match text(record, "HOOK_STREAM").as_str() {
        "stdout" => format!("  | {message}"),
        "stderr" => format!("  ! {message}"),
        _ => {
            let rest = message.strip_prefix(guest).unwrap_or(&message).trim_start_matches([':', ' ']);
            rest.strip_prefix(phase).unwrap_or(rest).trim_start().to_owned()
        }
    }
}
