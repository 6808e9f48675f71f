//! User namespace, AppArmor, seccomp and the `features`.

use super::{ConfigurationError, Made};
use crate::fields;
use crate::subid;

/// What LXC's own rules for containers deny (its `common.seccomp`), and keyctl(2), which a user namespace does not
/// separate: init systems of unprivileged containers fail on it, and take its absence well.
const SECCOMP: &str = "\
2
denylist
reject_force_umount
[all]
kexec_load errno 1
open_by_handle_at errno 1
init_module errno 1
finit_module errno 1
delete_module errno 1
keyctl errno 38
";

impl Made<'_> {
    pub(super) fn security(&mut self) -> Result<Option<String>, ConfigurationError> {
        let key = || "features".to_owned();
        let features = fields::read("features", self.section.get("features").unwrap_or(""))
            .map_err(|source| ConfigurationError::Property { key: key(), source })?;
        if features.flag("mknod", false) {
            return Err(ConfigurationError::Unsupported {
                key: "features.mknod".to_owned(),
                why: "there is no proxy for mknod(2) here; pass single devices with dev0, dev1 …",
            });
        }
        if self.unprivileged {
            self.user_namespace(features.flag("force_rw_sys", false))?;
        }
        let nesting = features.flag("nesting", false);
        if self.facts.apparmor {
            self.text.set("lxc.apparmor.profile", "generated")?;
            if nesting {
                self.text.set("lxc.apparmor.allow_nesting", "1")?;
            } else {
                self.text.set("lxc.apparmor.raw", "deny mount -> /proc/,")?;
                self.text.set("lxc.apparmor.raw", "deny mount -> /sys/,")?;
            }
        }
        if nesting {
            // Whole instances of both, without which a nested user namespace may not mount its own.
            self.text.set("lxc.mount.entry", "proc dev/.lxc/proc proc create=dir,optional 0 0")?;
            self.text.set("lxc.mount.entry", "sys dev/.lxc/sys sysfs create=dir,optional 0 0")?;
        }
        if features.flag("fuse", false) {
            if self.facts.apparmor {
                self.text.set("lxc.apparmor.raw", "mount fstype=fuse,")?;
            }
            self.text.set("lxc.mount.entry", "/dev/fuse dev/fuse none bind,create=file 0 0")?;
        }
        if let Some(kinds) = features.get("mount") {
            self.mountable(kinds)?;
        }
        if !self.unprivileged || features.flag("keyctl", false) {
            return Ok(None);
        }
        self.text.set("lxc.seccomp.profile", self.paths.seccomp.to_string_lossy())?;
        Ok(Some(SECCOMP.to_owned()))
    }

    fn user_namespace(&mut self, writable_sys: bool) -> Result<(), ConfigurationError> {
        let own = self.section.lxc.iter().any(|(key, _)| matches!(key.as_str(), "lxc.idmap" | "lxc.id_map"));
        if !own {
            if !self.facts.id_map {
                return Err(ConfigurationError::NoIdMap);
            }
            for kind in ["u", "g"] {
                self.text.set("lxc.idmap", format!("{kind} 0 {} {}", subid::FIRST, subid::COUNT))?;
            }
        }
        if !writable_sys {
            self.text.set("lxc.mount.auto", "sys:mixed")?;
        }
        Ok(())
    }

    /// File systems that the container may mount itself: AppArmor forbids them otherwise, and nothing else does for a
    /// privileged one.
    fn mountable(&mut self, kinds: &str) -> Result<(), ConfigurationError> {
        let key = "features.mount";
        for kind in kinds.split(';').filter(|kind| !kind.is_empty()) {
            if !kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                return Err(ConfigurationError::Value {
                    key: key.to_owned(),
                    value: kind.to_owned(),
                    expected: "names of file systems, separated by ';'",
                });
            }
            if self.facts.apparmor {
                self.text.set("lxc.apparmor.raw", format!("mount fstype={kind},"))?;
            }
        }
        Ok(())
    }
}
