//! A container template of busybox and a script as init, made when a test asks for it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

const BUSYBOX: &str = "/bin/busybox";

const APPLETS: &[&str] = &[
    "sh", "cat", "echo", "sleep", "ls", "ps", "id", "ip", "mount", "hostname", "kill", "poweroff", "reboot",
    "touch", "grep", "true", "false", "head", "df", "free", "nproc", "stat", "env", "pwd",
];

/// A signal that asks for a shutdown powers off (unless `/etc/ignore` is there), one that asks for a reboot reboots.
const INIT: &str = r#"#!/bin/sh
off() { [ -e /etc/ignore ] || poweroff -f; }
trap off PWR TERM USR1 USR2
trap 'reboot -f' INT
mount -t proc proc /proc 2>/dev/null
hostname >/run/up
while :; do
    sleep 3600 &
    wait $!
done
"#;

/// Writes the template, a `.tar.gz`.
///
/// # Panics
/// If it cannot be made.
pub fn write(path: &Path) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let root = folder.path();
    for dir in ["bin", "sbin", "etc", "dev", "proc", "sys", "tmp", "run", "root", "mnt", "var"] {
        fs::create_dir(root.join(dir)).expect("a folder of the template can be made");
    }
    fs::copy(BUSYBOX, root.join("bin/busybox")).expect("busybox can be copied");
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet)).expect("a link can be made");
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").expect("a file can be written");
    fs::write(root.join("etc/group"), "root:x:0:\n").expect("a file can be written");
    fs::write(root.join("sbin/init"), INIT).expect("a file can be written");
    fs::set_permissions(root.join("sbin/init"), fs::Permissions::from_mode(0o755))
        .expect("a mode can be set");
    let tar = Command::new("tar")
        .arg("-C")
        .arg(root)
        .arg("--owner=0")
        .arg("--group=0")
        .arg("-czf")
        .arg(path)
        .arg(".")
        .status();
    assert!(tar.is_ok_and(|status| status.success()), "tar cannot make {}", path.display());
}
