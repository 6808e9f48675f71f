use super::lxc_keys::{self, LxcKey};
use super::{GuestConfig, Kept, Problem, Section, UnknownSection, Warning, print, value};
use crate::text::{is_space, percent_decode, trim, trim_end};
use model::{GuestKind, Vmid};

/// Reads a guest's configuration file. Nothing in it is an error: what is not understood is warned about in
/// Proxmox VE's words and kept.
#[must_use]
pub fn parse(kind: GuestKind, vmid: Vmid, raw: &[u8]) -> (GuestConfig, Vec<Warning>) {
    let mut reader = Reader {
        vmid,
        config: GuestConfig { digest: crate::digest(raw), ..GuestConfig::new(kind) },
        place: Place::Main,
        section: Section::default(),
        description: None,
        seen_pending: false,
        line: 0,
        warnings: Vec::new(),
    };
    for line in raw.split(|byte| *byte == b'\n') {
        reader.line += 1;
        if !trim(line).is_empty() {
            reader.read(line);
        }
    }
    reader.finish_section(Place::Main);
    (reader.config, reader.warnings)
}

/// Which section is being read.
enum Place {
    Main,
    Pending,
    Special(String),
    Snapshot(String),
    Unknown(UnknownSection),
}

struct Reader {
    vmid: Vmid,
    config: GuestConfig,
    place: Place,
    section: Section,
    description: Option<String>,
    seen_pending: bool,
    line: usize,
    warnings: Vec<Warning>,
}

impl Reader {
    fn read(&mut self, line: &[u8]) {
        if let Some(place) = self.header(line) {
            self.enter(place);
        } else if let Place::Unknown(unknown) = &mut self.place {
            unknown.lines.push(line.to_vec());
        } else if let Some(comment) = line.strip_prefix(b"#") {
            let text = self.description.get_or_insert_default();
            text.push_str(&percent_decode(comment));
            text.push('\n');
        } else if let Some(text) = line.strip_prefix(b"description:") {
            let text = percent_decode(trim(text));
            self.description.get_or_insert_default().push_str(&text);
        } else if !(self.config.kind == GuestKind::Lxc && self.lxc_line(line)) {
            self.key_line(line);
        }
    }

    /// The section that a line opens, if it opens one.
    fn header(&self, line: &[u8]) -> Option<Place> {
        let name = trim_end(line).strip_prefix(b"[")?.strip_suffix(b"]")?;
        if name.contains(&b']') {
            return None;
        }
        let text = std::str::from_utf8(name).ok();
        let virtual_machine = self.config.kind == GuestKind::Qemu;
        if name.eq_ignore_ascii_case(print::pending_name(self.config.kind).as_bytes()) {
            return Some(Place::Pending);
        }
        if let Some(special @ ("cloudinit" | "fleecing")) =
            text.and_then(|text| text.strip_prefix("special:"))
            && virtual_machine
        {
            return Some(Place::Special(special.to_owned()));
        }
        if let Some(text) = text.filter(|text| is_snapshot_name(text)) {
            return Some(Place::Snapshot(text.to_owned()));
        }
        virtual_machine.then(|| Place::Unknown(UnknownSection { header: line.to_vec(), lines: Vec::new() }))
    }

    fn enter(&mut self, place: Place) {
        let warned = self.config.kind == GuestKind::Qemu;
        self.finish_section(place);
        let problem = match &self.place {
            Place::Pending if std::mem::replace(&mut self.seen_pending, true) => {
                Problem::DuplicateSection("pending".to_owned())
            }
            Place::Special(name) if self.config.special.contains_key(name) => {
                Problem::DuplicateSection(name.clone())
            }
            Place::Snapshot(name) if self.config.snapshots.contains_key(name) => {
                Problem::DuplicateSnapshot(name.clone())
            }
            Place::Unknown(unknown) => {
                let header = String::from_utf8_lossy(trim_end(&unknown.header));
                Problem::UnknownSection(header.trim_matches(['[', ']']).to_owned())
            }
            Place::Main | Place::Pending | Place::Special(_) | Place::Snapshot(_) => return,
        };
        if warned {
            self.warn(problem);
        }
    }

    /// Puts the section that was read where it belongs; a later one replaces an earlier one of the same name.
    fn finish_section(&mut self, next: Place) {
        let mut section = std::mem::take(&mut self.section);
        section.description = self.description.take().map(|text| match self.config.kind {
            GuestKind::Qemu => text.trim_end().to_owned(),
            GuestKind::Lxc => text,
        });
        match std::mem::replace(&mut self.place, next) {
            Place::Main => self.config.main = section,
            Place::Pending => self.config.pending = section,
            Place::Special(name) => _ = self.config.special.insert(name, section),
            Place::Snapshot(name) => _ = self.config.snapshots.insert(name, section),
            Place::Unknown(unknown) => self.config.unknown.push(unknown),
        }
    }

