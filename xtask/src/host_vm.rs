//! A Debian machine for the tests that pull a host's power: its disk, made once, and what is tested on it.

use crate::packages;
use crate::run::{capture, cargo, command, files, root, show, target};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

/// What the disk is made of: a list of packages, and files that are laid over them.
const RECIPE: &str = "tests/host_vm/image";
/// The programs of these packages' tests are put on the machine, too.
const TESTED: [&str; 3] = ["e2e", "lxc", "qemu"];

/// Makes the machine's disks, and returns the folder in which `host_vm` finds them: `disk.raw`, `vmlinuz` and `initrd` are
/// made anew when what they are made of has changed, `payload.raw` each time.
pub(crate) fn prepare() -> Result<PathBuf, String> {
    packages::install_for_host_vm()?;
    let goal = target().join("host-vm");
    let key = key()?;
    if fs::read_to_string(goal.join("key")).is_ok_and(|made| made == key) {
        return payload(&goal).map(|()| goal);
    }
    // Beside the goal, so that it can be renamed into its place when it is whole.
    let work = target().join(format!("host-vm.{}", std::process::id()));
    let made = fs::create_dir_all(&work).map_err(|error| failed(&work, &error)).and_then(|()| {
        image(&work)?;
        fs::write(work.join("key"), &key).map_err(|error| failed(&work, &error))?;
        let _ = fs::remove_dir_all(&goal);
        fs::rename(&work, &goal).map_err(|error| failed(&goal, &error))
    });
    let _ = fs::remove_dir_all(&work);
    made.and_then(|()| payload(&goal)).map(|()| goal)
}

fn failed(path: &Path, error: &std::io::Error) -> String {
    format!("cannot make {}: {error}", path.display())
}

/// Names what the disk is made of: the recipe, and the packages' versions that apt knows.
fn key() -> Result<String, String> {
    let mut hasher = DefaultHasher::new();
    include_str!("host_vm.rs").hash(&mut hasher);
    for file in files()?.iter().filter(|file| file.starts_with(RECIPE)) {
        file.hash(&mut hasher);
        fs::read(root().join(file))
            .map_err(|error| format!("cannot read {file}: {error}"))?
            .hash(&mut hasher);
    }
    let mut policy = command("apt-cache", &["policy"]);
    let policy = capture(policy.args(packages_of_recipe()?.lines()))?;
    policy.lines().filter(|line| line.contains("Candidate:")).for_each(|line| line.hash(&mut hasher));
    Ok(format!("{:016x}\n", hasher.finish()))
}

fn packages_of_recipe() -> Result<String, String> {
    let path = root().join(RECIPE).join("packages");
    fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// Installs a Debian of this machine's own release and sources into a folder and makes a disk of it.
fn image(work: &Path) -> Result<(), String> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let suite = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let suite = suite.ok_or("/etc/os-release names no release")?;
    let format = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)";
    let wanted = ["indextargets", "--format", format, "Created-By: Packages", "Origin: Debian"];
    let sources = capture(&mut command("apt-get", &wanted))?;
    let tree = work.join("tree");
    let laid = root().join(RECIPE).join("root").display().to_string();
    let mut install = command("mmdebstrap", &["--variant=minbase", "--format=directory", "--quiet"]);
    install
        .arg(format!("--include={}", packages_of_recipe()?.lines().collect::<Vec<_>>().join(",")))
        .args(["--aptopt=Acquire::Languages \"none\"", "--aptopt=APT::Install-Recommends \"false\""])
        .args(["doc", "man", "locale"].map(|folder| format!("--dpkgopt=path-exclude=/usr/share/{folder}/*")))
        // The files come before the packages, whose scripts make the initramfs of them, and once more behind them.
        .arg(format!("--essential-hook=cp -r '{laid}/.' \"$1\""))
        .arg(format!("--customize-hook=cp -r '{laid}/.' \"$1\""))
        .arg("--customize-hook=mkdir \"$1/payload\"; ln -s host-vm.target \"$1/etc/systemd/system/default.target\"")
        .arg("--customize-hook=for name in hookvisor qm pct pvesh pvesm; do ln -s /payload/bin/hookvisor \"$1/usr/bin/$name\"; done")
        .arg("--customize-hook=echo 0123456789abcdef0123456789abcdef >\"$1/etc/machine-id\"; mkdir -p \"$1/var/log/journal\"")
        .args([suite, &tree.to_string_lossy()])
        .args(sources.lines());
    eprintln!("making the disk of a host ({suite}); this takes a minute or two, once");
    show(&mut install)?;
    for (name, prefix) in [("vmlinuz", "vmlinuz-"), ("initrd", "initrd.img-")] {
        let boot = fs::read_dir(tree.join("boot")).map_err(|error| failed(&tree, &error))?;
        let mut found =
            boot.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
        let found = found.next().ok_or_else(|| format!("the host has no {name}"))?;
        fs::copy(found.path(), work.join(name)).map_err(|error| failed(&work.join(name), &error))?;
    }
    disk(&tree, &work.join("disk.raw"), "3G")?;
    fs::remove_dir_all(&tree).map_err(|error| format!("cannot remove {}: {error}", tree.display()))
}

