//! A hookscript as whoever calls it sees it: arguments, environment, outputs, exit code.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// An example, which Cargo has built beside this test.
fn example(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.parent().and_then(Path::parent).unwrap().join("examples").join(name)
}

fn call(name: &str, args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(example(name));
    command.args(args).env_clear().env("PATH", "/usr/bin:/bin").envs(env.iter().copied());
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn each_phase_is_told_and_an_unknown_one_is_none_of_its_business() {
    for (phase, said) in [
        ("pre-start", "guest 100 is about to start\n"),
        ("post-stop", "guest 100 has stopped\n"),
        ("agent-up", ""),
    ] {
        let output = call("phases", &["100", phase], &[]);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), said), "{phase}");
    }
    let told = [("HOOKVISOR_RUN_ID", "1"), ("HOOKVISOR_STOP_CAUSE", "crash")];
    assert_eq!(text(&call("phases", &["100", "post-stop"], &told).stdout), "guest 100 has stopped: crash\n");
    for args in [&["100"][..], &["x", "pre-start"], &[]] {
        let output = call("phases", args, &[]);
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        assert!(text(&output.stderr).contains("VMID pre-start|post-start|pre-stop|post-stop"));
    }
}

#[test]
fn priorities_are_for_hookvisor() {
    let output = call("log", &["100", "pre-start"], &[]);
    assert_eq!(
        (text(&output.stdout).as_str(), text(&output.stderr).as_str()),
        ("all is well with guest 100\nbut not for long\n", "the disk is nearly full\n")
    );
    let output = call("log", &["100", "pre-start"], &[("HOOKVISOR_RUN_ID", "1")]);
    assert_eq!(
        (text(&output.stdout).as_str(), text(&output.stderr).as_str()),
        ("all is well with guest 100\n<5>but not for long\n", "the disk is nearly full\n")
    );
}

const CONFIG: &str = "#notes\ncores: 2\nhostpci0: 0000:01:00.0,pcie=1\nname: web\nnet0: virtio=BC:24:11:00:00:01,bridge=vmbr0\n\
    net1: e1000=BC:24:11:00:00:02\ntags: a;noisy\n\n[before]\nname: old\n";

#[test]
fn a_guest_is_found_at_proxmox_ve() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("etc/pve/qemu-server");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("100.conf"), CONFIG).unwrap();
    let output = call("context", &["100", "pre-start"], &[("HOOKVISOR_ROOT", root.path().to_str().unwrap())]);
    let expected = "virtual machine 100 is called 'web'; process None\nnet0 is Some(\"tap100i0\") on Some(\"vmbr0\")\n\
        net1 is None on None\nhas the device 0000:01:00.0,pcie=1 as number 0\nnotes\n";
    assert_eq!(text(&output.stdout), expected, "{}", text(&output.stderr));
    let output = call("context", &["101", "pre-start"], &[("HOOKVISOR_ROOT", root.path().to_str().unwrap())]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("guest 101: neither '"), "{}", text(&output.stderr));
}

#[test]
fn a_guest_is_known_from_its_context() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("context.json");
    let context = r#"{"schema": "hookvisor.context/1", "vmid": 200, "kind": "lxc", "name": "ct", "pid": 4711,
        "config": {"description": "", "options": {"hostname": "ct", "net0": "name=eth0,bridge=vmbr0"},
                   "lxc": [["lxc.cap.drop", "mknod"]]},
        "interfaces": [{"option": "net0", "host": "abc200i0", "guest": "eth0", "mac": null, "bridge": "vmbr0"}]}"#;
    std::fs::write(&path, context).unwrap();
    let output = call("context", &["200", "post-start"], &[("HOOKVISOR_CONTEXT", path.to_str().unwrap())]);
    let expected =
        "container 200 is called 'ct'; process Some(4711)\nnet0 is Some(\"abc200i0\") on Some(\"vmbr0\")\n";
    assert_eq!(text(&output.stdout), expected, "{}", text(&output.stderr));
}

#[test]
fn an_error_is_said_and_fails() {
    let output = call("command", &["100", "pre-start"], &[("PATH", "/nowhere")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("cannot run 'uname': "), "{}", text(&output.stderr));
}
