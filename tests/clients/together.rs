//! A command line and the server on the same files at once.

use e2e::suite::{CURL, Test};
use e2e::{Host, Server, tests};
use std::fs;

pub(crate) fn tests() -> Vec<Test> {
    tests!(once [CURL]: nothing_is_lost, an_edit_from_outside_is_seen_at_once, a_stale_digest_is_refused)
}

/// Each writes keys of its own, many times; in the end all of them are there.
fn nothing_is_lost(host: &Host) {
    const ROUNDS: u32 = 20;
    let server = Server::start(host);
    host.qm(["create", "100", "--memory", "16"]).ok();
    // A loop of curl by the socket, and one by TLS with a token.
    let socket = format!("--unix-socket {} http://localhost", server.socket().display());
    let tls = format!(
        "-H 'Authorization: {}' --cacert {} https://{}",
        server.token,
        server.certificate().display(),
        server.address
    );
    let writers = [socket, tls].map(|how| {
        let uri = "/api2/json/nodes/pve1/qemu/100/config";
        let script = |first: usize| {
            let index = format!("$(({first} + round % 7))");
            format!(
                "set -e; for round in $(seq {ROUNDS}); do \
                 curl -s --fail-with-body -X PUT -d scsi{index}=none,media%3Dcdrom {how}{uri}; done"
            )
        };
        host.spawn("sh", ["-c", &script(if how.starts_with("--unix") { 0 } else { 7 })])
    });
    for round in 0..ROUNDS {
        host.qm(["set", "100", &format!("--net{round}"), "virtio"]).ok();
    }
    for writer in writers {
        let _ = writer.finish().ok();
    }
    let config = fs::read_to_string(host.at("etc/pve/qemu-server/100.conf")).expect("a configuration");
    for index in 0..14 {
        assert!(config.contains(&format!("scsi{index}: none,media=cdrom\n")), "scsi{index}: {config}");
    }
    for index in 0..ROUNDS {
        assert!(config.contains(&format!("net{index}: virtio=")), "net{index}: {config}");
    }
}

fn an_edit_from_outside_is_seen_at_once(host: &Host) {
    let server = Server::start(host);
    host.qm(["create", "100", "--memory", "16"]).ok();
    let path = host.at("etc/pve/qemu-server/100.conf");
    for round in 0..50 {
        // In place, of the same length, as fast as it goes.
        fs::write(&path, format!("name: n{:02}\nmemory: 16\n", round)).expect("a configuration");
        let config = server.as_owner("GET", "/nodes/pve1/qemu/100/config", &[]).ok();
        assert_eq!(config.body["data"]["name"], format!("n{round:02}"));
    }
    // Rights, too.
    let ann = "ann@pve";
    host.hookvisor(["user", "add", ann, "--password", "secret word"]).ok();
    let token = format!("Authorization: {}", e2e::server::token(host, ann, "t02"));
    let read = || server.send("GET", "/nodes/pve1/qemu/100/config", &["-H", &token]).status;
    assert_eq!(read(), 403);
    host.hookvisor(["acl", "modify", "/vms/100", "--users", ann, "--roles", "PVEAuditor"]).ok();
    assert_eq!(read(), 200);
    host.hookvisor(["acl", "modify", "/vms/100", "--users", ann, "--roles", "PVEAuditor", "--delete", "1"])
        .ok();
    assert_eq!(read(), 403);
}

fn a_stale_digest_is_refused(host: &Host) {
    let server = Server::start(host);
    host.qm(["create", "100", "--memory", "16"]).ok();
    let path = "/nodes/pve1/qemu/100/config";
    let digest = server.call("GET", path, &[]).ok().body["data"]["digest"].as_str().expect("one").to_owned();
    host.qm(["set", "100", "--name", "other"]).ok();
    let body = format!("name=mine&digest={digest}");
    server.call("PUT", path, &["-d", &body]).refused(500, "checksum mismatch (file change by other user?)");
    assert_eq!(server.call("GET", path, &[]).ok().body["data"]["name"], "other");
}
