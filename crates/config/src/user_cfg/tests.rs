use super::*;
use proptest::prelude::*;

const FILE: &str = "\
user:ann@pve:1:1900000000:Ann:M%C3%BCller:ann@example.org:likes %3A and %25::
token:ann@pve!ci:0:0:for CI:
token:ann@pve!ro:1800000000:1::
user:root@pam:1:0:::::x:

group:ops:ann@pve,root@pam:Operators:

pool:dev:Development:100,101:local:

role:Hooks:VM.Audit,VM.Config.Hookscript:

acl:0:/vms/100:ann@pve!ro:PVEVMUser:
acl:1:/vms/100:@ops,ann@pve:Hooks,PVEAuditor:
";

#[test]
fn the_file_is_read_and_written_as_it_was() {
    let (cfg, warnings) = parse(FILE.as_bytes());
    assert_eq!(warnings, []);
    assert_eq!(String::from_utf8(print(&cfg)).unwrap(), FILE);
    let ann = &cfg.users[&"ann@pve".parse().unwrap()];
    assert_eq!((ann.lastname.as_str(), ann.comment.as_str()), ("Müller", "likes : and %"));
    assert!(ann.tokens["ro"].privsep && !ann.tokens["ci"].privsep);
    assert_eq!(cfg.groups_of(&"ann@pve".parse().unwrap()).collect::<Vec<_>>(), ["ops"]);
}

#[test]
fn what_is_not_understood_is_warned_about_and_kept() {
    let text =
        "user:ann@pve:maybe:0::::::\nrealm-sync:x:y\nuser:bob@pve:1:0::::::\nacl:1:/../x:bob@pve:PVEAdmin:\n";
    let (cfg, warnings) = parse(text.as_bytes());
    let told: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "user config - ignore config line: user:ann@pve:maybe:0::::::",
            "user config - ignore config line: realm-sync:x:y",
            "user config - ignore config line: acl:1:/../x:bob@pve:PVEAdmin:",
        ]
    );
    let printed = String::from_utf8(print(&cfg)).unwrap();
    let ends = "user:ann@pve:maybe:0::::::\nrealm-sync:x:y\nacl:1:/../x:bob@pve:PVEAdmin:\n";
    assert!(printed.ends_with(ends), "{printed}");
    assert!(cfg.acl.is_empty());
}

#[test]
fn nobody_inherits_the_rights_of_one_who_was_removed() {
    let text =
        "user:bob@pve:1:0::::::\ngroup:g:gone@pve,bob@pve::\nacl:1:/:gone@pve,@none,bob@pve!t:PVEAdmin:\n";
    let (cfg, warnings) = parse(text.as_bytes());
    assert_eq!(warnings.len(), 4);
    assert_eq!((cfg.acl.len(), cfg.groups["g"].users.len()), (0, 1));
    let (mut cfg, _) = parse(FILE.as_bytes());
    let ann: UserId = "ann@pve".parse().unwrap();
    assert!(cfg.remove_user(&ann) && !cfg.remove_user(&ann));
    assert!(!String::from_utf8(print(&cfg)).unwrap().contains("ann"));
}

#[test]
fn root_is_always_there_and_enabled() {
    for text in ["", "user:root@pam:0:0::::::\n", "token:root@pam!tt:0:0::\n"] {
        let (cfg, warnings) = parse(text.as_bytes());
        assert!(cfg.users[&UserId::root()].enable, "{text}");
        assert_eq!(warnings, []);
    }
    let (cfg, _) = parse(b"token:root@pam!tt:0:0::\nuser:root@pam:1:0::::::\n");
    assert_eq!(cfg.users[&UserId::root()].tokens.len(), 1);
}

#[test]
fn a_path_has_one_form() {
    for (path, normal) in [
        ("/", Some("/")),
        ("//vms///100/", Some("/vms/100")),
        ("vms", Some("/vms")),
        ("/vms/../x", None),
        ("/a b", None),
        ("/a:b", None),
        ("", None),
    ] {
        assert_eq!(normal_path(path).as_deref(), normal, "{path}");
    }
}

fn users() -> impl Strategy<Value = UserCfg> {
    let text = "[ -~ü€\\n]{0,12}";
    let user = (any::<bool>(), any::<u32>(), text, "[a-z]{2,4}", any::<bool>());
    proptest::collection::btree_map("[a-z][a-z0-9.]{0,5}", user, 0..5).prop_map(|users| {
        let mut cfg = parse(b"").0;
        for (name, (enable, expire, comment, token, privsep)) in users {
            let id: UserId = format!("{name}@pve").parse().unwrap();
            let tokens = BTreeMap::from([(
                token.clone(),
                Token { expire: expire.into(), privsep, comment: comment.clone() },
            )]);
            let user =
                User { enable, expire: expire.into(), comment: comment.clone(), tokens, ..User::default() };
            cfg.users.insert(id.clone(), user);
            cfg.groups.insert(name, Group { users: BTreeSet::from([id.clone()]), comment });
            cfg.grant("/vms", Subject::User(id.with_token(&token).unwrap()), "PVEAdmin", privsep);
            cfg.grant("/", Subject::User(id), "PVEAuditor", enable);
        }
        cfg
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(cfg in users()) {
        let bytes = print(&cfg);
        let (mut read, warnings) = parse(&bytes);
        read.digest.clear();
        prop_assert_eq!(warnings, vec![]);
        prop_assert_eq!(UserCfg { digest: String::new(), ..cfg }, read);
    }

    #[test]
    fn no_text_is_too_strange(text in "\\PC*|((user|token|acl|group|pool|role):[a-z@!:/,0-9]{0,30}\n){0,6}") {
        let (cfg, _) = parse(text.as_bytes());
        let again = parse(&print(&cfg)).0;
        prop_assert_eq!(print(&again), print(&cfg));
    }
}
