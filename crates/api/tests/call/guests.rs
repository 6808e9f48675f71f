use crate::scene::{Scene, column, keys};
use api::Verb;
use serde_json::json;

#[test]
fn lists_have_the_guests_that_the_caller_may_see() {
    let scene = Scene::with_guests();
    for (who, machines, containers) in [
        ("owner", &["100"][..], &["200"][..]),
        ("auditor@pve", &["100"], &["200"]),
        ("ann@pve", &["100"], &[]),
        ("none@pve", &[], &[]),
    ] {
        assert_eq!(column(&scene.get(who, "/nodes/pve1/qemu"), "vmid"), machines, "{who}");
        assert_eq!(column(&scene.get(who, "/nodes/pve1/lxc"), "vmid"), containers, "{who}");
    }
    let machine = &scene.call("owner", Verb::Get, "/nodes/pve1/qemu", &[("full", "1")])[0];
    for (key, want) in [("status", "stopped"), ("qmpstatus", "stopped"), ("name", "t100")] {
        assert_eq!(machine[key], json!(want));
    }
    assert!(!keys(machine).contains(&"pid"));
}

#[test]
fn a_status_is_for_those_who_may_audit() {
    let scene = Scene::with_guests();
    let status = scene.get("ann@pve", "/nodes/pve1/qemu/100/status/current");
    assert_eq!((&status["ha"], &status["status"]), (&json!({"managed": 0}), &json!("stopped")));
    let refused = |path: &str| scene.refused("ann@pve", Verb::Get, path, &[]);
    assert_eq!(
        refused("/nodes/pve1/lxc/200/status/current"),
        "403 Permission check failed (/vms/200, VM.Audit)"
    );
    assert_eq!(
        scene.refused("owner", Verb::Get, "/nodes/pve1/qemu/999/status/current", &[]),
        "Configuration file 'nodes/pve1/qemu-server/999.conf' does not exist"
    );
}

#[test]
fn a_guest_is_made_by_those_who_may() {
    let scene = Scene::with_guests();
    let create = |who: &str, path: &str, given: &[(&str, &str)]| {
        scene.refused(who, Verb::Post, &format!("/nodes/pve1/{path}"), given)
    };
    assert_eq!(
        create("ann@pve", "qemu", &[("vmid", "300")]),
        "403 Permission check failed (/vms/300, VM.Allocate)"
    );
    assert_eq!(
        create("ann@pve", "lxc", &[("vmid", "300"), ("ostemplate", "local:vztmpl/x.tar.zst")]),
        "403 Permission check failed (/vms/300, VM.Allocate)"
    );
    assert_eq!(
        create("admin@pve", "qemu", &[("vmid", "300"), ("args", "-S")]),
        "only root can set 'args' config"
    );
    assert_eq!(
        create("admin@pve", "lxc", &[("vmid", "300"), ("ostemplate", "/srv/rootfs")]),
        "Only root can pass arbitrary filesystem paths."
    );
    scene.call("admin@pve", Verb::Post, "/nodes/pve1/qemu", &[("vmid", "300"), ("name", "new")]);
    assert_eq!(column(&scene.get("admin@pve", "/nodes/pve1/qemu"), "name"), ["t100", "new"]);
}

#[test]
fn snapshots_end_with_the_present() {
    let scene = Scene::with_guests();
    scene.write(
        "qemu-server/100.conf",
        "memory: 64\nparent: before\n\n[before]\n#as it was\nmemory: 32\nsnaptime: 1795374719\n",
    );
    let rows = scene.get("ann@pve", "/nodes/pve1/qemu/100/snapshot");
    assert_eq!(column(&rows, "name"), ["before", "current"]);
    assert_eq!((&rows[0]["snaptime"], &rows[0]["vmstate"]), (&json!(1_795_374_719), &json!(0)));
    assert_eq!((&rows[1]["parent"], &rows[1]["running"]), (&json!("before"), &json!(0)));
    assert_eq!(rows[1]["description"], json!("You are here!"));
    assert_eq!(column(&scene.get("owner", "/nodes/pve1/lxc/200/snapshot"), "name"), ["current"]);
    let feature =
        |given: &[(&str, &str)]| scene.call("ann@pve", Verb::Get, "/nodes/pve1/qemu/100/feature", given);
    assert_eq!(feature(&[("feature", "snapshot")]), json!({"hasFeature": 0, "nodes": []}));
}

#[test]
fn what_a_stopped_guest_cannot_do_is_said_at_once() {
    let scene = Scene::with_guests();
    let refused = |verb, path: &str| scene.refused("admin@pve", verb, &format!("/nodes/pve1/{path}"), &[]);
    assert_eq!(refused(Verb::Post, "lxc/200/status/suspend"), "CT 200 not running");
    assert_eq!(refused(Verb::Post, "lxc/200/status/resume"), "checkpoints of containers are not supported");
    assert_eq!(refused(Verb::Get, "qemu/100/agent/get-osinfo"), "No QEMU guest agent configured");
    assert_eq!(scene.get("admin@pve", "/nodes/pve1/lxc/200/interfaces"), json!(null));
    scene.write("qemu-server/100.conf", "memory: 64\nagent: 1\n");
    assert_eq!(refused(Verb::Post, "qemu/100/agent/ping"), "VM 100 is not running");
    assert_eq!(
        scene.refused(
            "ann@pve",
            Verb::Get,
            "/nodes/pve1/qemu/100/agent/file-read",
            &[("file", "/etc/shadow")]
        ),
        "403 Permission check failed (/vms/100, VM.GuestAgent.FileRead|VM.GuestAgent.Unrestricted)"
    );
}
