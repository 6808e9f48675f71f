//! Changes of guests, key by key, and lists that show what may be seen.

use crate::scene::Scene;
use api::Verb::{Delete, Get, Post, Put};
use serde_json::Value;

const VM: &str = "/nodes/pve1/qemu/100/config";
const CT: &str = "/nodes/localhost/lxc/200/config";

fn vmids(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().filter_map(|row| row["vmid"].as_u64()).collect()
}

#[test]
fn lists_show_what_the_caller_may_see() {
    let scene = Scene::new();
    for (who, vms, cts) in [
        ("owner", &[100, 101][..], &[200][..]),
        ("auditor@pve", &[100, 101], &[200]),
        ("ann@pve", &[100], &[]),
        ("ann@pve!separate", &[100], &[]),
        ("bob@pve", &[], &[]),
    ] {
        assert_eq!(vmids(&scene.call(who, Get, "/nodes/pve1/qemu", &[]).unwrap()), vms, "{who}");
        assert_eq!(vmids(&scene.call(who, Get, "/nodes/pve1/lxc", &[]).unwrap()), cts, "{who}");
    }
    scene.script("x.sh", "true");
    let content = "/nodes/pve1/storage/local/content";
    assert_eq!(scene.call("auditor@pve", Get, content, &[]).unwrap().as_array().unwrap().len(), 0);
    assert_eq!(scene.call("admin@pve", Get, content, &[]).unwrap().as_array().unwrap().len(), 1);
}

#[test]
fn a_path_that_names_nothing_is_told_in_proxmox_ves_words() {
    let scene = Scene::new();
    assert_eq!(scene.told("ann@pve", Get, "/nope", &[]), "501 Method 'GET /nope' not implemented");
    // What is for the command line alone cannot be called by a path.
    assert!(scene.told("owner", Post, "/nodes/pve1/qemu/100/unlock", &[]).starts_with("501"));
    assert_eq!(scene.told("owner", Get, "/nodes/other/qemu", &[]), "no such cluster node 'other'");
    assert_eq!(
        scene.told("owner", Get, VM, &[("vmid", "101")]),
        "400 Parameter verification failed.\nvmid: duplicate parameter (already defined in URI) with conflicting values!"
    );
    assert_eq!(scene.told("owner", Get, VM, &[("vmid", "100"), ("node", "pve1")]), "ok");
}

#[test]
fn each_key_needs_its_privilege() {
    let scene = Scene::new();
    for (key, value, role, refusal) in [
        ("cores", "2", "VM.Config.CPU", "403 Permission check failed (/vms/100, VM.Config.CPU)"),
        ("memory", "64", "VM.Config.Memory", "403 Permission check failed (/vms/100, VM.Config.Memory)"),
        ("vga", "std", "VM.Config.HWType", "403 Permission check failed (/vms/100, VM.Config.HWType)"),
        ("name", "x", "VM.Config.Options", "403 Permission check failed (/vms/100, VM.Config.Options)"),
        ("freeze", "1", "VM.PowerMgmt", "403 Permission check failed (/vms/100, VM.PowerMgmt)"),
        ("ide2", "cdrom,media=cdrom", "", "403 Permission check failed (/, Sys.Console)"),
        ("cdrom", "/dev/sda", "", "403 Permission check failed (/vms/100, VM.Config.Disk)"),
        ("scsi0", "local:1", "", "403 Permission check failed (/vms/100, VM.Config.Disk)"),
        ("ciuser", "x", "VM.Config.Network", ""),
        ("args", "-x", "*", "only root can set 'args' config"),
        ("vmgenid", "1", "*", "only root can set 'vmgenid' config"),
        ("serial0", "/dev/ttyS0", "*", "only root can set 'serial0' config for real devices"),
        ("usb0", "host=1234:5678", "*", "only root can set 'usb0' config for real devices"),
        (
            "hookscript",
            "local:snippets/none.sh",
            "*",
            "400 Parameter verification failed.\nhookscript: script 'local:snippets/none.sh' does not exist",
        ),
    ] {
        let scene = Scene::new();
        // bob has another privilege, so that the method itself is open.
        scene.grant("role:Other:VM.Config.CDROM:\nacl:1:/vms/100:bob@pve:Other:");
        if !refusal.is_empty() {
            assert_eq!(scene.told("bob@pve", Put, VM, &[(key, value)]), refusal, "{key}");
        }
        if !matches!(role, "" | "*") {
            scene.grant(&format!("role:Own:{role},VM.Config.CDROM:\nacl:1:/vms/100:ann@pve:Own:"));
            assert_eq!(scene.told("ann@pve", Put, VM, &[(key, value)]), "ok", "{key}");
        }
        if role == "*" {
            for who in ["admin@pve", "root@pam!full"] {
                assert_eq!(scene.told(who, Put, VM, &[(key, value)]), refusal, "{who} {key}");
            }
        }
    }
    // A device of the host that is there may not be taken away either, nor a disk be made a CD.
    scene.grant("role:Wide:VM.Config.CDROM,VM.Config.HWType:\nacl:1:/vms/100:bob@pve:Wide:");
    assert_eq!(scene.told("owner", Put, VM, &[("serial0", "/dev/ttyS0"), ("usb0", "spice")]), "ok");
    assert_eq!(
        scene.told("bob@pve", Put, VM, &[("delete", "serial0")]),
        "only root can set 'serial0' config for real devices"
    );
    assert_eq!(scene.told("bob@pve", Put, VM, &[("delete", "usb0")]), "ok");
    assert_eq!(
        scene.told("bob@pve", Put, VM, &[("startup", "order=1")]),
        "403 Permission check failed (/vms/100, VM.Config.Options)"
    );
    assert_eq!(
        scene.told("ann@pve", Post, "/nodes/pve1/qemu/100/status/start", &[("skiplock", "1")]),
        "400 Parameter verification failed.\nskiplock: Only root may use this option."
    );
}

