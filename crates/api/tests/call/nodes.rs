use crate::scene::{Scene, keys};
use api::Verb;
use serde_json::json;

#[test]
fn the_version_is_one_that_clients_understand() {
    let scene = Scene::new();
    for path in ["/version", "/nodes/pve1/version", "/nodes/localhost/version"] {
        let version = scene.get("none@pve", path);
        assert_eq!(keys(&version), ["release", "repoid", "version"]);
        let (text, release) = (version["version"].as_str().unwrap(), version["release"].as_str().unwrap());
        assert!(text.starts_with(&format!("{release}.")), "{version}");
    }
    assert_eq!(scene.refused("", Verb::Get, "/version", &[]), "401 No ticket");
}

#[test]
fn a_node_is_told_to_auditors() {
    let scene = Scene::new();
    let status = scene.get("auditor@pve", "/nodes/pve1/status");
    for key in [
        "uptime",
        "idle",
        "loadavg",
        "kversion",
        "current-kernel",
        "boot-info",
        "cpuinfo",
        "cpu",
        "memory",
        "swap",
        "rootfs",
        "pveversion",
    ] {
        assert!(!status[key].is_null(), "{key}");
    }
    assert!(
        status["loadavg"].as_array().unwrap().iter().all(|load| load
            .as_str()
            .unwrap()
            .parse::<f64>()
            .is_ok())
    );
    assert!(status["memory"]["used"].as_u64() < status["memory"]["total"].as_u64());
    assert_eq!(
        scene.refused("ann@pve", Verb::Get, "/nodes/pve1/status", &[]),
        "403 Permission check failed (/nodes/pve1, Sys.Audit)"
    );
    assert_eq!(
        scene.refused("auditor@pve", Verb::Get, "/nodes/pve2/status", &[]),
        "no such cluster node 'pve2'"
    );
    let nodes = scene.get("ann@pve", "/nodes");
    assert_eq!(
        nodes,
        json!([{"id": "node/pve1", "type": "node", "node": "pve1", "status": "online", "level": ""}])
    );
    assert_eq!(scene.get("auditor@pve", "/nodes")[0]["maxcpu"], status["cpuinfo"]["cpus"]);
}

#[test]
fn the_host_is_told_by_its_own_files() {
    let scene = Scene::new();
    let hosts = scene.get("auditor@pve", "/nodes/pve1/hosts");
    assert_eq!(hosts["data"], json!(std::fs::read_to_string("/etc/hosts").unwrap()));
    let time = scene.get("auditor@pve", "/nodes/pve1/time");
    let away = time["localtime"].as_i64().unwrap() - time["time"].as_i64().unwrap();
    assert!(away.abs() <= 14 * 3600 && away % 60 == 0, "{time}");
    assert_eq!(scene.get("none@pve", "/nodes/pve1/subscription")["status"], json!("notfound"));
    for path in ["hosts", "time", "dns"] {
        assert_eq!(
            scene.refused("ann@pve", Verb::Get, &format!("/nodes/pve1/{path}"), &[]),
            "403 Permission check failed (/nodes/pve1, Sys.Audit)"
        );
    }
    for path in ["journal", "syslog"] {
        assert_eq!(
            scene.refused("ann@pve", Verb::Get, &format!("/nodes/pve1/{path}"), &[]),
            "403 Permission check failed (/nodes/pve1, Sys.Syslog)"
        );
    }
    let (lines, total) = scene.answer("owner", Verb::Get, "/nodes/pve1/syslog", &[("limit", "1")]).unwrap();
    assert_eq!((lines[0]["n"].clone(), lines.as_array().unwrap().len()), (json!(1), 1));
    assert!(total.unwrap() > 0);
    assert_eq!(
        scene.refused("owner", Verb::Get, "/nodes/pve1/syslog", &[("since", "yesterday")]),
        "400 Parameter verification failed.\nsince: value does not match the regex pattern"
    );
    let all = scene.get("auditor@pve", "/nodes/pve1/network");
    assert!(all.as_array().unwrap().iter().all(|row| row["iface"] != "lo"), "{all}");
    assert_eq!(scene.get("none@pve", "/nodes/pve1/network"), json!([]));
}
