//! `/etc/hookvisor/hooks.conf`: limits and parameters that the host's administrator sets, for all guests and for one.

use crate::settings::Settings;
use crate::trust::{self, Untrusted};
use crate::value::{ValueError, add_parameters, duration};
use model::{Layout, Limit, LimitBy, StorageId, Vmid};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// What is set for the scripts of one guest, or of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Set {
    /// How long a script may run.
    pub timeout: Option<Duration>,
    /// Parameters, in their order.
    pub params: Vec<(String, String)>,
}

/// All that the file sets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HooksConf {
    /// For all guests.
    pub host: Set,
    /// For single ones.
    pub guests: BTreeMap<Vmid, Set>,
    /// The storages whose file systems cannot tell who may write, and which the administrator answers for.
    pub trusted: BTreeSet<StorageId>,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfError {
    /// It is there and cannot be read.
    #[error("cannot read '{path}': {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than root may change what scripts that run as root are told.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// A line that cannot be read.
    #[error("'{path}' line {line}: {reason}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
        /// Why.
        reason: Reason,
    },
}

/// Why a line cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Bytes that are no text.
    #[error("it is not UTF-8")]
    NotText,
    /// A header of no known section.
    #[error("unknown section '{0}': there are [host], [guest VMID] and [storage NAME]")]
    UnknownSection(String),
    /// A section that is there already.
    #[error("the section '{0}' is there twice")]
    SectionTwice(String),
    /// A setting before the first section.
    #[error("a setting before the first section, [host] or [guest VMID]")]
    NoSection,
    /// A line of no known form.
    #[error("'{0}' is neither a section nor KEY = VALUE")]
    NoSetting(String),
    /// A key that does not exist.
    #[error("unknown setting '{0}': there are timeout and params")]
    UnknownKey(String),
    /// A setting that storages do not have.
    #[error("'{0}' is nothing that a storage has: there is trust = yes, and trust = no")]
    NoTrust(String),
    /// A limit where there is one already.
    #[error("'timeout' is set twice in one section")]
    TimeoutTwice,
    /// A value that cannot be read.
    #[error(transparent)]
    Value(#[from] ValueError),
}

impl HooksConf {
    /// Reads the file; nothing is set where there is none.
    ///
    /// # Errors
    /// It cannot be read or trusted, or a line of it cannot be understood.
    pub fn load(layout: &Layout) -> Result<Self, ConfError> {
        let path = layout.hooks_conf();
        let raw = match std::fs::read(&path) {
            Ok(raw) => raw,
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(ConfError::Read { path, source }),
        };
        trust::check(layout, &path)?;
        Self::parse(&raw).map_err(|(line, reason)| ConfError::Line { path, line, reason })
    }

    /// Reads the text of the file.
    ///
    /// # Errors
    /// The number of the first line that cannot be understood, and why.
    pub fn parse(raw: &[u8]) -> Result<Self, (usize, Reason)> {
        let mut conf = Self::default();
        let mut host_seen = false;
        let mut section: Option<Section<'_>> = None;
        let mut storages = BTreeMap::new();
        for (number, raw) in (1..).zip(raw.split(|byte| *byte == b'\n')) {
            let failed = |reason: Reason| (number, reason);
            let line = std::str::from_utf8(raw).map_err(|_| failed(Reason::NotText))?.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if line.starts_with('[') {
                if let Some(storage) = storage_of(line) {
                    if storages.insert(storage.clone(), false).is_some() {
                        return Err(failed(Reason::SectionTwice(line.to_owned())));
                    }
                    section = Some(Section::Storage(storage));
                    continue;
                }
                let known = match vmid_of(line) {
                    None if line == "[host]" => std::mem::replace(&mut host_seen, true),
                    None => return Err(failed(Reason::UnknownSection(line.to_owned()))),
                    Some(vmid) => conf.guests.contains_key(&vmid),
                };
                if known {
                    return Err(failed(Reason::SectionTwice(line.to_owned())));
                }
                section = Some(Section::Scripts(match vmid_of(line) {
                    None => &mut conf.host,
                    Some(vmid) => conf.guests.entry(vmid).or_default(),
                }));
                continue;
            }
            match section.as_mut().ok_or_else(|| failed(Reason::NoSection))? {
                Section::Scripts(set) => set.set(line).map_err(failed)?,
                Section::Storage(storage) => {
                    storages.insert(storage.clone(), trust(line).map_err(failed)?);
                }
            }
        }
        conf.trusted = storages.into_iter().filter(|(_, trusted)| *trusted).map(|(id, _)| id).collect();
        Ok(conf)
    }

