//! A hookscript that somebody else than root set is called only while it is what root approved.

use e2e::suite::Test;
use e2e::{Guest, Host, Kind, tests};
use std::fs;
use std::io::Write as _;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: an_approved_script_is_called_until_it_changes, one_that_is_not_approved_refuses_the_start,
            one_that_others_may_write_refuses_the_start, root_sets_what_it_likes
    )
}

const SCRIPT: &str = "local:snippets/recorder";

/// As if somebody else than root had set the guest's script: what is on record about that.
fn set_by_another(host: &Host, guest: &Guest) {
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(host.at("var/lib/hookvisor/approvals"))
        .expect("the approvals can be opened");
    writeln!(file, "bound {} {SCRIPT}", guest.vmid()).expect("a line can be written");
}

fn change(host: &Host) {
    let path = host.at("var/lib/vz/snippets/recorder");
    let mut file = fs::OpenOptions::new().append(true).open(path).expect("the script is there");
    writeln!(file, "\n# changed").expect("a line can be written");
}

fn refused(guest: &Guest, cause: &str) {
    let message = format!("hookscript error for {} on pre-start: {cause}", guest.vmid());
    guest.start().fails().complains(&message);
    assert_eq!(guest.status(), "stopped");
}

fn an_approved_script_is_called_until_it_changes(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    host.hookvisor(["hooks", "approve", SCRIPT]).ok();
    set_by_another(host, &guest);
    guest.start().ok();
    change(host);
    let cause = "script 'local:snippets/recorder' has changed since it was approved";
    let warning = |phase: &str| format!("hookscript error for {} on {phase}: {cause}\n\n", guest.vmid());
    guest.stop().ok().prints(&warning("pre-stop")).prints(&warning("post-stop"));
    guest.lived("pre-start post-start pre-stop:refused post-stop:refused");
    refused(&guest, cause);
    host.hookvisor(["hooks", "approve", SCRIPT]).ok();
    guest.start().ok();
    guest.stop().ok();
}

fn one_that_is_not_approved_refuses_the_start(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    host.hookvisor(["hooks", "unapprove", SCRIPT]).fails();
    set_by_another(host, &guest);
    refused(&guest, "script 'local:snippets/recorder' is not approved");
    guest.lived("pre-start:refused");
}

fn one_that_others_may_write_refuses_the_start(host: &Host, kind: Kind) {
    use std::os::unix::fs::PermissionsExt as _;
    let guest = host.guest(kind);
    host.hookvisor(["hooks", "approve", SCRIPT]).ok();
    set_by_another(host, &guest);
    let path = host.at("var/lib/vz/snippets/recorder");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o757)).expect("a mode can be set");
    refused(&guest, &format!("'{}' is refused: everybody may write to it", path.display()));
    host.hookvisor(["hooks", "approve", SCRIPT]).fails().complains("everybody may write to it");
    // The administrator answers for the storage.
    let conf = host.at("etc/hookvisor/hooks.conf");
    fs::write(&conf, "[storage local]\ntrust = yes\n").expect("the settings can be written");
    fs::set_permissions(&conf, fs::Permissions::from_mode(0o644)).expect("a mode can be set");
    guest.start().ok();
    guest.stop().ok();
}

fn root_sets_what_it_likes(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    set_by_another(host, &guest);
    refused(&guest, "script 'local:snippets/recorder' is not approved");
    let (program, vmid) = (if kind == Kind::Vm { "qm" } else { "pct" }, guest.vmid().to_string());
    host.run(program, ["set", &vmid, "--hookscript", SCRIPT]).ok();
    guest.start().ok();
    guest.stop().ok();
    guest.lived("pre-start:refused pre-start post-start pre-stop post-stop");
}
