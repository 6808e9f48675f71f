use crate::command::{self, Limit};
use crate::{Call, Kind, Result};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// A guest's configuration, without its snapshots and pending changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    options: BTreeMap<String, String>,
    raw: Vec<(String, String)>,
    description: String,
}

impl Config {
    /// Reads the text of `/etc/pve/qemu-server/<vmid>.conf` or `/etc/pve/lxc/<vmid>.conf`. Lines that it does not understand
    /// are passed over, as Proxmox VE does.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut config = Self::default();
        for line in text.lines() {
            if line.starts_with('[') {
                break;
            }
            if let Some(note) = line.strip_prefix('#') {
                config.description.push_str(note);
                config.description.push('\n');
            } else if let Some((key, value)) = line.split_once(':') {
                config.insert(key.trim(), value.trim());
            }
        }
        config
    }

    /// Reads a configuration file.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        std::fs::read_to_string(path).map(|text| Self::parse(&text)).map_err(crate::error::at("read", path))
    }

    pub(crate) fn insert(&mut self, key: &str, value: &str) {
        if key.starts_with("lxc.") {
            self.raw.push((key.to_owned(), value.to_owned()));
        } else {
            self.options.insert(key.to_owned(), value.to_owned());
        }
    }

    pub(crate) fn set_description(&mut self, text: &str) {
        text.clone_into(&mut self.description);
    }

    /// An option, as the file has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.options.get(key).map(String::as_str)
    }

    /// All options by key.
    pub fn options(&self) -> impl Iterator<Item = (&str, &str)> {
        self.options.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The options `name0`, `name1`, … with their numbers, in order of these: `hostpci`, `net`, `mp`.
    #[must_use]
    pub fn numbered(&self, name: &str) -> Vec<(u32, &str)> {
        let number = |key: &str| key.strip_prefix(name)?.parse().ok();
        let mut found: Vec<(u32, &str)> =
            self.options().filter_map(|(key, value)| Some((number(key)?, value))).collect();
        found.sort_unstable();
        found
    }

    /// The parts of an option that is made of parts: `virtio=…,bridge=vmbr0`. A first part without a name has the empty one.
    #[must_use]
    pub fn parts(&self, key: &str) -> BTreeMap<String, String> {
        self.get(key).map(parts).unwrap_or_default()
    }

    /// A container's raw `lxc.*` settings, in their order.
    #[must_use]
    pub fn raw(&self) -> &[(String, String)] {
        &self.raw
    }

    /// The notes.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The guest's tags.
    #[must_use]
    pub fn tags(&self) -> Vec<&str> {
        let tags = self.get("tags").unwrap_or_default();
        tags.split([';', ',', ' ']).filter(|tag| !tag.is_empty()).collect()
    }
}

/// The parts of a property string.
pub(crate) fn parts(value: &str) -> BTreeMap<String, String> {
    let pair = |part: &str| match part.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (String::new(), part.to_owned()),
    };
    value.split(',').filter(|part| !part.is_empty()).map(pair).collect()
}

impl Call {
    /// Sets an option of the guest, with `qm set` or `pct set`. On hookvisor a change made in `pre-start` counts for this
    /// start; on Proxmox VE the configuration is locked then, and it fails.
    ///
    /// # Errors
    /// What the command says.
    pub fn set(&self, key: &str, value: &str) -> Result<()> {
        let program = match self.guest()?.kind {
            Kind::Qemu => "qm",
            Kind::Lxc => "pct",
        };
        let (vmid, option) = (self.vmid.to_string(), format!("--{key}"));
        command::run(program, ["set", &vmid, &option, value], Limit::of(Duration::from_secs(30)))?;
        Ok(())
    }
}
