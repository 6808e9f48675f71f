//! Calls as Proxmox VE makes them: three words, a plain environment, and nothing of hookvisor's.
//!
//! The script sees the scratch host's `/etc/pve` and `/run/qemu-server` in their own places, and a `/run` in which it keeps what
//! it likes. `qm`, `pct` and `pvesm` are found by `PATH`, and do what hookvisor's do.

use e2e::Host;
use e2e::output::Output;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Puts the folders in their places, out of sight of everybody else, and calls the script: a worker that ends after it.
const ENTER: &str = r#"
set -e
scene=$1 root=$2
shift 2
mkdir -p "$root/run/qemu-server"
mount --bind "$scene/etc" /etc
mount --bind "$root/etc/pve" /etc/pve
mount --bind "$scene/run" /run
mount --bind "$scene/log" /var/log
mount --bind "$root/run/qemu-server" /run/qemu-server
env -i PATH="$scene/bin:/sbin:/bin:/usr/sbin:/usr/bin" LC_ALL=C LVM_SUPPRESS_FD_WARNINGS=1 HOME=/root "$@" || exit $?
"#;

/// A Proxmox VE host, as far as a hookscript sees it.
pub(crate) struct Pve<'h> {
    host: &'h Host,
    scene: PathBuf,
}

impl<'h> Pve<'h> {
    /// In the place of a scratch host.
    pub(crate) fn of(host: &'h Host) -> Self {
        let pve = Self { host, scene: host.scratch().join("pve") };
        for folder in ["bin", "log", "run/qemu-server"] {
            fs::create_dir_all(pve.scene.join(folder)).expect("a folder can be made");
        }
        e2e::output::run(Command::new("cp").args(["-a", "/etc"]).arg(pve.scene.join("etc"))).ok();
        for folder in ["etc/pve", "etc/hookvisor"] {
            fs::create_dir_all(pve.scene.join(folder)).expect("a folder can be made");
        }
        for name in ["qm", "pct", "pvesm"] {
            // Guests are started from outside, where everything is in its own place.
            let own = std::process::id();
            let command = host.command(name);
            let variables: Vec<String> = command
                .get_envs()
                .filter_map(|(name, value)| Some(format!("{}='{}'", name.to_str()?, value?.to_str()?)))
                .collect();
            let text = format!(
                "#!/bin/sh\nexec nsenter --mount=/proc/{own}/ns/mnt env {} '{}' \"$@\"\n",
                variables.join(" "),
                command.get_program().display()
            );
            pve.program(name, &text);
        }
        pve
    }

    /// Puts another program in the place of one that scripts call.
    pub(crate) fn program(&self, name: &str, text: &str) {
        let path = self.scene.join("bin").join(name);
        fs::write(&path, text).expect("a program can be written");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("a mode can be set");
    }

    /// A file of this host.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.scene.join(path)
    }

    /// What `/etc/hookvisor/hooks.conf` says there.
    pub(crate) fn settings(&self, text: &str) {
        let path = self.at("etc/hookvisor/hooks.conf");
        fs::write(&path, text).expect("the settings can be written");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a mode can be set");
    }

    fn command(&self, script: &Path, vmid: u32, phase: &str) -> Command {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--propagation", "private", "sh", "-c", ENTER, "enter"])
            .arg(&self.scene)
            .arg(self.host.root())
            .arg(script)
            .args([&vmid.to_string(), phase]);
        command
    }

    /// Calls the script in a phase.
    #[track_caller]
    pub(crate) fn call(&self, script: &Path, vmid: u32, phase: &str) -> Output {
        e2e::output::run(&mut self.command(script, vmid, phase))
    }

    /// The files that scripts have left in `/run`.
    pub(crate) fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        let mut folders = vec![self.at("run/hookscript")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                match entry.path().is_dir() {
                    true => folders.push(entry.path()),
                    false if name == "lock" => {}
                    false => left.push(name),
                }
            }
        }
        left
    }
}