#[test]
fn containers_have_rules_of_their_own() {
    let scene = Scene::new();
    for (key, value, refusal) in [
        ("memory", "64", "ok"),
        ("hostname", "x", "ok"),
        ("features", "nesting=1", "ok"),
        (
            "features",
            "fuse=1",
            "403 Permission check failed (changing feature flags (except nesting) is only allowed for root@pam)",
        ),
        (
            "dev0",
            "/dev/null",
            "403 Permission check failed (configuring device passthrough is only allowed for root@pam)",
        ),
        (
            "mp0",
            "/srv,mp=/x",
            "403 Permission check failed (mount point type bind is only allowed for root@pam)",
        ),
        (
            "mp0",
            "/dev/sda1,mp=/x",
            "403 Permission check failed (mount point type device is only allowed for root@pam)",
        ),
        ("net0", "name=eth0,bridge=vmbr0", "ok"),
    ] {
        assert_eq!(scene.told("admin@pve", Put, CT, &[(key, value)]), refusal, "{key} {value}");
    }
    scene.script("x.sh", "true");
    let hookscript = [("hookscript", "local:snippets/x.sh")];
    let refusal = "403 Permission check failed (changing the hookscript is only allowed for root@pam)";
    scene.grant("acl:1:/vms/200:bob@pve:PVEVMAdmin:");
    assert_eq!(scene.told("bob@pve", Put, CT, &hookscript), refusal);
    assert_eq!(scene.told("bob@pve", Put, CT, &[("delete", "hookscript")]), refusal);
    assert_eq!(
        scene.told("bob@pve", Put, CT, &[("net0", "name=eth0,bridge=vmbr0")]),
        "403 Permission check failed (/sdn/zones/localnetwork/vmbr0, SDN.Use)"
    );
    assert_eq!(scene.told("root@pam", Put, CT, &hookscript), "ok");
}

