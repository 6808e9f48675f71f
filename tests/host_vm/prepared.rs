//! A machine with its guests, brought up once for all tests and kept as a disk and what its memory held: a test has it in
//! a second instead of after a boot.

use crate::calls::{HOOK, OWN};
use crate::guest::{CONTAINER, VM};
use crate::machine::Machine;
use e2e::{Behaviour, tiny_vm};
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};
use tempfile::TempDir;

/// The machine, frozen.
pub(crate) struct Prepared {
    folder: TempDir,
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

/// The disk of a Debian on which nothing has run yet.
pub(crate) fn image() -> PathBuf {
    folder().expect("a test of a host needs its disk").join("disk.raw")
}

static PREPARED: OnceLock<&'static Prepared> = OnceLock::new();

/// The machine, made at first use.
pub(crate) fn get() -> &'static Prepared {
    static MAKING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = MAKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    PREPARED.get_or_init(|| Box::leak(Box::new(prepare())))
}

/// Takes it away again.
pub(crate) fn remove() {
    if let Some(prepared) = PREPARED.get() {
        let _ = std::fs::remove_dir_all(prepared.folder.path());
    }
}

fn prepare() -> Prepared {
    let prepared = Prepared { folder: tempfile::tempdir().expect("a temporary folder can be made") };
    let mut machine = Machine::fresh(image());
    machine.sh("hookvisor init --node pve1");
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
    machine.sh("rm -rf /var/lib/hookvisor/history; systemctl start hookvisor.service; sync");
    machine.freeze(&prepared.memory(), &prepared.disk());
    prepared
}

/// Obeys a signal that asks for a shutdown.
const INIT: &str = "#!/bin/sh
trap 'poweroff -f' PWR
trap 'reboot -f' INT
while :; do sleep 3600 & wait $!; done
";
