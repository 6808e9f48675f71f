//! Bad input gets an error that names the thing, a failure, and changes nothing.

use e2e::suite::Test;
use e2e::{Host, Kind, tests};
use std::fs;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: hookscripts_that_cannot_be_set, a_folder_is_no_hookscript, garbage_lines_are_kept_and_warned_about,
            a_guest_that_does_not_exist, a_vmid_that_is_none, an_unknown_option, a_vmid_that_is_taken,
            an_empty_configuration_file, bytes_that_are_no_text;
        once []: no_root_at_all, an_unknown_command
    )
}

fn hookscripts_that_cannot_be_set(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let before = guest.config();
    fs::write(host.at("var/lib/vz/snippets/plain"), "#!/bin/sh\n").expect("a file can be written");
    for (value, cause) in [
        ("local:snippets/none", "script 'local:snippets/none' does not exist"),
        ("local:snippets/plain", "script 'local:snippets/plain' is not executable"),
        ("local:snippets/../../../../../bin/true", "unable to parse directory volume name"),
        ("local:snippets/sub/recorder", "unable to parse directory volume name 'snippets/sub/recorder'"),
        ("local:iso/x.iso", "'local:iso/x.iso' is not in the snippets directory"),
        ("gone:snippets/recorder", "storage 'gone' does not exist"),
        ("/bin/true", "invalid format - unable to parse volume ID '/bin/true'"),
        ("", "invalid format - unable to parse volume ID ''"),
    ] {
        guest.command("set", &["--hookscript", value]).fails().complains(cause);
        assert_eq!(guest.config(), before, "{value:?} changed the configuration");
    }
}

fn a_folder_is_no_hookscript(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let before = guest.config();
    fs::create_dir(host.at("var/lib/vz/snippets/folder")).expect("a folder can be made");
    guest
        .command("set", &["--hookscript", "local:snippets/folder"])
        .fails()
        .complains("local:snippets/folder");
    assert_eq!(guest.config(), before);
}

/// On purpose not as Proxmox VE, which drops such lines at the next write.
fn garbage_lines_are_kept_and_warned_about(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let config = guest.config() + "this is garbage\nnosuchoption: 7\n";
    fs::write(guest.config_path(), config).expect("the configuration can be written");
    let shown = guest.command("config", &[]).ok();
    assert!(shown.err().contains("this is garbage"), "{}", shown.describe());
    guest.set(&["--description", "x"]);
    assert!(guest.config().contains("this is garbage\n"), "{}", guest.config());
    assert!(guest.config().contains("nosuchoption: 7\n"), "{}", guest.config());
    guest.start().ok();
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop post-stop");
}

fn a_guest_that_does_not_exist(host: &Host, kind: Kind) {
    let folder = if kind == Kind::Vm { "qemu-server" } else { "lxc" };
    let message = format!("Configuration file 'nodes/pve1/{folder}/999.conf' does not exist");
    for verb in ["start", "stop", "shutdown", "status", "config", "destroy"] {
        let output = host.run(kind.command(), [verb, "999"]).fails();
        assert!(output.err().contains(&message) || output.err().contains("999"), "{}", output.describe());
    }
    host.run(kind.command(), ["config", "999"]).fails().complains(&message);
}

fn a_vmid_that_is_none(host: &Host, kind: Kind) {
    for (value, cause) in [
        ("abc", "vmid: type check ('integer') failed - got 'abc'"),
        ("99", "vmid: invalid format - value does not look like a valid VM ID"),
        ("-1", ""),
        ("100000000000", ""),
    ] {
        host.run(kind.command(), ["start", value]).fails().complains(cause);
    }
}

fn an_unknown_option(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let before = guest.config();
    guest.command("set", &["--nonsense", "1"]).fails().complains("Unknown option: nonsense");
    guest.command("start", &["--nonsense"]).fails();
    assert_eq!((guest.config(), guest.noted().len()), (before, 0));
}

fn a_vmid_that_is_taken(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let before = guest.config();
    let id = guest.id();
    let template = host.template();
    host.qm(["create", &id, "--memory", "16"]).fails().complains(&id);
    host.pct(["create", &id, &template, "--rootfs", "local:0"]).fails().complains(&id);
    assert_eq!(guest.config(), before);
}

fn an_empty_configuration_file(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    fs::write(guest.config_path(), "").expect("the configuration can be written");
    assert_eq!(guest.status(), "stopped");
    // A machine has defaults for everything; a container has no root file system then.
    if kind == Kind::Container {
        guest.start().fails();
        assert_eq!(guest.status(), "stopped");
    }
}

fn bytes_that_are_no_text(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let mut config = fs::read(guest.config_path()).expect("the configuration");
    config.extend(b"\xff\xfe\0: \x80\n");
    fs::write(guest.config_path(), &config).expect("the configuration can be written");
    assert_eq!(guest.status(), "stopped");
    guest.start().ok();
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop post-stop");
}

fn no_root_at_all(host: &Host) {
    let mut command = host.command("qm");
    let missing = host.scratch().join("no-such-root");
    let output = e2e::output::run(command.args(["list"]).env("HOOKVISOR_ROOT", &missing)).fails();
    assert!(output.err().contains("no-such-root") || output.err().contains("init"), "{}", output.describe());
    assert!(!missing.exists(), "nothing was made");
}

fn an_unknown_command(host: &Host) {
    host.hookvisor(["nonsense"]).fails().complains("nonsense");
    host.qm(["nonsense"]).fails().complains("nonsense");
}
