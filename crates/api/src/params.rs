//! The parameters of a call, as they are after the check against the method's schema.

use model::{StorageId, Vmid, VolumeId};
use std::collections::BTreeMap;

/// One parameter's value as the transport brought it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// A text.
    One(String),
    /// An array, or a parameter that was given several times.
    Many(Vec<String>),
}

/// Checked parameters: a value for each, booleans as `1` and `0`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params {
    values: BTreeMap<String, Given>,
    called: &'static str,
}

impl Params {
    pub(crate) fn set(&mut self, name: &str, value: Given) {
        self.values.insert(name.to_owned(), value);
    }

    /// Notes the path of the method that they are for.
    pub(crate) fn calling(self, path: &'static str) -> Self {
        Self { called: path, ..self }
    }

    /// The path of the method that they are for, with its `{parameters}`.
    pub(crate) fn called(&self) -> &'static str {
        self.called
    }

    /// What a caller gave, as it is.
    pub(crate) fn unchecked(given: BTreeMap<String, Given>) -> Self {
        Self { values: given, called: "" }
    }

    /// Whether it was given.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// A text; none where it was not given.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.values.get(name)? {
            Given::One(text) => Some(text),
            Given::Many(list) => list.first().map(String::as_str),
        }
    }

    /// A boolean; `default` where it was not given.
    #[must_use]
    pub fn flag(&self, name: &str, default: bool) -> bool {
        self.text(name).map_or(default, |text| text == "1")
    }

    /// An integer that is not negative; none where it was not given.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// The words of an array, or of a list parameter (`a,b;c d`).
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<&str> {
        match self.values.get(name) {
            None => Vec::new(),
            Some(Given::Many(list)) => list.iter().map(String::as_str).collect(),
            Some(Given::One(text)) => {
                text.split([',', ';', ' ', '\t', '\n', '\0']).filter(|word| !word.is_empty()).collect()
            }
        }
    }

    /// The guest that the call is about.
    ///
    /// # Panics
    ///
    /// When the method does not require `vmid`, or the parameters were not checked.
    #[must_use]
    pub fn vmid(&self) -> Vmid {
        self.text("vmid").and_then(|text| text.parse().ok()).expect("a checked, required vmid")
    }

    /// A storage; none where it was not given.
    #[must_use]
    pub fn storage(&self, name: &str) -> Option<StorageId> {
        self.text(name)?.parse().ok()
    }

    /// A volume; none where it was not given or is no volume id.
    #[must_use]
    pub fn volume(&self, name: &str) -> Option<VolumeId> {
        self.text(name)?.parse().ok()
    }

    /// All of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Given)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl Given {
    /// The value as one text.
    #[must_use]
    pub fn joined(&self) -> String {
        match self {
            Self::One(text) => text.clone(),
            Self::Many(list) => list.join(","),
        }
    }
}
