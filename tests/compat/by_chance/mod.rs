//! The API called by chance: Schemathesis makes requests of the description, right and wrong ones, and looks at each answer.
//! A failure must say what Proxmox VE would say (`errors.toml`), an answer be as described, and what is refused change
//! nothing. `hooks.py` asks this after each call and puts the scene in order.

use e2e::output::Running;
use e2e::server::token;
use e2e::suite::{BUSYBOX, LXC, Need, QEMU, Test, python};
use e2e::{Behaviour, Guest, Host, Kind, Server, tests};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub(crate) fn tests() -> Vec<Test> {
    tests!(once [QEMU, LXC, BUSYBOX, Need::PythonClients]: as_root, with_few_rights)
}

const FILES: [(&str, &str); 3] = [
    ("schemathesis.toml", include_str!("schemathesis.toml")),
    ("hooks.py", include_str!("hooks.py")),
    ("errors.toml", include_str!("../errors.toml")),
];

/// The guests that run, of those of the scene.
const RUNNING: [(Kind, u32); 2] = [(Kind::Vm, 101), (Kind::Container, 201)];

/// How much is called.
struct Plan {
    /// Requests that chance makes of each method.
    requests: u64,
    /// One of so many of the corners that a method's parameters have.
    corners: u64,
    limit: Duration,
}

impl Plan {
    /// What every test has time for, or as many as `E2E_REQUESTS` says with every corner.
    fn of_today() -> Self {
        let asked = std::env::var("E2E_REQUESTS").ok().and_then(|number| number.parse().ok());
        match asked {
            None => Self { requests: 2, corners: 40, limit: Duration::from_secs(400) },
            Some(requests) => {
                let limit = Duration::from_secs(1800 + 60 * requests);
                Self { requests, corners: 1, limit }
            }
        }
    }
}

fn as_root(host: &Host) {
    let server = Server::with_key_of_proxmox_ve(host);
    let password = format!("password={}", server.ticket_of_root());
    let args = ["-d", "username=root@pam", "--data-urlencode", &password];
    let session = server.send("POST", "/access/ticket", &args).ok().body["data"].clone();
    let ticket = session["ticket"].as_str().expect("a ticket").replace('+', "%2B").replace('=', "%3D");
    let csrf = session["CSRFPreventionToken"].as_str().expect("a token");
    let cookie = format!("PVEAuthCookie={ticket}");
    call(host, &server, &[("API_COOKIE", &cookie), ("API_CSRF", csrf), ("API_TOKEN", "none")]);
}

/// A user who may look after one virtual machine, and do nothing else.
fn with_few_rights(host: &Host) {
    let server = Server::start(host);
    host.hookvisor(["user", "add", "eve@pve"]).ok();
    host.hookvisor(["acl", "modify", "/vms/100", "--users", "eve@pve", "--roles", "PVEVMUser"]).ok();
    let token = token(host, "eve@pve", "few");
    call(host, &server, &[("API_COOKIE", "none=none"), ("API_CSRF", "none"), ("API_TOKEN", &token)]);
}

fn call(host: &Host, server: &Server<'_>, credentials: &[(&str, &str)]) {
    scene(host);
    let folder = host.scratch().join("by-chance");
    fs::create_dir(&folder).expect("a folder can be made");
    for (name, text) in FILES {
        fs::write(folder.join(name), text).expect("a file can be written");
    }
    for (name, word) in [("upid", task(host)), ("run", run(host))] {
        fs::write(folder.join(name), format!("\"{word}\"\n")).expect("a file can be written");
    }
    let plan = Plan::of_today();
    let python = python().expect("the suite has looked");
    let mut program = Command::new(python.with_file_name("schemathesis"));
    let config = folder.join("schemathesis.toml");
    program.arg("--config-file").arg(config).arg("run").arg(described()).args(["--no-color", "-n"]);
    program.arg(plan.requests.to_string()).arg("--tls-verify").arg(server.certificate());
    program.args(["--url", &format!("https://{}/api2/json", server.address)]);
    let numbers = RUNNING.map(|(_, vmid)| vmid.to_string()).join(" ");
    program.current_dir(&folder).envs(credentials.iter().copied()).env("API_RUNNING", numbers);
    program.env("API_CORNERS", plan.corners.to_string()).env("API_ROOT", host.root());
    let output = Running::start(&mut program).finish_within(plan.limit);
    let calls = fs::read_to_string(folder.join("calls")).expect("what was called");
    let failed: Vec<&str> = calls.lines().filter(|line| line.starts_with("!!")).collect();
    assert!(output.status.success() && failed.is_empty(), "{failed:#?}\n{}", output.describe());
    let count = calls.lines().count();
    assert!(count > 1000, "only {count} calls were made:\n{}", output.describe());
    nothing_panicked(host, server);
}

