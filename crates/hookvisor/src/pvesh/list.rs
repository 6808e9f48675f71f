//! `pvesh ls`: what stands below a path, with a letter for each thing that can be done there.

use super::name_in;
use crate::run::Failure;
use api::{Context, Verb};

/// A line for each child; none where nothing is at the path.
pub(super) fn list(context: &Context<'_>, path: &str) -> Result<Option<String>, Failure> {
    let Some(below) = api::below(path) else { return Ok(None) };
    if below.is_empty() {
        let name = path.rsplit('/').next().unwrap_or_default();
        return Ok(Some(line(path, name)));
    }
    let child = |name: &str| format!("{}/{name}", path.trim_end_matches('/'));
    let mut names: Vec<String> =
        below.iter().filter(|name| !name.starts_with('{')).map(|name| (*name).to_owned()).collect();
    for parameter in below.iter().filter_map(|name| name.strip_prefix('{')?.strip_suffix('}')) {
        names.extend(there(context, path, parameter)?);
    }
    names.sort();
    names.dedup();
    Ok(Some(names.iter().map(|name| line(&child(name), name)).collect()))
}

/// The values that a parameter below a path has now, as the path's own method lists them.
pub(super) fn there(context: &Context<'_>, path: &str, parameter: &str) -> Result<Vec<String>, Failure> {
    if api::find(Verb::Get, path).is_none() {
        return Ok(Vec::new());
    }
    let rows = api::call(context, Verb::Get, path, []).map_err(Failure::Api)?;
    let key = if parameter == "volume" { "volid" } else { parameter };
    let keys = [key, "name", "subdir"];
    Ok(rows.as_array().into_iter().flatten().filter_map(|row| name_in(row, &keys)).collect())
}

/// `Dr-c-        agent`
fn line(path: &str, name: &str) -> String {
    let letter = |verb, letter| if api::find(verb, path).is_some() { letter } else { '-' };
    let folder = if api::below(path).is_some_and(|below| !below.is_empty()) { 'D' } else { '-' };
    let letters: String = [
        folder,
        letter(Verb::Get, 'r'),
        letter(Verb::Put, 'w'),
        letter(Verb::Post, 'c'),
        letter(Verb::Delete, 'd'),
    ]
    .into_iter()
    .collect();
    format!("{letters:<12} {name}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_say_what_can_be_done() {
        for (path, want) in [
            ("/nodes", "D"),
            ("/nodes/pve1/qemu/100", "Dr--d        100\n"),
            ("/nodes/pve1/qemu/100/config", "-rwc-        config\n"),
            ("/nodes/pve1/qemu/100/status", "Dr---        status\n"),
            ("/nodes/pve1/qemu/100/status/start", "---c-        start\n"),
        ] {
            let name = path.rsplit('/').next().unwrap();
            assert!(line(path, name).starts_with(want), "{}", line(path, name));
        }
    }
}
