use super::ConfigurationError;
use std::path::Path;

/// LXC's configuration as it grows, lxc.container.conf(5).
pub(super) struct Text(pub(super) String);

impl Text {
    /// Adds a line.
    pub(super) fn set(&mut self, key: &str, value: impl AsRef<str>) -> Result<(), ConfigurationError> {
        let value = value.as_ref();
        if key.chars().chain(value.chars()).any(char::is_control) {
            return Err(ConfigurationError::Unprintable { key: key.to_owned() });
        }
        // LXC takes one pair of quotes off that surrounds the whole value.
        let quote = ['"', '\'']
            .into_iter()
            .find(|quote| value.len() > 1 && value.starts_with(*quote) && value.ends_with(*quote));
        let around = quote.map(String::from).unwrap_or_default();
        self.0.push_str(&format!("{key} = {around}{value}{around}\n"));
        Ok(())
    }
}

/// A path as text.
pub(super) fn utf8<'a>(key: &str, path: &'a Path) -> Result<&'a str, ConfigurationError> {
    let unprintable = || ConfigurationError::Unprintable { key: key.to_owned() };
    path.to_str().filter(|text| !text.chars().any(char::is_control)).ok_or_else(unprintable)
}
