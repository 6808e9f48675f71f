//! A host that is a Proxmox VE already, becomes one, or is one no more.

use crate::debian::{Debian, NEW, OLD};
use e2e::suite::Need::{DebianPackage, Root};
use e2e::suite::Test;

pub(crate) fn tests() -> Vec<Test> {
    e2e::tests!(bare [Root, DebianPackage]:
        its_guests_and_commands_stay_its_own, the_names_go_and_come_with_it, its_configuration_outlives_a_purge,
        a_mounted_pmxcfs_is_one)
}

const SAID: &str = "hookvisor: this host is a Proxmox VE, whose guests and commands stay its own";

fn its_guests_and_commands_stay_its_own() {
    let debian = Debian::new();
    debian.other_package("pve-cluster", "/usr/bin/pmxcfs").ok();
    debian.sh("mkdir /etc/pve; echo theirs >/etc/pve/storage.cfg").ok();
    let before = debian.sh("find /etc/pve /etc/systemd /var/lib/vz /etc/subuid 2>/dev/null | sort").out();
    debian.install(NEW).ok().prints(SAID);
    assert_eq!(
        debian.sh("find /etc/pve /etc/systemd /var/lib/vz /etc/subuid 2>/dev/null | sort").out(),
        before
    );
    assert_eq!(
        debian.there("/usr/bin/qm /usr/share/man/man1/qm.1.gz /usr/share/bash-completion/completions/qm"),
        ""
    );
    // The package of Proxmox VE with a file of the same name comes later, and nothing is in its way.
    debian.other_package("qemu-server", "/usr/bin/qm").ok();
    debian.sh("cat /usr/bin/qm").prints_exactly("Proxmox VE\n");
    debian.sh("hookvisor hooks check /usr/lib/hookvisor/hookscripts/wait-for.sh").ok();
    debian.install(OLD).ok().prints(SAID);
    debian.sh("dpkg --remove hookvisor && cat /usr/bin/qm").ok().prints("Proxmox VE\n");
}

fn the_names_go_and_come_with_it() {
    let debian = Debian::with(NEW);
    let names = "/usr/bin/pct /usr/bin/qm /usr/share/man/man1/qm.1.gz /usr/share/zsh/vendor-completions/_qm";
    assert_eq!(debian.there(names), names);
    debian.other_package("qemu-server", "/usr/bin/qm").ok().prints(SAID);
    assert_eq!(debian.there(names), "/usr/bin/qm");
    debian.sh("cat /usr/bin/qm").prints_exactly("Proxmox VE\n");
    debian.sh("dpkg --remove qemu-server").ok();
    assert_eq!(debian.there(names), names);
    debian.sh("qm list").ok();
    debian.sh("dpkg --audit; dpkg --verify hookvisor").ok().prints_exactly("");
}

fn its_configuration_outlives_a_purge() {
    let debian = Debian::new();
    debian.other_package("pve-cluster", "/usr/bin/pmxcfs").ok();
    debian.sh("mkdir /etc/pve; echo theirs >/etc/pve/storage.cfg").ok();
    debian
        .sh("mkdir -p /var/log/pve/tasks /var/log/pveproxy; echo theirs >/var/log/pveproxy/access.log")
        .ok();
    debian.install(NEW).ok();
    debian.sh("dpkg --purge hookvisor").ok().prints("'/etc/pve' is Proxmox VE's and stays");
    debian
        .sh("cat /etc/pve/storage.cfg /var/log/pveproxy/access.log")
        .ok()
        .prints_exactly("theirs\ntheirs\n");
    assert_eq!(debian.there("/var/log/pve/tasks"), "/var/log/pve/tasks");
}

/// Whatever the packages are called: where `/etc/pve` is a FUSE mount, it is another's.
fn a_mounted_pmxcfs_is_one() {
    let debian = Debian::new();
    // A file system's type is what stat(1) says it is.
    debian.sh("mv /usr/bin/stat /usr/bin/stat.own; mkdir /etc/pve; cat >/usr/bin/stat <<'EOF'\n#!/bin/sh\n\
               [ \"$*\" = '-f -c %T /etc/pve' ] && echo fuseblk || exec stat.own \"$@\"\nEOF\nchmod +x /usr/bin/stat").ok();
    debian.install(NEW).ok().prints(SAID);
    assert_eq!(debian.there("/etc/pve/* /usr/bin/qm"), "");
}
