use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A text that is no volume id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unable to parse volume ID '{0}'")]
pub struct InvalidVolumeId(pub String);

/// The name of a storage: a letter, then letters, digits, `-`, `_` and `.`, ending in a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StorageId(String);

impl StorageId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StorageId {
    type Err = crate::InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = text.as_bytes();
        let inner = bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b));
        let ends = bytes.first().is_some_and(u8::is_ascii_alphabetic)
            && bytes.last().is_some_and(u8::is_ascii_alphanumeric);
        if inner && ends && bytes.len() >= 2 {
            Ok(Self(text.to_owned()))
        } else {
            Err(crate::InvalidId { what: "storage ID", value: text.to_owned() })
        }
    }
}

impl fmt::Display for StorageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for StorageId {
    type Error = crate::InvalidId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<StorageId> for String {
    fn from(id: StorageId) -> String {
        id.0
    }
}

/// A volume: `<storage>:<name>`. Whether the storage exists and understands the name is the storage's business.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VolumeId {
    storage: StorageId,
    name: String,
}

impl VolumeId {
    /// Puts a storage and a volume name together; the name must not be empty.
    #[must_use]
    pub fn new(storage: StorageId, name: &str) -> Option<Self> {
        (!name.is_empty() && !name.contains('\n')).then(|| Self { storage, name: name.to_owned() })
    }

    /// The storage's id.
    #[must_use]
    pub fn storage(&self) -> &StorageId {
        &self.storage
    }

    /// What follows the colon.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for VolumeId {
    type Err = InvalidVolumeId;

    fn from_str(text: &str) -> Result<Self, InvalidVolumeId> {
        let invalid = || InvalidVolumeId(text.to_owned());
        let (storage, name) = text.split_once(':').ok_or_else(invalid)?;
        Self::new(storage.parse().map_err(|_| invalid())?, name).ok_or_else(invalid)
    }
}

impl fmt::Display for VolumeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.storage, self.name)
    }
}

impl TryFrom<String> for VolumeId {
    type Error = InvalidVolumeId;

    fn try_from(text: String) -> Result<Self, InvalidVolumeId> {
        text.parse()
    }
}

impl From<VolumeId> for String {
    fn from(id: VolumeId) -> String {
        id.to_string()
    }
}

/// What a storage may hold, by Proxmox VE's names (api.md 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContentType {
    /// Disk images of virtual machines.
    Images,
    /// Volumes of containers.
    Rootdir,
    /// CD images.
    Iso,
    /// Container templates.
    Vztmpl,
    /// Backups.
    Backup,
    /// Hookscripts and other small files.
    Snippets,
    /// Files to import guests from.
    Import,
    /// Nothing.
    None,
}

impl ContentType {
    /// Every content type.
    pub const ALL: [Self; 8] = [
        Self::Images,
        Self::Rootdir,
        Self::Iso,
        Self::Vztmpl,
        Self::Backup,
        Self::Snippets,
        Self::Import,
        Self::None,
    ];

    /// Its name in `storage.cfg`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Rootdir => "rootdir",
            Self::Iso => "iso",
            Self::Vztmpl => "vztmpl",
            Self::Backup => "backup",
            Self::Snippets => "snippets",
            Self::Import => "import",
            Self::None => "none",
        }
    }
}

impl FromStr for ContentType {
    type Err = crate::InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|content| content.as_str() == text)
            .ok_or_else(|| crate::InvalidId { what: "content type", value: text.to_owned() })
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_id_is_a_storage_and_the_rest() {
        let id: VolumeId = "local:snippets/a b:c.sh".parse().unwrap();
        assert_eq!((id.storage().as_str(), id.name()), ("local", "snippets/a b:c.sh"));
        assert_eq!(id.to_string(), "local:snippets/a b:c.sh");
    }

    #[test]
    fn other_texts_are_refused_by_name() {
        for bad in [
            "",
            "hook.sh",
            "/var/lib/vz/snippets/hook.sh",
            "local:",
            ":x",
            "l:x",
            "1x:y",
            "loc al:x",
            "a-:x",
            "local:a\nb",
        ] {
            assert_eq!(bad.parse::<VolumeId>(), Err(InvalidVolumeId(bad.to_owned())));
        }
    }
}
