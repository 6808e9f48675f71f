//! A Debian machine for the tests that pull a host's power: its disk, made once, and what is tested on it.

use crate::run::{capture, cargo, command, files, root, show, target};
use crate::{dist, linux, packages};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the disk is made of: a list of packages, and files that are laid over them.
const RECIPE: &str = "tests/host_vm/image";
/// The tests that pull the power.
const SUITE: &str = "host_vm";
/// The programs of these tests are put on the machine, too.
const TESTED: [&str; 2] = ["lifecycle", "real"];
/// What the machine begins with, beside what the package enables.
const ENABLED: [&str; 2] = ["agent.service", "payload.service"];
/// Units that it does without: they look for what it does not have, each time that it comes up.
const MASKED: [&str; 31] = [
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty.target",
    "kmod-static-nodes.service",
    "lxc-net.service",
    "lxc.service",
    "modprobe@.service",
    "procps.service",
    "qemu-guest-agent.service",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-ask-password-console.path",
    "systemd-ask-password-wall.path",
    "systemd-logind.service",
    "systemd-machine-id-commit.service",
    "systemd-modules-load.service",
    "systemd-pstore.service",
    "systemd-random-seed.service",
    "systemd-sysctl.service",
    "systemd-tmpfiles-clean.timer",
    "systemd-udev-trigger.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    "systemd-udevd.service",
    "systemd-update-utmp.service",
];

/// What is there for the tests, as long as this lives: nobody else makes it anew meanwhile.
pub(crate) struct HostVm {
    folder: PathBuf,
    suite: PathBuf,
    _alone: File,
}

/// Builds what is tested and makes the machine's disks: `disk.raw`, `vmlinuz` and `initrd` anew when what they are made of
/// has changed, `payload.raw` each time.
pub(crate) fn prepare() -> Result<HostVm, String> {
    if !packages::is_root() || !packages::is_debian() {
        return Err(
            "the machine is a Debian made of this host's packages: run this as root on Debian".to_owned()
        );
    }
    packages::install()?;
    packages::install_for_host_vm()?;
    packages::install_for_dist()?;
    linux::fetch()?;
    let mut tests = build()?;
    let suite = tests.remove(SUITE).ok_or_else(|| format!("cargo built no {SUITE}"))?;
    let alone = lock()?;
    let folder = match other_release() {
        None => target().join("host-vm"),
        Some(release) => target().join(format!("host-vm-{release}")),
    };
    disks(&folder)?;
    payload(&folder, &tests)?;
    Ok(HostVm { folder, suite, _alone: alone })
}

/// Two runs at the same time would be in each other's way.
fn lock() -> Result<File, String> {
    let path = target().join("host-vm.lock");
    let file = File::create(&path).map_err(|error| failed(&path, &error))?;
    file.try_lock().map_err(|_| format!("{} is locked: another run goes on", path.display()))?;
    Ok(file)
}

fn disks(goal: &Path) -> Result<(), String> {
    let sources = sources()?;
    let key = made_of(RECIPE, include_str!("host_vm.rs"))?;
    if fs::read_to_string(goal.join("key")).is_ok_and(|made| made == key) {
        return Ok(());
    }
    // Beside the goal, so that it can be renamed into its place when it is whole. A run that was cut short leaves it.
    let work = goal.with_extension("new");
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(&work).map_err(|error| failed(&work, &error))?;
    let made = image(&work, &sources)
        .and_then(|()| fs::write(work.join("key"), &key).map_err(|error| failed(&work, &error)))
        .and_then(|()| {
            let _ = fs::remove_dir_all(goal);
            fs::rename(&work, goal).map_err(|error| failed(goal, &error))
        });
    let _ = fs::remove_dir_all(&work);
    made
}

fn failed(path: &Path, error: &std::io::Error) -> String {
    format!("cannot make {}: {error}", path.display())
}

/// Names what something is made of: the recipe, the code that makes it, and the packages' versions that apt knows.
pub(crate) fn made_of(recipe: &str, code: &str) -> Result<String, String> {
    let mut hasher = DefaultHasher::new();
    code.hash(&mut hasher);
    suite_name()?.hash(&mut hasher);
    for file in files()?.iter().filter(|file| file.starts_with(recipe)) {
        file.hash(&mut hasher);
        fs::read(root().join(file))
            .map_err(|error| format!("cannot read {file}: {error}"))?
            .hash(&mut hasher);
    }
    let mut policy = command("apt-cache", &["policy"]);
    let policy = capture(policy.args(packages::of_recipe(recipe)?))?;
    policy.lines().filter(|line| line.contains("Candidate:")).for_each(|line| line.hash(&mut hasher));
    Ok(format!("{:016x}\n", hasher.finish()))
}

