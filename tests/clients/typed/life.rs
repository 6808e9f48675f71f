//! Whole lives of guests by the crate's calls.

use super::client::{Caller, Failure, now, params};
use e2e::server::token;
use e2e::{Behaviour, Host, Kind, Server, wait};
use proxmox_api::nodes::NodesClient;
use proxmox_api::nodes::node::NodeClient;
use serde_json::{Value, json};

const USER: &str = "ann@pve";

pub(super) fn a_life_by_ticket(host: &Host, kind: Kind) {
    let server = Server::with_key_of_proxmox_ve(host);
    let caller = Caller::nobody(&server).logged_in("root@pam", &server.ticket_of_root());
    live(host, kind, &caller, Setter::Root);
}

pub(super) fn a_life_by_token(host: &Host, kind: Kind) {
    let server = Server::start(host);
    host.hookvisor(["user", "add", USER, "--password", "secret word"]).ok();
    host.hookvisor(["acl", "modify", "/", "--users", USER, "--roles", "Administrator"]).ok();
    let header = token(host, USER, "t02");
    let caller = Caller::nobody(&server).with(vec![("Authorization".to_owned(), header)]);
    live(host, kind, &caller, Setter::Other);
}

/// Who sets the hookscript: root itself, or somebody who may set only what root has approved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Setter {
    Root,
    Other,
}

/// The calls for guests of one kind: the crate has types of its own for each.
struct Calls<'c> {
    node: NodeClient<&'c Caller>,
    kind: Kind,
    vmid: proxmox_api::types::VmId,
}

/// Makes a call on the guest, by the types of its kind.
macro_rules! either {
    ($calls:expr, $guest:ident => $call:expr) => {
        match $calls.kind {
            Kind::Vm => {
                let $guest = $calls.node.qemu().vmid($calls.vmid);
                now($call)
            }
            Kind::Container => {
                let $guest = $calls.node.lxc().vmid($calls.vmid);
                now($call)
            }
        }
    };
}

impl Calls<'_> {
    fn create(&self, options: Value) -> String {
        let made = match self.kind {
            Kind::Vm => now(self.node.qemu().post(params(options))),
            Kind::Container => now(self.node.lxc().post(params(options))),
        };
        made.expect("the creation begins")
    }

    fn power(&self, verb: &str) -> Result<String, Failure> {
        let wish = json!({ "timeout": 8, "forceStop": 1 });
        match verb {
            "start" => either!(self, guest => guest.status().start().post(params(json!({})))),
            "stop" => either!(self, guest => guest.status().stop().post(params(json!({})))),
            _ => either!(self, guest => guest.status().shutdown().post(params(wish))),
        }
    }

    /// Waits for a task and reads its log.
    fn end_of(&self, upid: &str) -> (String, Vec<String>) {
        use proxmox_api::nodes::node::tasks::upid::status::Status;
        let task = self.node.tasks().upid(upid);
        let ended = wait::until(&format!("the end of {upid}"), || {
            let status = now(task.status().get()).expect("the task is on record");
            assert_eq!(status.upid, upid);
            assert_eq!(status.exitstatus.is_some(), status.status == Status::Stopped);
            status.exitstatus
        });
        let lines = now(task.log().get(params(json!({ "limit": 0 })))).expect("its log");
        assert!(lines.iter().zip(1..).all(|(line, number)| line.n == number));
        (ended, lines.into_iter().map(|line| line.t).collect())
    }

    fn goes_well(&self, upid: &str) -> Vec<String> {
        let (ended, log) = self.end_of(upid);
        assert_eq!((ended.as_str(), log.last().map(String::as_str)), ("OK", Some("TASK OK")), "{log:?}");
        log
    }

    fn set_hookscript(&self, volume: &str) -> Result<(), Failure> {
        let change = json!({ "hookscript": volume });
        either!(self, guest => guest.config().put(params(change)))
    }

    fn hookscript(&self) -> Option<String> {
        match self.kind {
            Kind::Vm => now(self.node.qemu().vmid(self.vmid).config().get(params(json!({}))))
                .map(|config| config.hookscript),
            Kind::Container => now(self.node.lxc().vmid(self.vmid).config().get(params(json!({}))))
                .map(|config| config.hookscript),
        }
        .expect("a configuration")
    }

    /// Whether it runs.
    fn runs(&self) -> bool {
        let status = either!(self, guest => async {
            let current = guest.status().current().get().await;
            current.map(|current| json!(current.status))
        });
        status.expect("a status") == "running"
    }
}

fn live(host: &Host, kind: Kind, caller: &Caller, setter: Setter) {
    let nodes = NodesClient::new(caller);
    let node = now(nodes.get()).expect("nodes").remove(0).node;
    let vmid = host.next_vmid();
    let guest = host.adopt(kind, vmid);
    let number = i128::from(vmid).try_into().expect("a number");
    let calls = Calls { node: nodes.node(&node), kind, vmid: number };
    calls.goes_well(&calls.create(options(host, kind, vmid)));

    let script = String::from_utf8(std::fs::read(host.at("var/lib/vz/snippets/recorder")).expect("a script"));
    let upload = format!("/nodes/{node}/storage/local/upload");
    let fields = [("content", "snippets"), ("mode", "0755")];
    let volume = "local:snippets/sent";
    let sent = caller.upload(&upload, &fields, "sent", &script.expect("a script of text"));
    calls.goes_well(&sent);
    if setter == Setter::Other {
        let refused = calls.set_hookscript(volume).expect_err("only what root has approved");
        let (code, text) = match kind {
            Kind::Vm => (500, "only root can set 'hookscript' config"),
            Kind::Container => {
                (403, "Permission check failed (changing the hookscript is only allowed for root@pam")
            }
        };
        let Failure::Refused { status, message } = refused else { panic!("{refused:?}") };
        assert!(status == code && message.starts_with(text), "{status} {message}");
        host.hookvisor(["hooks", "approve", volume]).ok();
    }
    calls.set_hookscript(volume).expect("a change");
    assert_eq!(calls.hookscript().as_deref(), Some(volume));

    for end in ["shutdown", "stop"] {
        let log = calls.goes_well(&calls.power("start").expect("a start"));
        assert!(log.contains(&format!("out {vmid} pre-start")), "{log:?}");
        assert!(calls.runs());
        guest.wait_booted();
        calls.goes_well(&calls.power(end).expect("an end"));
        assert!(!calls.runs());
    }
    guest.on("pre-start", "echo not today; exit 5");
    let (ended, log) = calls.end_of(&calls.power("start").expect("a task"));
    assert!(ended.starts_with(&format!("hookscript error for {vmid} on pre-start: ")), "{ended}");
    assert!(log.contains(&"not today".to_owned()), "{log:?}");
    assert_eq!(log.last(), Some(&format!("TASK ERROR: {ended}")));
    let destroyed = either!(calls, guest => guest.delete(params(json!({ "purge": 1 }))));
    calls.goes_well(&destroyed.expect("an end"));
    assert!(!guest.exists());
}

fn options(host: &Host, kind: Kind, vmid: u32) -> Value {
    match kind {
        Kind::Vm => json!({
            "vmid": vmid, "name": "tiny", "memory": "16", "kvm": 0, "vga": "none", "boot": "order=ide0",
            "ide0": host.disk(vmid, &Behaviour::Obeys),
        }),
        Kind::Container => json!({
            "vmid": vmid, "ostemplate": host.template(), "ostype": "unmanaged", "hostname": "tiny",
            "rootfs": "local:0", "memory": 64, "swap": 0, "unprivileged": 0,
        }),
    }
}
