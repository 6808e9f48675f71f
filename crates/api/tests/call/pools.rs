use crate::scene::{Scene, column};
use api::Verb;
use serde_json::json;
use std::fs;

fn users(scene: &Scene) -> String {
    fs::read_to_string(scene.layout().user_cfg()).unwrap()
}

#[test]
fn a_pool_is_made_filled_emptied_and_removed() {
    let scene = Scene::with_guests();
    let call = |verb, path: &str, given: &[(&str, &str)]| scene.call("admin@pve", verb, path, given);
    call(Verb::Post, "/pools", &[("poolid", "db"), ("comment", "data: bases")]);
    call(Verb::Post, "/pools", &[("poolid", "db/inner")]);
    assert!(users(&scene).contains("pool:db:data%3A bases:::\n"), "{}", users(&scene));
    call(Verb::Put, "/pools", &[("poolid", "db"), ("vms", "100"), ("allow-move", "1"), ("storage", "local")]);
    assert!(users(&scene).contains("pool:db:data%3A bases:100:local:\n"), "{}", users(&scene));
    assert!(users(&scene).contains("pool:web:the web:200:local:\n"), "{}", users(&scene));
    let rows = scene.get("owner", "/cluster/resources");
    let vm = rows.as_array().unwrap().iter().find(|row| row["id"] == "qemu/100").unwrap();
    assert_eq!(vm["pool"], json!("db"));
    let pool = call(Verb::Get, "/pools", &[("poolid", "db")]);
    assert_eq!(column(&pool[0]["members"], "id"), ["qemu/100", "storage/pve1/local"]);
    call(
        Verb::Put,
        "/pools/db",
        &[("vms", "100"), ("storage", "local"), ("delete", "1"), ("comment", "none")],
    );
    call(Verb::Delete, "/pools", &[("poolid", "db/inner")]);
    call(Verb::Delete, "/pools/db", &[]);
    assert!(!users(&scene).contains("pool:db"), "{}", users(&scene));
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let scene = Scene::with_guests();
    scene.call("owner", Verb::Post, "/pools", &[("poolid", "db")]);
    scene.call("owner", Verb::Post, "/pools", &[("poolid", "db/inner")]);
    let before = users(&scene);
    for (verb, path, given, text) in [
        (Verb::Post, "/pools", &[("poolid", "web")][..], "create pool failed: pool 'web' already exists"),
        (
            Verb::Post,
            "/pools",
            &[("poolid", "a/b")],
            "create pool failed: parent 'a' of pool 'a/b' does not exist",
        ),
        (Verb::Put, "/pools/none", &[("comment", "x")], "update pools failed: pool 'none' does not exist"),
        (
            Verb::Put,
            "/pools/web",
            &[("comment", "x"), ("vms", "100")],
            "update pools failed: VM 100 is already a pool member",
        ),
        (
            Verb::Put,
            "/pools/db",
            &[("vms", "100,200")],
            "update pools failed: VM 100 belongs already to pool 'web' and 'allow-move' is not set",
        ),
        (
            Verb::Put,
            "/pools/db",
            &[("vms", "100"), ("delete", "1")],
            "update pools failed: VM 100 is not a pool member",
        ),
        (
            Verb::Put,
            "/pools/web",
            &[("storage", "local")],
            "update pools failed: Storage 'local' is already a pool member",
        ),
        (
            Verb::Put,
            "/pools/db",
            &[("storage", "local"), ("delete", "1")],
            "update pools failed: Storage 'local' is not a pool member",
        ),
        (Verb::Delete, "/pools/none", &[], "delete pool failed: pool 'none' does not exist"),
        (Verb::Delete, "/pools/web", &[], "delete pool failed: pool 'web' is not empty (contains VM 100)"),
        (
            Verb::Delete,
            "/pools/db",
            &[],
            "delete pool failed: pool 'db' is not empty (contains pool 'db/inner')",
        ),
    ] {
        assert_eq!(scene.refused("owner", verb, path, given), text);
        assert_eq!(users(&scene), before, "{text}");
    }
    let refused = scene.refused("owner", Verb::Put, "/pools/web", &[("vms", "x")]);
    assert!(refused.contains("vms: "), "{refused}");
    let refused = scene.refused("owner", Verb::Post, "/pools", &[("poolid", "a b")]);
    assert!(refused.contains("poolid: "), "{refused}");
    // Members that are gone hold nothing.
    for guest in ["qemu-server/100.conf", "lxc/200.conf"] {
        fs::remove_file(scene.layout().pve().join("nodes/pve1").join(guest)).unwrap();
    }
    scene.call("owner", Verb::Put, "/pools/web", &[("storage", "local"), ("delete", "1")]);
    scene.call("owner", Verb::Delete, "/pools/web", &[]);
}

#[test]
fn who_shares_a_guest_may_hand_out_rights_on_it() {
    let scene = Scene::with_guests();
    let path = scene.layout().user_cfg();
    let text = format!("{}pool:mine::::\nacl:1:/pool/mine:ann@pve:PVEPoolAdmin:\n", users(&scene));
    fs::write(&path, text).unwrap();
    let change = |given: &[(&str, &str)]| scene.answer("ann@pve", Verb::Put, "/pools/mine", given);
    change(&[("comment", "hers")]).unwrap();
    let told = |given: &[(&str, &str)]| change(given).unwrap_err().printed();
    assert_eq!(
        told(&[("vms", "100"), ("allow-move", "1")]),
        "403 Permission check failed (/vms/100, Permissions.Modify|VM.Allocate)\n"
    );
    fs::write(&path, format!("{}acl:1:/vms/100:ann@pve:PVEVMAdmin:\n", users(&scene))).unwrap();
    assert_eq!(
        told(&[("vms", "100"), ("allow-move", "1")]),
        "403 Permission check failed (/pool/web, Pool.Allocate)\n"
    );
    fs::write(&path, users(&scene).replace("100,200:local", "200:local")).unwrap();
    change(&[("vms", "100")]).unwrap();
    assert_eq!(
        scene.refused("ann@pve", Verb::Post, "/pools", &[("poolid", "other")]),
        "403 Permission check failed (/pool/other, Pool.Allocate)"
    );
}
