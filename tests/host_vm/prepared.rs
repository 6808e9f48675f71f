//! Machines that are brought up once for all tests, and kept as what their memory held: a test has one in a second.

use crate::calls::{HOOK, OWN};
use crate::guest::{CONTAINER, VM};
use crate::machine::Machine;
use crate::scratch::Folder;
use e2e::{Behaviour, tiny_vm};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// A machine, frozen.
pub(crate) struct Prepared {
    folder: Folder,
}

impl Prepared {
    /// Its disk.
    pub(crate) fn disk(&self) -> PathBuf {
        self.folder.path().join("disk.qcow2")
    }

    /// What its memory held.
    pub(crate) fn memory(&self) -> PathBuf {
        self.folder.path().join("memory")
    }
}

/// Where `cargo xtask test --host-vm` put the machine's kernel and disks.
pub(crate) fn folder() -> Option<PathBuf> {
    std::env::var_os("E2E_HOST_VM").map(PathBuf::from).filter(|folder| folder.join("payload.raw").is_file())
}

/// One of the files that it put there, as named from where the tests work.
pub(crate) fn made(name: &str) -> PathBuf {
    Path::new("..").join(name)
}

/// A machine that is about to read from its disk, whatever that holds: it boots from there in half the time.
pub(crate) static SWITCHED_ON: LazyLock<Prepared> = LazyLock::new(|| {
    let prepared = Prepared { folder: Folder::new() };
    Machine::switch_on(made("disk.raw"), &prepared.memory());
    prepared
});

/// The machine with its guests. Both are made at first use; where that fails every test does.
pub(crate) static READY: LazyLock<Prepared> = LazyLock::new(prepare);

fn prepare() -> Prepared {
    let prepared = Prepared { folder: Folder::new() };
    let mut machine = Machine::fresh(made("disk.raw"));
    // As a user does it.
    machine.sh("apt-get install -qq --yes --no-install-recommends /payload/hookvisor.deb");
    machine.write(&format!("/var/lib/vz/snippets/{OWN}"), HOOK.as_bytes());
    machine.sh(&format!("chmod 755 /var/lib/vz/snippets/{OWN}; mkdir -p /etc/orders /run/orders"));
    let image = format!("/var/lib/vz/images/{VM}/vm-{VM}-disk-0.raw");
    machine.write(&image, &tiny_vm::boot_sector(&Behaviour::Obeys));
    machine.sh(&format!("truncate -s {} {image}", tiny_vm::SIZE));
    machine.sh(&format!(
        "qm create {VM} --memory 16 --kvm 0 --vga none --ide0 local:{VM}/vm-{VM}-disk-0.raw --boot order=ide0 \
         --hookscript local:snippets/{OWN}"
    ));
    machine.write("/root/tree/sbin/init", INIT.as_bytes());
    machine.sh("cd /root/tree; mkdir -p bin dev proc sys etc; cp /bin/busybox bin; chmod 755 sbin/init
         for name in sh sleep poweroff reboot; do ln -s busybox bin/$name; done
         tar -czf /var/lib/vz/template/cache/busybox.tar.gz .");
    machine.sh(&format!(
        "pct create {CONTAINER} local:vztmpl/busybox.tar.gz --rootfs local:0 --ostype unmanaged --unprivileged 0 \
         --memory 64 --swap 0 --hookscript local:snippets/{OWN}"
    ));
    // Once each, so that everything they need has been read and loaded.
    for command in
        [format!("qm start {VM}; qm stop {VM}"), format!("pct start {CONTAINER}; pct stop {CONTAINER}")]
    {
        machine.sh(&command);
    }
    machine.sh("rm -rf /var/lib/hookvisor/history; sync");
    machine.freeze(&prepared.memory(), &prepared.disk());
    prepared
}

/// Obeys a signal that asks for a shutdown.
const INIT: &str = "#!/bin/sh
trap 'poweroff -f' PWR
trap 'reboot -f' INT
while :; do sleep 3600 & wait $!; done
";
