//! Parameters where Proxmox VE calls: `params` of `/etc/hookvisor/hooks.conf`, as hookvisor reads them (docs/hook-settings.md).

use crate::{Call, Result};
use std::fs;
use std::os::unix::fs::MetadataExt;

/// The value that holds for the guest: its own, else that of the host.
pub(crate) fn read(call: &Call, name: &str) -> Result<Option<String>> {
    let path = call.at("etc/hookvisor/hooks.conf");
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(crate::error::at("read", &path))?,
    };
    let metadata = fs::metadata(&path).map_err(crate::error::at("look at", &path))?;
    if metadata.uid() != 0 || metadata.mode() & 0o022 != 0 {
        return Err(format!("'{}' is refused: others than root may write to it", path.display()).into());
    }
    let own = value(&text, &format!("guest {}", call.vmid), name);
    Ok(own.or_else(|| value(&text, "host", name)).filter(|value| !value.is_empty()))
}

/// The last value of a name in a section.
fn value(text: &str, wanted: &str, name: &str) -> Option<String> {
    let mut section = "";
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if let Some(heading) = line.strip_prefix('[') {
            section = heading.trim_end_matches(']').trim();
        } else if section == wanted
            && let Some((key, list)) = line.split_once('=')
            && key.trim() == "params"
        {
            found =
                items(list).into_iter().rev().find(|(key, _)| key == name).map(|(_, value)| value).or(found);
        }
    }
    found
}

/// The pairs of `NAME=VALUE,NAME="VALUE, WITH COMMAS"`.
fn items(list: &str) -> Vec<(String, String)> {
    let (mut items, mut item, mut quoted) = (Vec::new(), String::new(), false);
    for c in list.chars().chain([',']) {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => items.push(std::mem::take(&mut item)),
            c => item.push(c),
        }
    }
    let pair = |item: String| {
        let (name, value) = item.split_once('=')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    };
    items.into_iter().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[guest 100]\n params = bond=bond1, greeting=\"good, morning\"\nparams=bond=bond2\n\
        [host]\ntimeout=5m\nparams = bond=bond0,only=1\n";

    #[test]
    fn values_are_found_by_section() {
        let value = |section: &str, name: &str| value(TEXT, section, name);
        assert_eq!(value("guest 100", "bond").as_deref(), Some("bond2"));
        assert_eq!(value("guest 100", "greeting").as_deref(), Some("good, morning"));
        assert_eq!(value("host", "only").as_deref(), Some("1"));
        assert_eq!(
            (value("guest 100", "only"), value("guest 101", "bond"), value("host", "timeout")),
            (None, None, None)
        );
    }
}
