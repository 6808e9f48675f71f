use crate::scene::{Scene, column};
use api::Verb;
use model::{Upid, UserId};
use record::TaskLog;
use serde_json::json;

fn task(scene: &Scene, kind: &str, id: &str, user: &str, status: Option<&str>) -> Upid {
    let user: UserId = user.parse().unwrap();
    let mut log = TaskLog::create(scene.layout(), &"pve1".parse().unwrap(), kind, id, &user).unwrap();
    log.write(b"one\ntwo\n").unwrap();
    let upid = log.upid().clone();
    if let Some(status) = status {
        log.end(status).unwrap();
    }
    upid
}

/// Tasks that ended in every way, of several users, and one that runs.
fn scene() -> Scene {
    let scene = Scene::with_guests();
    task(&scene, "qmstart", "100", "ann@pve", Some("OK"));
    task(&scene, "qmstop", "100", "ann@pve!ci", Some("VM 100 not running"));
    task(&scene, "vzstart", "200", "root@pam", Some("WARNINGS: 2"));
    task(&scene, "startall", "", "root@pam", None);
    scene
}

#[test]
fn tasks_are_listed_by_filters() {
    let scene = scene();
    let kinds = |who: &str, given: &[(&str, &str)]| {
        let (list, total) = scene.answer(who, Verb::Get, "/nodes/pve1/tasks", given).unwrap();
        let mut kinds = column(&list, "type");
        kinds.sort();
        (kinds.join(" "), total.unwrap())
    };
    let told = |text: &str, total: u64| (text.to_owned(), total);
    assert_eq!(kinds("owner", &[]), told("qmstart qmstop vzstart", 3));
    for (given, want) in [
        (("errors", "1"), "qmstop"),
        (("typefilter", "qmstart"), "qmstart"),
        (("vmid", "200"), "vzstart"),
        (("userfilter", "ANN"), "qmstart qmstop"),
        (("statusfilter", "ok,warning"), "qmstart vzstart"),
        (("source", "all"), "qmstart qmstop startall vzstart"),
        (("since", "4000000000"), ""),
        (("until", "1"), ""),
    ] {
        assert_eq!(kinds("auditor@pve", &[given]).0, want, "{given:?}");
    }
    // Others see what they, or tokens of theirs, began.
    assert_eq!(kinds("ann@pve", &[]), told("qmstart qmstop", 2));
    assert_eq!(kinds("ann@pve!ci", &[]), told("qmstop", 1));
    assert_eq!(kinds("none@pve", &[("source", "all")]), told("", 0));
    let (page, total) =
        scene.answer("owner", Verb::Get, "/nodes/pve1/tasks", &[("start", "1"), ("limit", "1")]).unwrap();
    assert_eq!((page.as_array().unwrap().len(), total), (1, Some(3)));
    assert_eq!(
        scene.refused("owner", Verb::Get, "/nodes/pve1/tasks", &[("statusfilter", "bad")]),
        "400 Parameter verification failed.\nstatusfilter: invalid format - value 'bad' does not have a value in the \
         enumeration 'ok, error, warning, unknown'"
    );
    let running = scene.call(
        "owner",
        Verb::Get,
        "/nodes/pve1/tasks",
        &[("source", "active"), ("typefilter", "startall")],
    );
    assert_eq!(column(&running, "status"), ["RUNNING"]);
    assert_eq!(column(&scene.get("owner", "/cluster/tasks"), "type").len(), 4);
}

#[test]
fn a_task_is_told_of_as_clients_poll_it() {
    let scene = scene();
    let failed = task(&scene, "qmstop", "100", "ann@pve!ci", Some("no luck"));
    let path = format!("/nodes/pve1/tasks/{failed}");
    let status = scene.get("ann@pve", &format!("{path}/status"));
    for (key, want) in [
        ("status", json!("stopped")),
        ("exitstatus", json!("no luck")),
        ("user", json!("ann@pve")),
        ("tokenid", json!("ci")),
        ("upid", json!(failed.to_string())),
        ("pid", json!(failed.process.pid)),
    ] {
        assert_eq!(status[key], want, "{key}");
    }
    let running = task(&scene, "startall", "", "root@pam", None);
    let status = scene.get("owner", &format!("/nodes/pve1/tasks/{running}/status"));
    assert_eq!((&status["status"], status.get("exitstatus")), (&json!("running"), None));
    let (lines, total) = scene
        .answer("ann@pve", Verb::Get, &format!("{path}/log"), &[("start", "1"), ("limit", "2")])
        .unwrap();
    assert_eq!((lines, total), (json!([{"n": 2, "t": "two"}, {"n": 3, "t": ""}]), Some(4)));
    let (lines, _) = scene.answer("ann@pve", Verb::Get, &format!("{path}/log"), &[("limit", "0")]).unwrap();
    assert_eq!(column(&lines, "t"), ["one", "two", "", "TASK ERROR: no luck"]);
}

#[test]
fn foreign_and_unknown_tasks_are_refused() {
    let scene = scene();
    let upid = task(&scene, "vzstart", "200", "root@pam", Some("OK"));
    let status = format!("/nodes/pve1/tasks/{upid}/status");
    assert_eq!(
        scene.refused("ann@pve", Verb::Get, &status, &[]),
        "403 Permission check failed (/nodes/pve1, Sys.Audit)"
    );
    assert_eq!(
        scene.refused("auditor@pve", Verb::Delete, &format!("/nodes/pve1/tasks/{upid}"), &[]),
        "403 Permission check failed (/nodes/pve1, Sys.Modify)"
    );
    assert_eq!(scene.call("owner", Verb::Delete, &format!("/nodes/pve1/tasks/{upid}"), &[]), json!(null));
    let unknown = "UPID:pve1:00001016:00030A62:6B034184:vzstart:200:root@pam:";
    for (upid, text) in [("UPID:nonsense", "unable to parse worker upid"), (unknown, "no such task")] {
        for end in ["/status", "/log"] {
            let path = format!("/nodes/pve1/tasks/{upid}{end}");
            let want = format!("400 Parameter verification failed.\nupid: {text}");
            assert_eq!(scene.refused("owner", Verb::Get, &path, &[]), want);
        }
    }
}

/// A task whose process is gone is ended where somebody asks for it.
#[test]
fn an_orphan_is_ended() {
    let scene = scene();
    let dead = "UPID:pve1:00000001:00000001:6B034184:qmcreate:300:root@pam:";
    let layout = scene.layout();
    let upid: Upid = dead.parse().unwrap();
    std::fs::create_dir_all(layout.task_log(&upid).parent().unwrap()).unwrap();
    std::fs::write(layout.task_log(&upid), "").unwrap();
    std::fs::write(layout.tasks().join("active"), format!("{dead} 0\n")).unwrap();
    let status = || scene.get("owner", &format!("/nodes/pve1/tasks/{dead}/status"))["status"].clone();
    assert_eq!(status(), json!("running"));
    scene.call("owner", Verb::Delete, &format!("/nodes/pve1/tasks/{dead}"), &[]);
    assert_eq!(status(), json!("stopped"));
}
