//! A start that fails at any of its steps leaves the host as it was before.
//!
//! Each guest has started and stopped before something comes in its way, so that nothing else can be the reason.

use e2e::inventory::Inventory;
use e2e::output::{Output, run};
use e2e::promise::{self, Done};
use e2e::small::Small;
use e2e::suite::{BUSYBOX, LXC, Need, QEMU, Test};
use e2e::{Behaviour, Guest, Host, Kind, host, proc, tests, wait};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const IP: Need = Need::Program("ip", "iproute2");
const OVMF: Need = Need::File("/usr/share/OVMF/OVMF_VARS.fd", "ovmf");
const PERL: Need = Need::Program("perl", "perl-base");

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        once [QEMU]: a_disk_is_gone, a_socket_is_blocked, qemu_refuses_its_arguments, qemu_does_not_answer;
        once [QEMU, PERL]: qemu_dies_after_the_greeting;
        once [QEMU, OVMF]: firmware_finds_no_room;
        once [QEMU, IP, Need::Bridge]: a_bridge_is_gone, a_tap_has_the_name_of_another, the_second_bridge_knows_no_vlans,
            a_rate_cannot_be_limited;
        once [LXC, BUSYBOX]: the_root_file_system_is_gone, the_second_volume_cannot_be_mounted, lxc_is_not_installed,
            control_groups_cannot_be_made, ids_cannot_be_mapped, settings_cannot_be_written, init_cannot_run;
        once [LXC, BUSYBOX, IP, Need::Bridge]: a_bridge_is_gone_for_a_container, a_veth_has_the_name_of_another,
            lxc_start_dies_halfway;
        each []: a_path_of_the_run_is_blocked, the_ledger_finds_no_room
    )
}

/// Has it live once. Returns the network interfaces that it took.
#[track_caller]
fn lives(guest: &Guest<'_>) -> Vec<String> {
    guest.start().ok();
    let took = guest.events().into_iter().filter(|event| event["event"] == "took");
    let name = |took: serde_json::Value| {
        took.to_string().split('"').find(|word| word.ends_with("i0")).map(str::to_owned)
    };
    let interfaces = took.filter_map(name).collect();
    let keeper = guest.keeper();
    guest.stop().ok();
    host::wait_gone(keeper);
    guest.forget_past();
    interfaces
}

/// Starts it where these lines of shell have changed what it sees of the host's files; the host itself stays as it is.
#[track_caller]
fn start_where(host: &Host, guest: &Guest<'_>, changes: &str, options: &[&str]) -> Output {
    let script = format!("set -e\n{changes}\nexec \"$0\" \"$@\"");
    let mut command = host.command("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
    command.arg(host.links().join(guest.kind().command())).args(["start", &guest.id()]).args(options);
    run(&mut command)
}

/// This start of the guest fails for that reason after `pre-start`, and afterwards everything is as it is now.
#[track_caller]
fn is_undone(host: &Host, guest: &Guest<'_>, why: &str, start: impl FnOnce() -> Output) {
    changes_nothing(host, guest, why, start);
    assert_eq!(promise::story(guest), "pre-start post-stop");
    let broken = promise::broken(guest, &Done::default());
    assert!(broken.is_empty(), "the promise is broken:\n  {}", broken.join("\n  "));
}

#[track_caller]
fn changes_nothing(host: &Host, guest: &Guest<'_>, why: &str, start: impl FnOnce() -> Output) {
    let before = Inventory::of(host, guest);
    let output = start().fails();
    assert!(output.describe().contains(why), "it should say {why:?}:\n{}", output.describe());
    guest.wait_run_end();
    assert_eq!(guest.noted(), ["pre-start", "post-stop"]);
    assert_eq!(guest.notes()[1].stop_cause, "start-failed");
    let mut changes = Vec::new();
    // The keeper leaves a moment after its run.
    wait::until_quietly(|| {
        changes = before.changes(&Inventory::of(host, guest));
        changes.is_empty().then_some(())
    });
    assert!(changes.is_empty(), "the start left:\n  {}", changes.join("\n  "));
}

/// The same for a plain `start`.
#[track_caller]
fn start_is_undone(host: &Host, guest: &Guest<'_>, why: &str) {
    is_undone(host, guest, why, || guest.start());
}

/// Shell that has another program in the place of this one.
fn instead_of(host: &Host, program: &str, text: &str) -> String {
    let path = host.scratch().join("instead");
    fs::write(&path, text).expect("a program can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode can be set");
    format!("mount --bind '{}' {program}", path.display())
}

/// The QEMU that a start finds.
fn qemu() -> &'static str {
    let places = ["/usr/bin/kvm", "/usr/bin/qemu-system-x86_64", "/usr/local/bin/qemu-system-x86_64"];
    places.into_iter().find(|path| Path::new(path).exists()).expect("QEMU is there")
}

#[track_caller]
fn ip(words: &str) {
    run(Command::new("ip").args(words.split(' '))).ok();
}

/// A folder that nothing but somebody's will removes.
fn block(path: &Path) {
    fs::create_dir_all(path.join("in the way")).expect("a folder can be made");
}

