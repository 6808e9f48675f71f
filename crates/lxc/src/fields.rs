//! The property strings that a start reads, by their tables.

use config::format::Format;
use config::options;
use config::property::{self, Properties, PropertyError};
use model::GuestKind;

/// Reads the value of an option such as `net0`.
pub(crate) fn read(key: &str, value: &str) -> Result<Properties, PropertyError> {
    let table = options::find_in_file(GuestKind::Lxc, key).and_then(|option| option.format);
    match table {
        Some(Format::Properties(fields)) => property::parse_at(key, value, fields),
        _ => property::parse_at(key, value, &[]),
    }
}
