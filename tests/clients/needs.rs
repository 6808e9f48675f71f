//! What published clients need of the answers, as it was seen by driving them (oracle.md 2.8), and no other test asks for.

use e2e::server::Answer;
use e2e::suite::{CURL, Test};
use e2e::{Host, Server, tests};
use serde_json::json;
use std::fs;
use std::time::{Duration, Instant};

pub(crate) fn tests() -> Vec<Test> {
    tests!(once [CURL]: every_answer_is_json, scalars_have_their_types, tasks_are_found_however_written, log_ins_are_quick)
}

/// A header's value.
fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::trim_end)
}

fn every_answer_is_json(host: &Host) {
    let server = Server::start(host);
    fs::write(host.at("etc/pve/qemu-server/100.conf"), "memory: 16\n").expect("a configuration");
    let config = "/nodes/pve1/qemu/100/config";
    for (method, path, args) in [
        ("GET", "/version", &[][..]),
        ("GET", config, &[]),
        // By a form, without its type, by JSON; with what the path says again.
        ("PUT", config, &["-d", "cores=2&vmid=100&node=pve1"]),
        ("PUT", config, &["-H", "Content-Type:", "-d", "cores=3"]),
        ("PUT", config, &["-H", "Content-Type: application/json", "-d", r#"{"cores":4,"vmid":100}"#]),
        ("GET", "/nodes/pve1/qemu/999/config", &[]),
        ("PUT", config, &["-d", "memory=much"]),
        ("GET", "/nothing", &[]),
        ("PATCH", "/version", &[]),
        ("POST", "/nodes/pve1/qemu", &["-d", "a", "-H", "Content-Type: text/plain"]),
        ("DELETE", "/nodes/pve1/qemu/999", &[]),
    ] {
        let answer = server.call(method, path, args);
        let kind = header(&answer, "content-type");
        assert_eq!(kind, Some("application/json;charset=utf-8"), "{method} {path}: {}", answer.text);
        let keys = answer.body.as_object().expect("an object");
        let good = answer.status == 200;
        assert!(keys.contains_key("data") && (!good || !keys.contains_key("errors")), "{}", answer.text);
        assert!(good || keys["message"].as_str().is_some_and(|text| text.starts_with(&answer.reason)));
        if method == "PUT" && good {
            assert_eq!(keys["data"], json!(null));
        }
    }
    let cores = server.call("GET", config, &[]).ok().body["data"]["cores"].clone();
    assert_eq!(cores, 4);
}

fn scalars_have_their_types(host: &Host) {
    let server = Server::start(host);
    let get = |path: &str| server.call("GET", path, &[]).ok().body["data"].clone();
    assert_eq!(get("/cluster/nextid"), json!("100"));
    fs::write(host.at("etc/pve/qemu-server/100.conf"), "memory: 16\nonboot: 1\n").expect("a configuration");
    fs::write(host.at("etc/pve/lxc/200.conf"), "memory: 64\nonboot: 0\n").expect("a configuration");
    let (machine, container) = (get("/nodes/pve1/qemu/100/config"), get("/nodes/pve1/lxc/200/config"));
    assert_eq!((&machine["memory"], &machine["onboot"]), (&json!("16"), &json!(1)));
    assert_eq!((&container["memory"], &container["onboot"]), (&json!(64), &json!(0)));
    for config in [&machine, &container] {
        assert_eq!(config["digest"].as_str().map(str::len), Some(40), "{config}");
    }
    for kind in ["qemu/100", "lxc/200"] {
        let current = get(&format!("/nodes/pve1/{kind}/status/current"));
        assert_eq!((&current["ha"], current.get("pid")), (&json!({"managed": 0}), None), "{current}");
    }
    // Guests without a name have one.
    let names: Vec<_> = get("/cluster/resources?type=vm")
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| row["name"].clone())
        .collect();
    assert_eq!(names, [json!("VM 100"), json!("CT200")]);
    let version = get("/version");
    let id = version["repoid"].as_str().expect("an id");
    assert!((8..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    // What exporters and inventories ask for, too.
    let status = get("/cluster/status");
    assert_eq!((&status[0]["local"], &status[0]["level"]), (&json!(1), &json!("")), "{status}");
    assert!(get("/cluster/backup-info/not-backed-up").is_array());
    assert!(get("/nodes/pve1/subscription")["status"].is_string());
    assert_eq!((get("/nodes/pve1/replication"), get("/pools")), (json!([]), json!([])));
    assert_eq!(get("/nodes/pve1/qemu/100/snapshot")[0]["name"], "current");
}

fn tasks_are_found_however_written(host: &Host) {
    let server = Server::start(host);
    let form = ["-d", "vmid=100&memory=16&kvm=0&vga=none"];
    let made = server.call("POST", "/nodes/pve1/qemu", &form);
    let listed = server.call("GET", "/nodes/pve1/qemu", &[]).ok().body["data"][0]["vmid"].clone();
    assert_eq!(listed, 100, "a guest is listed as soon as its creation is answered");
    let upid = made.upid();
    assert_eq!(upid.split(':').count(), 9, "{upid}");
    assert_eq!(server.task(&made), "OK");
    let task = format!("/nodes/pve1/tasks/{upid}");
    for path in [task.clone(), task.replace(':', "%3A").replace('@', "%40")] {
        let status = server.call("GET", &format!("{path}/status"), &[]).ok().body["data"].clone();
        assert_eq!((&status["upid"], &status["exitstatus"]), (&json!(upid), &json!("OK")));
        let log = server.call("GET", &format!("{path}/log?limit=0"), &[]).ok();
        let numbers = log.body["data"].as_array().expect("lines").iter().map(|line| line["n"].as_u64());
        assert!(numbers.eq((1..=log.body["total"].as_u64().expect("how many")).map(Some)), "{}", log.text);
    }
    let row = server.call("GET", "/nodes/pve1/tasks?limit=1", &[]).ok().body["data"][0].clone();
    assert_eq!((&row["upid"], &row["status"]), (&json!(upid), &json!("OK")));
    // A task that still runs has no outcome yet, and a machine that runs is not removed.
    let started = server.call("POST", "/nodes/pve1/qemu/100/status/start", &[]);
    assert_eq!(server.task(&started), "OK");
    host.adopt(e2e::Kind::Vm, 100);
    let began = Instant::now();
    let refused = server.call("DELETE", "/nodes/pve1/qemu/100", &[]);
    refused.refused(500, "VM 100 is running - destroy failed");
    assert!(began.elapsed() < Duration::from_secs(5));
    let missing = server.call("DELETE", "/nodes/pve1/qemu/999", &[]);
    assert!(missing.status == 500 && missing.reason.contains("does not exist"), "{}", missing.text);
}

/// Some clients log in for every call: those who know the password wait for nothing but its check.
fn log_ins_are_quick(host: &Host) {
    let server = Server::start(host);
    host.hookvisor(["user", "add", "ann@pve", "--password", "secret word"]).ok();
    let form = ["-d", "username=ann@pve&password=secret+word"];
    let began = Instant::now();
    for _ in 0..5 {
        server.send("POST", "/access/ticket", &form).ok();
    }
    // Each that was wrong would wait for three seconds.
    assert!(began.elapsed() < Duration::from_secs(10));
}
