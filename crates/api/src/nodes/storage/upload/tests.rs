use super::{SNIPPET_LIMIT, file_name};
use crate::Verb;
use crate::testing::Scene;
use model::ContentType;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

const CFG: &str = "user:up@pve:1:0::::::\nuser:hook@pve:1:0::::::\nuser:none@pve:1:0::::::\n\
    role:Up:Datastore.AllocateTemplate,Datastore.AllocateSpace:\nrole:Hook:VM.Config.Hookscript:\n\
    role:All:Datastore.Allocate:\nacl:1:/storage/local:up@pve,hook@pve:Up:\nacl:1:/vms:hook@pve:Hook:\n\
    acl:1:/storage/local:hook@pve:All:\n";

const PATH: &str = "/nodes/pve1/storage/local/upload";
const SCRIPT: &str = "#!/bin/sh\nexit 0\n";

fn scene() -> Scene {
    let scene = Scene::new(CFG);
    fs::create_dir_all(scene.at("var/tmp")).unwrap();
    scene
}

/// Uploads as a server would, and gives the mode of the snippet, or why not.
fn send(scene: &Scene, who: &str, given: &[(&str, &str)]) -> Result<u32, String> {
    let passing = "/var/tmp/pveupload-0123abc";
    let file = scene.at("var/tmp/pveupload-0123abc");
    fs::write(&file, SCRIPT).unwrap();
    let mut all = vec![("tmpfilename", passing)];
    if !given.iter().any(|(name, _)| *name == "content") {
        all.push(("content", "snippets"));
    }
    all.extend_from_slice(given);
    let done = scene.call(who, Verb::Post, PATH, &all);
    let denied = matches!(&done, Err(text) if text.starts_with("403 Permission check failed (/storage"));
    assert!(denied || !file.exists(), "what was passed on is removed: {done:?}");
    let name = given.iter().find(|(name, _)| *name == "filename").map_or("", |(_, name)| *name);
    done.map(|_| {
        let path = scene.at("var/lib/vz/snippets").join(name);
        fs::metadata(path).map_or(0, |meta| meta.permissions().mode() & 0o7777)
    })
}

#[test]
fn a_snippet_is_uploaded_listed_and_removed() {
    let scene = scene();
    let sum = "2f2c2a2e";
    let wrong = [("filename", "a.sh"), ("checksum", sum), ("checksum-algorithm", "sha256")];
    let refused = send(&scene, "up@pve", &wrong).unwrap_err();
    assert!(
        refused.starts_with("checksum mismatch: got '") && refused.ends_with("' != expect '2f2c2a2e'"),
        "{refused}"
    );
    assert_eq!(send(&scene, "up@pve", &[("filename", "a.sh")]), Ok(0o644));

    let file = scene.at("script");
    fs::write(&file, SCRIPT).unwrap();
    let given = [
        ("content", "snippets"),
        ("filename", "b.sh"),
        ("tmpfilename", file.to_str().unwrap()),
        ("mode", "0755"),
    ];
    let (upid, printed) = scene.call("", Verb::Post, PATH, &given).unwrap();
    assert!(upid.as_str().unwrap().contains(":imgcopy::root@pam:"), "{upid}");
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(
        lines[1..4],
        [
            "target node: pve1",
            &format!("target file: {}", scene.at("var/lib/vz/snippets/b.sh").display()),
            "file size is: 17"
        ]
    );
    assert_eq!(lines.last(), Some(&"finished file import successfully"));
    assert!(file.exists(), "a file of the caller's own stays");

    let volumes = |who: &str| {
        let rows = scene.call(who, Verb::Get, "/nodes/pve1/storage/local/content", &[]).unwrap().0;
        rows.as_array().unwrap().len()
    };
    assert_eq!(
        (volumes(""), volumes("hook@pve"), volumes("up@pve")),
        (2, 2, 0),
        "snippets need Datastore.Allocate"
    );
    let one = "/nodes/pve1/storage/local/content/snippets/a.sh";
    assert_eq!(scene.call("", Verb::Get, one, &[]).unwrap().0["size"], serde_json::json!(512));
    assert!(scene.call("up@pve", Verb::Delete, one, &[]).unwrap_err().starts_with("403 "));
    scene.call("hook@pve", Verb::Delete, one, &[]).unwrap();
    assert_eq!(volumes(""), 1);
}

