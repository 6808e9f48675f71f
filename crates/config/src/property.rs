//! Property strings: `local:100/vm-100-disk-0.raw,size=4G` (lifecycle.md 5.2).
//!
//! Parts are separated by commas and are `key=value`, or the default key's value alone. The keys that a string may
//! have are a table of [`Property`].

use crate::format::Format;
use crate::schema::{self, Errors, Property, Type};
use crate::text;
use std::collections::BTreeMap;

/// Why a text is no property string of its kind; it displays Proxmox VE's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PropertyError {
    /// A key that is there twice.
    #[error("duplicate key in comma-separated list property: {0}")]
    Duplicate(String),
    /// Two names for the key that an alias sets.
    #[error("key alias '{0}' is already defined")]
    AliasDefined(&'static str),
    /// A part with nothing on one side of its `=`.
    #[error("missing key in comma-separated list property")]
    MissingKey,
    /// A value alone where no key is the default.
    #[error("value without key, but schema does not define a default key")]
    NoDefaultKey,
    /// A value that would end its part.
    #[error("value of '{0}' contains a comma or a line break")]
    Separator(String),
    /// Keys that are unknown or missing, and invalid values.
    #[error("format error\n{}", .0.to_string().trim_end_matches('\n'))]
    Invalid(Errors),
}

/// A property string's values by key. Booleans are `0` or `1`, aliases are resolved.
#[derive(Debug, Clone)]
pub struct Properties {
    fields: &'static [Property],
    values: BTreeMap<String, String>,
}

/// Reads a property string.
///
/// # Errors
/// The first part that cannot be read, or all values that are invalid, by key.
pub fn parse(text: &str, fields: &'static [Property]) -> Result<Properties, PropertyError> {
    parse_at("", text, fields)
}

/// Reads a property string that is the value of `path`, which errors name: `net0.bridge`.
///
/// # Errors
/// As [`parse`].
pub fn parse_at(path: &str, text: &str, fields: &'static [Property]) -> Result<Properties, PropertyError> {
    let mut properties = Properties { fields, values: BTreeMap::new() };
    for part in text.split(',').filter(|part| !text::trim(part.as_bytes()).is_empty()) {
        match part.split_once('=') {
            Some((key, value)) if !key.is_empty() && !value.is_empty() => properties.add(key, value)?,
            Some(_) => return Err(PropertyError::MissingKey),
            None => {
                let default =
                    fields.iter().find(|field| field.default_key).ok_or(PropertyError::NoDefaultKey)?;
                properties.add(default.name, part)?;
            }
        }
    }
    let mut errors = Errors::default();
    let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
    schema::check_all(fields, properties.iter(), &prefix, &mut errors);
    if errors.is_empty() { Ok(properties) } else { Err(PropertyError::Invalid(errors)) }
}

impl Properties {
    /// An empty one, to be filled with [`Properties::set`].
    #[must_use]
    pub fn new(fields: &'static [Property]) -> Self {
        Self { fields, values: BTreeMap::new() }
    }

    fn add(&mut self, key: &str, value: &str) -> Result<(), PropertyError> {
        let mut key = key;
        if let Some(alias) = self.fields.iter().find(|field| field.name == key)
            && let Some(of) = alias.alias
        {
            if let Some(named) = alias.key_alias
                && self.values.insert(named.to_owned(), key.to_owned()).is_some()
            {
                return Err(PropertyError::AliasDefined(named));
            }
            key = of;
        }
        let boolean = schema::find(self.fields, key).is_some_and(|field| matches!(field.kind, Type::Boolean));
        let value = match text::parse_boolean(value).filter(|_| boolean) {
            Some(flag) => u8::from(flag).to_string(),
            None => value.to_owned(),
        };
        match self.values.insert(key.to_owned(), value) {
            None => Ok(()),
            Some(_) => Err(PropertyError::Duplicate(key.to_owned())),
        }
    }

    /// The value of a key; none where it is absent.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// A boolean value, or `default` where it is absent.
    #[must_use]
    pub fn flag(&self, key: &str, default: bool) -> bool {
        self.get(key).map_or(default, |value| value == "1")
    }

