//! KVM: not whether its device opens, but whether it runs a guest.
//!
//! There are hosts where the device opens and guests come no further than their first interrupt. So a guest of some dozen
//! bytes is run: SeaBIOS starts it, it waits for the timer's interrupt, goes into 64-bit mode, and ends QEMU with a code of
//! its own. It has a limit, and leaves nothing: its disk is a file in memory.

use crate::Finding;
use crate::programs::{self, Ended};
use crate::scene::Scene;
use model::GuestKind;
use qemu::binary::find_binary;
use std::io::{self, Seek, Write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long the guest may take; where the processor helps it is a tenth of a second.
const LIMIT: Duration = Duration::from_secs(4);

/// From here on it is rather an emulation.
const SLOW: Duration = Duration::from_millis(1500);

/// What QEMU makes of 0x10 on the port of its exit device: twice that and one.
const SAID: i32 = 0x21;

/// The size of a floppy disk in bytes.
const FLOPPY: u64 = 1_474_560;

/// The boot sector, at 0x7c00.
const GUEST: [u8; 166] = [
    // cli; xor ax, ax; ds, es, ss = ax; sp = 0x7000; cld; sti
    0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x70, 0xfc, 0xfb,
    // wait for the next tick of the BIOS's clock: bx = [0x46c]; hlt until it is another; cli
    0x8b, 0x1e, 0x6c, 0x04, 0xf4, 0x3b, 0x1e, 0x6c, 0x04, 0x74, 0xf9, 0xfa,
    // cr3 = 0x1000; three empty tables of pages from there on
    0x66, 0xbf, 0x00, 0x10, 0x00, 0x00, 0x0f, 0x22, 0xdf, 0x66, 0x31, 0xc0, 0x66, 0xb9, 0x00, 0x0c, 0x00,
    0x00, 0x66, 0xf3, 0xab,
    // [0x1000] = 0x2003; [0x2000] = 0x3003; [0x3000] = 0x83: the first 2 MiB are where they are
    0x66, 0xc7, 0x06, 0x00, 0x10, 0x03, 0x20, 0x00, 0x00, 0x66, 0xc7, 0x06, 0x00, 0x20, 0x03, 0x30, 0x00,
    0x00, 0x66, 0xc7, 0x06, 0x00, 0x30, 0x83, 0x00, 0x00, 0x00, // cr4 |= PAE; EFER |= LME
    0x0f, 0x20, 0xe0, 0x66, 0x83, 0xc8, 0x20, 0x0f, 0x22, 0xe0, 0x66, 0xb9, 0x80, 0x00, 0x00, 0xc0, 0x0f,
    0x32, 0x66, 0x0d, 0x00, 0x01, 0x00, 0x00, 0x0f, 0x30,
    // lgdt [0x7ca0]; cr0 |= PG | PE; jmp 8:0x7c7a
    0x0f, 0x01, 0x16, 0xa0, 0x7c, 0x0f, 0x20, 0xc0, 0x66, 0x0d, 0x01, 0x00, 0x00, 0x80, 0x0f, 0x22, 0xc0,
    0xea, 0x7a, 0x7c, 0x08, 0x00, // 64-bit from here on: count rcx down from 65,536
    0x48, 0xc7, 0xc1, 0x00, 0x00, 0x01, 0x00, 0x48, 0xff, 0xc9, 0x75, 0xfb,
    // al = 0x10; out 0xf4, al; hlt for ever
    0xb0, 0x10, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd, // filling; the descriptors: none, and 64-bit code
    0x0f, 0x1f, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9a,
    0x20, 0x00, // their table's limit and address
    0x0f, 0x00, 0x90, 0x7c, 0x00, 0x00,
];

/// Runs a guest.
pub(crate) fn runs_a_guest(scene: &Scene) -> Vec<Finding> {
    let wants = |main: &config::Section| main.flag("kvm", true) && !main.flag("template", false);
    let users: Vec<String> = scene
        .of(GuestKind::Qemu)
        .filter(|guest| wants(&guest.config.main))
        .map(|guest| guest.vmid.to_string())
        .collect();
    vec![judge(&users).unless(!users.is_empty())]
}

fn judge(users: &[String]) -> Finding {
    let why = match users {
        [] => "virtual machines are started with KVM unless they say 'kvm: 0'".to_owned(),
        some => format!("{} would be started with it", some.join(", ")),
    };
    let problem = |what: String, mend: String| Finding::problem("KVM", what, why.clone(), mend);
    let device = Path::new("/dev/kvm");
    if !device.exists() {
        return match module() {
            Some(module) => problem("/dev/kvm is not there".to_owned(), format!("modprobe {module}")),
            None => problem("this processor does not offer it".to_owned(), without(users)),
        };
    }
    if !qemu::probe::kvm() {
        let user = rustix::process::geteuid().as_raw();
        let mend = format!("setfacl -m u:{user}:rw /dev/kvm");
        return problem("/dev/kvm cannot be opened".to_owned(), mend);
    }
    let Ok(qemu) = find_binary() else {
        return Finding::ok("KVM", "/dev/kvm opens; not tried without QEMU");
    };
    match boot(&qemu) {
        Ok(ended) if ended.status.is_none() => problem(
            format!("/dev/kvm opens, and a guest in it hangs ({} s)", LIMIT.as_secs()),
            without(users),
        ),
        Ok(ended) if ended.status.and_then(|status| status.code()) == Some(SAID) => {
            let took = format!("{:.1} s", ended.took.as_secs_f64());
            if ended.took < SLOW {
                return Finding::ok("KVM", format!("a guest ran in {took}"));
            }
            let what = format!("a guest ran, slowly: {took} for a tenth of a second's work");
            problem(what, without(users)).unless(false)
        }
        Ok(ended) => problem(format!("a guest did not run: {}", ended.why()), without(users)),
        Err(error) => problem(format!("no guest could be tried: {error}"), without(users)),
    }
}

/// The command that has these guests run without.
fn without(users: &[String]) -> String {
    match users {
        [] => "qm set VMID --kvm 0".to_owned(),
        [one] => format!("qm set {one} --kvm 0"),
        some => format!("for vmid in {}; do qm set $vmid --kvm 0; done", some.join(" ")),
    }
}

/// The module for this processor; none where the processor cannot, or may not by its firmware.
fn module() -> Option<&'static str> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flag = |flag: &str| cpu.split_whitespace().any(|word| word == flag);
    [("vmx", "kvm_intel"), ("svm", "kvm_amd")]
        .into_iter()
        .find(|(name, _)| flag(name))
        .map(|(_, module)| module)
}

fn boot(qemu: &Path) -> io::Result<Ended> {
    let mut disk = programs::memory("guest")?;
    disk.write_all(&GUEST)?;
    disk.seek(io::SeekFrom::Start(510))?;
    disk.write_all(&[0x55, 0xaa])?;
    disk.set_len(FLOPPY)?;
    let words = "-accel kvm -machine pc -m 16 -nodefaults -no-user-config -display none -boot a \
                 -device isa-debug-exit,iobase=0xf4,iosize=1 \
                 -drive if=floppy,format=raw,readonly=on,file=/proc/self/fd/0";
    programs::run(Command::new(qemu).args(words.split_whitespace()), Some(disk), LIMIT)
}
