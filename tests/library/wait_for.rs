//! wait-for: the guest starts once what it relies on is there, and a refusal says what is not.

use crate::pve::Pve;
use crate::scene::{as_before, file, give, killed, refused, says, settings_of};
use e2e::hanging::Silent;
use e2e::inventory::Inventory;
use e2e::linux_vm::LinuxGuest;
use e2e::suite::{BUSYBOX, Need, QEMU, QEMU_GA, Test};
use e2e::{Host, Kind, tests, wait};
use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

const SCRIPT: &str = "wait-for.sh";

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: it_waits_until_all_is_there, what_is_not_there_is_named, a_mount_that_hangs_is_told_of,
            a_wait_that_is_cut_short_leaves_nothing;
        once [QEMU, QEMU_GA, BUSYBOX, Need::GuestKernel]: the_agent_of_another_guest;
        once [QEMU]: settings_that_cannot_be, as_pve
    )
}

/// A port on which nobody listens.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its number").port()
}

fn mount_tmpfs(path: &std::path::Path) {
    e2e::output::run(Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(path)).ok();
}

fn it_waits_until_all_is_there(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    give(host, &guest, SCRIPT);
    let (port, nas) = (free_port(), host.scratch().join("nas"));
    fs::create_dir(&nas).expect("a folder can be made");
    settings_of(
        host,
        &guest,
        &format!(
            "wait_mount={}:marker, wait_port=127.0.0.1:{port}@20, wait_storage=local, wait_host=localhost",
            nas.display()
        ),
    );
    let start = guest.spawn("start", &[]);
    says(
        &start,
        &format!("waits for the mount {}:marker, at most 60 s: nothing is mounted there", nas.display()),
    );
    mount_tmpfs(&nas);
    fs::write(nas.join("marker"), "").expect("a marker can be made");
    says(&start, &format!("waits for the port 127.0.0.1:{port}, at most 20 s: Connection refused"));
    let _listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    let output = start.finish().ok();
    for line in [
        "the storage local is there",
        "the host localhost is there",
        &format!("127.0.0.1:{port} is there after"),
    ] {
        assert!(output.out().contains(line), "{line:?} should be said: {}", output.describe());
    }
    assert_eq!(guest.status(), "running");
    // Once more, with all there, and killed in the middle.
    guest.stop().ok();
    guest.wait_run_end();
    let before = Inventory::of(host, &guest);
    guest.start().ok();
    killed(host, &guest, &before);
    e2e::output::run(Command::new("umount").arg(&nas)).ok();
}

fn what_is_not_there_is_named(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    give(host, &guest, SCRIPT);
    let (port, folder) = (free_port(), host.scratch().join("nas"));
    fs::create_dir(&folder).expect("a folder can be made");
    let storages = host.at("etc/pve/storage.cfg");
    let text = fs::read_to_string(&storages).expect("the storages");
    let nas = "dir: nas\n\tpath /nowhere/nas\n\tis_mountpoint yes\n\tcontent images\n";
    fs::write(storages, format!("{text}\n{nas}")).expect("the storages can be written");
    let other = host.vm_with(&e2e::Behaviour::Obeys, &["--agent", "1"]);
    let (folder, agent) = (folder.display(), other.vmid());
    for (params, why) in [
        (
            format!("wait_mount={folder}@1"),
            format!("the mount {folder} is not there after 1 s: nothing is mounted there"),
        ),
        (
            "wait_mount=/proc:no-such-marker@1".to_owned(),
            "the mount /proc:no-such-marker is not there after 1 s: ".to_owned(),
        ),
        (
            format!("wait_port=127.0.0.1:{port}, wait_limit=1"),
            format!("the port 127.0.0.1:{port} is not there after 1 s: Connection refused"),
        ),
        (
            "wait_host=no-such-host.invalid@1".to_owned(),
            "the host no-such-host.invalid is not there after 1 s: ".to_owned(),
        ),
        (
            "wait_storage=nas@1".to_owned(),
            "the storage nas is not there after 1 s: it is inactive".to_owned(),
        ),
        // At once, and not when its turn comes.
        ("wait_mount=/none-such@50, wait_storage=none".to_owned(), "no storage is called 'none'".to_owned()),
        (
            format!("wait_agent={agent}@1"),
            format!("the agent of guest {agent} is not there after 1 s: VM {agent} is not running"),
        ),
        (
            "wait_agent=999".to_owned(),
            "no virtual machine 999 is on this node, to wait for its agent".to_owned(),
        ),
    ] {
        settings_of(host, &guest, &params);
        let id = guest.id();
        refused(host, &guest, &format!("wait-for: guest {id} is not started: {why}"));
    }
    let record = guest.records();
    let why = record
        .iter()
        .find(|record| e2e::journal::text(record, "MESSAGE").contains("is not started"))
        .expect("the refusal is on record");
    assert_eq!(e2e::journal::text(why, "PRIORITY"), "3");
}

