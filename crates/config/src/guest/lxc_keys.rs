//! Which raw `lxc.*` settings a container's configuration may have (lifecycle.md 5.5).

/// What becomes of a raw setting.
pub(super) enum LxcKey {
    /// It is passed on.
    Good,
    /// It is passed on, with a warning.
    Outdated(&'static str),
    /// It is not used, for a reason.
    Refused(&'static str),
    /// It is not known.
    Unknown,
}

/// Settings by their full name, lxc.container.conf(5).
const KEYS: &[&str] = &[
    "apparmor.allow_incomplete",
    "apparmor.allow_nesting",
    "apparmor.profile",
    "apparmor.raw",
    "autodev",
    "autodev.tmpfs.size",
    "cap.drop",
    "cap.keep",
    "console.buffer.size",
    "console.logfile",
    "console.path",
    "console.rotate",
    "console.size",
    "environment",
    "environment.hooks",
    "ephemeral",
    "group",
    "hook.autodev",
    "hook.clone",
    "hook.destroy",
    "hook.mount",
    "hook.post-stop",
    "hook.pre-mount",
    "hook.pre-start",
    "hook.start",
    "hook.start-host",
    "hook.stop",
    "hook.version",
    "idmap",
    "include",
    "init.cmd",
    "init.cwd",
    "init.gid",
    "init.groups",
    "init.uid",
    "keyring.session",
    "log.file",
    "log.level",
    "log.syslog",
    "monitor.unshare",
    "mount.auto",
    "mount.entry",
    "mount.fstab",
    "namespace.clone",
    "namespace.keep",
    "namespace.share.ipc",
    "namespace.share.mnt",
    "namespace.share.net",
    "namespace.share.pid",
    "namespace.share.user",
    "namespace.share.uts",
    "no_new_privs",
    "pty.max",
    "rootfs.mount",
    "seccomp.allow_nesting",
    "seccomp.notify.cookie",
    "seccomp.notify.proxy",
    "seccomp.profile",
    "selinux.context",
    "selinux.context.keyring",
    "signal.halt",
    "signal.reboot",
    "signal.stop",
    "start.auto",
    "start.delay",
    "start.order",
    "tty.dir",
    "tty.max",
    "uts.name",
];

/// Settings that take any further name.
const FAMILIES: &[&str] = &["cgroup2.", "net.", "prlimit.", "proc.", "sysctl."];

/// Names before LXC 3.0.
const OUTDATED: &[&str] = &[
    "aa_allow_incomplete",
    "aa_profile",
    "console",
    "devttydir",
    "haltsignal",
    "id_map",
    "init_cmd",
    "init_gid",
    "init_uid",
    "kmsg",
    "limit",
    "logfile",
    "loglevel",
    "mount",
    "pts",
    "rebootsignal",
    "se_context",
    "seccomp",
    "stopsignal",
    "syslog",
    "tty",
    "utsname",
];

/// Looks a setting up by its name with the leading `lxc.`.
pub(super) fn look_up(key: &str) -> LxcKey {
    let Some(name) = key.strip_prefix("lxc.") else { return LxcKey::Unknown };
    match name {
        "rootfs.path" => LxcKey::Refused("setting it here is not supported, use the 'rootfs' option instead"),
        "rootfs.options" => LxcKey::Refused(
            "setting it here is not supported, use 'mountoptions' of the 'rootfs' option instead",
        ),
        _ if KEYS.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family)) => LxcKey::Good,
        _ if name.starts_with("cgroup.") => {
            LxcKey::Outdated("has no effect with cgroup v2, use 'lxc.cgroup2.*'")
        }
        _ if OUTDATED.contains(&name) || name.starts_with("network.") || name.starts_with("limit.") => {
            LxcKey::Outdated("is a name from before LXC 3.0")
        }
        _ => LxcKey::Unknown,
    }
}
