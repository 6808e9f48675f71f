//! A Debian for one test: a layer in memory over a tree that all of them share, with its own processes and mounts. Whatever
//! was started in it ends with it.

use e2e::output::{Output, run};
use e2e::suite::packages;
use e2e::{proc, wait};
use std::fs;
use std::process::{Child, Command, Stdio};

/// The versions of the package that are there.
pub(crate) const OLD: &str = "0.0.1";
pub(crate) const NEW: &str = "0.0.2";

/// Lays the Debian out below /mnt and becomes its first process.
const LAY: &str = r#"set -e
mount -t tmpfs none /mnt
mkdir /mnt/upper /mnt/work /mnt/debian
mount -t overlay none -o "lowerdir=$1/root,upperdir=/mnt/upper,workdir=/mnt/work" /mnt/debian
cd /mnt/debian
mount -t proc none proc
mount -t tmpfs none dev
for name in null zero full random urandom tty; do touch "dev/$name"; mount --bind "/dev/$name" "dev/$name"; done
ln -s /proc/self/fd dev/fd
mount --rbind /sys sys
mount -t tmpfs none run
tr -d - </proc/sys/kernel/random/uuid >etc/machine-id
mkdir run/lock packages
mount --bind "$1" packages
printf '127.0.0.1 localhost\n' >etc/hosts
exec chroot . sleep infinity
"#;

/// The Debian.
pub(crate) struct Debian {
    unshare: Child,
    first: u32,
}

impl Debian {
    /// A fresh one, without the package.
    pub(crate) fn new() -> Self {
        let folder = packages();
        let unshare = Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", LAY, "sh"])
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // It does not like to be outlived by its child, and says so.
            .stderr(Stdio::null())
            .spawn()
            .expect("unshare(1) can be run");
        let children = format!("/proc/{0}/task/{0}/children", unshare.id());
        let first = wait::until("the Debian to be laid out", || {
            let first: u32 = fs::read_to_string(&children).ok()?.trim().parse().ok()?;
            (fs::read_to_string(format!("/proc/{first}/comm")).ok()?.trim() == "sleep").then_some(first)
        });
        Self { unshare, first }
    }

    /// A fresh one with the package of this version.
    pub(crate) fn with(version: &str) -> Self {
        let debian = Self::new();
        debian.install(version).ok();
        debian
    }

    /// Runs a line of the shell in it.
    #[track_caller]
    pub(crate) fn sh(&self, line: &str) -> Output {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--pid", "--root", "--wd", &format!("--target={}", self.first)]);
        command.args([
            "env",
            "-i",
            "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME=/root",
            "DEBIAN_FRONTEND=noninteractive",
        ]);
        run(command.args(["LC_ALL=C.UTF-8", "sh", "-c", line]))
    }

    /// Installs, upgrades or downgrades to this version.
    #[track_caller]
    pub(crate) fn install(&self, version: &str) -> Output {
        let name = if version == OLD { "old" } else { "new" };
        self.sh(&format!("dpkg --install /packages/{name}.deb"))
    }

    /// Starts the journal.
    pub(crate) fn journal(&self) {
        self.sh("setsid /lib/systemd/systemd-journald </dev/null >/dev/null 2>&1 &").ok();
        wait::until("the journal to take records", || {
            (!self.there("/run/systemd/journal/socket").is_empty()).then_some(())
        });
    }

    /// What dpkg says of a package: `installed 0.0.1`.
    pub(crate) fn state(&self, package: &str) -> String {
        self.sh(&format!("dpkg-query -W -f '${{db:Status-Status}} ${{Version}}' {package} || :")).out()
    }

    /// What there is of these paths.
    pub(crate) fn there(&self, paths: &str) -> String {
        self.sh(&format!("ls -d {paths} 2>/dev/null || :")).out().replace('\n', " ").trim().to_owned()
    }

    /// Makes a package of one file and installs it.
    pub(crate) fn other_package(&self, package: &str, file: &str) -> Output {
        self.sh(&format!(
            "set -e; mkdir -p /other/{package}/DEBIAN; cd /other/{package}\n\
             mkdir -p \"$(dirname .{file})\"; echo 'Proxmox VE' >.{file}\n\
             printf 'Package: {package}\\nVersion: 8\\nArchitecture: all\\nMaintainer: x <x@x.org>\\nDescription: x\\n' >DEBIAN/control\n\
             dpkg-deb --build . /other/{package}.deb >/dev/null; dpkg --install /other/{package}.deb"
        ))
    }

    /// A virtual machine that prints its phases, and runs.
    pub(crate) fn running_guest(&self) {
        self.sh(
            "set -e; cat >/var/lib/vz/snippets/say.sh <<'EOF'\n#!/bin/sh\necho \"$1 $2\" >>/root/phases\nEOF\n\
             chmod +x /var/lib/vz/snippets/say.sh\n\
             qm create 100 --name web --memory 16 --kvm 0 --hookscript local:snippets/say.sh; qm start 100",
        )
        .ok();
    }
}

impl Drop for Debian {
    fn drop(&mut self) {
        proc::kill(self.first);
        let _ = self.unshare.wait();
    }
}
