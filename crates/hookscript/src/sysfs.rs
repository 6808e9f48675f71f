//! Files of sysfs(5): short texts.

use crate::{Error, Result};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

/// The text of an attribute; none where it is not there.
pub(crate) fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim_end().to_owned())
}

/// A hexadecimal number, with or without `0x`.
pub(crate) fn hex(path: &Path) -> Option<u32> {
    let text = read(path)?;
    u32::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}

/// Writes an attribute, which must be there, in one write(2).
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    let written =
        OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Error::from(format!("cannot write '{text}' to '{}': {error}", path.display())))
}

/// The name of what a link points to: a driver, a group.
pub(crate) fn link_name(path: &Path) -> Option<String> {
    Some(fs::read_link(path).ok()?.file_name()?.to_string_lossy().into_owned())
}
