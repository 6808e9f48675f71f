//! The examples, in four languages, on a real virtual machine and a real container.

use e2e::suite::Test;
use e2e::{Host, Kind, host, journal, output, tests, wait};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn tests() -> Vec<Test> {
    tests!(each []: perl, python, bash, rust, the_rust_crate)
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../hookscripts/examples")
}

fn perl(host: &Host, kind: Kind) {
    script(host, kind, "four-phases.pl");
}

fn python(host: &Host, kind: Kind) {
    script(host, kind, "four-phases.py");
}

fn bash(host: &Host, kind: Kind) {
    script(host, kind, "four-phases.sh");
}

fn rust(host: &Host, kind: Kind) {
    let source = examples().join("four-phases.rs");
    let program = host.scratch().join("four-phases");
    output::run(Command::new("rustc").args(["--edition", "2024", "-o"]).arg(&program).arg(source)).ok();
    let bytes = std::fs::read(&program).expect("the program has been made");
    lives(host, kind, &host.snippet("four-phases", bytes));
}

/// A program made with the crate `hookscript` knows its guest, and its lines have their priorities in the journal.
fn the_rust_crate(host: &Host, kind: Kind) {
    let built = host::binary().parent().and_then(Path::parent).expect("a target folder").to_owned();
    let mut build = Command::new("cargo");
    build
        .args(["build", "--quiet", "--locked", "--package", "hookscript", "--examples", "--target-dir"])
        .arg(&built);
    output::run(build.current_dir(env!("CARGO_MANIFEST_DIR"))).ok();
    let snippet = |name: &str| {
        let program = std::fs::read(built.join("debug/examples").join(name)).expect("the example is there");
        host.snippet(name, program)
    };
    let guest = host.guest(kind);
    guest.set(&["--hookscript", &snippet("phases")]);
    let id = guest.vmid();
    let out = guest.start().ok().out();
    assert!(out.contains(&format!("guest {id} is about to start\nguest {id} has started")), "{out}");
    guest.set(&["--hookscript", &snippet("context")]);
    let out = guest.stop().ok().out();
    let what = if kind == Kind::Vm { "virtual machine" } else { "container" };
    assert!(out.contains(&format!("{what} {id} is called 'tiny'; process Some(")), "{out}");
    guest.set(&["--hookscript", &snippet("log")]);
    guest.start().ok();
    for (text, priority) in
        [("all is well with guest", "6"), ("but not for long", "5"), ("the disk is nearly full", "4")]
    {
        wait::until(&format!("{text:?} with the priority {priority}, from both phases"), || {
            let records = guest.records();
            let own = records.iter().filter(|record| journal::text(record, "MESSAGE").starts_with(text));
            let found: Vec<String> = own.map(|record| journal::text(record, "PRIORITY")).collect();
            (found == [priority, priority]).then_some(())
        });
    }
    guest.stop().ok();
}

fn script(host: &Host, kind: Kind, name: &str) {
    let text = std::fs::read(examples().join(name)).expect("the example is there");
    lives(host, kind, &host.snippet(name, text));
}

/// The example says a line in each of the four phases, nothing in one that it does not know, and fails without one.
#[track_caller]
fn lives(host: &Host, kind: Kind, volume: &str) {
    let guest = host.guest(kind);
    guest.set(&["--hookscript", volume]);
    let id = guest.vmid();
    let out = guest.start().ok().out();
    assert!(out.contains(&format!("guest {id} is about to start")), "{out}");
    assert!(out.contains(&format!("guest {id} has started")), "{out}");
    let out = guest.stop().ok().out();
    assert!(out.contains(&format!("guest {id} is about to stop")), "{out}");
    assert!(out.contains(&format!("guest {id} has stopped")), "{out}");
    assert_eq!(guest.recorded(), "pre-start post-start pre-stop post-stop");
    let path = host.at(&format!("var/lib/vz/snippets/{}", volume.trim_start_matches("local:snippets/")));
    let unknown = output::run(Command::new(&path).args([&guest.id(), "mid-start"])).ok();
    assert_eq!((unknown.out(), unknown.err()), (String::new(), String::new()));
    output::run(Command::new(path).arg(guest.id())).fails();
}
