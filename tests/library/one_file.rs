//! The programs of the library without a C library of the host's: built as the page says, run where nothing else is.

use e2e::output::{Running, run};
use e2e::suite::{Need, Test};
use e2e::{Host, tests};
use std::fs;
use std::path::Path;
use std::time::Duration;

const PROGRAMS: [&str; 3] = ["cpu-pin", "gpu-vfio", "net-tap"];

pub(crate) fn tests() -> Vec<Test> {
    tests!(once [Need::Root, Need::Program("cargo", "cargo"), Need::Program("cc", "gcc")]: they_run_in_an_empty_root)
}

fn they_run_in_an_empty_root(host: &Host) {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(top.join("docs/library.md")).expect("the page");
    let line = page.lines().find(|line| line.starts_with("RUSTFLAGS=")).expect("the page has the command");
    for program in PROGRAMS {
        assert!(line.contains(&format!("-p {program}")), "{line}");
    }
    // Unoptimised, which takes a quarter of the time, and in a folder that goes with the host.
    let target = host.scratch().join("static");
    let line = format!("{} --locked --target-dir '{}'", line.replace(" --release", ""), target.display());
    let mut shell = host.command("sh");
    shell.args(["-c", &line]).current_dir(&top);
    Running::start(&mut shell).finish_within(Duration::from_secs(600)).ok();
    for program in PROGRAMS {
        let root = host.scratch().join(format!("root-{program}"));
        fs::create_dir(&root).expect("a folder can be made");
        fs::copy(target.join("x86_64-unknown-linux-gnu/debug").join(program), root.join("hook"))
            .expect("it is where the page says");
        let call = |args: &[&str]| run(host.command("chroot").arg(&root).arg("/hook").args(args));
        call(&["100", "pre-stop"]).ok();
        let usage = call(&[]);
        assert_eq!(usage.status.code(), Some(64), "{}", usage.describe());
        usage.complains("two arguments are needed");
    }
}
