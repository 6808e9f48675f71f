//! The command line of each configuration in `golden/`, argument by argument.
//!
//! `HOOKVISOR_BLESS=1 cargo test -p qemu --test command` writes the files anew; the difference is for a reader to judge.

use crate::common::{folder, goldens, read, vmid};
use crate::host::Known;
use qemu::command::{Begin, CommandLine, command_line};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A command line and what goes with it, as a golden file holds it.
fn describe(line: &CommandLine) -> String {
    let mut text = line.print(true).into_string().unwrap() + "\n";
    for file in &line.files {
        writeln!(text, "file: {}", file.display()).unwrap();
    }
    for (from, to) in &line.copies {
        writeln!(text, "copy: {} -> {}", from.display(), to.display()).unwrap();
    }
    for tap in &line.networks {
        writeln!(text, "tap: {tap:?}").unwrap();
    }
    for device in &line.pci_devices {
        writeln!(text, "vfio-pci: {device}").unwrap();
    }
    for command in &line.setup {
        writeln!(text, "monitor: {} {}", command.name, command.arguments).unwrap();
    }
    if line.limits != qemu::command::Limits::default() {
        writeln!(text, "limits: {:?}", line.limits).unwrap();
    }
    for warning in &line.warnings {
        writeln!(text, "warning: {warning}").unwrap();
    }
    text
}

