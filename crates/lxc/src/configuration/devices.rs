//! Devices of the host inside the container.

use super::{ConfigurationError, Made};
use crate::cgroup::Version;
use crate::fields;
use crate::quote::{fstab, shell};
use crate::subid;

impl Made<'_> {
    pub(super) fn devices(&mut self) -> Result<(), ConfigurationError> {
        let section = self.section;
        for (index, value) in section.indexed("dev") {
            self.device(&format!("dev{index}"), value)?;
        }
        Ok(())
    }

    /// A node of its own is made for the container, so that owner and mode can be what they are asked to be.
    fn device(&mut self, key: &str, value: &str) -> Result<(), ConfigurationError> {
        let properties = fields::read(key, value)
            .map_err(|source| ConfigurationError::Property { key: key.to_owned(), source })?;
        let path = properties.get("path").unwrap_or_default();
        let missing = || ConfigurationError::NoDevice { key: key.to_owned(), path: path.to_owned() };
        let device = *self.facts.devices.get(path).ok_or_else(missing)?;
        let relative = path
            .strip_prefix("/dev/")
            .filter(|rest| !rest.is_empty() && !rest.contains(".."))
            .ok_or_else(missing)?;
        let number = |part: &str| -> Result<u32, ConfigurationError> {
            properties.get(part).unwrap_or("0").parse().map_err(|_| ConfigurationError::Value {
                key: format!("{key}.{part}"),
                value: properties.get(part).unwrap_or_default().to_owned(),
                expected: "a number",
            })
        };
        let mode = properties.get("mode").unwrap_or("0660");
        if u32::from_str_radix(mode, 8).map_or(true, |mode| mode > 0o777) {
            return Err(ConfigurationError::Value {
                key: format!("{key}.mode"),
                value: mode.to_owned(),
                expected: "an octal mode such as 0660",
            });
        }
        let shift = if self.unprivileged { subid::FIRST } else { 0 };
        let (uid, gid) = (number("uid")? + shift, number("gid")? + shift);
        let (letter, major, minor) = (device.letter(), device.major, device.minor);
        let node = self.stage.at(key);
        self.stage.run(format!("mknod -m {mode} {} {letter} {major} {minor}", shell(&node)));
        self.stage.run(format!("chown {uid}:{gid} {}", shell(&node)));
        let node = fstab(&node.to_string_lossy());
        self.text
            .set("lxc.mount.entry", format!("{node} dev/{} none bind,create=file 0 0", fstab(relative)))?;
        self.allow(key, &format!("{letter} {major}:{minor}"), properties.flag("deny-write", false))
    }

    /// A privileged container may use only the devices that are named; an unprivileged one can make no node, so that
    /// only what is forbidden needs saying.
    fn allow(&mut self, key: &str, device: &str, deny_write: bool) -> Result<(), ConfigurationError> {
        let prefix = match self.facts.cgroups.controller("devices") {
            Some(Version::V1) => "lxc.cgroup",
            Some(Version::V2) => "lxc.cgroup2",
            None if deny_write => {
                return Err(ConfigurationError::NoController {
                    key: format!("{key}.deny-write"),
                    controller: "devices",
                });
            }
            None => return Ok(()),
        };
        match (self.unprivileged, deny_write) {
            (true, false) => Ok(()),
            (true, true) => self.text.set(&format!("{prefix}.devices.deny"), format!("{device} w")),
            (false, false) => self.text.set(&format!("{prefix}.devices.allow"), format!("{device} rwm")),
            (false, true) => self.text.set(&format!("{prefix}.devices.allow"), format!("{device} rm")),
        }
    }
}
