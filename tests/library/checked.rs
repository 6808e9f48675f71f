//! What holds for every script.

use crate::scene::file;
use e2e::output::run;
use e2e::suite::{BWRAP, Test};
use e2e::{Host, host, tests};
use std::path::Path;
use std::process::Command;

/// The files of the scripts.
const SCRIPTS: &[&str] = &["wait-for.sh", "guest-deps.py", "cpu-pin", "net-tap", "after-stop.pl", "gpu-vfio"];

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        once []: no_mistake_is_found_in_any, calls_that_nobody_makes_do_no_harm;
        bare [BWRAP]: each_lives_as_at_proxmox_ve;
        bare []: each_has_a_page_that_the_index_names
    )
}

fn no_mistake_is_found_in_any(host: &Host) {
    for name in SCRIPTS {
        let path = file(name).to_string_lossy().into_owned();
        host.hookvisor(["hooks", "check", &path]).ok().prints("0 errors, 0 warnings, 0 notes");
    }
}

/// A phase of another version, a `post-stop` of a run that never was, twice, and a call without arguments.
fn calls_that_nobody_makes_do_no_harm(host: &Host) {
    let pve = crate::pve::Pve::of(host);
    let guest = host.vm(&e2e::Behaviour::Obeys);
    for name in SCRIPTS {
        let script = file(name);
        for phase in ["post-backup", "pre-stop", "post-stop", "post-stop"] {
            let output = pve.call(&script, guest.vmid(), phase).ok();
            assert!(output.out().is_empty() && output.err().is_empty(), "{}", output.describe());
        }
        let usage = e2e::output::run(std::process::Command::new(&script).arg("100")).fails();
        assert_eq!(usage.status.code(), Some(64), "{}", usage.describe());
    }
    assert_eq!(pve.left(), [""; 0]);
}

/// The lives that `hookvisor hooks test` plays: nothing fails, and nothing is left behind.
fn each_lives_as_at_proxmox_ve() {
    for name in SCRIPTS {
        let mut test = Command::new(host::binary());
        test.args(["hooks", "test", "--as", "pve"]).arg(file(name)).env_remove("HOOKVISOR_ROOT");
        run(&mut test).ok().prints(" 0 failed");
    }
}

fn each_has_a_page_that_the_index_names() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hookscripts");
    let index = std::fs::read_to_string(folder.join("README.md")).expect("the index");
    for name in SCRIPTS {
        let name = name.split('.').next().unwrap_or(name);
        assert!(index.contains(&format!("]({name}/README.md)")), "{name} is not in the index");
        let page = std::fs::read_to_string(folder.join(name).join("README.md")).expect("a page");
        for part in ["## Settings", "## Install", "On Proxmox VE", "## Tested"] {
            assert!(page.contains(part), "the page of {name} has no {part:?}");
        }
    }
}