fn a_mount_that_hangs_is_told_of(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    give(host, &guest, SCRIPT);
    let silent = Silent::at(&host.scratch().join("silent"));
    let path = host.scratch().join("silent");
    settings_of(host, &guest, &format!("wait_mount={}@2", path.display()));
    let output = guest.start().fails();
    let why = format!("the mount {} is not there after 2 s: no answer within", path.display());
    assert!([output.out(), output.err()].concat().contains(&why), "{why:?}: {}", output.describe());
    assert!(output.took < Duration::from_secs(20), "{}", output.describe());
    drop(silent);
}

fn a_wait_that_is_cut_short_leaves_nothing(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    give(host, &guest, SCRIPT);
    settings_of(host, &guest, &format!("wait_port=127.0.0.1:{}", free_port()));
    let before = Inventory::of(host, &guest);
    let start = guest.spawn("start", &[]);
    says(&start, "waits for the port");
    host.hookvisor(["hooks", "abort", &guest.id()]).ok();
    let _ = start.finish().fails();
    guest.wait_run_end();
    as_before(host, &guest, &before);
    settings_of(host, &guest, &format!("wait_port=127.0.0.1:{}@5", free_port()));
    let before = Inventory::of(host, &guest);
    let keeper = guest.spawn("start", &[]);
    says(&keeper, "waits for the port");
    guest.kill(&[guest.keeper()]);
    let _ = keeper.finish();
    host.hookvisor(["recover"]).ok();
    wait::until("the start to be undone", || (!guest.ledger().exists()).then_some(()));
    as_before(host, &guest, &before);
}

fn the_agent_of_another_guest(host: &Host) {
    let linux = LinuxGuest::make(host);
    let guest = host.guest(Kind::Vm);
    give(host, &guest, SCRIPT);
    settings_of(host, &guest, &format!("wait_agent={}@50", linux.guest.vmid()));
    let start = guest.spawn("start", &[]);
    says(&start, "is not running");
    linux.guest.start().ok();
    start.finish().ok().prints(&format!("the agent of guest {} is there after", linux.guest.vmid()));
    linux.guest.stop().ok();
}

fn settings_that_cannot_be(host: &Host) {
    let guest = host.guest(Kind::Vm);
    give(host, &guest, SCRIPT);
    for (params, why) in [
        ("wait_mount=nas".to_owned(), "wait_mount has 'nas', which is no absolute path"),
        ("wait_port=nas".to_owned(), "wait_port has 'nas', which is not HOST:PORT"),
        ("wait_host=-f".to_owned(), "'-f' is no name of a host or storage"),
        ("wait_limit=soon".to_owned(), "wait_limit is 'soon', which is no number of seconds"),
        ("wait_storage=local@0".to_owned(), "'0' is no number of seconds"),
        (format!("wait_agent={}", guest.vmid()), "wait_agent has the guest itself, which does not run yet"),
    ] {
        settings_of(host, &guest, &params);
        refused(host, &guest, why);
    }
}

fn as_pve(host: &Host) {
    let (pve, guest) = (Pve::of(host), host.guest(Kind::Vm));
    let (script, port) = (file(SCRIPT), free_port());
    pve.call(&script, guest.vmid(), "pre-start").ok().prints_exactly("");
    pve.settings(&format!(
        "[guest {}]\nparams = wait_limit=1, wait_storage=\"local\"\n[host]\nparams = wait_port=127.0.0.1:{port}, wait_limit=70\n",
        guest.vmid()
    ));
    let why = format!(
        "wait-for: guest {} is not started: the port 127.0.0.1:{port} is not there after 1 s: ",
        guest.vmid()
    );
    let output = pve.call(&script, guest.vmid(), "pre-start").fails().complains(&why);
    assert!(!output.err().contains("<3>"), "Proxmox VE would print it: {}", output.describe());
    let _listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    pve.call(&script, guest.vmid(), "pre-start").ok().prints("the storage local is there");
    for phase in ["post-start", "pre-stop", "post-stop"] {
        pve.call(&script, guest.vmid(), phase).ok().prints_exactly("");
    }
    assert_eq!(pve.left(), [""; 0]);
}
