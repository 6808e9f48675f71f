//! The workflow of the page about CI, its steps run as they stand there.

use e2e::output::run;
use e2e::suite::{BWRAP, Need, QEMU, Test};
use e2e::{Host, tests};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

pub(crate) fn tests() -> Vec<Test> {
    tests!(once [Need::Root, QEMU, BWRAP]: the_steps_of_the_workflow)
}

/// The commands of a step: its name, and what `run:` says.
#[derive(Debug, Default)]
struct Step {
    condition: bool,
    run: String,
    block: bool,
}

/// The steps of a workflow as the page has it, two blanks a level.
fn steps(page: &str) -> Vec<Step> {
    let yaml = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a workflow");
    let mut steps: Vec<Step> = Vec::new();
    for line in yaml.lines() {
        if let Some(first) = line.strip_prefix("      - ") {
            steps.push(Step { condition: first.starts_with("if: "), ..Step::default() });
        }
        let Some(step) = steps.last_mut() else { continue };
        if let Some(command) = line.trim_start_matches([' ', '-']).strip_prefix("run: ") {
            step.block = command == "|";
            step.run = command.trim_start_matches('|').to_owned();
        } else if let Some(more) = line.strip_prefix("          ").filter(|_| step.block) {
            step.run.push_str(&format!("\n{more}"));
        }
    }
    steps.retain(|step| !step.run.trim().is_empty());
    steps
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).expect("a program can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a mode can be set");
}

fn the_steps_of_the_workflow(host: &Host) {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ci.md")).expect("the page");
    let steps = steps(&page);
    // What makes the program is not run where it is there already, by the workflow's own condition.
    let (made, run_here): (Vec<&Step>, Vec<&Step>) = steps.iter().partition(|step| step.condition);
    assert!(made.len() == 1 && made[0].run.contains("cargo install") && run_here.len() == 4, "{steps:#?}");

    let folder = host.scratch().join("repository");
    let bin = host.scratch().join("runner");
    for folder in [folder.join("hooks"), folder.join("ci"), bin.clone()] {
        fs::create_dir_all(folder).expect("a folder can be made");
    }
    // The runner is root here, and has what the tests need.
    program(&bin.join("sudo"), "#!/bin/sh\nwhile [ \"${1#-}\" != \"$1\" ]; do shift; done\nexec \"$@\"\n");
    program(&bin.join("apt-get"), "#!/bin/sh\necho \"$@\" >>\"$0.called\"\n");
    let machine = page.split("cat >ci/machine.sh <<'EOF'\n").nth(1).expect("the machine's script");
    let machine: String = machine
        .lines()
        .take_while(|line| *line != "> EOF")
        .map(|line| format!("{}\n", line.strip_prefix("> ").unwrap_or_default()))
        .collect();
    program(&folder.join("ci/machine.sh"), &machine);
    let shell = |text: &str| {
        let path = format!(
            "{}:{}:{}",
            bin.display(),
            host.links().display(),
            std::env::var("PATH").unwrap_or_default()
        );
        // As GitHub's runner calls it.
        let mut command = host.command("bash");
        run(command.args(["-e", "-c", text]).env("PATH", path).current_dir(&folder))
    };
    shell("hookvisor hooks new hooks/share.sh").ok();
    host.adopt(e2e::Kind::Vm, 100);
    // The machine's root is this host's, so that what it leaves is seen.
    fs::remove_dir_all(host.root()).expect("a root can go");
    for step in &run_here {
        shell(&step.run).ok();
    }
    let packages = fs::read_to_string(bin.join("apt-get.called")).expect("packages are installed");
    assert!(packages.contains("bubblewrap") && packages.contains("qemu-system-x86"), "{packages}");

    // And each says so where the script is not as it should be.
    program(&folder.join("hooks/share.sh"), "#!/bin/sh\n[ \"$2\" != post-start ]\n");
    fs::remove_dir_all(host.root()).expect("a root can go");
    assert!(!shell(&run_here[3].run).status.success(), "the machine takes it");
    shell("qm stop 100").ok();
    assert!(!shell(&run_here[2].run).status.success(), "the sandbox takes it");
    fs::set_permissions(folder.join("hooks/share.sh"), fs::Permissions::from_mode(0o644))
        .expect("a mode can be set");
    assert!(!shell(&run_here[1].run).status.success(), "reading takes it");
}
