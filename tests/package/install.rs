//! What is there after an installation.

use crate::debian::{Debian, NEW, OLD};
use e2e::suite::Need::{DebianPackage, Root};
use e2e::suite::{Test, packages};

pub(crate) fn tests() -> Vec<Test> {
    e2e::tests!(bare [Root, DebianPackage]:
        the_host_is_laid_out_and_the_first_hook_is_on_record, a_build_gives_the_same_bytes_again,
        a_name_that_is_taken_stays_as_it_is, an_installation_that_is_cut_short_is_gone_on_with,
        a_host_that_cannot_be_laid_out_is_told_how, systemd_has_nothing_to_say_about_the_units, the_maintainer_scripts_are_sound)
}

fn the_host_is_laid_out_and_the_first_hook_is_on_record() {
    let debian = Debian::new();
    debian.install(NEW).ok();
    assert_eq!(debian.state("hookvisor"), format!("installed {NEW}"));
    debian.sh("dpkg --verify hookvisor").ok().prints_exactly("");
    for name in ["qm", "pct", "pvesh", "pvesm"] {
        debian.sh(&format!("{name} --help")).ok();
    }
    debian
        .sh("grep -h root: /etc/subuid /etc/subgid")
        .ok()
        .prints_exactly("root:100000:65536\nroot:100000:65536\n");
    debian.running_guest();
    debian
        .sh("qm stop 100; cat /root/phases")
        .ok()
        .prints_exactly("100 pre-start\n100 post-start\n100 pre-stop\n100 post-stop\n");
    debian.sh("hookvisor log 100 --phase pre-start").ok().prints("pre-start ended: ok");
}

fn a_build_gives_the_same_bytes_again() {
    let read = |name: &str| std::fs::read(packages().join(name)).expect("the package is there");
    assert!(read("new.deb") == read("again.deb"));
}

fn a_name_that_is_taken_stays_as_it_is() {
    let debian = Debian::new();
    debian.sh("echo mine >/usr/bin/qm; ln -s nowhere /usr/bin/pct").ok();
    let installed = debian.install(NEW).ok();
    installed.complains(
        "'/usr/bin/qm' is not hookvisor's and stays; its own is '/usr/share/hookvisor/names/usr/bin/qm'",
    );
    debian
        .sh("cat /usr/bin/qm; readlink /usr/bin/pct /usr/bin/pvesh")
        .ok()
        .prints_exactly("mine\nnowhere\n/usr/share/hookvisor/names/usr/bin/pvesh\n");
    debian.sh("dpkg --remove hookvisor").ok();
    assert_eq!(debian.there("/usr/bin/qm /usr/bin/pct /usr/bin/pvesh"), "/usr/bin/pct /usr/bin/qm");
}

/// Something fails halfway: what is missing comes with the next attempt, and nothing is done twice.
fn an_installation_that_is_cut_short_is_gone_on_with() {
    for version in ["", OLD] {
        let debian = Debian::new();
        if !version.is_empty() {
            debian.install(version).ok();
            debian.sh("rm /usr/bin/pct").ok();
        }
        debian.sh("mv /usr/bin/ln /usr/bin/ln.away").ok();
        debian.install(NEW).fails();
        assert_eq!(debian.state("hookvisor"), format!("half-configured {NEW}"));
        debian.sh("mv /usr/bin/ln.away /usr/bin/ln; dpkg --configure --pending").ok();
        assert_eq!(debian.state("hookvisor"), format!("installed {NEW}"));
        assert_eq!(
            debian.there("/usr/bin/qm /usr/bin/pct /etc/pve/local"),
            "/etc/pve/local /usr/bin/pct /usr/bin/qm"
        );
    }
}

fn a_host_that_cannot_be_laid_out_is_told_how() {
    let debian = Debian::new();
    debian.sh("mkdir -p /etc/pve; echo x >/etc/pve/nodes").ok();
    let installed = debian.install(NEW).ok();
    installed.complains("'/etc/pve' is not laid out; 'hookvisor init --node NAME' does it");
    assert_eq!(debian.state("hookvisor"), format!("installed {NEW}"));
}

fn systemd_has_nothing_to_say_about_the_units() {
    let debian = Debian::with(NEW);
    let told = debian.sh("systemd-analyze verify /usr/lib/systemd/system/hookvisor*.service").ok();
    assert_eq!((told.out(), told.err()), (String::new(), String::new()));
}

fn the_maintainer_scripts_are_sound() {
    let debian = Debian::with(NEW);
    let scripts = "cd /var/lib/dpkg/info; shellcheck --shell=sh hookvisor.postinst hookvisor.prerm hookvisor.postrm \
                   /usr/lib/hookvisor/names";
    debian.sh(scripts).ok().prints_exactly("");
    // Once more is as good as once.
    let all = "find / -xdev -path /proc -prune -o -path /packages -prune -o -printf '%p %l %s %m\\n' | sort | md5sum";
    let before = debian.sh(all).ok().out();
    for arguments in
        [&format!("configure {NEW}"), "triggered /usr/bin/qm", "abort-remove", "abort-upgrade 0.0.3"]
    {
        debian.sh(&format!("/var/lib/dpkg/info/hookvisor.postinst {arguments}")).ok();
    }
    assert_eq!(debian.sh(all).ok().out(), before);
    debian
        .sh("/var/lib/dpkg/info/hookvisor.postinst something")
        .fails()
        .complains("does not know 'something'");
}
