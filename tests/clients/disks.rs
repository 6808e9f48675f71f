//! Disks that grow, and guests that leave pools and jobs, as a client asks for it.

use e2e::output::run;
use e2e::suite::{BUSYBOX, CURL, LXC, QEMU, Test};
use e2e::{Host, Kind, Server, tests};
use std::fs;
use std::process::Command;

pub(crate) fn tests() -> Vec<Test> {
    tests!(once [CURL, QEMU]: a_disk_of_a_machine_grows, a_guest_is_made_in_a_pool_and_purged;
        once [CURL, LXC, BUSYBOX]: a_volume_of_a_container_grows)
}

/// What QEMU itself says of the drive.
fn seen_by_qemu(guest: &e2e::Guest<'_>, drive: &str) -> u64 {
    let answer = guest.monitor().ask("query-block", &serde_json::json!({})).expect("an answer");
    let drives = answer["return"].as_array().cloned().expect("drives");
    let found = drives.into_iter().find(|found| found["device"] == drive).expect("the drive");
    found["inserted"]["image"]["virtual-size"].as_u64().expect("a size")
}

fn a_disk_of_a_machine_grows(host: &Host) {
    let server = Server::start(host);
    let guest = host.guest(Kind::Vm);
    let vmid = guest.id();
    host.qm(["set", &vmid, "--scsi0", "local:0.01,format=qcow2"]).ok();
    let path = format!("/nodes/pve1/qemu/{vmid}/resize");
    let resize = |body: &str| server.call("PUT", &path, &["-d", body]);
    let image = host.at(&format!("var/lib/vz/images/{vmid}/vm-{vmid}-disk-0.raw"));
    let size = || fs::metadata(&image).expect("an image").len();
    assert_eq!(server.task(&resize("disk=ide0&size=3M")), "OK");
    assert!(size() == 3 << 20 && guest.config().contains(",size=3M\n"), "{} {}", size(), guest.config());
    assert_eq!(server.task(&resize("disk=scsi0&size=%2B6M")), "OK");
    assert!(guest.config().contains("size=16630K"), "{}", guest.config());
    for (body, text) in [
        ("disk=ide0&size=1M", "shrinking disks is not supported"),
        ("disk=ide1&size=1M", "disk 'ide1' does not exist"),
        ("disk=ide0&size=9M&digest=0", "checksum mismatch (file change by other user?)"),
        ("disk=ide0&size=9X", "Parameter verification failed."),
        ("disk=net0&size=9M", "Parameter verification failed."),
    ] {
        let answer = resize(body);
        assert!(answer.status >= 400 && answer.reason == text, "{body}: {}", answer.text);
    }
    assert_eq!(size(), 3 << 20);
    // While it runs QEMU does it, and sees it.
    guest.start().ok();
    assert_eq!(server.task(&resize("disk=ide0&size=%2B1M")), "OK");
    assert_eq!(server.task(&resize("disk=scsi0&size=32M")), "OK");
    assert_eq!((size(), seen_by_qemu(&guest, "drive-ide0")), (4 << 20, 4 << 20));
    assert_eq!(seen_by_qemu(&guest, "drive-scsi0"), 32 << 20);
    guest.stop().ok();
    // By its command, and what goes on with the guest's own disk.
    host.qm(["disk", "resize", &vmid, "ide0", "+1M"]).ok();
    host.qm(["resize", &vmid, "ide0", "6M"]).ok();
    guest.start().ok();
    assert_eq!(seen_by_qemu(&guest, "drive-ide0"), 6 << 20);
    guest.stop().ok();
    host.qm(["disk", "unlink", &vmid, "--idlist", "scsi0"]).ok();
    assert!(guest.config().contains("unused0: local:"), "{}", guest.config());
    let unlink = format!("/nodes/pve1/qemu/{vmid}/unlink");
    server.call("PUT", &unlink, &["-d", "idlist=unused0&force=1"]).ok();
    assert!(!guest.config().contains("unused0"), "{}", guest.config());
    assert_eq!(fs::read_dir(image.parent().expect("a folder")).expect("images").count(), 1);
}

/// The file system in it, as who looks inside sees it, in KiB.
fn inside(guest: &e2e::Guest<'_>) -> u64 {
    let text = guest.exec(&["df", "-k", "/"]).ok().out();
    let line = text.lines().last().expect("a line").to_owned();
    line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{text}"))
}

/// Whether this process has the capability to resize a mounted file system: CAP_SYS_RESOURCE, capabilities(7).
fn may_resize() -> bool {
    let status = fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).expect("capabilities");
    u64::from_str_radix(line.trim(), 16).is_ok_and(|set| set >> 24 & 1 == 1)
}

