//! proxmoxer, the client that Ansible's modules for Proxmox VE are built on: whole lives by ticket and by token.

use e2e::output::run;
use e2e::server::token;
use e2e::suite::{Need, Test, python};
use e2e::{Behaviour, Host, Kind, Server, tests};
use serde_json::json;
use std::process::Command;

pub(crate) fn tests() -> Vec<Test> {
    tests!(each [Need::PythonClients]: a_life_by_ticket, a_life_by_token)
}

const PROGRAM: &str = include_str!("workflow.py");

const USER: &str = "ann@pve";

fn a_life_by_ticket(host: &Host, kind: Kind) {
    live(host, kind, json!({"user": USER, "password": "secret word"}));
}

fn a_life_by_token(host: &Host, kind: Kind) {
    user(host);
    let header = token(host, USER, "t02");
    let (_, secret) = header.rsplit_once('=').expect("a secret");
    live(host, kind, json!({"user": USER, "token_name": "t02", "token_value": secret}));
}

fn user(host: &Host) {
    host.hookvisor(["user", "add", USER, "--password", "secret word"]).ok();
    host.hookvisor(["acl", "modify", "/", "--users", USER, "--roles", "Administrator"]).ok();
}

fn live(host: &Host, kind: Kind, credentials: serde_json::Value) {
    if credentials.get("password").is_some() {
        user(host);
    }
    let server = Server::start(host);
    let vmid = host.next_vmid();
    let (collection, options) = match kind {
        Kind::Vm => {
            let disk = host.disk(vmid, &Behaviour::Obeys);
            (
                "qemu",
                json!({"name": "tiny", "memory": 16, "kvm": 0, "vga": "none", "ide0": disk, "boot": "order=ide0"}),
            )
        }
        Kind::Container => {
            let options = json!({
                "ostemplate": host.template(), "ostype": "unmanaged", "hostname": "tiny", "rootfs": "local:0",
                "memory": 64, "swap": 0, "unprivileged": 0,
            });
            ("lxc", options)
        }
    };
    let guest = host.adopt(kind, vmid);
    let plan = json!({
        "host": server.address, "ca": server.certificate(), "credentials": credentials, "kind": collection,
        "vmid": vmid, "options": options, "command": kind.command(),
        "order": host.scratch().join(format!("orders/{vmid}.pre-start")),
    });
    let mut program = Command::new(python().expect("the suite has looked"));
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", host.links().display());
    program.args(["-c", PROGRAM, &plan.to_string()]).env("HOOKVISOR_ROOT", host.root()).env("PATH", path);
    let output = run(&mut program).ok();
    output.prints("lived");
    assert!(!guest.exists());
    let story: Vec<String> = guest.noted().into_iter().collect();
    let twice = ["pre-start", "post-start", "pre-stop", "post-stop"];
    assert_eq!(story, [&twice[..], &twice[..], &["pre-start"]].concat());
}
