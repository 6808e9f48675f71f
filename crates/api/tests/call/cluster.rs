use crate::scene::{Scene, column, keys};
use api::Verb;
use serde_json::json;
use std::fs;

#[test]
fn resources_are_those_that_the_caller_may_see() {
    let scene = Scene::with_guests();
    let ids = |who: &str| column(&scene.get(who, "/cluster/resources"), "id");
    let all = [
        "/pool/web",
        "qemu/100",
        "lxc/200",
        "node/pve1",
        "storage/pve1/local",
        "network/pve1/zone/localnetwork",
    ];
    assert_eq!(ids("owner"), all);
    assert_eq!(ids("admin@pve"), all);
    assert_eq!(ids("auditor@pve"), all);
    assert_eq!(ids("ann@pve"), ["qemu/100", "node/pve1"]);
    assert_eq!(ids("ann@pve!ci"), ["qemu/100", "node/pve1"]);
    assert_eq!(ids("none@pve"), ["node/pve1"]);
    assert_eq!(scene.refused("", Verb::Get, "/cluster/resources", &[]), "401 No ticket");
    for (kind, want) in
        [("vm", &["qemu/100", "lxc/200"][..]), ("node", &["node/pve1"]), ("storage", &["storage/pve1/local"])]
    {
        let rows = scene.call("owner", Verb::Get, "/cluster/resources", &[("type", kind)]);
        assert_eq!(column(&rows, "id"), want);
    }
}

#[test]
fn a_resource_has_the_fields_and_types_that_clients_know() {
    let scene = Scene::with_guests();
    let rows = scene.get("owner", "/cluster/resources");
    let vm = &rows[1];
    assert_eq!(
        keys(vm),
        [
            "cpu",
            "disk",
            "diskread",
            "diskwrite",
            "id",
            "maxcpu",
            "maxdisk",
            "maxmem",
            "mem",
            "memhost",
            "name",
            "netin",
            "netout",
            "node",
            "pool",
            "status",
            "template",
            "type",
            "uptime",
            "vmid"
        ]
    );
    let want = json!({"vmid": 100, "name": "t100", "maxmem": 67_108_864, "maxdisk": 1_048_576, "template": 0,
        "status": "stopped", "pool": "web", "node": "pve1", "type": "qemu"});
    for (key, value) in want.as_object().unwrap() {
        assert_eq!(vm[key], *value, "{key}");
    }
    assert_eq!((&rows[2]["tags"], &rows[2]["maxdisk"]), (&json!("a;b"), &json!(2_u64 << 30)));
    // What a node uses is for auditors.
    let node = scene.call("none@pve", Verb::Get, "/cluster/resources", &[("type", "node")]);
    assert_eq!(keys(&node[0]), ["id", "level", "node", "status", "type"]);
    let node = scene.call("auditor@pve", Verb::Get, "/cluster/resources", &[("type", "node")]);
    assert!(node[0]["maxmem"].as_u64().unwrap() > node[0]["mem"].as_u64().unwrap());
    let share = node[0]["cpu"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&share), "{share}");
}

#[test]
fn a_change_of_a_configuration_is_seen_at_once() {
    let scene = Scene::with_guests();
    let name = || column(&scene.call("owner", Verb::Get, "/cluster/resources", &[("type", "vm")]), "name");
    for text in ["one", "two", "six"] {
        scene.write("qemu-server/100.conf", &format!("name: {text}\n"));
        assert_eq!(name(), [text, "ct200"]);
    }
    fs::remove_file(scene.layout().pve().join("nodes/pve1/qemu-server/100.conf")).unwrap();
    assert_eq!(name(), ["ct200"]);
}

#[test]
fn the_next_number_is_a_text() {
    let scene = Scene::with_guests();
    let next = |given: &[(&str, &str)]| scene.call("none@pve", Verb::Get, "/cluster/nextid", given);
    assert_eq!((next(&[]), next(&[("vmid", "300")])), (json!("101"), json!("300")));
    assert_eq!(
        scene.refused("none@pve", Verb::Get, "/cluster/nextid", &[("vmid", "200")]),
        "400 Parameter verification failed.\nvmid: VM 200 already exists"
    );
    fs::write(scene.layout().pve().join("datacenter.cfg"), "next-id: lower=200,upper=202\n").unwrap();
    assert_eq!(next(&[]), json!("201"));
    scene.write("lxc/201.conf", "hostname: x\n");
    assert_eq!(
        scene.refused("none@pve", Verb::Get, "/cluster/nextid", &[]),
        "unable to get any free VMID in range [200, 202)"
    );
}

#[test]
fn one_node_alone_is_its_cluster() {
    let scene = Scene::with_guests();
    let nodes = scene.get("auditor@pve", "/cluster/status");
    assert_eq!(keys(&nodes[0]), ["id", "ip", "level", "local", "name", "nodeid", "online", "type"]);
    assert_eq!((&nodes[0]["id"], &nodes[0]["nodeid"]), (&json!("node/pve1"), &json!(0)));
    assert_eq!(
        scene.refused("ann@pve", Verb::Get, "/cluster/status", &[]),
        "403 Permission check failed (/, Sys.Audit)"
    );
    for path in [
        "/cluster/replication",
        "/cluster/backup",
        "/cluster/ha/rules",
        "/cluster/ha/resources",
        "/nodes/pve1/replication",
    ] {
        assert_eq!(scene.get("auditor@pve", path), json!([]), "{path}");
    }
    assert_eq!(
        scene.refused("auditor@pve", Verb::Get, "/cluster/ha/resources/vm:100", &[]),
        "no such resource 'vm:100'"
    );
    let all = scene.get("auditor@pve", "/cluster/backup-info/not-backed-up");
    assert_eq!(column(&all, "vmid"), ["100", "200"]);
    assert_eq!(column(&scene.get("ann@pve", "/cluster/backup-info/not-backed-up"), "type"), ["qemu"]);
    fs::write(scene.layout().pve().join("datacenter.cfg"), "keyboard: de\nmigration: insecure\n").unwrap();
    let options = scene.get("auditor@pve", "/cluster/options");
    assert_eq!(
        options,
        json!({"keyboard": "de", "migration": {"type": "insecure"}, "mac_prefix": "BC:24:11"})
    );
}

#[test]
fn a_pool_is_told_with_its_members() {
    let scene = Scene::with_guests();
    assert_eq!(scene.get("auditor@pve", "/pools"), json!([{"poolid": "web", "comment": "the web"}]));
    assert_eq!(scene.get("ann@pve", "/pools"), json!([]));
    let members = |path: &str, kind: &str| {
        let told = scene.call("auditor@pve", Verb::Get, path, &[("type", kind)]);
        column(&told["members"], "id")
    };
    assert_eq!(members("/pools/web", "qemu"), ["qemu/100"]);
    assert_eq!(members("/pools/web", "storage"), ["storage/pve1/local"]);
    let all = scene.call("auditor@pve", Verb::Get, "/pools", &[("poolid", "web")]);
    assert_eq!(column(&all[0]["members"], "id"), ["qemu/100", "lxc/200", "storage/pve1/local"]);
    assert_eq!(scene.refused("auditor@pve", Verb::Get, "/pools/none", &[]), "no such pool 'none'");
    assert_eq!(
        scene.refused("ann@pve", Verb::Get, "/pools/web", &[]),
        "403 Permission check failed (/pool/web, Pool.Audit)"
    );
}