    /// Reads a raw `lxc.*` line; says whether it is one.
    fn lxc_line(&mut self, line: &[u8]) -> bool {
        let Some((key, value)) = split_lxc(line) else { return false };
        let vmid = self.vmid;
        let Ok(value) = std::str::from_utf8(value) else {
            self.keep_line(line);
            return true;
        };
        if key == "lxc.environment.runtime" {
            // No variable can hold what is between variables.
            if value.contains('\0') {
                self.keep_line(line);
                return true;
            }
            let env = self.section.options.entry("env".to_owned());
            env.and_modify(|env| env.extend(["\0", value])).or_insert_with(|| value.to_owned());
            return true;
        }
        match lxc_keys::look_up(key) {
            LxcKey::Good => self.section.lxc.push((key.to_owned(), value.to_owned())),
            LxcKey::Outdated(cause) => {
                self.warn(Problem::LxcKey { vmid, key: key.to_owned(), cause });
                self.section.lxc.push((key.to_owned(), value.to_owned()));
            }
            LxcKey::Refused(cause) => {
                self.warn(Problem::LxcKey { vmid, key: key.to_owned(), cause });
                self.section.kept.push(Kept { key: None, line: line.to_vec() });
            }
            LxcKey::Unknown => self.keep_line(line),
        }
        true
    }

    fn key_line(&mut self, line: &[u8]) {
        let vmid = self.vmid;
        let Some((key, raw)) = split_key(line, self.config.kind) else { return self.keep_line(line) };
        if key == "delete" && !matches!(self.place, Place::Pending | Place::Special(_)) {
            self.warn(Problem::Delete { vmid, section: print::pending_name(self.config.kind) });
            return self.section.kept.push(Kept { key: Some(key.to_owned()), line: line.to_vec() });
        }
        let checked = match std::str::from_utf8(raw) {
            Err(_) => Err((None, "value is not valid UTF-8".to_owned())),
            // This option has lines of its own.
            Ok(_) if key == "env" && self.config.kind == GuestKind::Lxc => {
                Err((None, format!("unknown setting '{key}'")))
            }
            Ok(text) if matches!(key, "args" | "delete") || matches!(self.place, Place::Special(_)) => {
                Ok(text.to_owned())
            }
            Ok(text) => value::check(self.config.kind, vmid, key, text).map_err(|cause| (Some(text), cause)),
        };
        match checked {
            Ok(text) => {
                let key = if key == "cdrom" && self.config.kind == GuestKind::Qemu { "ide2" } else { key };
                self.section.options.insert(key.to_owned(), text);
            }
            Err((text, cause)) => {
                self.warn(Problem::Value { vmid, key: key.to_owned(), cause });
                match text {
                    Some(text) if self.config.kind == GuestKind::Lxc => {
                        self.section.options.insert(key.to_owned(), text.to_owned());
                    }
                    _ => self.section.kept.push(Kept { key: Some(key.to_owned()), line: line.to_vec() }),
                }
            }
        }
    }

    fn keep_line(&mut self, line: &[u8]) {
        self.warn(Problem::Line { vmid: self.vmid, line: String::from_utf8_lossy(line).into_owned() });
        self.section.kept.push(Kept { key: None, line: line.to_vec() });
    }

    fn warn(&mut self, problem: Problem) {
        let in_force = matches!(self.place, Place::Main);
        self.warnings.push(Warning { line: self.line, in_force, problem });
    }
}

/// A letter, then at least one letter, digit, `_` or `-`.
fn is_snapshot_name(text: &str) -> bool {
    text.len() >= 2
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// `key: value`. A value of white space alone is its last character, which is what Proxmox VE's pattern makes of
/// it: so `boot: ` is written again as `boot:  `.
fn split_key(line: &[u8], kind: GuestKind) -> Option<(&str, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (key, rest) = (std::str::from_utf8(&line[..colon]).ok()?, &line[colon + 1..]);
    let letters = key.trim_end_matches(|c: char| c.is_ascii_digit());
    let dash = kind == GuestKind::Qemu;
    let named = letters.starts_with(|c: char| c.is_ascii_lowercase())
        && letters.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || (dash && b == b'-'));
    let value = match trim(rest) {
        [] => rest.last().map(std::slice::from_ref)?,
        value => value,
    };
    named.then_some((key, value))
}

/// `lxc.key: value` or `lxc.key = value`; the value may be empty.
fn split_lxc(line: &[u8]) -> Option<(&str, &[u8])> {
    let end = line
        .iter()
        .position(|b| !(b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.".contains(b)))
        .unwrap_or(line.len());
    let key = std::str::from_utf8(&line[..end]).ok()?;
    key.strip_prefix("lxc.").filter(|rest| !rest.is_empty())?;
    let rest = &line[end..];
    let value = match rest.strip_prefix(b":") {
        Some(value) => value,
        None => rest.iter().position(|b| !is_space(*b)).and_then(|at| rest[at..].strip_prefix(b"="))?,
    };
    Some((key, trim(value)))
}
