//! Log-in, tickets and tokens on a root of the test's own.

use access::{Access, Denied, password};
use config::secrets::Form;
use model::{Layout, UserId};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use store::ConfigStore;

const USERS: &str = "user:ann@pve:1:0::::::\ntoken:ann@pve!ci:0:1::\ntoken:ann@pve!old:1:1::\nuser:bob@pve:1:0::::::\n\
    user:off@pve:0:0::::::\nuser:gone@pve:1:1::::::\nuser:two@pve:1:0:::::x:\nuser:uma@ldap:1:0::::::\nuser:joe@pam:1:0::::::\n";

struct Root {
    folder: tempfile::TempDir,
    layout: Layout,
}

fn root() -> Root {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    store::init_root(&layout, &"pve1".parse().unwrap()).unwrap();
    fs::write(layout.user_cfg(), USERS).unwrap();
    let store = ConfigStore::open(layout.clone()).unwrap();
    let lock = store.lock_access().unwrap();
    lock.change_secrets(Form::Shadow, |secrets| {
        for user in ["ann", "bob", "off", "gone", "two"] {
            secrets.all.insert(user.to_owned(), password::hash(&format!("{user}-secret")).unwrap());
        }
    })
    .unwrap();
    lock.change_secrets(Form::Tokens, |secrets| {
        for token in ["ann@pve!ci", "ann@pve!old", "ann@pve!never"] {
            secrets.all.insert(token.to_owned(), "0b1c".to_owned());
        }
    })
    .unwrap();
    drop(lock);
    Root { folder, layout }
}

fn user(text: &str) -> UserId {
    text.parse().unwrap()
}

