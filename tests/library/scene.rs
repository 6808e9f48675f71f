//! A guest with a script of the library, and the host around it.

use e2e::inventory::Inventory;
use e2e::output::{Output, Running};
use e2e::{Guest, Host, host, wait};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The file of a script: in its folder, or where Cargo has put the program.
pub(crate) fn file(name: &str) -> PathBuf {
    let built = host::binary().with_file_name(name);
    if name.contains('.') {
        let folder = name.split('.').next().unwrap_or(name);
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../hookscripts").join(folder).join(name)
    } else {
        assert!(built.is_file(), "build the scripts first: cargo build --workspace");
        built
    }
}

/// Makes it the guest's hookscript.
pub(crate) fn give(host: &Host, guest: &Guest, name: &str) {
    let volume = host.snippet(name, fs::read(file(name)).expect("the script can be read"));
    guest.set(&["--hookscript", &volume]);
}

/// Sets its settings: sections of hooks.conf with their `params`.
pub(crate) fn settings(host: &Host, sections: &[(&str, &str)]) {
    let folder = host.at("etc/hookvisor");
    fs::create_dir_all(&folder).expect("a folder can be made");
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).expect("a mode can be set");
    let text: Vec<String> =
        sections.iter().map(|(section, params)| format!("[{section}]\nparams = {params}\n")).collect();
    let path = folder.join("hooks.conf");
    fs::write(&path, text.concat()).expect("the settings can be written");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a mode can be set");
}

/// Sets those of one guest.
pub(crate) fn settings_of(host: &Host, guest: &Guest, params: &str) {
    settings(host, &[(&format!("guest {}", guest.vmid()), params)]);
}

/// A guest is killed, and what a script did is undone: waits for the run's end and compares the host with how it was.
#[track_caller]
pub(crate) fn killed(host: &Host, guest: &Guest, before: &Inventory) {
    guest.kill(&[guest.hypervisor()]);
    guest.wait_run_end();
    as_before(host, guest, before);
}

/// Nothing is there that was not there before, and nothing is missing.
#[track_caller]
pub(crate) fn as_before(host: &Host, guest: &Guest, before: &Inventory) {
    let same = wait::until_quietly(|| changes(host, guest, before).is_empty().then_some(()));
    assert!(same.is_some(), "{}", changes(host, guest, before).join("\n"));
}

/// But for what the first start of all leaves: the folder of commands, and files by which calls take turns.
fn changes(host: &Host, guest: &Guest, before: &Inventory) -> Vec<String> {
    let mut changes = before.changes(&Inventory::of(host, guest));
    changes.retain(|line| {
        let path = line.split(' ').nth(2).unwrap_or_default();
        let turns =
            path.starts_with("run/hookscript") && (path.ends_with("/lock") || line.contains(" 40755 of "));
        // A keeper that was on its way out when it was looked at first.
        !turns && !path.starts_with("run/hookvisor/bin") && !line.starts_with("- process ")
    });
    changes
}

/// A start that is refused, with this in the script's words, and leaves the host as it was.
#[track_caller]
pub(crate) fn refused(host: &Host, guest: &Guest, why: &str) -> Output {
    let before = Inventory::of(host, guest);
    let output = guest.start().fails();
    let said = format!("{}{}", output.out(), output.err());
    assert!(said.contains(why), "{why:?} should be said:\n{}", output.describe());
    guest.wait_run_end();
    assert_eq!(guest.status(), "stopped");
    as_before(host, guest, &before);
    output
}

/// Waits until a command has said something.
#[track_caller]
pub(crate) fn says(running: &Running, text: &str) {
    wait::until(&format!("{text:?} to be said"), || {
        [running.stdout_so_far(), running.stderr_so_far()].concat().contains(text).then_some(())
    });
}