/// The description that the server's methods are compared with in another test.
fn described() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json")
}

/// Two guests of each kind, of which one runs, accounts, and a hookscript.
fn scene(host: &Host) {
    host.snippet("hook.sh", "#!/bin/sh\necho \"$@\"\n");
    for vmid in [100, 101] {
        let disk = host.disk(vmid, &Behaviour::Ignores);
        let id = vmid.to_string();
        let mut args = vec!["create", &id, "--name", "tiny", "--memory", "16", "--kvm", "0", "--vga", "none"];
        args.extend(["--ide0", &disk, "--boot", "order=ide0", "--hookscript", "local:snippets/hook.sh"]);
        host.qm(args).ok();
        host.adopt(Kind::Vm, vmid);
    }
    for vmid in [200, 201] {
        let (id, template) = (vmid.to_string(), host.template());
        let mut args = vec!["create", &id, &template, "--ostype", "unmanaged", "--hostname", "tiny"];
        args.extend(["--rootfs", "local:0", "--memory", "64", "--swap", "0", "--unprivileged", "0"]);
        host.pct(args).ok();
        host.adopt(Kind::Container, vmid);
    }
    for (kind, vmid) in RUNNING {
        host.run(kind.command(), ["start", &vmid.to_string()]).ok();
    }
    host.hookvisor(["user", "add", "ann@pve", "--password", "secret word"]).ok();
    host.hookvisor(["user", "add", "bob@pve"]).ok();
    host.hookvisor(["user", "token", "add", "ann@pve", "new"]).ok();
    host.run("pvesh", ["create", "/access/groups", "--groupid", "staff"]).ok();
    host.run("pvesh", ["create", "/access/roles", "--roleid", "own", "--privs", "VM.Audit"]).ok();
    // Uploads pass through it; it stays when the first of them makes it.
    fs::create_dir_all(host.at("var/tmp")).expect("a folder can be made");
}

/// A task that is over.
fn task(host: &Host) -> String {
    let index = fs::read_to_string(host.at("var/log/pve/tasks/index")).expect("the index of tasks");
    index.split(' ').next().expect("a task").to_owned()
}

/// The run of a guest that runs.
fn run(host: &Host) -> String {
    let (kind, vmid) = RUNNING[0];
    let ledger = Guest::of(host, kind, vmid).ledgers().pop().expect("a ledger");
    let text = fs::read_to_string(ledger).expect("a ledger");
    let first = text.lines().next().expect("its first line");
    let begin: serde_json::Value = serde_json::from_str(first).expect("JSON");
    begin["run"].as_str().expect("a run").to_owned()
}

/// Nothing ended in a panic, in the server or in what it began.
fn nothing_panicked(host: &Host, server: &Server<'_>) {
    server.as_owner("GET", "/version", &[]).ok();
    let stderr = server.stderr_so_far();
    assert!(!stderr.contains("panicked"), "{stderr}");
    let told = host.with_journal(|journal| journal.records());
    let told = told.iter().map(|record| e2e::journal::text(record, "MESSAGE"));
    let panicked: Vec<String> = told.filter(|text| text.contains("panicked")).collect();
    assert!(panicked.is_empty(), "{panicked:#?}");
}
