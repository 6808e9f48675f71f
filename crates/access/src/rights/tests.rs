use super::*;
use proptest::prelude::*;

fn rights(acl: &str) -> Rights {
    let users = "user:ann@pve:1:0::::::\ntoken:ann@pve!full:0:0::\ntoken:ann@pve!sep:0:1::\n\
        user:bob@pve:1:0::::::\nuser:off@pve:0:0::::::\ntoken:root@pam!full:0:0::\ntoken:root@pam!sep:0:1::\n\
        group:g:ann@pve,off@pve::\ngroup:h:ann@pve::\npool:dev::100:local:\npool:dev/sub::101::\n\
        role:Power:VM.PowerMgmt:\n";
    let (cfg, warnings) = config::user_cfg::parse(format!("{users}{acl}").as_bytes());
    assert_eq!(warnings, []);
    Rights::new(cfg)
}

fn has(rights: &Rights, who: &str, path: &str, privilege: &str) -> bool {
    rights.has_any(&who.parse().unwrap(), path, &[privilege])
}

#[test]
fn the_more_specific_level_replaces_what_comes_down() {
    let rights =
        rights("acl:1:/:ann@pve:PVEAdmin:\nacl:1:/vms/102:ann@pve:PVEAuditor:\nacl:0:/vms:bob@pve:Power:\n");
    assert!(has(&rights, "ann@pve", "/vms/101", "VM.PowerMgmt"));
    assert!(!has(&rights, "ann@pve", "/vms/102", "VM.PowerMgmt"));
    assert!(has(&rights, "ann@pve", "/vms/102", "VM.Audit"));
    assert!(has(&rights, "bob@pve", "/vms", "VM.PowerMgmt"));
    assert!(!has(&rights, "bob@pve", "/vms/102", "VM.PowerMgmt"));
}

#[test]
fn an_entry_that_does_not_propagate_leaves_what_comes_from_above() {
    let rights = rights("acl:1:/:ann@pve:PVEAuditor:\nacl:0:/vms:ann@pve:NoAccess:\n");
    assert!(!has(&rights, "ann@pve", "/vms", "VM.Audit"));
    assert!(has(&rights, "ann@pve", "/vms/100", "VM.Audit"));
}

#[test]
fn a_user_goes_before_its_groups_and_these_add_up() {
    let groups = rights("acl:1:/vms:@g:PVEAuditor:\nacl:1:/vms:@h:Power:\n");
    assert!(
        has(&groups, "ann@pve", "/vms/100", "VM.Audit")
            && has(&groups, "ann@pve", "/vms/100", "VM.PowerMgmt")
    );
    let user = rights("acl:1:/vms:@g:PVEAuditor:\nacl:1:/vms:ann@pve:Power:\n");
    assert!(!has(&user, "ann@pve", "/vms/100", "VM.Audit"));
    // Somebody who may not log in has nothing.
    assert!(!has(&groups, "off@pve", "/vms/100", "VM.Audit"));
    assert!(!has(&groups, "none@pve", "/vms/100", "VM.Audit"));
}

#[test]
fn no_access_wins() {
    let rights = rights(
        "acl:1:/:ann@pve:PVEAdmin,NoAccess:\nacl:1:/pool/dev:bob@pve:NoAccess:\nacl:1:/vms:bob@pve:PVEVMUser:\n",
    );
    assert!(rights.privileges(&"ann@pve".parse().unwrap(), "/vms/100").is_empty());
    assert!(!has(&rights, "bob@pve", "/vms/100", "VM.Audit"));
    assert!(has(&rights, "bob@pve", "/vms/102", "VM.Audit"));
}

#[test]
fn pools_add_to_their_members() {
    let rights = rights("acl:1:/pool/dev:bob@pve:PVEVMUser,PVEDatastoreUser:\n");
    for (path, privilege, held) in [
        ("/vms/100", "VM.PowerMgmt", true),
        ("/vms/101", "VM.PowerMgmt", true),
        ("/vms/102", "VM.PowerMgmt", false),
        ("/storage/local", "Datastore.AllocateSpace", true),
        ("/storage/other", "Datastore.AllocateSpace", false),
        ("/vms", "VM.PowerMgmt", false),
    ] {
        assert_eq!(has(&rights, "bob@pve", path, privilege), held, "{path}");
    }
}

#[test]
fn a_separated_token_has_what_both_have() {
    let rights = rights(
        "acl:1:/:ann@pve:PVEVMUser:\nacl:1:/vms/100:ann@pve!sep:PVEVMAdmin:\nacl:1:/vms:root@pam!sep:PVEAuditor:\n",
    );
    for (who, path, privilege, held) in [
        ("ann@pve!full", "/vms/7", "VM.PowerMgmt", true),
        ("ann@pve!sep", "/vms/7", "VM.PowerMgmt", false),
        ("ann@pve!sep", "/vms/100", "VM.PowerMgmt", true),
        ("ann@pve!sep", "/vms/100", "VM.Allocate", false),
        ("ann@pve!none", "/vms/100", "VM.PowerMgmt", false),
        ("root@pam!full", "/", "Sys.PowerMgmt", true),
        ("root@pam!sep", "/vms/1", "VM.Audit", true),
        ("root@pam!sep", "/vms/1", "VM.PowerMgmt", false),
        ("root@pam!none", "/", "Sys.Audit", false),
    ] {
        assert_eq!(has(&rights, who, path, privilege), held, "{who} {path} {privilege}");
    }
}

#[test]
fn root_has_everything_everywhere_but_on_what_is_no_path() {
    let rights = rights("acl:1:/:root@pam:NoAccess:\n");
    assert!(has(&rights, "root@pam", "/vms/100", "VM.Allocate"));
    assert!(!has(&rights, "root@pam", "/vms/../x", "VM.Allocate"));
}

proptest! {
    /// A separated token never has more than its user, whatever the lists say.
    #[test]
    fn a_token_never_has_more_than_its_user(
        lines in proptest::collection::vec(
            ("[01]", "/|/vms|/vms/100|/pool/dev|/storage", "ann@pve|ann@pve!sep|@g|@h", "PVEAdmin|PVEAuditor|NoAccess|Power"),
            0..8,
        ),
        path in "/|/vms|/vms/100|/vms/101|/storage/local|/pool/dev",
    ) {
        let acl: String = lines.iter().map(|(p, path, who, role)| format!("acl:{p}:{path}:{who}:{role}:\n")).collect();
        let rights = rights(&acl);
        let user = rights.privileges(&"ann@pve".parse().unwrap(), &path);
        let token = rights.privileges(&"ann@pve!sep".parse().unwrap(), &path);
        prop_assert!(token.keys().all(|privilege| user.contains_key(privilege)));
    }
}