fn a_volume_of_a_container_grows(host: &Host) {
    let server = Server::start(host);
    let vmid = host.next_vmid();
    let template = host.template();
    let id = vmid.to_string();
    let options =
        ["--rootfs", "local:0.02", "--ostype", "unmanaged", "--unprivileged", "0", "--memory", "32"];
    host.pct([&["create", &id, &template][..], &options].concat()).ok();
    let guest = host.adopt(Kind::Container, vmid);
    let path = format!("/nodes/pve1/lxc/{id}/resize");
    let resize = |body: &str| server.call("PUT", &path, &["-d", body]);
    guest.start().ok();
    let before = inside(&guest);
    let grown = resize("disk=rootfs&size=%2B20M");
    assert_eq!(server.task(&grown), "OK");
    let while_running = inside(&guest);
    if may_resize() {
        assert!(while_running > before + (12 << 10), "{before} KiB, then {while_running}");
    } else {
        // The kernel lets nobody do it here: the volume has grown, and it is said that what is in it has not.
        let log = server.call("GET", &format!("/nodes/pve1/tasks/{}/log", grown.upid()), &[]).ok();
        assert!(log.text.contains("Failed to update the container's filesystem: "), "{}", log.text);
    }
    guest.stop().ok();
    host.pct(["resize", &id, "rootfs", "64M"]).ok();
    assert!(guest.config().contains("size=64M"), "{}", guest.config());
    let image = host.at(&format!("var/lib/vz/images/{id}/vm-{id}-disk-0.raw"));
    run(Command::new("e2fsck").args(["-f", "-n"]).arg(&image)).ok();
    guest.start().ok();
    assert!(inside(&guest) > while_running + (12 << 10), "{while_running} KiB, then {}", inside(&guest));
    guest.stop().ok();
    resize("disk=rootfs&size=1M").refused(500, "shrinking disks is not supported");
    resize("disk=mp0&size=1M").refused(500, "disk 'mp0' does not exist");
}

fn a_guest_is_made_in_a_pool_and_purged(host: &Host) {
    let server = Server::start(host);
    let users = || fs::read_to_string(host.at("etc/pve/user.cfg")).expect("users");
    host.run("pvesh", ["create", "/pools", "-poolid", "web", "-comment", "the web"]).ok();
    server
        .call("POST", "/nodes/pve1/qemu", &["-d", "vmid=100&pool=none"])
        .refused(500, "no such pool 'none'");
    for vmid in [100, 101] {
        let body = format!("vmid={vmid}&pool=web&memory=16&kvm=0");
        assert_eq!(server.task(&server.call("POST", "/nodes/pve1/qemu", &["-d", &body])), "OK");
    }
    assert!(users().contains("pool:web:the web:100,101::\n"), "{}", users());
    let rows = server.call("GET", "/cluster/resources?type=vm", &[]).ok();
    assert!(
        rows.body["data"].as_array().expect("rows").iter().all(|row| row["pool"] == "web"),
        "{}",
        rows.text
    );
    host.hookvisor(["user", "add", "ann@pve"]).ok();
    for vmid in [100, 101] {
        let path = format!("/vms/{vmid}");
        host.hookvisor(["acl", "modify", &path, "--users", "ann@pve", "--roles", "PVEVMUser"]).ok();
    }
    let file = |name: &str, text: &str| {
        let path = host.at(&format!("etc/pve/{name}"));
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("a file");
        path
    };
    let jobs =
        file("jobs.cfg", "vzdump: daily\n\tschedule 21:00\n\tvmid 100,101\n\nvzdump: own\n\tvmid 101\n");
    let replication = file("replication.cfg", "local: 101-0\n\ttarget pve2\n\nlocal: 100-0\n\ttarget pve2\n");
    let resources = file("ha/resources.cfg", "vm: 101\n\tstate started\n");
    // What others rely on is not removed by the way.
    let refused = server.call("DELETE", "/nodes/pve1/qemu/101", &[]);
    refused.refused(500, "unable to remove VM 101 - used in HA resources and purge parameter not set.");
    let refused = server.call("DELETE", "/nodes/pve1/qemu/100", &[]);
    refused.refused(500, "There is a replication job '100-0' for guest '100' - Please remove that first.");
    fs::write(&replication, "local: 101-0\n\ttarget pve2\n").expect("a file");
    assert_eq!(server.task(&server.call("DELETE", "/nodes/pve1/qemu/100", &[])), "OK");
    assert!(users().contains("pool:web:the web:101::\n") && !users().contains("/vms/100"), "{}", users());
    assert!(fs::read_to_string(&jobs).expect("jobs").contains("vmid 100,101"));
    assert_eq!(server.task(&server.call("DELETE", "/nodes/pve1/qemu/101?purge=1", &[])), "OK");
    assert_eq!(fs::read_to_string(&jobs).expect("jobs"), "vzdump: daily\n\tschedule 21:00\n\tvmid 100\n\n");
    for path in [replication, resources] {
        assert_eq!(fs::read_to_string(path).expect("a file"), "");
    }
    assert!(users().contains("pool:web:the web:::\n") && !users().contains("/vms/101"), "{}", users());
    host.run("pvesh", ["delete", "/pools/web"]).ok();
}
