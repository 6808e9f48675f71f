//! Every method that reads, asked once, with guests of both kinds that run and that do not: each answer must be of the type
//! that the crate has for it.

use super::client::{Caller, Failure, now, params};
use e2e::{Host, Kind, Server};
use proxmox_api::access::AccessClient;
use proxmox_api::cluster::ClusterClient;
use proxmox_api::nodes::NodesClient;
use proxmox_api::pools::PoolsClient;
use proxmox_api::storage::StorageClient;
use proxmox_api::version::VersionClient;
use serde_json::{Value, json};

/// What is not asked here, with all below it, and why.
const NOT_ASKED: [(&str, &str); 6] = [
    ("/", "the crate has no call for the root"),
    ("/hookvisor", "the crate has no types for what only hookvisor has"),
    ("/nodes/{node}/qemu/{vmid}/agent", "needs a guest with its agent, as tests/lifecycle/agent.rs has it"),
    ("/access/ticket", "the crate's type for the answer is null, which every answer may be"),
    ("/cluster/ha/resources/{sid}", "there is none"),
    ("/cluster/jobs/realm-sync", "there is none, and the crate's type is of one job"),
];

/// Where no real Proxmox VE's answer is of the crate's type: what the error says, and why ours stays.
const DISAGREE: [(&str, &str); 2] = [
    (
        "Regex creation error",
        "the pattern of a token's name is one of Perl's, which the crate cannot compile",
    ),
    ("invalid type: integer", "pending values are typed as in the configuration (oracle.md, transcript J)"),
];

pub(super) fn every_answer_is_of_its_type(host: &Host) {
    let server = Server::with_key_of_proxmox_ve(host);
    let caller = Caller::nobody(&server).logged_in("root@pam", &server.ticket_of_root());
    let wrong = Wrong::default();
    scene(host);
    wrong.general(&caller);
    wrong.node(&caller);
    for kind in Kind::ALL {
        let (live, still) = (host.guest(kind), host.guest(kind));
        live.start().ok();
        for guest in [&live, &still] {
            wrong.guest(&caller, kind, guest.vmid());
        }
        wrong.lists(&caller);
        wrong.tasks(&caller);
    }
    wrong.left_out(&caller);
    let wrong = wrong.0.into_inner();
    let known = |text: &&String| DISAGREE.iter().any(|(error, _)| text.contains(error));
    let unknown: Vec<&String> = wrong.iter().filter(|text| !known(text)).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
    for (error, _) in DISAGREE {
        assert!(
            wrong.iter().any(|text| text.contains(error)),
            "no answer is refused with '{error}' any more"
        );
    }
}

/// An account of each kind, and a pool.
fn scene(host: &Host) {
    for args in [
        &["user", "add", "ann@pve", "--password", "secret word", "--comment", "a", "--email", "a@b.example"]
            [..],
        &["user", "token", "add", "ann@pve", "one", "--comment", "b"],
        &["acl", "modify", "/vms", "--users", "ann@pve", "--roles", "PVEAuditor"],
    ] {
        host.hookvisor(args).ok();
    }
    host.run("pvesh", ["create", "/access/groups", "--groupid", "staff", "--comment", "c"]).ok();
    host.run("pvesh", ["create", "/access/roles", "--roleid", "own", "--privs", "VM.Audit"]).ok();
    let cfg = host.at("etc/pve/user.cfg");
    let text = std::fs::read_to_string(&cfg).expect("the accounts");
    std::fs::write(cfg, text + "pool:dev:a pool:100:local:\n").expect("a pool");
}

/// What was not as it should be.
#[derive(Default)]
struct Wrong(std::cell::RefCell<Vec<String>>);

impl Wrong {
    /// Makes a call; the answer, if it is one of its type.
    fn ask<T>(&self, call: impl Future<Output = Result<T, Failure>>) -> Option<T> {
        match now(call) {
            Ok(answer) => Some(answer),
            Err(Failure::Untyped { what, error, answer }) => {
                self.0.borrow_mut().push(format!("{what}: {error}\n  {answer:.600}"));
                None
            }
            Err(refused) => {
                self.0.borrow_mut().push(format!("{refused:?}"));
                None
            }
        }
    }

    fn general(&self, caller: &Caller) {
        self.ask(VersionClient::new(caller).get());
        let access = AccessClient::new(caller);
        self.ask(access.get());
        self.ask(access.acl().get());
        self.ask(access.domains().get());
        self.ask(access.groups().get());
        self.ask(access.groups().groupid("staff").get());
        self.ask(access.permissions().get(params(json!({}))));
        self.ask(access.roles().get());
        self.ask(access.roles().roleid("own").get());
        self.ask(access.users().get(params(json!({ "full": 1 }))));
        self.ask(access.users().get(params(json!({}))));
        for user in ["ann@pve", "root@pam"] {
            self.ask(access.users().userid(user).get());
            self.ask(access.users().userid(user).token().get());
        }
        self.ask(access.users().userid("ann@pve").token().tokenid("one").get());
        let cluster = ClusterClient::new(caller);
        self.ask(cluster.get());
        self.ask(cluster.backup().get());
        self.ask(cluster.backup_info().get());
        self.ask(cluster.backup_info().not_backed_up().get());
        self.ask(cluster.ha().get());
        self.ask(cluster.ha().groups().get());
        self.ask(cluster.ha().resources().get(params(json!({}))));
        self.ask(cluster.ha().rules().get(params(json!({}))));
        self.ask(cluster.ha().status().get());
        self.ask(cluster.ha().status().current().get());
        self.ask(cluster.ha().status().manager_status().get());
        self.ask(cluster.jobs().get());
        self.ask(cluster.log().get(params(json!({}))));
        self.ask(cluster.nextid().get(params(json!({}))));
        self.ask(cluster.options().get());
        self.ask(cluster.replication().get());
        self.ask(cluster.status().get());
        let pools = PoolsClient::new(caller);
        self.ask(pools.get(params(json!({}))));
        self.ask(pools.get(params(json!({ "poolid": "dev" }))));
        self.ask(pools.poolid("dev").get(params(json!({}))));
        let storage = StorageClient::new(caller);
        self.ask(storage.get(params(json!({}))));
        self.ask(storage.storage("local").get());
    }

