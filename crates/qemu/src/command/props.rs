use super::CommandError;
use config::format::Format;
use config::property::{self, Properties};
use model::GuestKind;

/// The value of an option that is a property string, read by the option's own table of keys.
#[derive(Debug)]
pub(super) struct Props {
    key: String,
    /// None for an absent option, which has none of its keys.
    properties: Option<Properties>,
}

impl Props {
    /// Reads the value of the option `key`.
    pub(super) fn parse(key: &str, text: &str) -> Result<Self, CommandError> {
        let format = config::options::find(GuestKind::Qemu, key).and_then(|option| option.format);
        let Some(Format::Properties(fields)) = format else {
            return Err(CommandError::invalid(key, "the option is not known"));
        };
        let properties = property::parse_at(key, text, fields)
            .map_err(|source| CommandError::Property { key: key.to_owned(), source })?;
        Ok(Self { key: key.to_owned(), properties: Some(properties) })
    }

    /// Reads an option of a section, which may be absent.
    pub(super) fn of(main: &config::Section, key: &str) -> Result<Self, CommandError> {
        match main.get(key) {
            Some(text) => Self::parse(key, text),
            None => Ok(Self { key: key.to_owned(), properties: None }),
        }
    }

    /// The option that is read.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// A value.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.properties.as_ref()?.get(name)
    }

    /// A boolean.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).map(|value| value == "1")
    }

    /// A whole number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.properties.as_ref()?.number(name)
    }

    /// The error of a value that is not `what` it should be.
    pub(super) fn invalid(&self, name: &str, what: &str) -> CommandError {
        let value = self.get(name).unwrap_or_default();
        CommandError::invalid(&self.key, format!("{name}: value '{value}' is not {what}"))
    }
}
