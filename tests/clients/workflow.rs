//! A guest's whole life with nothing but curl.

use e2e::suite::{CURL, Test};
use e2e::{Behaviour, Host, Kind, Server, tests};

pub(crate) fn tests() -> Vec<Test> {
    tests!(each [CURL]: a_life, a_guest_in_the_wrong_state, a_failed_creation_leaves_nothing)
}

/// Where guests of a kind are, and the form that makes a tiny one.
fn form(host: &Host, kind: Kind, vmid: u32) -> (&'static str, String) {
    match kind {
        Kind::Vm => {
            let disk = host.disk(vmid, &Behaviour::Obeys);
            let form =
                format!("vmid={vmid}&name=tiny&memory=16&kvm=0&vga=none&ide0={disk}&boot=order%3Dide0");
            ("/nodes/pve1/qemu", form)
        }
        Kind::Container => {
            let template = host.template();
            let form = format!(
                "vmid={vmid}&ostemplate={template}&ostype=unmanaged&hostname=tiny&rootfs=local:0&memory=64&swap=0\
                 &unprivileged=0"
            );
            ("/nodes/pve1/lxc", form)
        }
    }
}

fn a_life(host: &Host, kind: Kind) {
    let server = Server::start(host);
    let vmid = host.next_vmid();
    let (guests, form) = form(host, kind, vmid);
    let guest = host.adopt(kind, vmid);
    let made = server.call("POST", guests, &["-d", &form]);
    assert_eq!(server.task(&made), "OK");
    let at = format!("{guests}/{vmid}");
    let hookscript = ["-d", "hookscript=local:snippets/recorder"];
    let config = format!("{at}/config");
    // Only root itself may, and a token of it is not that; others may what root has approved.
    let (status, text) = match kind {
        Kind::Vm => (500, "only root can set 'hookscript' config"),
        Kind::Container => {
            (403, "Permission check failed (changing the hookscript is only allowed for root@pam")
        }
    };
    let refused = server.call("PUT", &config, &hookscript);
    assert!(refused.status == status && refused.reason.starts_with(text), "{}", refused.text);
    assert!(!guest.config().contains("hookscript"));
    server.as_owner("PUT", &config, &hookscript).ok();

    let power = |verb: &str| server.call("POST", &format!("{at}/status/{verb}"), &[]);
    assert_eq!(server.task(&power("start")), "OK");
    let current = server.call("GET", &format!("{at}/status/current"), &[]).ok().body["data"].clone();
    assert_eq!((&current["status"], &current["vmid"]), (&"running".into(), &vmid.into()), "{current}");
    guest.wait_booted();
    assert_eq!(server.task(&power("shutdown")), "OK");
    guest.lived("pre-start post-start pre-stop post-stop");

    guest.on("pre-start", "echo not today; exit 5");
    let refused = power("start");
    let why = server.task(&refused);
    assert!(why.starts_with(&format!("hookscript error for {vmid} on pre-start: command ")), "{why}");
    let log =
        server.call("GET", &format!("/nodes/pve1/tasks/{}/log?start=0&limit=1", refused.upid()), &[]).ok();
    assert_eq!(log.body["data"], serde_json::json!([{"n": 1, "t": format!("out {vmid} pre-start")}]));
    assert!(log.body["total"].as_u64() > Some(3), "{}", log.text);
    let destroyed = server.call("DELETE", &at, &[]);
    assert_eq!(server.task(&destroyed), "OK");
    assert!(!guest.exists());
}

fn a_guest_in_the_wrong_state(host: &Host, kind: Kind) {
    let server = Server::start(host);
    let guest = host.guest(kind);
    let (guests, label) = match kind {
        Kind::Vm => ("/nodes/pve1/qemu", "VM"),
        Kind::Container => ("/nodes/pve1/lxc", "CT"),
    };
    let power = |verb: &str| server.call("POST", &format!("{guests}/{}/status/{verb}", guest.id()), &[]);
    power("reboot").refused(500, &format!("VM {} not running", guest.id()));
    guest.start().ok();
    let again = power("start");
    let text = format!("{label} {} already running", guest.id());
    match kind {
        Kind::Vm => assert_eq!(server.task(&again), text),
        Kind::Container => again.refused(500, &text),
    }
    let destroyed = server.call("DELETE", &format!("{guests}/{}", guest.id()), &[]);
    assert!(destroyed.status == 500 && destroyed.reason.contains("running"), "{}", destroyed.text);
    assert!(guest.exists());
}

fn a_failed_creation_leaves_nothing(host: &Host, kind: Kind) {
    let server = Server::start(host);
    let vmid = host.next_vmid();
    let (guests, form) = form(host, kind, vmid);
    let (bad, param) = match kind {
        Kind::Vm => ("&scsi0=nowhere:1", "scsi0"),
        Kind::Container => ("&mp0=nowhere:1,mp=/mnt", "mp0"),
    };
    let failed = server.call("POST", guests, &["-d", &format!("{form}{bad}")]);
    match failed.body["data"].as_str() {
        Some(_) => assert_ne!(server.task(&failed), "OK", "{param}"),
        None => assert!(failed.status >= 400, "{}", failed.text),
    }
    assert!(!host.adopt(kind, vmid).exists());
    assert_eq!(server.call("GET", guests, &[]).ok().body["data"], serde_json::json!([]));
}