/// A helper that is being written must not be inherited by another's fork: it could not be executed.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn one_at_a_time() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A helper that knows one password, and notes who asked.
fn helper(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("helper");
    let text = format!(
        "#!/bin/sh\nread -r user; read -r password; echo \"$user\" >>{}/asked\n[ \"$password\" = pam-secret ]\n",
        folder.display()
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn whoever_knows_the_password_gets_a_ticket_that_is_good() {
    let root = root();
    let access = Access::open(&root.layout);
    for (name, realm) in [("ann@pve", None), ("ann", Some("pve")), ("ann@pve", Some("pve"))] {
        let session = access.log_in(name, realm, "ann-secret").unwrap();
        assert_eq!(session.user, user("ann@pve"));
        // Another process sees the same.
        let other = Access::open(&root.layout);
        assert_eq!(other.user_of_ticket(&session.ticket), Ok(user("ann@pve")));
        assert_eq!(other.check_csrf(&session.user, &session.csrf), Ok(()));
        assert_eq!(other.check_csrf(&user("bob@pve"), &session.csrf), Err(Denied::Csrf));
        assert_eq!(other.check_csrf(&session.user, ""), Err(Denied::Csrf));
    }
    for (path, mode) in [
        (root.layout.ticket_key(), 0o600),
        (root.layout.ticket_public_key(), 0o640),
        (root.layout.csrf_key(), 0o600),
    ] {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode, "{}", path.display());
    }
}

#[test]
fn everybody_else_is_refused_alike_and_it_is_on_record() {
    let _one = one_at_a_time();
    let root = root();
    let access = Access::open(&root.layout).with_helper(helper(root.folder.path()));
    for (name, password, reason) in [
        ("ann@pve", "bob-secret", "wrong password"),
        ("ann@pve", "", "wrong password"),
        ("none@pve", "x", "user is disabled or not there"),
        ("off@pve", "off-secret", "user is disabled or not there"),
        ("gone@pve", "gone-secret", "user is disabled or not there"),
        ("two@pve", "two-secret", "the user has a second factor, which is not supported"),
        ("uma@ldap", "x", "realm 'ldap' is not supported"),
        ("ann@pve!ci", "0b1c", "no such user"),
        ("ann", "ann-secret", "no such user"),
        ("joe@pam", "wrong", ""),
        ("x\ny@pve", "x", "no such user"),
    ] {
        let denied = access.log_in_from(Some("192.0.2.7"), name, None, password).unwrap_err();
        assert_eq!((denied.to_string().as_str(), denied.status()), ("authentication failure", 401), "{name}");
        assert!(!denied.delay().is_zero());
        // Where the host has a journal the record is there.
        if Path::new("/run/systemd/journal/socket").exists() {
            continue;
        }
        let line = format!("rhost=192.0.2.7 user={} msg={reason}", name.escape_debug());
        let record = fs::read_to_string(root.layout.fallback_record()).unwrap_or_default();
        let json = line.replace('\\', "\\\\").replace('"', "\\\"");
        assert!(record.contains(&json), "{json} is not in {record}");
    }
}

#[test]
fn a_user_of_the_host_is_asked_of_the_host_and_nobody_else_is() {
    let _one = one_at_a_time();
    let root = root();
    let access = Access::open(&root.layout).with_helper(helper(root.folder.path()));
    assert_eq!(access.log_in("joe@pam", None, "pam-secret").unwrap().user, user("joe@pam"));
    assert_eq!(access.log_in("root", Some("pam"), "pam-secret").unwrap().user, UserId::root());
    assert!(access.log_in("daemon@pam", None, "pam-secret").is_err());
    assert!(access.log_in("ann@pve", None, "pam-secret").is_err());
    assert_eq!(fs::read_to_string(root.folder.path().join("asked")).unwrap(), "joe\nroot\n");
}

#[test]
fn a_ticket_stands_for_the_password_of_its_user_and_roots_for_all() {
    let _one = one_at_a_time();
    let root = root();
    let access = Access::open(&root.layout).with_helper(helper(root.folder.path()));
    let ann = access.log_in("ann@pve", None, "ann-secret").unwrap();
    assert_eq!(access.log_in("ann@pve", None, &ann.ticket).unwrap().user, ann.user);
    assert_eq!(access.log_in("bob@pve", None, &ann.ticket), Err(Denied::LogIn));
    let root = access.log_in("root@pam", None, "pam-secret").unwrap();
    assert_eq!(access.log_in("bob@pve", None, &root.ticket).unwrap().user, user("bob@pve"));
    assert_eq!(access.log_in("off@pve", None, &root.ticket), Err(Denied::LogIn));
}

#[test]
fn a_ticket_that_was_changed_or_is_not_ours_is_none() {
    let root = root();
    let access = Access::open(&root.layout);
    let ticket = access.log_in("ann@pve", None, "ann-secret").unwrap().ticket;
    let (text, signature) = ticket.split_once("::").unwrap();
    for bad in [
        ticket.replacen("ann", "bob", 1),
        ticket.replacen("ann@pve", "root@pam", 1),
        format!("{text}::"),
        format!(
            "{text}::{}",
            signature.replacen(&signature[..1], if &signature[..1] == "A" { "B" } else { "A" }, 1)
        ),
        String::new(),
    ] {
        assert_eq!(access.user_of_ticket(&bad), Err(Denied::Ticket), "{bad}");
    }
    let other = self::root();
    let foreign = Access::open(&other.layout).log_in("ann@pve", None, "ann-secret").unwrap().ticket;
    assert_eq!(access.user_of_ticket(&foreign), Err(Denied::Ticket));
}

#[test]
fn whoever_is_switched_off_is_out_at_once() {
    let root = root();
    let access = Access::open(&root.layout);
    let ticket = access.log_in("ann@pve", None, "ann-secret").unwrap().ticket;
    assert!(access.user_of_ticket(&ticket).is_ok() && access.user_of_token("ann@pve!ci=0b1c").is_ok());
    fs::write(root.layout.user_cfg(), USERS.replacen("ann@pve:1", "ann@pve:0", 1)).unwrap();
    assert_eq!(access.user_of_ticket(&ticket), Err(Denied::Authentication));
    assert_eq!(access.user_of_token("ann@pve!ci=0b1c"), Err(Denied::Authentication));
}

#[test]
fn a_token_needs_its_secret_its_entry_and_its_user() {
    let root = root();
    let access = Access::open(&root.layout);
    assert_eq!(access.user_of_token("ann@pve!ci=0b1c"), Ok(user("ann@pve!ci")));
    for bad in [
        "ann@pve!ci=0b1d",
        "ann@pve!ci=",
        "ann@pve!ci",
        "ann@pve!old=0b1c",
        "ann@pve!never=0b1c",
        "ann@pve=0b1c",
        "=",
        "",
    ] {
        assert_eq!(access.user_of_token(bad), Err(Denied::Authentication), "{bad}");
    }
}

#[test]
fn a_new_key_each_day_leaves_the_tickets_of_the_one_before_valid() {
    let root = root();
    let access = Access::open(&root.layout);
    let ticket = access.log_in("ann@pve", None, "ann-secret").unwrap().ticket;
    let before = fs::read(root.layout.ticket_key()).unwrap();
    let key = fs::File::options().write(true).open(root.layout.ticket_key()).unwrap();
    key.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(25 * 3600)).unwrap();
    let fresh = access.log_in("ann@pve", None, "ann-secret").unwrap().ticket;
    assert_ne!(fs::read(root.layout.ticket_key()).unwrap(), before);
    assert!(access.user_of_ticket(&fresh).is_ok() && access.user_of_ticket(&ticket).is_ok());
    let old = root.layout.ticket_public_key().with_extension("pub.old");
    let file = fs::File::options().write(true).open(&old).unwrap();
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(3 * 3600)).unwrap();
    assert_eq!(access.user_of_ticket(&ticket), Err(Denied::Ticket));
}

#[test]
fn a_key_that_cannot_be_used_is_named_and_left_alone() {
    let root = root();
    fs::write(root.layout.ticket_key(), "nonsense").unwrap();
    let denied = Access::open(&root.layout).log_in("ann@pve", None, "ann-secret").unwrap_err();
    assert!(matches!(&denied, Denied::Unreadable(text) if text.contains("authkey.key")), "{denied}");
    assert_eq!(denied.status(), 500);
    assert_eq!(fs::read_to_string(root.layout.ticket_key()).unwrap(), "nonsense");
}