fn image(host: &Host, guest: &Guest<'_>, name: &str) -> PathBuf {
    let id = guest.id();
    host.at(&format!("var/lib/vz/images/{id}/{}", name.replace("ID", &id)))
}

fn a_disk_is_gone(host: &Host) {
    let guest = host.vm(&Behaviour::Obeys);
    lives(&guest);
    fs::remove_file(image(host, &guest, "vm-ID-disk-0.raw")).expect("the disk is there");
    start_is_undone(host, &guest, "does not exist");
}

fn a_bridge_is_gone(host: &Host) {
    let (first, second) = (host.bridge(), host.bridge());
    let nets = [&first, &second].map(|bridge| format!("virtio,bridge={bridge}"));
    let guest = host.vm_with(&Behaviour::Obeys, &["--net0", &nets[0], "--net1", &nets[1]]);
    lives(&guest);
    ip(&format!("link del {second}"));
    start_is_undone(host, &guest, &format!("bridge '{second}' does not exist"));
}

fn a_tap_has_the_name_of_another(host: &Host) {
    let guest = host.vm_with(&Behaviour::Obeys, &["--net0", &format!("virtio,bridge={}", host.bridge())]);
    let name = &lives(&guest)[0];
    ip(&format!("tuntap add dev {name} mode tap"));
    start_is_undone(host, &guest, &format!("interface '{name}'"));
    ip(&format!("link del {name}"));
}

fn the_second_bridge_knows_no_vlans(host: &Host) {
    let net = format!("virtio,bridge={}", host.bridge());
    let guest = host.vm_with(&Behaviour::Obeys, &["--net0", &net, "--net1", &net]);
    lives(&guest);
    guest.set(&["--net1", &format!("{net},tag=7")]);
    start_is_undone(host, &guest, "does not filter VLANs");
}

fn a_rate_cannot_be_limited(host: &Host) {
    let net = format!("virtio,bridge={}", host.bridge());
    let guest = host.vm_with(&Behaviour::Obeys, &["--net0", &net]);
    lives(&guest);
    guest.set(&["--net0", &format!("{net},rate=5")]);
    let view = instead_of(host, "\"$(command -v tc)\"", "#!/bin/sh\necho no buckets >&2\nexit 2\n");
    is_undone(host, &guest, "no buckets", || start_where(host, &guest, &view, &[]));
}

fn a_socket_is_blocked(host: &Host) {
    let guest = host.vm(&Behaviour::Obeys);
    lives(&guest);
    block(&host.at(&format!("run/qemu-server/{}.qmp", guest.vmid())));
    start_is_undone(host, &guest, "of an earlier start");
}

fn firmware_finds_no_room(host: &Host) {
    let guest = host.vm_with(&Behaviour::Obeys, &["--bios", "ovmf"]);
    lives(&guest);
    let small = Small::over(host.at("run/qemu-server"));
    small.fill();
    start_is_undone(host, &guest, "No space left");
    drop(small);
}

fn qemu_refuses_its_arguments(host: &Host) {
    let net = format!("virtio,bridge={}", host.bridge());
    let guest = host.vm_with(&Behaviour::Obeys, &["--net0", &net]);
    lives(&guest);
    guest.set(&["--args", "-device nonexistent"]);
    start_is_undone(host, &guest, "start failed: QEMU exited with code 1");
}

fn qemu_does_not_answer(host: &Host) {
    let guest = host.vm(&Behaviour::Obeys);
    lives(&guest);
    let program =
        "#!/bin/sh\ncase $* in --version) echo QEMU emulator version 7.2.0;; *) exec sleep 1000;; esac\n";
    let view = instead_of(host, qemu(), program);
    let start = || start_where(host, &guest, &view, &["--timeout", "1"]);
    is_undone(host, &guest, "got timeout", start);
}

fn qemu_dies_after_the_greeting(host: &Host) {
    let guest = host.vm(&Behaviour::Obeys);
    lives(&guest);
    let program = r#"#!/usr/bin/perl
if ("@ARGV" eq "--version") { print "QEMU emulator version 7.2.0\n"; exit }
my ($fd) = "@ARGV" =~ /id=hookvisor,fd=(\d+)/;
open(my $listener, "+<&=", $fd) or exit 4;
vec(my $ready = "", $fd, 1) = 1;
select($ready, undef, undef, undef);
accept(my $client, $listener) or exit 5;
syswrite($client, qq({"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": ""}, "capabilities": []}}\r\n));
vec($ready = "", fileno($client), 1) = 1;
select($ready, undef, undef, undef);
exit 3;
"#;
    let view = instead_of(host, qemu(), program);
    let why = "start failed: QEMU exited with code 3";
    is_undone(host, &guest, why, || start_where(host, &guest, &view, &[]));
}

fn the_root_file_system_is_gone(host: &Host) {
    let guest = host.container();
    lives(&guest);
    let root = image(host, &guest, "subvol-ID-disk-0.subvol");
    fs::rename(&root, root.with_extension("away")).expect("the root file system is there");
    start_is_undone(host, &guest, "does not exist");
}