/// Makes a disk with a file system that holds a folder's files.
fn disk(tree: &Path, disk: &Path, size: &str) -> Result<(), String> {
    let _ = fs::remove_file(disk);
    let (tree, disk) = (tree.to_string_lossy(), disk.to_string_lossy());
    show(&mut command("mke2fs", &["-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", &tree, &disk, size]))
}

/// Puts what is tested on a disk: the program, the programs of the tests, and the repository's files.
fn payload(goal: &Path) -> Result<(), String> {
    let tree = goal.join("payload");
    let _ = fs::remove_dir_all(&tree);
    let place = |from: &Path, to: &Path| {
        let folder = to.parent().unwrap_or(goal);
        fs::create_dir_all(folder).and_then(|()| fs::copy(from, to)).map_err(|error| failed(to, &error))
    };
    for file in files()? {
        place(&root().join(&file), &tree.join("tree").join(&file))?;
    }
    place(&target().join("debug/hookvisor"), &tree.join("bin/hookvisor"))?;
    for (name, path) in tests()? {
        place(&path, &tree.join("tests").join(name))?;
    }
    let linux = target().join("linux");
    for file in fs::read_dir(&linux).into_iter().flatten().flatten() {
        place(&file.path(), &tree.join("linux").join(file.file_name()))?;
    }
    let programs = tree.join("bin/hookvisor").display().to_string();
    let mut strip = command("strip", &["--strip-debug", &programs]);
    for file in fs::read_dir(tree.join("tests")).into_iter().flatten().flatten() {
        strip.arg(file.path());
    }
    show(&mut strip)?;
    disk(&tree, &goal.join("payload.raw"), "1G")?;
    fs::remove_dir_all(&tree).map_err(|error| format!("cannot remove {}: {error}", tree.display()))
}

/// The programs of the end to end tests, and of those that want the real QEMU and LXC, by name.
fn tests() -> Result<BTreeMap<String, PathBuf>, String> {
    let mut args = vec!["test", "--no-run", "--locked", "--quiet", "--message-format=json"];
    args.extend(TESTED.iter().flat_map(|package| ["-p", package]));
    let messages = capture(&mut cargo(&args))?;
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = |message: Value| {
        let target = &message["target"];
        let is_test = target["kind"] == serde_json::json!(["test"]);
        let path = message["executable"].as_str().filter(|_| is_test)?;
        Some((target["name"].as_str()?.to_owned(), PathBuf::from(path)))
    };
    Ok(messages.filter_map(program).collect())
}

/// The end to end tests on that machine.
pub(crate) fn suite(folder: &Path, filter: Option<&str>) -> std::process::Command {
    let mut args =
        vec!["test", "--quiet", "--locked", "-p", "e2e", "--test", "host_vm", "--", "--test-threads=2"];
    args.extend(filter);
    let mut command = cargo(&args);
    command.env("E2E_HOST_VM", folder);
    command
}
