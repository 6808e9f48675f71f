//! A guest's configuration file (lifecycle.md 5.2).
//!
//! It is read as Proxmox VE reads it, with its warnings in its words, and written as it writes it: the description
//! on top, keys sorted, then the pending section, special sections and snapshots. One difference: what is not
//! understood is kept and written again.

mod lxc_keys;
mod parse;
mod print;
mod value;

pub use parse::parse;
pub use print::{InvalidNewline, print, verify};

use model::{GuestKind, InvalidVolumeId, VolumeId};
use std::collections::BTreeMap;

/// A guest's configuration, in sections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestConfig {
    /// The guest's kind; the grammars differ.
    pub kind: GuestKind,
    /// What is in force.
    pub main: Section,
    /// What becomes valid at the next start; its `delete` is a list of keys, `!key` with force.
    pub pending: Section,
    /// Virtual machines only: sections `[special:NAME]` by name.
    pub special: BTreeMap<String, Section>,
    /// Snapshots by name.
    pub snapshots: BTreeMap<String, Section>,
    /// Sections of a kind that is not known, kept as they are.
    pub unknown: Vec<UnknownSection>,
    /// SHA-1 of the raw file that was read, in lower-case hexadecimal.
    pub digest: String,
}

impl GuestConfig {
    /// An empty configuration, which no file holds yet.
    #[must_use]
    pub fn new(kind: GuestKind) -> Self {
        Self {
            kind,
            main: Section::default(),
            pending: Section::default(),
            special: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            unknown: Vec::new(),
            digest: crate::digest(b""),
        }
    }
}

/// The settings of one section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section {
    /// The guest's notes; lines end with `\n`.
    pub description: Option<String>,
    /// The values by key, as the file has them.
    pub options: BTreeMap<String, String>,
    /// Containers only: raw `lxc.*` settings in the order of the file; a key may repeat.
    pub lxc: Vec<(String, String)>,
    /// Lines that were not understood.
    pub kept: Vec<Kept>,
}

/// A line that was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The key, where the line has one: its value is invalid, or no such option is known.
    pub key: Option<String>,
    /// The line without its end, not empty.
    pub line: Vec<u8>,
}

/// A section whose header names no known kind of section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownSection {
    /// The header's line.
    pub header: Vec<u8>,
    /// Its lines, without empty ones.
    pub lines: Vec<Vec<u8>>,
}

impl Section {
    /// A value. An option whose value is invalid is absent for a virtual machine.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.options.get(key).map(String::as_str)
    }

    /// A boolean value, or `default` where it is absent or no boolean.
    #[must_use]
    pub fn flag(&self, key: &str, default: bool) -> bool {
        self.get(key).and_then(crate::text::parse_boolean).unwrap_or(default)
    }

    /// A whole number; none where it is absent or no whole number.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<u64> {
        self.get(key)?.parse().ok()
    }

    /// Sets a value, in place of whatever line has that key now.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.forget(key);
        self.options.insert(key.to_owned(), value.into());
    }

    /// Removes a key with all its lines; says the value that was valid.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        self.forget(key);
        self.options.remove(key)
    }

    fn forget(&mut self, key: &str) {
        self.kept.retain(|kept| kept.key.as_deref() != Some(key));
    }

    /// The values of an indexed family by index: `indexed("net")` gives `net0`, `net1` …
    pub fn indexed<'a>(&'a self, prefix: &str) -> impl Iterator<Item = (u32, &'a str)> + use<'a> {
        let mut found: Vec<(u32, &str)> = self
            .options
            .iter()
            .filter_map(|(key, value)| {
                let digits = key.strip_prefix(prefix)?;
                let plain =
                    digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
                if plain { Some((digits.parse().ok()?, value.as_str())) } else { None }
            })
            .collect();
        found.sort_unstable();
        found.into_iter()
    }

    /// The lines with this key that were not understood.
    pub fn not_understood(&self, key: &str) -> impl Iterator<Item = &[u8]> {
        self.kept.iter().filter(move |kept| kept.key.as_deref() == Some(key)).map(|kept| kept.line.as_slice())
    }

    /// The guest's hookscript; none where no line names one.
    ///
    /// # Errors
    /// A `hookscript:` line that is no volume id. Proxmox VE warns and runs the guest without its hook; here the
    /// caller refuses the start.
    pub fn hookscript(&self) -> Result<Option<VolumeId>, InvalidVolumeId> {
        if let Some(line) = self.not_understood("hookscript").next() {
            let value = line.strip_prefix(b"hookscript:").unwrap_or(line);
            return Err(InvalidVolumeId(String::from_utf8_lossy(crate::text::trim(value)).into_owned()));
        }
        self.get("hookscript").map(str::parse).transpose()
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.description.is_none() && self.options.is_empty() && self.lxc.is_empty() && self.kept.is_empty()
    }
}

/// Something in a file that was not understood; it displays Proxmox VE's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Warning {
    /// The number of the line, from 1.
    pub line: usize,
    /// Whether it stands in what is in force: in no snapshot, and not in what is pending.
    pub in_force: bool,
    /// What is wrong.
    pub problem: Problem,
}

/// What may be wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A value that is invalid, or an option that does not exist.
    #[error("vm {vmid} - unable to parse value of '{key}' - {cause}")]
    Value {
        /// The guest.
        vmid: model::Vmid,
        /// The option.
        key: String,
        /// Why.
        cause: String,
    },
    /// A line of no known form.
    #[error("vm {vmid} - unable to parse config: {line}")]
    Line {
        /// The guest.
        vmid: model::Vmid,
        /// The line.
        line: String,
    },
    /// A list of deletions where nothing is pending.
    #[error("vm {vmid} - property 'delete' is only allowed in [{section}]")]
    Delete {
        /// The guest.
        vmid: model::Vmid,
        /// The pending section's name.
        section: &'static str,
    },
    /// A raw LXC setting that cannot be used, or is outdated.
    #[error("vm {vmid} - {key}: {cause}")]
    LxcKey {
        /// The guest.
        vmid: model::Vmid,
        /// The setting.
        key: String,
        /// Why.
        cause: &'static str,
    },
    /// A section of no known kind.
    #[error("skipping unknown section: '{0}'")]
    UnknownSection(String),
    /// A section that was there before and is replaced.
    #[error("duplicate section: {0}")]
    DuplicateSection(String),
    /// A snapshot that was there before and is replaced.
    #[error("duplicate snapshot section: {0}")]
    DuplicateSnapshot(String),
}
