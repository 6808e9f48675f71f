//! `/etc/pve/storage.cfg` (api.md 6.1).

use crate::schema::{Property, Type};
use crate::text;
use model::{ContentType, NodeName, StorageId};
use std::collections::BTreeMap;

mod types;
pub use types::{CHANGEABLE, FIXED, StorageType, TYPES, properties, properties_of, storage_type};

/// The path that Proxmox VE gives the storage `local`.
const LOCAL_PATH: &str = "/var/lib/vz";

/// All storages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageCfg {
    /// The storages, in the order of the file.
    pub sections: Vec<StorageSection>,
    /// Sections that were not understood, and comments after the last one.
    pub kept: Vec<String>,
    /// SHA-1 of the raw file that was read, in lower-case hexadecimal.
    pub digest: String,
}

/// One storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageSection {
    /// Its type: `dir`, `nfs` …
    pub kind: String,
    /// Its name.
    pub id: StorageId,
    /// Its properties; a flag without a value is `1`.
    pub options: BTreeMap<String, String>,
    /// Comments before it, with their `#`, and sections there that were not understood.
    pub before: Vec<String>,
    /// Lines in it that were not understood, and comments.
    pub kept: Vec<String>,
    /// Whether the file does not define it, or not usably: `local` always exists. What the file says of it then is in
    /// `kept`.
    pub synthesised: bool,
}

/// A line that is warned about and ignored; it displays Proxmox VE's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageWarning {
    /// A line of no known form.
    #[error("file /etc/pve/storage.cfg line {line}{} - ignore config line: {text}", in_section(.section))]
    Line {
        /// The number of the line, from 1.
        line: usize,
        /// The section that it stands in.
        section: Option<String>,
        /// The line.
        text: String,
    },
    /// A section whose header or type is not known.
    #[error("file /etc/pve/storage.cfg line {line} (skip section '{section}'): {cause}")]
    Section {
        /// The number of the line, from 1.
        line: usize,
        /// Its name.
        section: String,
        /// Why.
        cause: String,
    },
    /// A property that is not known, is there twice, or has an invalid value.
    #[error(
        "file /etc/pve/storage.cfg line {line} (section '{section}') - unable to parse value of '{key}': {cause}"
    )]
    Value {
        /// The number of the line, from 1.
        line: usize,
        /// The section that it stands in.
        section: String,
        /// The property.
        key: String,
        /// Why.
        cause: String,
    },
}

fn in_section(section: &Option<String>) -> String {
    section.as_ref().map(|section| format!(" (section '{section}')")).unwrap_or_default()
}

impl StorageCfg {
    /// The storage of a name.
    #[must_use]
    pub fn get(&self, id: &StorageId) -> Option<&StorageSection> {
        self.sections.iter().find(|section| section.id == *id)
    }

    /// The storage of a name, to be changed.
    pub fn get_mut(&mut self, id: &StorageId) -> Option<&mut StorageSection> {
        let section = self.sections.iter_mut().find(|section| section.id == *id)?;
        if std::mem::replace(&mut section.synthesised, false) {
            section.kept.clear();
        }
        Some(section)
    }

    /// Removes a storage; says whether it was there.
    pub fn remove(&mut self, id: &StorageId) -> bool {
        let before = self.sections.len();
        self.sections.retain(|section| section.id != *id);
        self.sections.len() < before
    }
}

impl StorageSection {
    /// An empty one.
    #[must_use]
    pub fn new(kind: &str, id: StorageId) -> Self {
        let (options, before, kept) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { kind: kind.to_owned(), id, options, before, kept, synthesised: false }
    }

    /// A property.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.options.get(key).map(String::as_str)
    }

    /// A boolean property, or `default` where it is absent.
    #[must_use]
    pub fn flag(&self, key: &str, default: bool) -> bool {
        self.get(key).and_then(text::parse_boolean).unwrap_or(default)
    }

    /// Its path as the file has it.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.get("path")
    }

    /// Whether it is switched off.
    #[must_use]
    pub fn disabled(&self) -> bool {
        self.flag("disable", false)
    }

    /// Whether all nodes see the same content.
    #[must_use]
    pub fn shared(&self) -> bool {
        self.flag("shared", storage_type(&self.kind).is_some_and(|kind| kind.shared))
    }

    /// Whether it may be used on a node.
    #[must_use]
    pub fn on_node(&self, node: &NodeName) -> bool {
        self.get("nodes").is_none_or(|nodes| text::split_list(nodes).any(|name| name == node.as_str()))
    }

    /// What it may hold, in the order of the file, or what its type holds where nothing is set.
    #[must_use]
    pub fn content(&self) -> Vec<ContentType> {
        let content = self
            .get("content")
            .or_else(|| storage_type(&self.kind).map(|kind| kind.content))
            .unwrap_or("none");
        text::split_list(content).filter_map(|item| item.parse().ok()).collect()
    }

    /// The folder that stands in for the usual one of a content type, relative to the path.
    #[must_use]
    pub fn content_dir(&self, content: ContentType) -> Option<&str> {
        self.get("content-dirs")?.split(',').find_map(|part| {
            let (name, folder) = part.split_once('=')?;
            (name == content.as_str()).then_some(folder)
        })
    }
}