    /// A whole number; none where it is absent.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<u64> {
        self.get(key)?.parse().ok()
    }

    /// A disk size in bytes; none where it is absent.
    #[must_use]
    pub fn size(&self, key: &str) -> Option<u64> {
        text::parse_size(self.get(key)?)
    }

    /// Keys and values, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.values.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Sets a key.
    ///
    /// # Errors
    /// A key that is not known, an invalid value, or one with a comma in it.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), PropertyError> {
        if value.contains([',', '\n']) {
            return Err(PropertyError::Separator(key.to_owned()));
        }
        let mut errors = Errors::default();
        match schema::find(self.fields, key).map(|field| field.check(key, value)) {
            Some(Ok(())) => {}
            Some(Err(text)) => errors.add(key, &text),
            None => errors.add(
                key,
                "property is not defined in schema and the schema does not allow additional properties",
            ),
        }
        errors.into_result().map_err(PropertyError::Invalid)?;
        self.values.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// Removes a key; says the value it had.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        self.values.remove(key)
    }

    /// The text: the default key first, without its name, then what is required, then the others, each by name.
    #[must_use]
    pub fn print(&self) -> String {
        let rank = |key: &str| match schema::find(self.fields, key) {
            Some(field) if field.default_key => 0,
            Some(field) if !field.optional => 1,
            Some(_) | None => 2,
        };
        let mut keys: Vec<(u8, &str)> = self.values.keys().map(|key| (rank(key), key.as_str())).collect();
        keys.sort_unstable();
        // `model=virtio,macaddr=MAC` is written `virtio=MAC`.
        let alias = self.fields.iter().find(|field| {
            let named = field.key_alias.and_then(|key| self.get(key));
            named == Some(field.name) && field.alias.is_some_and(|of| self.values.contains_key(of))
        });
        let (named, of) = alias.map_or((None, None), |alias| (alias.key_alias, alias.alias));
        let mut parts = Vec::with_capacity(keys.len());
        for (rank, key) in keys {
            let value = self.printed_value(key);
            if Some(key) == named
                && let Some(of) = of
            {
                parts.push(format!("{value}={}", self.printed_value(of)));
            } else if rank == 0 && !value.contains('=') {
                parts.push(value);
            } else if Some(key) != of {
                parts.push(format!("{key}={value}"));
            }
        }
        parts.join(",")
    }

    fn printed_value(&self, key: &str) -> String {
        let value = self.get(key).unwrap_or_default();
        let field = schema::find(self.fields, key);
        match field.and_then(|field| field.format) {
            Some(Format::DiskSize) => {
                text::parse_size(value).map_or_else(|| value.to_owned(), text::format_size)
            }
            _ => value.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static NET: [Property; 7] = [
        Property::string("model").default_key().one_of(&["e1000", "virtio"]),
        Property::string("macaddr").optional().format(Format::Mac),
        Property::alias("virtio", "macaddr").key_alias("model"),
        Property::alias("e1000", "macaddr").key_alias("model"),
        Property::string("bridge").optional(),
        Property::boolean("firewall").optional(),
        Property::string("size").optional().format(Format::DiskSize),
    ];

    #[test]
    fn it_reads_back_as_printed_and_prints_in_order() {
        for (text, printed) in [
            ("virtio=BC:24:11:00:00:01,bridge=vmbr0", "virtio=BC:24:11:00:00:01,bridge=vmbr0"),
            (
                "firewall=yes,bridge=vmbr0,macaddr=BC:24:11:00:00:01,model=e1000",
                "e1000=BC:24:11:00:00:01,bridge=vmbr0,firewall=1",
            ),
            (" ,virtio,,size=1024M", "virtio,size=1G"),
        ] {
            let properties = parse(text, &NET).unwrap();
            assert_eq!(properties.print(), printed);
            assert_eq!(parse(printed, &NET).unwrap().print(), printed);
        }
        let properties = parse("virtio=BC:24:11:00:00:01", &NET).unwrap();
        assert_eq!(
            (properties.get("model"), properties.get("macaddr")),
            (Some("virtio"), Some("BC:24:11:00:00:01"))
        );
    }

    #[test]
    fn texts_are_those_of_proxmox() {
        for (text, error) in [
            ("bridge=a,bridge=b", "duplicate key in comma-separated list property: bridge"),
            ("virtio,e1000", "duplicate key in comma-separated list property: model"),
            ("model=virtio,e1000=BC:24:11:00:00:01", "key alias 'model' is already defined"),
            ("virtio,bridge=", "missing key in comma-separated list property"),
            ("virtio,=x", "missing key in comma-separated list property"),
            ("bridge=vmbr0", "format error\nnet0.model: property is missing and it is not optional"),
            (
                "virtio,brige=vmbr0",
                "format error\nnet0.brige: property is not defined in schema and the schema does not allow additional properties",
            ),
            (
                "foo,firewall=2",
                "format error\nnet0.firewall: type check ('boolean') failed - got '2'\n\
                 net0.model: value 'foo' does not have a value in the enumeration 'e1000, virtio'",
            ),
        ] {
            assert_eq!(parse_at("net0", text, &NET).unwrap_err().to_string(), error);
        }
        assert_eq!(parse("x", &NET[4..]).unwrap_err(), PropertyError::NoDefaultKey);
    }

    #[test]
    fn a_value_that_would_break_the_string_cannot_be_set() {
        let mut properties = parse("virtio", &NET).unwrap();
        assert_eq!(properties.set("bridge", "a,b"), Err(PropertyError::Separator("bridge".to_owned())));
        assert!(properties.set("nope", "x").is_err());
        assert_eq!(properties.set("bridge", "vmbr1"), Ok(()));
        assert_eq!(properties.print(), "virtio,bridge=vmbr1");
    }
}
