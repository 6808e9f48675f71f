use crate::{InvalidId, Vmid, VolumeId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What the name of a drop-in begins with in records. No volume id does: a storage's name has no `/`.
const FOLDER: &str = "hooks.d/";

/// A hookscript that a phase may call, by the name that records have for it: `local:snippets/x.sh`, `hooks.d/10-x` or
/// `hooks.d/100/10-x`. The name is the same in every root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Script {
    /// The one that the guest's configuration names.
    Volume(VolumeId),
    /// A file of the drop-in folders.
    DropIn(DropIn),
}

/// A file of the drop-in folder for all guests, or of that for one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DropIn {
    // In this order they sort as they are called: by name, the host's before the guest's of the same name.
    name: String,
    guest: Option<Vmid>,
}

impl DropIn {
    /// The drop-in with a file name; for all guests where `guest` is none. None where the name cannot be one: it is empty,
    /// hidden, longer than 255 bytes, has a `/` or a control character in it, or is a number where folders of guests are.
    #[must_use]
    pub fn new(guest: Option<Vmid>, name: &str) -> Option<Self> {
        let plain = (1..=255).contains(&name.len())
            && !name.starts_with('.')
            && !name.chars().any(|c| c == '/' || c.is_control())
            && (guest.is_some() || !name.bytes().all(|byte| byte.is_ascii_digit()));
        plain.then(|| Self { name: name.to_owned(), guest })
    }

    /// The file's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The guest that it is for; none where it is for all.
    #[must_use]
    pub fn guest(&self) -> Option<Vmid> {
        self.guest
    }
}

impl fmt::Display for DropIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.guest {
            Some(vmid) => write!(f, "{FOLDER}{vmid}/{}", self.name),
            None => write!(f, "{FOLDER}{}", self.name),
        }
    }
}

impl FromStr for Script {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let script = match text.strip_prefix(FOLDER) {
            None => text.parse().ok().map(Self::Volume),
            Some(rest) => match rest.split_once('/') {
                None => DropIn::new(None, rest).map(Self::DropIn),
                Some((vmid, name)) => {
                    vmid.parse().ok().and_then(|vmid| DropIn::new(Some(vmid), name)).map(Self::DropIn)
                }
            },
        };
        script.ok_or_else(|| InvalidId { what: "hookscript", value: text.to_owned() })
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Volume(volume) => volume.fmt(f),
            Self::DropIn(drop_in) => drop_in.fmt(f),
        }
    }
}

impl TryFrom<String> for Script {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<Script> for String {
    fn from(script: Script) -> Self {
        script.to_string()
    }
}

impl From<VolumeId> for Script {
    fn from(volume: VolumeId) -> Self {
        Self::Volume(volume)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_on_record_names_one_script() {
        for text in
            ["local:snippets/x.sh", "local:hooks.d/x", "hooks.d/10-x", "hooks.d/100/10-x", "hooks.d/a:b"]
        {
            assert_eq!(text.parse::<Script>().unwrap().to_string(), text);
        }
        assert!(matches!("hooks.d/a:b".parse().unwrap(), Script::DropIn(_)));
        assert!(matches!("local:hooks.d/x".parse().unwrap(), Script::Volume(_)));
    }

    #[test]
    fn what_is_no_script_is_refused() {
        for bad in [
            "",
            "x.sh",
            "hooks.d/",
            "hooks.d/100",
            "hooks.d/.x",
            "hooks.d/99/x",
            "hooks.d/100/",
            "hooks.d/100/a/b",
            "hooks.d/a\nb",
            "hooks.d/100/../x",
        ] {
            assert!(bad.parse::<Script>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn they_sort_as_they_are_called() {
        let mut scripts: Vec<Script> =
            ["hooks.d/100/20-b", "hooks.d/90-z", "hooks.d/20-b", "hooks.d/100/10-a"]
                .map(|text| text.parse().unwrap())
                .into();
        scripts.sort();
        let names: Vec<String> = scripts.iter().map(Script::to_string).collect();
        assert_eq!(names, ["hooks.d/100/10-a", "hooks.d/20-b", "hooks.d/100/20-b", "hooks.d/90-z"]);
    }
}
