//! Users, groups, roles, tokens and lists, and what they let somebody do.

use crate::scene::Scene;
use access::Access;
use api::Verb::{Delete, Get, Post, Put};
use serde_json::json;

#[test]
fn a_user_is_made_logs_in_and_is_gone_without_a_trace() {
    let scene = Scene::new();
    let access = Access::open(scene.store.layout());
    let new = [("userid", "new@pve"), ("password", "new-secret"), ("groups", "g"), ("comment", "a: b")];
    assert_eq!(scene.told("admin@pve", Post, "/access/users", &new), "ok");
    assert_eq!(
        scene.told("admin@pve", Post, "/access/users", &new),
        "create user failed: user 'new@pve' already exists"
    );
    let ticket = [("username", "new@pve"), ("password", "new-secret")];
    let session = scene.call("", Post, "/access/ticket", &ticket).unwrap();
    assert_eq!(session["username"], "new@pve");
    assert!(access.user_of_ticket(session["ticket"].as_str().unwrap()).is_ok());
    assert_eq!(session["cap"]["vms"], json!({}));
    let made = scene.call("new@pve", Post, "/access/users/new@pve/token/ci", &[]).unwrap();
    let token = format!("new@pve!ci={}", made["value"].as_str().unwrap());
    assert!(access.user_of_token(&token).is_ok());
    assert_eq!(made["info"], json!({"privsep": 1, "expire": 0}));
    assert_eq!(
        scene.told("new@pve", Post, "/access/users/new@pve/token/ci", &[]),
        "400 Parameter verification failed.\ntokenid: Token already exists."
    );
    let user = scene.call("admin@pve", Get, "/access/users/new@pve", &[]).unwrap();
    assert_eq!((&user["groups"], &user["comment"]), (&json!(["g"]), &json!("a: b")));
    assert_eq!(user["tokens"]["ci"]["privsep"], 1);
    let fresh = scene.call("new@pve", Put, "/access/users/new@pve/token/ci", &[("regenerate", "1")]).unwrap();
    assert!(access.user_of_token(&token).is_err());
    assert!(access.user_of_token(&format!("new@pve!ci={}", fresh["value"].as_str().unwrap())).is_ok());
    assert_eq!(scene.told("admin@pve", Delete, "/access/users/new@pve", &[]), "ok");
    assert_eq!(scene.told("", Post, "/access/ticket", &ticket), "401 authentication failure");
    for path in
        [scene.store.layout().user_cfg(), scene.store.layout().token_cfg(), scene.store.layout().shadow_cfg()]
    {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("new"), "{}: {text}", path.display());
    }
}

#[test]
fn nobody_becomes_root_by_managing_users() {
    let scene = Scene::new();
    let denied = "403 Permission check failed (user != root@pam)";
    for who in ["admin@pve", "root@pam!full"] {
        let token = "/access/users/root@pam/token/more";
        assert_eq!(scene.told(who, Post, token, &[("privsep", "0")]), denied, "{who}");
        assert_eq!(scene.told(who, Put, "/access/users/root@pam/token/full", &[("regenerate", "1")]), denied);
        assert_eq!(scene.told(who, Put, "/access/users/root@pam", &[("email", "x@example.org")]), denied);
    }
    assert_eq!(scene.told("root@pam", Post, "/access/users/root@pam/token/more", &[]), "ok");
    assert_eq!(
        scene.told("owner", Delete, "/access/users/root@pam", &[]),
        "user 'root@pam' can be neither deleted nor disabled"
    );
    assert_eq!(
        scene.told("owner", Put, "/access/users/root@pam", &[("enable", "0")]),
        "user 'root@pam' can be neither deleted nor disabled"
    );
}

#[test]
fn a_password_is_changed_by_its_owner_who_knows_the_old_one() {
    let scene = Scene::new();
    let change = |who: &str, user: &str, old: &str| {
        let mut given = vec![("userid", user), ("password", "another-secret")];
        given.extend(Some(("confirmation-password", old)).filter(|(_, old)| !old.is_empty()));
        scene.told(who, Put, "/access/password", &given)
    };
    assert!(change("ann@pve", "ann@pve", "").contains("confirmation-password: property is missing"));
    assert_eq!(change("ann@pve", "ann@pve", "wrong-secret"), "401 authentication failure");
    assert_eq!(change("ann@pve", "bob@pve", "ann-secret"), "403 Permission check failed");
    assert!(change("ann@pve!full", "ann@pve", "ann-secret").contains("not available with API token"));
    assert_eq!(change("ann@pve", "ann@pve", "ann-secret"), "ok");
    let ticket = [("username", "ann"), ("realm", "pve"), ("password", "another-secret")];
    assert_eq!(scene.told("", Post, "/access/ticket", &ticket), "ok");
    assert_eq!(change("owner", "bob@pve", ""), "ok");
    assert!(change("owner", "root@pam", "").contains("realm 'pam' are not kept here"));
}