#[test]
fn who_may_make_a_script_executable() {
    let scene = scene();
    assert_eq!(
        send(&scene, "up@pve", &[("filename", "a.sh"), ("mode", "0755")]).unwrap_err(),
        "403 Permission check failed (/vms, VM.Config.Hookscript)"
    );
    assert_eq!(send(&scene, "hook@pve", &[("filename", "a.sh"), ("mode", "0755")]), Ok(0o755));
    assert_eq!(
        send(&scene, "none@pve", &[("filename", "a.sh")]).unwrap_err(),
        "403 Permission check failed (/storage/local, Datastore.AllocateTemplate)"
    );
    let iso = [("filename", "a.iso"), ("content", "iso"), ("mode", "0755")];
    assert!(send(&scene, "hook@pve", &iso).unwrap_err().contains("mode: only snippets have a mode"));
}

#[test]
fn nobody_but_root_replaces_what_runs_as_root() {
    let scene = scene();
    send(&scene, "root@pam", &[("filename", "run.sh"), ("mode", "0755")]).unwrap();
    send(&scene, "root@pam", &[("filename", "plain.sh")]).unwrap();
    let text = |name: &str, why: &str| {
        format!("403 Permission check failed ('local:snippets/{name}' {why}, only root@pam may replace it)")
    };
    let replace = |who: &str, name: &str| send(&scene, who, &[("filename", name)]);
    assert_eq!(replace("hook@pve", "run.sh").unwrap_err(), text("run.sh", "may be executed"));
    assert_eq!(replace("hook@pve", "plain.sh"), Ok(0o644));
    assert_eq!(
        replace("up@pve", "plain.sh").unwrap_err(),
        "403 Permission check failed (/storage/local, Datastore.Allocate)"
    );
    fs::write(scene.at("etc/pve/qemu-server/100.conf"), "hookscript: local:snippets/gone.sh\nmemory: 16\n")
        .unwrap();
    assert_eq!(
        replace("hook@pve", "gone.sh").unwrap_err(),
        text("gone.sh", "is the hookscript of guest 100")
    );
    assert_eq!(replace("root@pam", "run.sh"), Ok(0o644));
}

#[test]
fn names_and_files_that_are_tricks_are_refused() {
    for (given, content, want) in [
        ("a.sh", ContentType::Snippets, Ok("a.sh")),
        ("../../etc/a b.sh", ContentType::Snippets, Ok("a_b.sh")),
        ("C:\\x\\a.iso", ContentType::Iso, Ok("a.iso")),
        ("a\0b\n.sh", ContentType::Snippets, Ok("a_b_.sh")),
        ("a.txt", ContentType::Iso, Err("wrong file extension")),
        ("x.tar.gz", ContentType::Vztmpl, Ok("x.tar.gz")),
        ("..", ContentType::Snippets, Err("invalid filename")),
        (".hidden", ContentType::Snippets, Err("invalid filename")),
        ("a/", ContentType::Snippets, Err("invalid filename")),
    ] {
        let got = file_name(given, content).map_err(|error| error.printed());
        match want {
            Ok(name) => assert_eq!(got, Ok(name.to_owned())),
            Err(text) => assert!(got.unwrap_err().contains(text), "{given}"),
        }
    }
    let scene = scene();
    let secret = scene.at("secret");
    fs::write(&secret, "secret").unwrap();
    symlink(&secret, scene.at("var/tmp/pveupload-bad")).unwrap();
    fs::create_dir(scene.at("var/tmp/pveupload-d")).unwrap();
    for (tmp, who) in [
        ("/var/tmp/pveupload-bad", "up@pve"),
        ("/var/tmp/pveupload-d", "up@pve"),
        ("/var/tmp/pveupload-0/../../secret", "up@pve"),
        ("/etc/passwd", "up@pve"),
        ("/etc/passwd", "root@pam"),
        ("/var/tmp/pveupload-", "up@pve"),
        ("/var/tmp/pveupload-ffff", "up@pve"),
    ] {
        let given = [("content", "snippets"), ("filename", "s"), ("tmpfilename", tmp)];
        assert!(scene.call(who, Verb::Post, PATH, &given).is_err(), "{tmp}");
        assert!(!scene.at("var/lib/vz/snippets/s").exists(), "{tmp}");
    }
    assert_eq!(fs::read_to_string(secret).unwrap(), "secret");
}

#[test]
fn a_snippet_has_a_limit() {
    let scene = scene();
    let big = scene.at("big");
    fs::File::create(&big).unwrap().set_len(SNIPPET_LIMIT + 1).unwrap();
    let given = [("content", "snippets"), ("filename", "s"), ("tmpfilename", big.to_str().unwrap())];
    let refused = scene.call("", Verb::Post, PATH, &given).unwrap_err();
    assert!(refused.contains("filename: file is too big for a snippet"), "{refused}");
}