fn the_second_volume_cannot_be_mounted(host: &Host) {
    let guest = host.container_with(&["--mp0", "local:1,mp=/one", "--mp1", "local:1,mp=/two"]);
    lives(&guest);
    // Its superblock is gone.
    let config = guest.config();
    let second = config.split("mp1: local:").nth(1).and_then(|rest| rest.split(',').next());
    let path = host.at("var/lib/vz/images").join(second.expect("the volume's name"));
    let second = fs::OpenOptions::new().write(true).open(path);
    let zeros =
        std::os::unix::fs::FileExt::write_all_at(&second.expect("the volume is there"), &[0; 8192], 0);
    zeros.expect("the volume can be written");
    start_is_undone(host, &guest, "mount");
}

fn a_bridge_is_gone_for_a_container(host: &Host) {
    let (first, second) = (host.bridge(), host.bridge());
    let nets =
        [("eth0", &first), ("eth1", &second)].map(|(name, bridge)| format!("name={name},bridge={bridge}"));
    let guest = host.container_with(&["--net0", &nets[0], "--net1", &nets[1]]);
    lives(&guest);
    ip(&format!("link del {second}"));
    start_is_undone(host, &guest, &second);
}

fn a_veth_has_the_name_of_another(host: &Host) {
    let guest = host.container_with(&["--net0", &format!("name=eth0,bridge={}", host.bridge())]);
    let name = &lives(&guest)[0];
    ip(&format!("tuntap add dev {name} mode tap"));
    start_is_undone(host, &guest, name);
    ip(&format!("link del {name}"));
}

fn lxc_is_not_installed(host: &Host) {
    let guest = host.container();
    lives(&guest);
    let view = "mount --bind /dev/null \"$(command -v lxc-start)\"";
    is_undone(host, &guest, "'lxc-start' is not installed", || start_where(host, &guest, view, &[]));
}

fn control_groups_cannot_be_made(host: &Host) {
    let guest = host.container();
    lives(&guest);
    let view = "while read -r _ at kind _; do
        case $kind in cgroup*) mount -o remount,bind,ro \"$at\";; esac
    done </proc/mounts";
    is_undone(host, &guest, "startup for container", || start_where(host, &guest, view, &[]));
}

fn ids_cannot_be_mapped(host: &Host) {
    let guest = host.container();
    lives(&guest);
    fs::write(guest.config_path(), guest.config() + "unprivileged: 1\n")
        .expect("the configuration can be written");
    let view = instead_of(host, "/etc/subuid", "");
    is_undone(host, &guest, "subuid", || start_where(host, &guest, &view, &[]));
}

fn settings_cannot_be_written(host: &Host) {
    let guest = host.container();
    lives(&guest);
    let config = guest.config().replace("ostype: unmanaged", "ostype: debian");
    fs::write(guest.config_path(), config).expect("the configuration can be written");
    block(&image(host, &guest, "subvol-ID-disk-0.subvol/etc/hostname"));
    start_is_undone(host, &guest, "cannot write the settings");
}

fn init_cannot_run(host: &Host) {
    let guest = host.container_with(&["--net0", &format!("name=eth0,bridge={}", host.bridge())]);
    lives(&guest);
    let init = image(host, &guest, "subvol-ID-disk-0.subvol/sbin/init");
    fs::write(init, "#!/no/such/interpreter\n").expect("the init can be replaced");
    start_is_undone(host, &guest, "startup for container");
}

fn lxc_start_dies_halfway(host: &Host) {
    let guest = host.container_with(&["--net0", &format!("name=eth0,bridge={}", host.bridge())]);
    let interface = Path::new("/sys/class/net").join(&lives(&guest)[0]);
    // A place where it waits, with everything made.
    let config = guest.config() + "lxc.hook.mount: /bin/sleep 1000\n";
    fs::write(guest.config_path(), config).expect("the configuration can be written");
    is_undone(host, &guest, "startup for container", || {
        let start = guest.spawn("start", &[]);
        wait::until("the container's interface", || interface.exists().then_some(()));
        let hypervisor = guest.hypervisor();
        proc::kill(hypervisor);
        host::wait_gone(hypervisor);
        start.finish()
    });
}

fn a_path_of_the_run_is_blocked(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    lives(&guest);
    let run = host.at(&format!("run/hookvisor/{}", guest.vmid()));
    let files: &[&str] = match kind {
        Kind::Vm => &["monitor", "qemu.out"],
        Kind::Container => &["lxc.signals", "lxc.wake", "lxc.err"],
    };
    for file in files {
        guest.on("pre-start", &format!("mkdir -p '{}/{file}/in the way'", run.display()));
        start_is_undone(host, &guest, "start");
        guest.forget_past();
    }
}

fn the_ledger_finds_no_room(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    lives(&guest);
    let small = Small::over(host.at("var/lib/hookvisor"));
    let filling = small.filling();
    // The last page of the ledger has room for a few records.
    let chatter = "printf '%9000d\\n' 1";
    guest.on("pre-start", &format!("cat /dev/zero >'{}'; {chatter}", filling.display()));
    guest.on("post-stop", &format!("rm '{}'", filling.display()));
    changes_nothing(host, &guest, "No space left", || guest.start());
    drop(small);
}
