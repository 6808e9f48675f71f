//! What a removal and a purge take away, and what they refuse.

use crate::debian::{Debian, NEW};
use e2e::suite::Need::{DebianPackage, Root};
use e2e::suite::Test;

pub(crate) fn tests() -> Vec<Test> {
    e2e::tests!(bare [Root, DebianPackage]:
        no_guest_that_runs_loses_its_keeper, configurations_stay_and_volumes_stay_longer)
}

fn no_guest_that_runs_loses_its_keeper() {
    let debian = Debian::with(NEW);
    debian.running_guest();
    debian.sh("qm create 101 --name idle --memory 16").ok();
    let refused = debian.sh("dpkg --remove hookvisor").fails();
    refused
        .complains("hookvisor: not removed while guests run: 100 (web)\n")
        .complains("'apt-mark install hookvisor' takes the wish to remove it back");
    assert_eq!(debian.state("hookvisor"), format!("installed {NEW}"));
    debian.sh("dpkg --audit").ok().prints_exactly("");
    let refused = debian.sh("apt-get --yes remove hookvisor").fails();
    refused.complains("hookvisor: not removed while guests run: 100 (web)\n");
    debian.sh("dpkg --audit; apt-get check >/dev/null; dpkg --verify hookvisor").ok().prints_exactly("");
    let wish = "dpkg-query -W -f '${db:Status-Abbrev}' hookvisor";
    debian
        .sh(&format!("{wish}; apt-mark install hookvisor >/dev/null; {wish}"))
        .ok()
        .prints_exactly("ri ii ");
    debian.sh("qm status 100").ok().prints_exactly("status: running\n");
    debian.sh("qm stop 100 && dpkg --remove hookvisor").ok();
    debian.sh("cat /root/phases").ok().prints("100 post-stop\n");
}

fn configurations_stay_and_volumes_stay_longer() {
    let debian = Debian::with(NEW);
    debian
        .sh("qm create 100 --name web --memory 16 --ide0 local:1 && echo x=y >/etc/hookvisor/hooks.conf")
        .ok();
    let log = "/var/log/pveproxy/access.log";
    debian.sh(&format!("mkdir -p /var/log/pveproxy; echo x >{log}; echo y >{log}.1")).ok();
    let kept = "/etc/hookvisor/hooks.conf /etc/pve/qemu-server/100.conf /var/lib/hookvisor";
    let volume = "/var/lib/vz/images/100/vm-100-disk-0.raw";
    debian.sh("dpkg --remove hookvisor").ok();
    assert_eq!(debian.there(&format!("{kept} {volume}")), format!("{kept} {volume}"));
    assert_eq!(debian.there("/usr/bin/hookvisor /usr/bin/qm /usr/share/man/man1/qm*"), "");
    debian.sh("find / -xdev -lname '/usr/share/hookvisor/*'").ok().prints_exactly("");

    debian.install(NEW).ok();
    debian.sh("qm config 100").ok().prints("name: web");

    let purged = debian.sh("dpkg --purge hookvisor").ok();
    purged.prints("volumes and hookscripts stay: '/var/lib/vz'");
    assert_eq!(debian.there(&format!("{kept} /etc/pve {volume}")), volume);
    debian.sh("find /var/log -path '*pve*' -o -path '*hookvisor*'").ok().prints_exactly("");
    debian.sh("dpkg --purge hookvisor").ok();
}