#[test]
fn roles_groups_and_lists_change_what_somebody_may_do() {
    let scene = Scene::new();
    let start = |who: &str| scene.told(who, Get, "/nodes/pve1/qemu/101/config", &[]);
    assert_eq!(start("bob@pve"), "403 Permission check failed (/vms/101, VM.Audit)");
    assert_eq!(
        scene.told("admin@pve", Post, "/access/roles", &[("roleid", "Look"), ("privs", "VM.Audit")]),
        "ok"
    );
    assert_eq!(scene.told("admin@pve", Post, "/access/groups", &[("groupid", "lookers")]), "ok");
    assert_eq!(scene.told("admin@pve", Put, "/access/users/bob@pve", &[("groups", "lookers")]), "ok");
    let acl = [("path", "/vms"), ("roles", "Look"), ("groups", "lookers")];
    assert_eq!(scene.told("admin@pve", Put, "/access/acl", &acl), "ok");
    assert_eq!(start("bob@pve"), "ok");
    let told = scene.call("bob@pve", Get, "/access/permissions", &[]).unwrap();
    assert_eq!(told, json!({"/vms": {"VM.Audit": 1}, "/vms/100": {"VM.Audit": 1}}));
    assert_eq!(
        scene.told("bob@pve", Get, "/access/permissions", &[("userid", "ann@pve")]),
        "403 Permission check failed (/access, Sys.Audit)"
    );
    assert_eq!(scene.told("admin@pve", Delete, "/access/roles/Look", &[]), "ok");
    assert_eq!(start("bob@pve"), "403 Permission check failed (/vms/101, VM.Audit)");
    for (path, given, refusal) in [
        (
            "/access/roles",
            &[("roleid", "pveMine")][..],
            "role ID may not start with 'PVE' (case-insensitive)",
        ),
        ("/access/roles", &[("roleid", "X"), ("privs", "VM.Nope")], "invalid privilege 'VM.Nope'"),
        ("/access/roles", &[("roleid", "NoAccess")], "create role failed: role 'NoAccess' already exists"),
        ("/access/groups", &[("groupid", "g")], "create group failed: group 'g' already exists"),
    ] {
        assert_eq!(scene.told("admin@pve", Post, path, given), refusal);
    }
}

#[test]
fn whoever_shares_gives_no_more_than_they_have() {
    let scene = Scene::new();
    scene.grant("role:Owner:VM.Allocate,VM.Audit:\nacl:1:/vms/101:bob@pve:Owner:\nrole:Look:VM.Audit:");
    let share = |path: &str, role: &str| {
        scene.told("bob@pve", Put, "/access/acl", &[("path", path), ("roles", role), ("users", "ann@pve")])
    };
    assert_eq!(share("/vms/101", "Look"), "ok");
    assert!(share("/vms/101", "PVEVMAdmin").starts_with("403"));
    assert!(share("/vms/101", "NoAccess").starts_with("403"));
    assert_eq!(
        share("/vms/100", "Look"),
        "403 Permission check failed (/vms/100, Permissions.Modify|VM.Allocate)"
    );
    assert!(
        scene
            .told("owner", Put, "/access/acl", &[("path", "/x"), ("roles", "Look"), ("users", "ann@pve")])
            .contains("invalid ACL path")
    );
    assert_eq!(
        scene.told("owner", Put, "/access/acl", &[("path", "/"), ("roles", "Look"), ("users", "no@pve")]),
        "no such user ('no@pve')"
    );
}

#[test]
fn lists_of_users_show_who_may_be_seen() {
    let scene = Scene::new();
    let names = |who: &str| -> Vec<String> {
        let rows = scene.call(who, Get, "/access/users", &[]).unwrap();
        rows.as_array().unwrap().iter().map(|row| row["userid"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("auditor@pve").len(), 5);
    assert_eq!(names("ann@pve"), ["ann@pve"]);
    let realms = scene.call("", Get, "/access/domains", &[]).unwrap();
    assert_eq!(
        realms[1],
        json!({"realm": "pve", "type": "pve", "comment": "Proxmox VE authentication server"})
    );
    assert_eq!(scene.told("", Get, "/access/users", &[]), "401 No ticket");
}
