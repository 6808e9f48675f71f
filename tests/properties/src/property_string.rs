//! Property strings: what is printed reads back as it is, and an error names the key.

use config::format::Format;
use config::property::{PropertyError, parse_at};
use config::schema::Property;
use config::{options, text};
use model::GuestKind;

/// A text, as the value of the option that the first byte picks: `<byte><text>`.
pub(crate) fn texts(bytes: &[u8]) {
    let Some((pick, text)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let tables = tables();
    let (name, fields) = tables[usize::from(*pick) % tables.len()];
    match parse_at(name, text, fields) {
        Ok(properties) => {
            let printed = properties.print();
            let again = parse_at(name, &printed, fields)
                .unwrap_or_else(|error| panic!("{name}: {text:?} is printed {printed:?}: {error}"));
            assert_eq!(again.print(), printed, "{name}: {text:?}");
            let values = |of: &config::property::Properties| -> Vec<(String, String)> {
                of.iter().map(|(key, value)| (key.to_owned(), plain(fields, key, value))).collect()
            };
            assert_eq!(values(&again), values(&properties), "{name}: {text:?} is printed {printed:?}");
        }
        Err(PropertyError::Invalid(errors)) => {
            let told = errors.to_string();
            assert!(told.contains(&format!("{name}.")), "{told:?} does not say where");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Sizes are printed with another unit.
fn plain(fields: &[Property], key: &str, value: &str) -> String {
    let format = config::schema::find(fields, key).and_then(|field| field.format);
    let size = text::parse_size(value).filter(|_| matches!(format, Some(Format::DiskSize)));
    size.map_or_else(|| value.to_owned(), |bytes| bytes.to_string())
}

/// The options whose values are property strings, with their keys.
fn tables() -> Vec<(&'static str, &'static [Property])> {
    let all = GuestKind::ALL.into_iter().flat_map(options::all);
    all.filter_map(|option| match option.format {
        Some(Format::Properties(fields)) => Some((option.name, fields)),
        _ => None,
    })
    .collect()
}