/// Reads the file. What is not understood is warned about in Proxmox VE's words and kept. The storage `local` is
/// there in any case.
#[must_use]
pub fn parse(raw: &[u8]) -> (StorageCfg, Vec<StorageWarning>) {
    let mut reader =
        Reader { sections: Vec::new(), before: Vec::new(), place: Place::Outside, warnings: Vec::new() };
    let raw_text = String::from_utf8_lossy(raw);
    for (index, line) in raw_text.split('\n').enumerate() {
        reader.read(index + 1, line);
    }
    let mut cfg = StorageCfg { sections: reader.sections, kept: reader.before, digest: crate::digest(raw) };
    ensure_local(&mut cfg);
    (cfg, reader.warnings)
}

enum Place {
    Outside,
    /// In the last of the sections.
    Inside,
    /// In a section that is skipped.
    Skipped,
}

struct Reader {
    sections: Vec<StorageSection>,
    before: Vec<String>,
    place: Place,
    warnings: Vec<StorageWarning>,
}

impl Reader {
    fn read(&mut self, number: usize, line: &str) {
        let bare = line.trim_matches(|c: char| c.is_ascii() && text::is_space(c as u8));
        if bare.is_empty() {
            if matches!(std::mem::replace(&mut self.place, Place::Outside), Place::Skipped) {
                self.before.push(String::new());
            }
        } else if matches!(self.place, Place::Skipped)
            || (bare.starts_with('#') && matches!(self.place, Place::Outside))
        {
            self.before.push(line.to_owned());
        } else if matches!(self.place, Place::Outside) {
            self.header(number, line, bare);
        } else if let Some(section) = self.sections.last_mut() {
            let problem = if bare.starts_with('#') { None } else { property(section, number, line, bare) };
            match problem {
                Some(Ok((key, value))) => _ = section.options.insert(key, value),
                Some(Err(warning)) => {
                    section.kept.push(line.to_owned());
                    self.warnings.push(warning);
                }
                None => section.kept.push(line.to_owned()),
            }
        }
    }

    /// `type: name`, from the line's first character on.
    fn header(&mut self, number: usize, line: &str, bare: &str) {
        let parts = bare.split_once(':').map(|(kind, id)| (kind.to_ascii_lowercase(), id.trim_ascii_start()));
        let indented = line.starts_with(|c: char| c.is_ascii() && text::is_space(c as u8));
        let plain = |word: &str| !word.is_empty() && !word.contains(|c: char| c.is_whitespace());
        let Some((kind, id)) = parts.filter(|(kind, id)| !indented && plain(kind) && plain(id)) else {
            self.before.push(line.to_owned());
            return self.warnings.push(StorageWarning::Line {
                line: number,
                section: None,
                text: line.to_owned(),
            });
        };
        let parsed: Result<StorageId, _> = id.parse();
        let cause = match &parsed {
            _ if storage_type(&kind).is_none() => format!("unknown section type '{kind}'"),
            Ok(id) if self.sections.iter().any(|section| section.id == *id) => "duplicate section".to_owned(),
            Ok(id) => {
                let before = std::mem::take(&mut self.before);
                self.sections.push(StorageSection { before, ..StorageSection::new(&kind, id.clone()) });
                self.place = Place::Inside;
                return;
            }
            Err(_) => format!("storage ID '{id}' contains illegal characters"),
        };
        self.before.push(String::new());
        self.before.push(line.to_owned());
        self.place = Place::Skipped;
        self.warnings.push(StorageWarning::Section { line: number, section: id.to_owned(), cause });
    }
}

/// Reads a property's line: `key` or `key value`, indented.
fn property(
    section: &StorageSection,
    number: usize,
    line: &str,
    bare: &str,
) -> Option<Result<(String, String), StorageWarning>> {
    let name = section.id.to_string();
    if !line.starts_with(|c: char| c.is_ascii() && text::is_space(c as u8)) {
        return Some(Err(StorageWarning::Line { line: number, section: Some(name), text: line.to_owned() }));
    }
    let (key, value) =
        bare.split_once(|c: char| c.is_ascii() && text::is_space(c as u8)).unwrap_or((bare, ""));
    let (key, value) = (key.to_owned(), value.trim_ascii_start());
    let warning = |cause: String| StorageWarning::Value {
        line: number,
        section: name.clone(),
        key: key.clone(),
        cause,
    };
    let known = properties().find(|property| property.name == key);
    Some(match known {
        _ if section.options.contains_key(&key) => Err(warning("duplicate attribute".to_owned())),
        None => Err(warning(format!("unexpected property '{key}'"))),
        Some(property) => match checked(property, value) {
            Ok(value) => Ok((key, value)),
            Err(cause) => Err(warning(cause)),
        },
    })
}