    /// Sets a parameter, `NAME=VALUE`, for every guest, whatever the file says of it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn set_param(&mut self, given: &str) -> Result<(), Reason> {
        let none = || Reason::Value(ValueError::Parameter(given.to_owned()));
        let (name, value) = given.split_once('=').ok_or_else(none)?;
        if value.contains(['"', '\n', '\r']) {
            return Err(none());
        }
        let mut param = Vec::new();
        add_parameters(&format!("{name}=\"{value}\""), &mut param)?;
        for set in self.guests.values_mut().chain([&mut self.host]) {
            set.params.retain(|(known, _)| known != name);
        }
        self.host.params.extend(param);
        Ok(())
    }

    /// What is set for a guest alone.
    #[must_use]
    pub fn guest(&self, vmid: Vmid) -> Option<&Set> {
        self.guests.get(&vmid)
    }

    /// The parameters that are set for a guest alone and that its scripts, which name these, do not know.
    #[must_use]
    pub fn unnamed(&self, vmid: Vmid, named: &BTreeSet<String>) -> Vec<&str> {
        self.guest(vmid).map_or_else(Vec::new, |set| set.unnamed(named))
    }

    /// How long a script with these settings may run for a guest; none for as long as it likes.
    #[must_use]
    pub fn limit(&self, script: &Settings, vmid: Vmid) -> Option<Limit> {
        limit_for(script.timeout, self.guest(vmid).and_then(|set| set.timeout), self.host.timeout)
    }

    /// The parameters of a script with these settings for a guest. The guest's value goes before the host's, and that before
    /// the script's own.
    #[must_use]
    pub fn params(&self, script: &Settings, vmid: Vmid) -> BTreeMap<String, String> {
        let guest = self.guest(vmid).map_or(&[][..], |set| &set.params);
        script.params.iter().chain(&self.host.params).chain(guest).cloned().collect()
    }
}

/// The text of a file that sets the same.
impl fmt::Display for HooksConf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[host]\n{}", self.host)?;
        self.guests.iter().try_for_each(|(vmid, set)| write!(f, "[guest {vmid}]\n{set}"))?;
        self.trusted.iter().try_for_each(|storage| write!(f, "[storage {storage}]\ntrust = yes\n"))
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(timeout) = self.timeout {
            writeln!(f, "timeout = {}ms", timeout.as_millis())?;
        }
        self.params.iter().try_for_each(|(name, value)| writeln!(f, "params = {name}=\"{value}\""))
    }
}

impl Set {
    /// The parameters that are none of those that scripts name.
    #[must_use]
    pub fn unnamed(&self, named: &BTreeSet<String>) -> Vec<&str> {
        self.params
            .iter()
            .map(|(name, _)| name)
            .filter(|name| !named.contains(*name))
            .map(String::as_str)
            .collect()
    }

    fn set(&mut self, line: &str) -> Result<(), Reason> {
        let (key, value) = line.split_once('=').ok_or_else(|| Reason::NoSetting(line.to_owned()))?;
        let value = value.trim();
        match key.trim() {
            "timeout" if self.timeout.is_some() => return Err(Reason::TimeoutTwice),
            "timeout" => self.timeout = Some(duration(value)?),
            "params" => add_parameters(value, &mut self.params)?,
            other => return Err(Reason::UnknownKey(other.to_owned())),
        }
        Ok(())
    }
}

/// What the lines below a header are about.
enum Section<'a> {
    Scripts(&'a mut Set),
    Storage(StorageId),
}

fn storage_of(header: &str) -> Option<StorageId> {
    header.strip_prefix("[storage ")?.strip_suffix(']')?.trim().parse().ok()
}

/// `trust = yes`
fn trust(line: &str) -> Result<bool, Reason> {
    let words = line.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
    match words {
        Some(("trust", "yes")) => Ok(true),
        Some(("trust", "no")) => Ok(false),
        _ => Err(Reason::NoTrust(line.to_owned())),
    }
}

fn vmid_of(header: &str) -> Option<Vmid> {
    header.strip_prefix("[guest ")?.strip_suffix(']')?.trim().parse().ok()
}