/// Where apt has Debian's packages from, each as a line of `sources.list`.
pub(crate) fn sources() -> Result<String, String> {
    let format = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)";
    let list = || {
        let wanted = ["indextargets", "--format", format, "Created-By: Packages", "Origin: Debian"];
        capture(&mut command("apt-get", &wanted))
    };
    let mut found = list()?;
    if found.is_empty() {
        // What has never been fetched has no known origin.
        show(&mut command("apt-get", &["update", "-qq"]))?;
        found = list()?;
    }
    if found.is_empty() {
        return Err("apt knows no source of Debian's packages".to_owned());
    }
    let Some(other) = other_release() else { return Ok(found) };
    let own = own_release()?;
    Ok(found
        .replace(&format!(" {own} "), &format!(" {other} "))
        .replace(&format!(" {own}-"), &format!(" {other}-")))
}

/// The name of the release that the tests' Debian is of: this machine's, or another one that is asked for.
pub(crate) fn suite_name() -> Result<String, String> {
    other_release().map_or_else(own_release, Ok)
}

/// The release that is asked for, such as `trixie`.
fn other_release() -> Option<String> {
    std::env::var("DEBIAN_RELEASE").ok().filter(|release| !release.is_empty())
}

fn own_release() -> Result<String, String> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let suite = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    suite.map(str::to_owned).ok_or_else(|| "/etc/os-release names no release".to_owned())
}

/// Installs a Debian of this machine's own release and sources into a folder and makes a disk of it.
fn image(work: &Path, sources: &str) -> Result<(), String> {
    let suite = &*suite_name()?;
    let tree = work.join("tree");
    let laid = root().join(RECIPE).join("root").display().to_string();
    let mut install = command("mmdebstrap", &["--variant=minbase", "--format=directory", "--quiet"]);
    install
        .arg(format!("--include={}", packages::of_recipe(RECIPE)?.join(",")))
        .args(["--aptopt=Acquire::Languages \"none\"", "--aptopt=APT::Install-Recommends \"false\""])
        .args(["doc", "man", "locale"].map(|folder| format!("--dpkgopt=path-exclude=/usr/share/{folder}/*")))
        // The files come before the packages, whose scripts make the initramfs of them, and once more behind them.
        .arg(format!("--essential-hook=cp -r '{laid}/.' \"$1\""))
        .arg(format!("--customize-hook=cp -r '{laid}/.' \"$1\""))
        .arg("--customize-hook=mkdir \"$1/payload\"; ln -s multi-user.target \"$1/etc/systemd/system/default.target\"")
        .arg(format!("--customize-hook=systemctl --quiet --root=\"$1\" enable {}", ENABLED.join(" ")))
        .arg(format!("--customize-hook=systemctl --quiet --root=\"$1\" mask {}", MASKED.join(" ")))
        .arg("--customize-hook=cd \"$1\"; mkdir -p etc/systemd/system-generators; cd usr/lib/systemd/system-generators; for name in *; do ln -s /dev/null \"$1/etc/systemd/system-generators/$name\"; done")
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

/// Puts what is tested on a disk: the package, the programs of the tests, and the repository's files.
fn payload(goal: &Path, tests: &BTreeMap<String, PathBuf>) -> Result<(), String> {
    let tree = goal.join("payload");
    let _ = fs::remove_dir_all(&tree);
    let place = |from: &Path, to: &Path| {
        let folder = to.parent().unwrap_or(goal);
        fs::create_dir_all(folder).and_then(|()| fs::copy(from, to)).map_err(|error| failed(to, &error))
    };
    for file in files()? {
        place(&root().join(&file), &tree.join("tree").join(&file))?;
    }
    dist::package(&target().join("debug/hookvisor"), &tree.join("hookvisor.deb"))?;
    for name in TESTED {
        let path = tests.get(name).ok_or_else(|| format!("cargo built no {name}"))?;
        place(path, &tree.join("tests").join(name))?;
    }
    let linux = target().join("linux");
    for file in fs::read_dir(&linux).into_iter().flatten().flatten() {
        place(&file.path(), &tree.join("linux").join(file.file_name()))?;
    }
    let mut strip = command("strip", &["--strip-debug"]);
    for file in fs::read_dir(tree.join("tests")).into_iter().flatten().flatten() {
        strip.arg(file.path());
    }
    show(&mut strip)?;
    disk(&tree, &goal.join("payload.raw"), "1G")?;
    fs::remove_dir_all(&tree).map_err(|error| format!("cannot remove {}: {error}", tree.display()))
}

/// Builds everything, and returns the programs of the integration tests by name.
fn build() -> Result<BTreeMap<String, PathBuf>, String> {
    let format = "--message-format=json-render-diagnostics";
    let messages = capture(&mut cargo(&["build", "--locked", "--workspace", "--all-targets", format]))?;
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = |message: Value| {
        let target = &message["target"];
        let is_test = target["kind"] == serde_json::json!(["test"]);
        let path = message["executable"].as_str().filter(|_| is_test)?;
        Some((target["name"].as_str()?.to_owned(), PathBuf::from(path)))
    };
    Ok(messages.filter_map(program).collect())
}

impl HostVm {
    /// The end to end tests on that machine, which end when this process does.
    pub(crate) fn suite(&self, filter: Option<&str>) -> Command {
        let mut command = command("setpriv", &["--pdeathsig", "TERM"]);
        command.arg(&self.suite).arg("--test-threads=3").args(filter).env("E2E_HOST_VM", &self.folder);
        command
    }
}