#[test]
fn each_configuration_has_its_command_line() {
    let known = Known::default();
    let bless = std::env::var_os("HOOKVISOR_BLESS").is_some();
    let mut wrong = Vec::new();
    for (name, text) in goldens() {
        let line =
            command_line(&read(&text), vmid(), &known.facts()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let now = describe(&line);
        let path = folder().join(format!("{name}.cmd"));
        if bless {
            std::fs::write(&path, &now).unwrap();
        } else if std::fs::read_to_string(&path).unwrap_or_default() != now {
            wrong.push(format!("{}:\n{now}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a real Proxmox VE 8.4 printed for `golden/oracle.conf` (oracle.md, transcript J).
const ORACLE: &str = "/usr/bin/kvm -id 100 -name 't100,debug-threads=on' -no-shutdown -chardev 'socket,id=qmp,path=/var/run/qemu-server/100.qmp,server=on,wait=off' -mon 'chardev=qmp,mode=control' -chardev 'socket,id=qmp-event,path=/var/run/qmeventd.sock,reconnect=5' -mon 'chardev=qmp-event,mode=control' -pidfile /var/run/qemu-server/100.pid -daemonize -smbios 'type=1,uuid=e29f9d22-fa41-4c24-ad2c-493788371a41' -smp '1,sockets=1,cores=1,maxcpus=1' -nodefaults -boot 'menu=on,strict=on,reboot-timeout=1000,splash=/usr/share/qemu-server/bootsplash.jpg' -vga none -nographic -cpu qemu64 -m 64 -device 'pci-bridge,id=pci.1,chassis_nr=1,bus=pci.0,addr=0x1e' -device 'pci-bridge,id=pci.2,chassis_nr=2,bus=pci.0,addr=0x1f' -device 'vmgenid,guid=438977e2-7379-4253-ba18-1849b048d166' -device 'piix3-usb-uhci,id=uhci,bus=pci.0,addr=0x1.0x2' -device 'usb-tablet,id=tablet,bus=uhci.0,port=1' -device 'virtio-balloon-pci,id=balloon0,bus=pci.0,addr=0x3,free-page-reporting=on' -drive 'file=/var/lib/vz/images/100/vm-100-disk-0.raw,if=none,id=drive-ide0,format=raw,cache=none,aio=io_uring,detect-zeroes=on' -device 'ide-hd,bus=ide.0,unit=0,drive=drive-ide0,id=ide0,bootindex=100' -machine 'accel=tcg,smm=off,type=pc+pve0'";

/// Where we differ from it: what is there, what we have instead, and why.
const DIFFERENCES: [(&str, &str, &str); 4] = [
    (" -id 100", "", "an option of Proxmox VE's own QEMU only"),
    (
        "-chardev 'socket,id=qmp-event,path=/var/run/qmeventd.sock,reconnect=5' -mon 'chardev=qmp-event,mode=control'",
        "-chardev 'socket,id=hookvisor,fd=10,server=on,wait=off' -mon 'chardev=hookvisor,mode=control'",
        "there is no event daemon: the guest's keeper listens, and a later keeper can connect again",
    ),
    (" -daemonize", "", "QEMU stays the keeper's child, which so sees how it ends"),
    ("type=pc+pve0", "type=pc", "the revision after the plus is known to Proxmox VE's own QEMU only"),
];

#[test]
fn showcmd_prints_what_proxmox_ve_printed_but_for_named_differences() {
    let mut known = Known::default();
    let mut theirs = ORACLE.to_owned();
    for (there, here, _) in DIFFERENCES {
        assert_eq!(theirs.matches(there).count(), 1, "{there}");
        theirs = theirs.replace(there, here);
    }
    let text = std::fs::read_to_string(folder().join("oracle.conf")).unwrap();
    known.lookup.firmware = false;
    let mut facts = known.facts();
    facts.splash = Some(Path::new("/usr/share/qemu-server/bootsplash.jpg"));
    let line = command_line(&read(&text), vmid(), &facts).unwrap();
    assert_eq!(line.print(false).into_string().unwrap(), theirs);
    // The other form is the same words with each option on a line of its own.
    assert_eq!(line.print(true).into_string().unwrap(), theirs.replace(" -", " \\\n  -"));
}

#[test]
fn sockets_below_a_long_root_go_by_a_descriptor_of_their_folder() {
    let root = PathBuf::from("/srv").join("a,b".repeat(40));
    let known = Known { layout: model::Layout::new(&root), ..Known::default() };
    let line = command_line(&read("agent: 1\nnet0: virtio,bridge=vmbr0\n"), vmid(), &known.facts()).unwrap();
    let text = line.print(false).into_string().unwrap();
    assert!(
        text.contains("path=/proc/self/fd/11/100.qmp") && text.contains("unix:/proc/self/fd/11/100.vnc"),
        "{text}"
    );
    assert!(
        text.contains(&format!("-pidfile '{}/run/qemu-server/100.pid'", root.display()))
            || text.contains("-pidfile")
    );
    assert_eq!(
        (line.monitor_fd, line.run_dir_fd, line.networks[0].fds.as_slice()),
        (10, Some(11), &[12][..])
    );
    assert!(line.files.contains(&root.join("run/qemu-server/100.qga")));
    // The name of an interface has 15 bytes at most.
    assert_eq!(line.networks[0].ifname.len(), "xyz100i0".len());
}

#[test]
fn a_guest_that_begins_from_a_state_waits_for_it() {
    let known = Known::default();
    let line = |begin| {
        let facts = qemu::Facts { begin, ..known.facts() };
        command_line(&read("memory: 64\n"), vmid(), &facts).unwrap().print(false).into_string().unwrap()
    };
    assert!(!line(Begin::Cold).contains(" -S "));
    assert!(line(Begin::Paused).contains(" -S "));
    assert!(line(Begin::Incoming("defer".to_owned())).ends_with(" -incoming defer"));
}

#[test]
fn a_command_line_costs_far_less_than_a_millisecond() {
    let known = Known::default();
    let configs: Vec<_> = goldens().into_iter().map(|(_, text)| read(&text)).collect();
    let began = Instant::now();
    for config in &configs {
        command_line(config, vmid(), &known.facts()).unwrap();
    }
    let each = began.elapsed() / u32::try_from(configs.len()).unwrap();
    println!("{each:?} each");
    assert!(each.as_millis() < 5, "{each:?} in an unoptimised build");
}
