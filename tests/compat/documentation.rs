//! Every command that the README and the book show is run, and prints what they show.
//!
//! Only `console` blocks have commands. `/srv/try` stands for the scratch root. `…` stands for anything, a line of
//! only `…` for any number of lines. `$ cargo xtask …` is run by `cargo xtask test` itself. What is shown of the installed
//! package is played by the suite `package`.

use e2e::output::run;
use e2e::pages::{IN_A_DEBIAN, Step, matches, steps};
use e2e::suite::{BUSYBOX, BWRAP, LXC, Need, QEMU, Test};
use e2e::{Behaviour, Host, Kind, tests};
use std::fs;
use std::path::Path;

pub(crate) fn tests() -> Vec<Test> {
    tests!(bare [Need::Root, Need::Journald, QEMU, LXC, BUSYBOX, BWRAP]: the_pages_are_true)
}

/// The root that the pages use.
const PLACE: &str = "/srv/try";

fn the_pages_are_true() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages = vec![top.join("README.md")];
    let book = fs::read_dir(top.join("docs")).expect("the book").flatten().map(|entry| entry.path());
    pages.extend(book.filter(|path| path.extension().is_some_and(|end| end == "md")));
    pages.sort();
    let mut wrong = String::new();
    for page in pages {
        let text = fs::read_to_string(&page).expect("a page can be read");
        let steps = steps(&text, |heading| !IN_A_DEBIAN.contains(&heading));
        if steps.is_empty() {
            continue;
        }
        let host = Host::bare();
        wrong.push_str(&play(&host, &page, &steps));
        if let Err(left) = host.finish() {
            wrong.push_str(&format!("{}: {left}\n", page.display()));
        }
    }

    assert!(wrong.is_empty(), "{wrong}");
}

fn play(host: &Host, page: &Path, steps: &[Step]) -> String {
    let root = host.root().to_string_lossy().into_owned();
    let mut wrong = String::new();
    let mut adopted = Vec::new();
    fs::write(host.scratch().join("tiny.raw"), []).expect("a file can be written");
    e2e::tiny_vm::write_image(&host.scratch().join("tiny.raw"), &Behaviour::Obeys).expect("an image");
    e2e::template::write(&host.scratch().join("busybox.tar.gz"));
    fs::create_dir_all(host.scratch().join("target/release")).expect("a folder can be made");
    for step in steps {
        if let Some(chore) = step.command.strip_prefix("cargo xtask ") {
            // `test` itself runs check, demo and bench; that it knows them is all that is left to see.
            let known = ["check", "test", "demo", "bench", "fuzz", "dist", "openapi"];
            if !known.contains(&chore.split(' ').next().unwrap_or_default()) {
                wrong.push_str(&format!("{}:{}: no such chore: {chore}\n", page.display(), step.line));
            }
            continue;
        }
        // The root and the programs are those of the test.
        if step.command.starts_with("export ") || step.command == "cargo build --release" {
            continue;
        }
        let command = step.command.replace(PLACE, &root);
        for (program, kind) in [("qm create ", Kind::Vm), ("pct create ", Kind::Container)] {
            let vmid = command.split(program).nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
            if let Some(vmid) = vmid.filter(|vmid| !adopted.contains(vmid)) {
                adopted.push(vmid);
                host.adopt(kind, vmid);
            }
        }
        // As a terminal shows it: both outputs, in order.
        let mut shell = host.command("sh");
        shell.args(["-c", &format!("exec 2>&1\n{command}")]);
        let output = run(&mut shell);
        let text = output.out().replace(&root, PLACE);
        let seen: Vec<&str> = text.lines().map(str::trim_end).collect();
        let wanted: Vec<&str> = step.output.iter().map(|line| line.trim_end()).collect();
        if !matches(&wanted, &seen) {
            wrong.push_str(&format!(
                "{}:{}: $ {}\n  shows\n    {}\n  is\n    {}\n",
                page.display(),
                step.line,
                step.command,
                wanted.join("\n    "),
                seen.join("\n    ")
            ));
        }
    }
    wrong
}