#[test]
fn an_approved_hookscript_may_be_set_by_whom_it_is_allowed() {
    let scene = Scene::new();
    scene.script("x.sh", "true");
    scene.grant("acl:1:/vms/100:bob@pve:Hooks:\nacl:1:/vms/200:bob@pve:Hooks:\ntoken:bob@pve!ci:0:0::");
    let hookscript = [("hookscript", "local:snippets/x.sh")];
    let approvals = "/hookvisor/approvals";
    let cause = "script 'local:snippets/x.sh' is not approved";
    assert_eq!(
        scene.told("bob@pve", Put, VM, &hookscript),
        format!("only root can set 'hookscript' config: {cause}")
    );
    assert_eq!(
        scene.told("bob@pve", Put, CT, &hookscript),
        format!(
            "403 Permission check failed (changing the hookscript is only allowed for root@pam: {cause})"
        )
    );
    assert_eq!(
        scene.told("admin@pve", Post, approvals, &[("volume", "local:snippets/x.sh")]),
        "403 Permission check failed (user != root@pam)"
    );
    assert_eq!(scene.told("root@pam", Post, approvals, &[("volume", "local:snippets/x.sh")]), "ok");
    assert_eq!(scene.told("bob@pve", Put, VM, &hookscript), "ok");
    assert_eq!(scene.told("bob@pve!ci", Put, CT, &hookscript), "ok");
    // The privilege is for this and nothing else.
    assert_eq!(
        scene.told("bob@pve", Put, VM, &[("name", "x")]),
        "403 Permission check failed (/vms/100, VM.Config.Options)"
    );
    let list = scene.call("auditor@pve", Get, approvals, &[]).unwrap();
    assert_eq!((&list[0]["state"], &list[0]["guests"]), (&"approved".into(), &vec![100, 200].into()));
    // Root's own setting needs no approval; the other guest's still does.
    assert_eq!(scene.told("root@pam", Put, VM, &hookscript), "ok");
    let list = scene.call("owner", Get, approvals, &[]).unwrap();
    assert_eq!(list[0]["guests"], Value::from(vec![200]));
    scene.script("x.sh", "false");
    assert_eq!(scene.call("owner", Get, approvals, &[]).unwrap()[0]["state"], "refused");
    assert!(scene.told("bob@pve", Put, VM, &hookscript).ends_with("has changed since it was approved"));
    let one = "/hookvisor/approvals/local:snippets/x.sh";
    assert_eq!(scene.told("root@pam", Delete, one, &[]), "ok");
    assert_eq!(scene.told("root@pam", Delete, one, &[]), cause);
    assert!(scene.told("bob@pve", Put, VM, &hookscript).ends_with(cause));
    assert_eq!(scene.told("bob@pve", Put, VM, &[("delete", "hookscript")]), "ok");
}

#[test]
fn whoever_makes_a_guest_needs_all_of_it() {
    let scene = Scene::new();
    let make = |given: &[(&str, &str)]| scene.told("bob@pve", Post, "/nodes/pve1/qemu", given);
    assert_eq!(make(&[("vmid", "300")]), "403 Permission check failed (/vms/300, VM.Allocate)");
    scene.grant("role:Maker:VM.Allocate,VM.Config.Disk:\nacl:1:/vms/300:bob@pve:Maker:");
    assert_eq!(
        make(&[("vmid", "300"), ("start", "1")]),
        "403 Permission check failed (/vms/300, VM.PowerMgmt)"
    );
    assert_eq!(
        make(&[("vmid", "300"), ("memory", "32")]),
        "403 Permission check failed (/vms/300, VM.Config.Memory)"
    );
    assert_eq!(
        make(&[("vmid", "300"), ("scsi0", "local:1")]),
        "403 Permission check failed (/storage/local, Datastore.AllocateSpace)"
    );
    assert_eq!(
        make(&[("vmid", "300"), ("scsi0", "/dev/sda")]),
        "Only root can pass arbitrary filesystem paths."
    );
    assert_eq!(make(&[("vmid", "300")]), "ok");
    let ct = |given: &[(&str, &str)]| scene.told("bob@pve", Post, "/nodes/pve1/lxc", given);
    scene.grant("acl:1:/vms/301:bob@pve:Maker:");
    let template = ("ostemplate", "/etc/passwd");
    assert_eq!(
        ct(&[("vmid", "301"), template, ("unprivileged", "0")]),
        "403 Permission check failed (/, Sys.Modify)"
    );
    assert_eq!(
        ct(&[("vmid", "301"), template]),
        "403 Permission check failed (/storage/local, Datastore.AllocateSpace)"
    );
    scene.grant("acl:1:/storage/local:bob@pve:PVEDatastoreUser:");
    assert_eq!(ct(&[("vmid", "301"), template]), "Only root can pass arbitrary filesystem paths.");
}
