//! A disk without space: configurations stay whole, a start is refused, a stop is carried out.

use e2e::small::Small;
use e2e::suite::Test;
use e2e::{Guest, Host, Kind, tests};
use std::fs;
use std::path::Path;

pub(crate) fn tests() -> Vec<Test> {
    tests!(each []: a_configuration_stays_whole, a_start_is_refused, a_stop_is_carried_out)
}

fn a_configuration_stays_whole(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let small = Small::over(host.at("etc/pve/nodes/pve1"));
    let before = guest.config();
    small.fill();
    let files = || names(guest.config_path().parent().expect("a folder"));
    let listed = files();
    guest.command("set", &["--description", &"long ".repeat(1000)]).fails();
    assert_eq!(guest.config(), before);
    assert_eq!(files(), listed, "no half-written file stays");
    small.free();
    guest.set(&["--description", "short"]);
    assert!(guest.config().starts_with("#short\n"), "{}", guest.config());
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn a_start_is_refused(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    guest.stop().ok();
    let small = Small::over(host.at("var/lib/hookvisor"));
    small.fill();
    let output = guest.start().fails();
    assert!(
        output.err().contains("No space left") || output.err().contains("ledger"),
        "{}",
        output.describe()
    );
    assert_eq!(guest.status(), "stopped");
    assert_eq!(guest.noted().len(), 4, "no hook ran");
    small.free();
    guest.start().ok();
    guest.stop().ok();
    assert_eq!(guest.noted().len(), 8);
}

fn a_stop_is_carried_out(host: &Host, kind: Kind) {
    let guest: Guest = host.guest(kind);
    let small = Small::over(host.at("var/lib/hookvisor"));
    guest.start().ok();
    small.fill();
    guest.stop().ok();
    assert_eq!(guest.status(), "stopped");
    assert_eq!(guest.noted(), ["pre-start", "post-start", "pre-stop", "post-stop"]);
    small.free();
}
