//! Commands and what a real Proxmox VE 8.4 answered, played on the same scene.

use e2e::suite::{BUSYBOX, LXC, Need, QEMU, Test};
use e2e::transcript::{Difference, parse, play};
use e2e::{Behaviour, Host, Kind, tests};
use std::fs;
use std::os::unix::fs::symlink;

pub(crate) fn tests() -> Vec<Test> {
    const QEMU_IMG: Need = Need::Program("qemu-img", "qemu-utils");
    tests!(once [QEMU, QEMU_IMG]: set_on_a_virtual_machine, pending_changes;
        once []: node_and_tasks;
        once [LXC, BUSYBOX]: set_on_a_container; once [QEMU, LXC, BUSYBOX]: formats, paths_of_the_api)
}

#[derive(serde::Deserialize)]
struct List {
    difference: Vec<Difference>,
}

#[track_caller]
fn check(host: &Host, name: &str, transcript: &str) {
    let list: List = toml::from_str(include_str!("differences.toml")).expect("differences.toml is in order");
    let wrong = play(host, name, &parse(transcript), &list.difference);
    assert!(wrong.is_empty(), "{wrong}");
}

const VM: &str = "\
boot:
cpu: qemu64
kvm: 0
memory: 64
meta: creation-qemu=7.2.22,ctime=1795374719
name: t100
smbios1: uuid=e29f9d22-fa41-4c24-ad2c-493788371a41
vga: none
vmgenid: 438977e2-7379-4253-ba18-1849b048d166
";

const CONTAINER: &str = "\
arch: amd64
hostname: ct200
memory: 64
ostype: unmanaged
rootfs: local:200/subvol-200-disk-0.subvol,size=0T
swap: 0
";

/// The storages and volumes that the transcripts were made with.
fn scene(host: &Host) {
    fs::write(
        host.at("etc/pve/storage.cfg"),
        "dir: local\n\tpath /var/lib/vz\n\tcontent rootdir,backup,images,vztmpl,iso,snippets\n\n\
         dir: nosnip\n\tpath /var/lib/nosnip\n\tcontent images\n\n\
         dir: off\n\tpath /var/lib/off\n\tcontent snippets\n\tdisable\n\n\
         dir: other\n\tpath /var/lib/other\n\tcontent snippets\n\tnodes pve2\n",
    )
    .expect("the storages can be written");
    host.snippet("hook.sh", format!("#!/bin/sh\n{}\n", "#".repeat(50)));
    let snippets = host.at("var/lib/vz/snippets");
    let _ = fs::remove_file(snippets.join("recorder"));
    symlink("hook.sh", snippets.join("link.sh")).expect("a link can be made");
    fs::write(snippets.join("noexec.sh"), "#!/bin/sh\nexit 0\n").expect("a file can be written");
    fs::write(snippets.join("user.yaml"), "#cloud-config\n").expect("a file can be written");
    let iso = host.at("var/lib/vz/template/iso");
    fs::create_dir_all(&iso).and_then(|()| fs::write(iso.join("x.iso"), vec![0; 1 << 20])).expect("an image");
    for storage in ["nosnip", "off", "other"] {
        fs::create_dir_all(host.at(&format!("var/lib/{storage}/snippets"))).expect("a storage can be made");
    }
}

fn machine(host: &Host, more: &str) {
    scene(host);
    host.disk(100, &Behaviour::Obeys);
    let mut lines: Vec<&str> = VM.lines().chain(more.lines()).collect();
    if !more.is_empty() {
        lines.retain(|line| *line != "boot:");
    }
    lines.sort_unstable();
    // `boot:` is written with a blank behind it.
    let text = (lines.join("\n") + "\n").replace("boot:\n", "boot: \n");
    fs::write(host.at("etc/pve/qemu-server/100.conf"), text).expect("a configuration can be written");
    host.adopt(Kind::Vm, 100);
}

