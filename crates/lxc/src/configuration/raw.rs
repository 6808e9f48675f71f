//! Raw `lxc.*` settings, passed on in the order of the file, after everything else.

use super::{ConfigurationError, Made};
use crate::cgroup::Version;
use crate::end::parse_signal;
use crate::signals;

/// What raw settings say about ending the container.
pub(super) struct EndSignals {
    pub(super) halt: Option<i32>,
    pub(super) reboot: Option<i32>,
}

impl Made<'_> {
    pub(super) fn raw(&mut self) -> Result<EndSignals, ConfigurationError> {
        let mut found = EndSignals { halt: None, reboot: None };
        let section = self.section;
        for (key, value) in &section.lxc {
            if let Some(hint) = managed(key) {
                return Err(ConfigurationError::Managed { key: key.clone(), hint });
            }
            match key.as_str() {
                "lxc.signal.halt" => found.halt = Some(signal(key, value)?),
                "lxc.signal.reboot" => found.reboot = Some(signal(key, value)?),
                _ => {}
            }
            match self.rename(key) {
                Some(key) => self.text.set(&key, value)?,
                None => self.text.set(key, value)?,
            }
        }
        let (key, value) = signals::NO_REBOOT;
        self.text.set(key, value)?;
        Ok(found)
    }

    /// The name by which this host's LXC and kernel honour a setting, where it is another one.
    fn rename(&mut self, key: &str) -> Option<String> {
        // For hooks too rather than for the container alone, before LXC 6.
        if key == "lxc.environment.runtime" {
            return Some("lxc.environment".to_owned());
        }
        let file = key.strip_prefix("lxc.cgroup2.")?;
        let controller = file.split('.').next()?;
        if self.facts.cgroups.controller(controller) != Some(Version::V1) {
            return None;
        }
        // The device lists read the same in both versions.
        if controller == "devices" {
            return Some(format!("lxc.cgroup.{file}"));
        }
        self.warnings.push(format!(
            "{key}: no effect, this kernel has the controller '{controller}' in version 1 only"
        ));
        None
    }
}

/// Why a setting is not the file's to make.
fn managed(key: &str) -> Option<&'static str> {
    match key {
        "lxc.rootfs.path" | "lxc.rootfs" => Some("use the option 'rootfs' instead"),
        "lxc.rootfs.options" | "lxc.rootfs.mount" => {
            Some("use the option 'rootfs' with 'mountoptions' and 'ro' instead")
        }
        "lxc.monitor.unshare" => Some("mounts are always private to the container"),
        "lxc.uts.name" | "lxc.utsname" => Some("use the option 'hostname' instead"),
        "lxc.ephemeral" | "lxc.execute.cmd" => Some("it would change how the container starts and ends"),
        _ if key.starts_with("lxc.cgroup.dir") || key == "lxc.cgroup.relative" => {
            Some("the control groups' names are fixed")
        }
        _ if key.starts_with("lxc.log.") => Some("use the option 'debug' instead"),
        _ => None,
    }
}

fn signal(key: &str, value: &str) -> Result<i32, ConfigurationError> {
    parse_signal(value).ok_or_else(|| ConfigurationError::Value {
        key: key.to_owned(),
        value: value.to_owned(),
        expected: "a signal's name or number",
    })
}
