//! Upgrades and downgrades while guests run.

use crate::debian::{Debian, NEW, OLD};
use e2e::suite::Need::{DebianPackage, Root};
use e2e::suite::Test;

pub(crate) fn tests() -> Vec<Test> {
    e2e::tests!(bare [Root, DebianPackage]: a_guest_lives_through_upgrade_downgrade_and_reinstallation)
}

fn a_guest_lives_through_upgrade_downgrade_and_reinstallation() {
    let debian = Debian::with(OLD);
    debian.running_guest();
    // The keeper and QEMU: which processes they are, and since when.
    let life = || {
        debian
            .sh("ps -C hookvisor,qemu-system-x86,kvm -o pid=,lstart=,args= | sed 's/ (deleted)//' | sort")
            .out()
    };
    let before = life();
    assert_eq!(before.lines().count(), 2, "{before}");
    for version in [NEW, OLD, OLD] {
        debian.sh("touch /usr/share/hookvisor/names/usr/bin/gone; ln -s /usr/share/hookvisor/names/usr/bin/gone /usr/bin/").ok();
        debian.install(version).ok();
        assert_eq!(debian.state("hookvisor"), format!("installed {version}"));
        assert_eq!(life(), before);
        for asked in ["hookvisor --version", "hookvisor version"] {
            debian.sh(asked).ok().prints_exactly(&format!("hookvisor {version}\n"));
        }
        debian
            .sh("/proc/$(ps -C hookvisor -o pid= | tr -d ' ')/exe --version")
            .ok()
            .prints_exactly(&format!("hookvisor {OLD}\n"));
        debian.sh("qm status 100").ok().prints_exactly("status: running\n");
        debian.sh("cat /root/phases").prints_exactly("100 pre-start\n100 post-start\n");
        debian.sh("rm -f /usr/bin/gone /usr/share/hookvisor/names/usr/bin/gone").ok();
    }
    debian.sh("qm stop 100; cat /root/phases").ok().prints("100 pre-stop\n100 post-stop\n");
}