    fn node(&self, caller: &Caller) {
        self.ask(NodesClient::new(caller).get());
        let node = NodesClient::new(caller).node("pve1");
        self.ask(node.get());
        self.ask(node.dns().get());
        self.ask(node.hosts().get());
        self.ask(node.journal().get(params(json!({ "lastentries": 5 }))));
        self.ask(node.network().get(params(json!({}))));
        self.ask(node.replication().get(params(json!({}))));
        self.ask(node.status().get());
        self.ask(node.subscription().get());
        self.ask(node.syslog().get(params(json!({ "limit": 5 }))));
        self.ask(node.time().get());
        self.ask(node.version().get());
        self.ask(node.storage().get(params(json!({}))));
        self.ask(node.storage().get(params(json!({ "format": 1 }))));
        let storage = node.storage().storage("local");
        self.ask(storage.get());
        self.ask(storage.status().get());
        self.ask(storage.content().volume("local:snippets/recorder").get());
    }

    fn lists(&self, caller: &Caller) {
        self.ask(ClusterClient::new(caller).resources().get(params(json!({}))));
        self.ask(ClusterClient::new(caller).tasks().get());
        let node = NodesClient::new(caller).node("pve1");
        self.ask(node.qemu().get(params(json!({}))));
        self.ask(node.qemu().get(params(json!({ "full": 1 }))));
        self.ask(node.lxc().get());
        self.ask(node.storage().storage("local").content().get(params(json!({}))));
    }

    fn guest(&self, caller: &Caller, kind: Kind, vmid: u32) {
        let node = NodesClient::new(caller).node("pve1");
        let vmid = i128::from(vmid).try_into().expect("a number");
        let feature = json!({ "feature": "snapshot" });
        match kind {
            Kind::Vm => {
                let guest = node.qemu().vmid(vmid);
                self.ask(guest.get());
                self.ask(guest.config().get(params(json!({}))));
                self.ask(guest.config().get(params(json!({ "current": 1 }))));
                self.ask(guest.feature().get(params(feature)));
                self.ask(guest.pending().get());
                self.ask(guest.snapshot().get());
                self.ask(guest.status().get());
                self.ask(guest.status().current().get());
            }
            Kind::Container => {
                let guest = node.lxc().vmid(vmid);
                self.ask(guest.get());
                self.ask(guest.config().get(params(json!({}))));
                self.ask(guest.feature().get(params(feature)));
                self.ask(guest.interfaces().get());
                self.ask(guest.pending().get());
                self.ask(guest.snapshot().get());
                self.ask(guest.status().get());
                self.ask(guest.status().current().get());
            }
        }
    }

    fn tasks(&self, caller: &Caller) {
        let tasks = NodesClient::new(caller).node("pve1").tasks();
        for filter in [json!({}), json!({ "source": "all", "limit": 5 }), json!({ "errors": 1 })] {
            for row in self.ask(tasks.get(params(filter))).into_iter().flatten() {
                let task = tasks.upid(&row.upid);
                self.ask(task.get());
                self.ask(task.status().get());
                self.ask(task.log().get(params(json!({}))));
            }
        }
    }

    /// Finds the methods that read and were not asked.
    fn left_out(&self, caller: &Caller) {
        let document: Value =
            serde_json::from_str(include_str!("../../../docs/openapi.json")).expect("the description");
        let paths = document["paths"].as_object().expect("paths");
        let called = caller.called();
        for path in paths.iter().filter(|(_, verbs)| verbs.get("get").is_some()).map(|(path, _)| path) {
            let known = NOT_ASKED.iter().any(|(folder, _)| {
                path.strip_prefix(folder)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') && *folder != "/")
            });
            let asked =
                called.iter().any(|call| call.strip_prefix("GET ").is_some_and(|call| fits(path, call)));
            if !known && !asked {
                self.0.borrow_mut().push(format!("{path} was not asked"));
            }
        }
    }
}

/// Whether a path is one of a template: `{upid}` is any part, `{volume}` any number of them.
fn fits(template: &str, path: &str) -> bool {
    match (template.split_once('/'), path.split_once('/')) {
        _ if template == "{volume}" => true,
        (Some((part, template)), Some((is, path))) => {
            (part.starts_with('{') || part == is) && fits(template, path)
        }
        (None, None) => template.starts_with('{') || template == path,
        _ => false,
    }
}
