//! Lines with a priority, for the systemd journal and for whoever reads the task.
//!
//! What is a warning or worse goes to standard error, the rest to standard output. hookvisor takes that for warnings and
//! information, and other priorities from a prefix as sd-daemon(3) has it; Proxmox VE would print the prefix, so it is not
//! written there.

use std::fmt::Display;
use std::io::Write;

const WARNING: u8 = 4;
const INFO: u8 = 6;

/// Something failed.
pub fn error(text: impl Display) {
    say(3, &text);
}

/// Something may be wrong.
pub fn warning(text: impl Display) {
    say(WARNING, &text);
}

/// Something worth noticing.
pub fn notice(text: impl Display) {
    say(5, &text);
}

/// In the ordinary course of things.
pub fn info(text: impl Display) {
    say(INFO, &text);
}

/// For whoever looks for a mistake.
pub fn debug(text: impl Display) {
    say(7, &text);
}

fn say(priority: u8, text: &dyn Display) {
    // Its run has an id, so it is hookvisor that calls.
    let understood = std::env::var_os("HOOKVISOR_RUN_ID").is_some();
    let usual = [INFO, WARNING].contains(&priority);
    for line in text.to_string().lines() {
        let line = if understood && !usual { format!("<{priority}>{line}\n") } else { format!("{line}\n") };
        // Nobody can be told where this fails.
        let _ = match priority {
            0..=WARNING => std::io::stderr().write_all(line.as_bytes()),
            _ => std::io::stdout().write_all(line.as_bytes()),
        };
    }
}