fn set_on_a_virtual_machine(host: &Host) {
    machine(host, "");
    check(host, "set-vm", include_str!("transcripts/set-vm.txt"));
}

fn pending_changes(host: &Host) {
    machine(host, "boot: order=ide0\nide0: local:100/vm-100-disk-0.raw,size=1M\n");
    // The transcript was made with a hookscript of another name; the phases play no part in it.
    host.snippet("phases.sh", "#!/bin/sh\n");
    host.qm(["set", "100", "--hookscript", "local:snippets/phases.sh"]).ok();
    host.qm(["start", "100"]).ok();
    check(host, "pending", include_str!("transcripts/pending.txt"));
}

fn set_on_a_container(host: &Host) {
    scene(host);
    host.snippet("ctph.sh", "#!/bin/sh\n");
    fs::write(host.at("etc/pve/lxc/200.conf"), CONTAINER).expect("a configuration can be written");
    host.adopt(Kind::Container, 200);
    check(host, "set-container", include_str!("transcripts/set-container.txt"));
}

fn formats(host: &Host) {
    machine(
        host,
        "boot: order=ide0\nhookscript: local:snippets/phases.sh\nide0: local:100/vm-100-disk-0.raw,size=1M\n",
    );
    both_run(host, "#!/bin/sh\n");
    check(host, "formats", include_str!("transcripts/formats.txt"));
}

fn paths_of_the_api(host: &Host) {
    machine(
        host,
        "boot: order=ide0\nhookscript: local:snippets/phases.sh\nide0: local:100/vm-100-disk-0.raw,size=1M\n",
    );
    both_run(host, "#!/bin/sh\necho \"out $1 $2\"\necho \"err $1 $2\" >&2\n");
    check(host, "pvesh", include_str!("transcripts/pvesh.txt"));
}

/// The tasks that the transcript lists, the last one first, with when each ended and how.
const TASKS: [(&str, &str, &str); 3] = [
    ("UPID:pve1:00001016:00030A62:6B034184:vzstart:200:root@pam:", "6B034185", "OK"),
    ("UPID:pve1:00000FEE:00030A00:6B034183:qmstart:100:root@pam:", "6B034183", "OK"),
    (
        "UPID:pve1:00000FD9:0002FA64:6B03415B:qmstart:200:root@pam:",
        "6B03415B",
        "Configuration file 'nodes/pve1/qemu-server/200.conf' does not exist",
    ),
];

fn node_and_tasks(host: &Host) {
    machine(host, "");
    fs::write(host.at("etc/pve/lxc/200.conf"), CONTAINER).expect("a configuration can be written");
    let folder = host.at("var/log/pve/tasks");
    let index = TASKS.iter().rev().map(|(upid, end, status)| format!("{upid} {end} {status}\n"));
    fs::write(folder.join("index"), index.collect::<String>()).expect("an index can be written");
    let (upid, ..) = TASKS[0];
    // A log lies in the folder of the last digit of the second in which its task began.
    fs::create_dir_all(folder.join("4")).expect("a folder can be made");
    fs::write(folder.join("4").join(upid), "TASK OK\n").expect("a log can be written");
    check(host, "node", include_str!("transcripts/node.txt"));
}

/// The virtual machine of [`machine`] and a container, running.
fn both_run(host: &Host, script: &str) {
    let volume = host.snippet("phases.sh", script);
    assert_eq!(volume, "local:snippets/phases.sh");
    host.template();
    let made = host.pct([
        "create",
        "200",
        "local:vztmpl/busybox.tar.gz",
        "--rootfs",
        "local:0",
        "--ostype",
        "unmanaged",
        "--hostname",
        "ct200",
        "--memory",
        "64",
        "--swap",
        "0",
        "--unprivileged",
        "0",
    ]);
    host.adopt(Kind::Container, 200);
    made.ok();
    host.qm(["start", "100"]).ok();
    host.pct(["start", "200"]).ok();
}