/// A boolean without a value is on; content lists and node lists may be empty.
fn checked(property: &Property, value: &str) -> Result<String, String> {
    if matches!(property.kind, Type::Boolean) {
        let flag = if value.is_empty() { Some(true) } else { text::parse_boolean(value) };
        return flag
            .map(|flag| u8::from(flag).to_string())
            .ok_or_else(|| format!("type check ('boolean') failed - got '{value}'"));
    }
    property.check(property.name, value).map(|()| value.to_owned()).map_err(|text| text.trim_end().to_owned())
}

/// Makes sure that the storage `local` is there, as a folder and on every node.
fn ensure_local(cfg: &mut StorageCfg) {
    let Ok(local) = "local".parse::<StorageId>() else { return };
    let usable = |section: &StorageSection| {
        section.kind == "dir"
            && section.path().is_some_and(|path| path.trim_end_matches('/').ends_with(LOCAL_PATH))
    };
    if let Some(section) = cfg.sections.iter_mut().find(|section| section.id == local && usable(section)) {
        section.options.remove("nodes");
        section.kept.retain(|line| key_of(line) != "nodes");
        return;
    }
    let mut section = StorageSection { synthesised: true, ..StorageSection::new("dir", local) };
    // What the file says of an unusable one is not lost: it is written again as it was.
    if let Some(at) = cfg.sections.iter().position(|there| there.id == section.id) {
        let unusable = cfg.sections.remove(at);
        section.kept = section_lines(&unusable);
        let after = cfg.sections.get_mut(at).map_or(&mut cfg.kept, |next| &mut next.before);
        after.splice(0..0, unusable.before);
    }
    for (key, value) in [
        ("path", LOCAL_PATH),
        ("content", "backup,images,iso,rootdir,snippets,vztmpl"),
        ("prune-backups", "keep-all=1"),
    ] {
        section.options.insert(key.to_owned(), value.to_owned());
    }
    cfg.sections.insert(0, section);
}

/// The file: a header and a line for each property, sections apart by an empty line. A synthesised `local` is left out.
#[must_use]
pub fn print(cfg: &StorageCfg) -> Vec<u8> {
    let mut blocks = Vec::new();
    for section in &cfg.sections {
        let own = if section.synthesised { section.kept.clone() } else { section_lines(section) };
        let lines: Vec<String> = section.before.iter().cloned().chain(own).collect();
        if lines.is_empty() {
            continue;
        }
        blocks.push(lines.join("\n").trim_start_matches('\n').to_owned());
    }
    if !cfg.kept.is_empty() {
        blocks.push(cfg.kept.join("\n").trim_matches('\n').to_owned());
    }
    let mut text = blocks.join("\n\n");
    if !text.is_empty() {
        text.push('\n');
    }
    text.into_bytes()
}

/// The property that a line in a section is about, if it is about one.
fn key_of(line: &str) -> &str {
    line.split(|c: char| c.is_ascii() && text::is_space(c as u8))
        .find(|word| !word.is_empty())
        .unwrap_or_default()
}

fn section_lines(section: &StorageSection) -> Vec<String> {
    let required = storage_type(&section.kind).map_or(&[][..], |kind| kind.required);
    let rank = |key: &str| match key {
        "comment" => 0,
        "disable" => 1,
        _ if required.contains(&key) => 2,
        _ => 3,
    };
    let mut keys: Vec<(u8, &str, &str)> =
        section.options.iter().map(|(key, value)| (rank(key), key.as_str(), value.as_str())).collect();
    keys.sort_unstable();
    let twice = |key: &str| section.kept.iter().any(|line| key_of(line) == key);
    let properties = keys.into_iter().filter_map(|(_, key, value)| match (key, value) {
        ("disable", "1") => Some("\tdisable".to_owned()),
        // A second line of it would hold where the first is left out.
        ("disable", _) => twice(key).then(|| format!("\t{key} {value}")),
        (_, "") => Some(format!("\t{key}")),
        _ => Some(format!("\t{key} {value}")),
    });
    std::iter::once(format!("{}: {}", section.kind, section.id))
        .chain(properties)
        .chain(section.kept.iter().cloned())
        .collect()
}

#[cfg(test)]
mod tests;
