//! What holds whatever a parser of outside data is given.
//!
//! A body takes any bytes and panics where a property does not hold for them. The tests of this crate call each body with
//! its corpus and with generated input; the targets in `fuzz/` call the same bodies.

mod agent;
mod control;
mod guest_config;
mod hooks;
mod ids;
mod ledger;
mod listen;
mod log_record;
mod monitor;
mod property_string;
mod sections;
mod socket;
mod storage_cfg;
mod user_cfg;

/// Panics where a property does not hold for these bytes.
pub type Body = fn(&[u8]);

/// All bodies, by the name of their corpus and of their fuzz target.
pub const BODIES: [(&str, Body); 15] = [
    ("agent", agent::replies),
    ("control_replies", control::replies),
    ("control_requests", control::requests),
    ("guest_config", guest_config::files),
    ("hooks_conf", hooks::conf),
    ("ids", ids::texts),
    ("ledger", ledger::files),
    ("listen", listen::settings),
    ("log_record", log_record::lines),
    ("monitor", monitor::lines),
    ("property_string", property_string::texts),
    ("script_header", hooks::header),
    ("sections", sections::files),
    ("storage_cfg", storage_cfg::files),
    ("user_cfg", user_cfg::files),
];

/// The body of a name.
///
/// # Panics
/// Where there is none.
#[must_use]
pub fn body(name: &str) -> Body {
    let found = BODIES.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("there is no body '{name}'")).1
}

/// How many lines bytes have, the last one counted also where it does not end.
fn line_count(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count()
}
