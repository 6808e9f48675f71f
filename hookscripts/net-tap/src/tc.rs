//! tc(8) and bridge(8), asked and told.

use hookscript::command::{self, Limit};
use hookscript::serde_json::{self, Value};
use hookscript::{Error, Result};
use std::time::Duration;

const LIMIT: Limit = Limit::of(Duration::from_secs(20));
/// Filters of this script begin at this preference, behind those that others set by hand.
const FIRST: u64 = 20_000;
/// Both directions of a device.
const DIRECTIONS: [&str; 2] = ["ingress", "egress"];

fn tc(words: &[&str]) -> Result<String> {
    Ok(command::run("tc", words, LIMIT)?.text())
}

fn list(text: &str) -> Result<Vec<Value>> {
    if text.trim().is_empty() { Ok(Vec::new()) } else { serde_json::from_str(text).map_err(Error::from) }
}

/// Whether filters can be put at both directions of a device already.
pub(crate) fn has_classes(device: &str) -> Result<bool> {
    let found = list(&tc(&["-j", "qdisc", "show", "dev", device])?)?;
    if found.iter().any(|one| one["kind"] == "ingress") {
        return Err(format!(
            "{device} has the queueing discipline 'ingress', beside which 'clsact' cannot be"
        )
        .into());
    }
    Ok(found.iter().any(|one| one["kind"] == "clsact"))
}

/// Makes it so.
pub(crate) fn add_classes(device: &str) -> Result<()> {
    tc(&["qdisc", "add", "dev", device, "clsact"]).map(drop)
}

/// Undoes it, unless somebody else has put filters there meanwhile.
pub(crate) fn remove_classes(device: &str) -> Result<()> {
    if !has_classes(device)? || !preferences(device)?.is_empty() {
        return Ok(());
    }
    tc(&["qdisc", "del", "dev", device, "clsact"]).map(drop)
}

/// The preferences of all filters at a device.
fn preferences(device: &str) -> Result<Vec<u64>> {
    let mut found = Vec::new();
    for direction in DIRECTIONS {
        let filters = list(&tc(&["-j", "filter", "show", "dev", device, direction])?)?;
        found.extend(filters.iter().filter_map(|filter| filter["pref"].as_u64()));
    }
    Ok(found)
}

/// A preference that no filter has.
pub(crate) fn free_preference(device: &str) -> Result<u64> {
    let taken = if has_classes(device)? { preferences(device)? } else { Vec::new() };
    (FIRST..).find(|one| !taken.contains(one)).ok_or_else(|| "no preference is free".into())
}

/// Copies all that comes to a device and all that leaves it to another.
pub(crate) fn add_mirror(from: &str, to: &str, preference: u64) -> Result<()> {
    let preference = preference.to_string();
    for direction in DIRECTIONS {
        let place = ["filter", "add", "dev", from, direction, "pref", &preference, "protocol", "all"];
        let what = ["u32", "match", "u32", "0", "0", "action", "mirred", "egress", "mirror", "dev", to];
        tc(&[&place[..], &what[..]].concat())?;
    }
    Ok(())
}

/// Takes both filters away, as far as they are there.
pub(crate) fn remove_mirror(from: &str, preference: u64) -> Result<()> {
    if !has_classes(from)? || !preferences(from)?.contains(&preference) {
        return Ok(());
    }
    let preference = preference.to_string();
    let gone = |direction: &&&str| {
        let left = tc(&["-j", "filter", "show", "dev", from, direction, "pref", &preference]);
        left.and_then(|text| list(&text)).is_ok_and(|filters| filters.is_empty())
    };
    for direction in DIRECTIONS.iter().filter(|direction| !gone(direction)) {
        tc(&["filter", "del", "dev", from, direction, "pref", &preference])?;
    }
    Ok(())
}

/// Whether a device forwards to an address by an entry of its own.
pub(crate) fn has_entry(mac: &str, device: &str) -> Result<bool> {
    let entries = list(&command::run("bridge", ["-j", "fdb", "show", "dev", device], LIMIT)?.text())?;
    let own = |entry: &Value| entry["mac"] == mac && entry["master"].is_null();
    Ok(entries.iter().any(own))
}

/// Adds (`add`) or removes (`del`) such an entry.
pub(crate) fn entry(verb: &str, mac: &str, device: &str) -> Result<()> {
    command::run("bridge", ["fdb", verb, mac, "dev", device, "self", "permanent"], LIMIT).map(drop)
}
