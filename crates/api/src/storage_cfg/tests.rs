use crate::Verb;
use crate::testing::Scene;
use serde_json::json;
use std::fs;

const CFG: &str = "user:ann@pve:1:0::::::\nuser:bob@pve:1:0::::::\nacl:1:/storage:ann@pve:PVEDatastoreAdmin:\n\
    acl:1:/storage/local:bob@pve:PVEDatastoreUser:\n";

fn scene() -> Scene {
    let scene = Scene::new(CFG);
    fs::create_dir_all(scene.at("data")).unwrap();
    scene
}

fn file(scene: &Scene) -> String {
    fs::read_to_string(scene.store.layout().storage_cfg()).unwrap_or_default()
}

#[test]
fn a_storage_is_added_changed_and_removed() {
    let scene = scene();
    let path = scene.at("data").to_string_lossy().into_owned();
    let before = file(&scene);
    let add = [
        ("storage", "fast"),
        ("type", "dir"),
        ("path", &path),
        ("content", "iso,snippets"),
        ("disable", "0"),
    ];
    let added = scene.call("ann@pve", Verb::Post, "/storage", &add).unwrap();
    assert_eq!(added.0, json!({"storage": "fast", "type": "dir"}));
    assert!(
        file(&scene).contains(&format!("dir: fast\n\tpath {path}\n\tcontent iso,snippets\n")),
        "{}",
        file(&scene)
    );
    assert!(scene.at("data/snippets").is_dir(), "it is made ready at once");

    let again = scene.call("", Verb::Post, "/storage", &add).unwrap_err();
    assert_eq!(again, "create storage failed: storage ID 'fast' already defined");

    let shown = scene.call("", Verb::Get, "/storage/fast", &[]).unwrap().0;
    assert_eq!(
        (&shown["content"], &shown["type"], shown.get("disable")),
        (&json!("iso,snippets"), &json!("dir"), None)
    );
    let digest = shown["digest"].as_str().unwrap();
    let set = scene.call(
        "",
        Verb::Put,
        "/storage/fast",
        &[("shared", "1"), ("delete", "content"), ("digest", digest)],
    );
    assert_eq!(set.unwrap().0, json!({"storage": "fast", "type": "dir"}));
    let stale =
        scene.call("", Verb::Put, "/storage/fast", &[("shared", "0"), ("digest", digest)]).unwrap_err();
    assert_eq!(stale, "detected modified configuration - file changed by other user? Try again.");
    let shown = scene.call("", Verb::Get, "/storage/fast", &[]).unwrap().0;
    assert_eq!((&shown["shared"], shown.get("content")), (&json!(1), None));

    scene.call("", Verb::Delete, "/storage/fast", &[]).unwrap();
    assert_eq!(file(&scene), before);
    assert!(scene.at("data/snippets").is_dir(), "what is in it stays");
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let scene = scene();
    let path = scene.at("data").to_string_lossy().into_owned();
    let before = file(&scene);
    let new = |more: &[(&'static str, &str)]| {
        let mut all = vec![("storage", "fast"), ("type", "dir")];
        all.extend_from_slice(more);
        scene.call("", Verb::Post, "/storage", &all).unwrap_err()
    };
    assert_eq!(new(&[]), "missing value for required option 'path'");
    assert_eq!(new(&[("path", &path), ("server", "x")]), "unexpected property 'server'");
    let refused = new(&[("path", "data")]);
    assert!(refused.starts_with("400 Parameter verification failed.\npath: invalid format"), "{refused}");
    let refused = new(&[("path", &path), ("content", "hooks")]);
    assert!(refused.contains("content: invalid format"), "{refused}");
    let refused = new(&[("path", "/nowhere/at/all"), ("mkdir", "0")]);
    assert!(refused.starts_with("create storage failed: unable to activate storage 'fast'"), "{refused}");
    let refused = new(&[("path", &path), ("content-dirs", "snippets=../../etc")]);
    assert!(
        refused.starts_with("create storage failed: storage 'fast' has an invalid content-dirs"),
        "{refused}"
    );
    let nfs =
        [("storage", "nas"), ("type", "nfs"), ("path", "/mnt/pve/nas"), ("server", "x"), ("export", "/e")];
    assert_eq!(
        scene.call("", Verb::Post, "/storage", &nfs).unwrap_err(),
        "create storage failed: storage type 'nfs' cannot be added here, only 'dir' can"
    );
    for (path, given, text) in [
        ("/storage/nope", &[("shared", "1")][..], "storage 'nope' does not exist"),
        ("/storage/local", &[("delete", "path")], "unable to delete required option 'path'"),
        ("/storage/local", &[("delete", "vgname")], "no such option 'vgname'"),
        (
            "/storage/local",
            &[("delete", "shared"), ("shared", "1")],
            "unable to set and delete property 'shared' at the same time!",
        ),
        (
            "/storage/local",
            &[("path", "/x")],
            "400 Parameter verification failed.\npath: property is not defined in schema and the schema does not \
             allow additional properties",
        ),
    ] {
        assert_eq!(scene.call("", Verb::Put, path, given).unwrap_err(), text);
    }
    assert_eq!(
        scene.call("", Verb::Delete, "/storage/nope", &[]).unwrap_err(),
        "storage 'nope' does not exist"
    );
    assert_eq!(file(&scene), before);
}

#[test]
fn rights_decide() {
    let scene = scene();
    let add = [("storage", "fast"), ("type", "dir"), ("path", "/x")];
    assert_eq!(
        scene.call("bob@pve", Verb::Post, "/storage", &add).unwrap_err(),
        "403 Permission check failed (/storage, Datastore.Allocate)"
    );
    let names = |who: &str, path: &str| {
        let rows = scene.call(who, Verb::Get, path, &[]).unwrap().0;
        let names: Vec<String> =
            rows.as_array().unwrap().iter().map(|row| row["storage"].as_str().unwrap().to_owned()).collect();
        names.join(" ")
    };
    let cfg = scene.store.layout().storage_cfg();
    let more = fs::read_to_string(&cfg).unwrap_or_default() + "\ndir: other\n\tpath /nowhere\n\tdisable\n";
    fs::write(&cfg, more).unwrap();
    for path in ["/storage", "/nodes/pve1/storage"] {
        assert_eq!(names("bob@pve", path), "local", "{path}");
        assert_eq!(names("ann@pve", path), "local other", "{path}");
    }
    let status = scene.call("bob@pve", Verb::Get, "/nodes/pve1/storage/local/status", &[]).unwrap().0;
    assert_eq!((&status["type"], &status["active"]), (&json!("dir"), &json!(1)));
}
