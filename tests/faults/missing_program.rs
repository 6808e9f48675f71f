//! A host without QEMU or LXC: a start says which package has it.

use e2e::suite::{LXC, Need, QEMU, Test};
use e2e::{Host, Kind, output, tests};

pub(crate) fn tests() -> Vec<Test> {
    tests!(once [QEMU, LXC, Need::Program("unshare", "util-linux")]: qemu, lxc)
}

/// Runs a command in a mount namespace of its own where these programs are not there.
fn without(host: &Host, programs: &[&str], line: &str) -> output::Output {
    let scratch = host.scratch().join("without");
    let hide: String = programs.iter().map(|name| format!("rm -f \"$f\"/{name}*; ")).collect();
    let script = format!(
        "set -e; s='{}'; for d in /usr/bin /usr/sbin; do r=$s/real$d f=$s/farm$d; mkdir -p \"$r\" \"$f\"; \
         mount --bind $d \"$r\"; ln -s \"$r\"/* \"$f\"; {hide} done; \
         for d in /usr/bin /usr/sbin; do \"$s\"/real/usr/bin/mount --bind \"$s/farm$d\" $d; done; {line}",
        scratch.display()
    );
    let mut command = host.command("unshare");
    output::run(command.args(["--mount", "--propagation", "private", "sh", "-c", &script]))
}

fn qemu(host: &Host) {
    let guest = host.guest(Kind::Vm);
    without(host, &["qemu-system", "kvm"], &format!("qm start {}", guest.vmid()))
        .fails()
        .complains("qemu-system-x86");
    assert_eq!(guest.status(), "stopped");
    assert!(
        matches!(guest.noted().len(), 0 | 2),
        "no phase, or pre-start with its post-stop: {:?}",
        guest.noted()
    );
}

fn lxc(host: &Host) {
    let guest = host.guest(Kind::Container);
    let output = without(host, &["lxc-"], &format!("pct start {}", guest.vmid())).fails();
    let named = output.err().split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == "lxc");
    assert!(named, "the package is named: {}", output.describe());
    assert_eq!(guest.status(), "stopped");
    assert!(
        matches!(guest.noted().len(), 0 | 2),
        "no phase, or pre-start with its post-stop: {:?}",
        guest.noted()
    );
}