/// The limit that holds: the guest's, where one is set, is the administrator's word on this very case; then the script's own,
/// whose author knows it; the host's is for all that nobody knows more about.
#[must_use]
pub fn limit_for(script: Option<Duration>, guest: Option<Duration>, host: Option<Duration>) -> Option<Limit> {
    let by = |by| move |after| Limit { after, by };
    guest.map(by(LimitBy::Guest)).or(script.map(by(LimitBy::Script))).or(host.map(by(LimitBy::Host)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    const TEXT: &str = "# hooks\n[host]\ntimeout = 2m\nparams = bond=bond0, mode=x\n\n; one guest\n[guest 100]\ntimeout=5m\nparams = mode=\"a, b\"\nparams = more=1\n";

    fn error(text: &str) -> (usize, String) {
        let (line, reason) = HooksConf::parse(text.as_bytes()).unwrap_err();
        (line, reason.to_string())
    }

    #[test]
    fn whoever_is_closer_to_the_case_goes_first() {
        let conf = HooksConf::parse(TEXT.as_bytes()).unwrap();
        let [guest, other] = ["100", "101"].map(|vmid| vmid.parse().unwrap());
        let minutes = |count: u64| Some(Duration::from_secs(60 * count));
        let mute = Settings::default();
        let params = [("mode".to_owned(), "own".to_owned()), ("own".to_owned(), "o".to_owned())];
        let script = Settings { timeout: minutes(1), params: params.into(), ..Settings::default() };

        let limit = |count: u64, by| Some(Limit { after: Duration::from_secs(60 * count), by });
        assert_eq!(conf.limit(&mute, other), limit(2, LimitBy::Host));
        assert_eq!(conf.limit(&script, other), limit(1, LimitBy::Script));
        assert_eq!([conf.limit(&mute, guest), conf.limit(&script, guest)], [limit(5, LimitBy::Guest); 2]);
        assert_eq!(HooksConf::default().limit(&mute, guest), None);

        let shown = |vmid| {
            conf.params(&script, vmid)
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(guest), ["bond=bond0", "mode=a, b", "more=1", "own=o"]);
        assert_eq!(shown(other), ["bond=bond0", "mode=x", "own=o"]);
    }

    #[test]
    fn a_parameter_that_is_set_by_hand_holds_for_every_guest_and_the_text_says_the_same() {
        let mut conf = HooksConf::parse(format!("{TEXT}[storage nas]\ntrust = yes\n").as_bytes()).unwrap();
        conf.set_param("mode=by hand, really").unwrap();
        assert_eq!(HooksConf::parse(conf.to_string().as_bytes()).unwrap(), conf);
        for vmid in ["100", "101"] {
            let params = conf.params(&Settings::default(), vmid.parse().unwrap());
            assert_eq!(params["mode"], "by hand, really", "{vmid}");
        }
        for bad in ["mode", "Mode=x", "=x", "mode=\"x\"", "mode=a\nb", "a b=1"] {
            assert!(conf.set_param(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        for (text, line, reason) in [
            ("timeout=1m", 1, "a setting before the first section, [host] or [guest VMID]"),
            (
                "[host]\n[all]",
                2,
                "unknown section '[all]': there are [host], [guest VMID] and [storage NAME]",
            ),
            (
                "[guest 99]",
                1,
                "unknown section '[guest 99]': there are [host], [guest VMID] and [storage NAME]",
            ),
            ("[host]\n[host]", 2, "the section '[host]' is there twice"),
            ("[guest 100]\n\n[guest 100]", 3, "the section '[guest 100]' is there twice"),
            ("[host]\ntimeout", 2, "'timeout' is neither a section nor KEY = VALUE"),
            ("[host]\ntimeout = 1m\ntimeout = 1m", 3, "'timeout' is set twice in one section"),
            ("[host]\ngrace = 1m", 2, "unknown setting 'grace': there are timeout and params"),
            (
                "[host]\ntimeout =",
                2,
                "'' is no duration: that is a whole number with ms, s, m or h, as in 30s",
            ),
            ("[host]\nparams = a=1\nparams = a=2", 3, "the parameter 'a' is set twice"),
        ] {
            assert_eq!(error(text), (line, reason.to_owned()));
        }
        assert_eq!(HooksConf::parse(b"[host]\n\xff").unwrap_err(), (2, Reason::NotText));
    }

    #[test]
    fn no_file_sets_nothing_and_one_that_others_may_write_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        assert_eq!(HooksConf::load(&layout).unwrap(), HooksConf::default());
        fs::create_dir_all(layout.at("etc/hookvisor")).unwrap();
        for folder in ["etc", "etc/hookvisor"] {
            fs::set_permissions(layout.at(folder), Permissions::from_mode(0o755)).unwrap();
        }
        let path = layout.hooks_conf();
        fs::write(&path, TEXT).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(HooksConf::load(&layout).unwrap(), HooksConf::parse(TEXT.as_bytes()).unwrap());

        fs::write(&path, "\n[hosts]\n").unwrap();
        let text = HooksConf::load(&layout).unwrap_err().to_string();
        assert!(text.contains("hooks.conf' line 2: unknown section '[hosts]'"), "{text}");

        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        assert!(matches!(HooksConf::load(&layout), Err(ConfError::Untrusted(_))));
    }

    proptest! {
        #[test]
        fn whatever_the_file_holds_an_error_is_in_it(
            bytes in proptest::collection::vec(any::<u8>(), 0..100),
            lines in proptest::collection::vec("(\\[host\\]|\\[guest 10[0-9]\\]|timeout ?= ?[0-9]{1,2}s|params=[a-c]=\"?x,?|.{0,8})", 0..8),
        ) {
            let _ = HooksConf::parse(&bytes);
            if let Err((line, _)) = HooksConf::parse(lines.join("\n").as_bytes()) {
                prop_assert!((1..=lines.len()).contains(&line));
            }
        }
    }
}
