//! A scratch host: a root of its own, a journal of its own, and everything taken away at the end.

use crate::guest::{Guest, Kind};
use crate::journal::Journal;
use crate::output::{Output, Running, run};
use crate::recorder::Recorder;
use crate::tiny_vm::Behaviour;
use crate::{proc, template, tiny_vm, wait};
use std::cell::{Cell, RefCell};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The node's name of every scratch host.
pub const NODE: &str = "pve1";

/// VMIDs differ between the hosts of a run, and from run to run, so that what one leaves behind in the kernel is seen to
/// be its own.
static NEXT_VMID: LazyLock<AtomicU32> =
    LazyLock::new(|| AtomicU32::new(10_000 + std::process::id() % 50_000 * 200));
static NEXT_HOST: AtomicU32 = AtomicU32::new(0);

/// A host laid out by `hookvisor init` in a temporary folder.
#[derive(Debug)]
pub struct Host {
    folder: tempfile::TempDir,
    root: PathBuf,
    journal: RefCell<Option<Journal>>,
    recorder: Recorder,
    guests: RefCell<Vec<(Kind, u32)>>,
    bridges: RefCell<Vec<String>>,
    template: Cell<bool>,
}

/// The binary under test: `HOOKVISOR_BIN`, else the one beside this program's folder.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("HOOKVISOR_BIN") {
        return path.into();
    }
    let me = std::env::current_exe().expect("a program knows its path");
    let mut folders = me.ancestors().skip(1).map(|folder| folder.join("hookvisor"));
    folders.find(|path| path.is_file()).expect("build the program first: cargo build -p hookvisor")
}

impl Host {
    /// Lays out a host.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "making a host has effects that a default should not have"
    )]
    pub fn new() -> Self {
        let host = Self::bare();
        host.hookvisor(["init", "--node", NODE]).ok();
        host.snippet("recorder", host.recorder.script());
        host
    }

    /// A host on which not even `hookvisor init` has run.
    ///
    /// # Panics
    /// If its folder or its journal cannot be made.
    #[must_use]
    pub fn bare() -> Self {
        let folder =
            tempfile::Builder::new().prefix("hv-").tempdir().expect("a temporary folder can be made");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("a mode can be set");
        let root = folder.path().join("root");
        let links = folder.path().join("bin");
        for dir in [&root, &links] {
            fs::create_dir(dir).expect("a folder can be made");
        }
        for name in ["hookvisor", "qm", "pct", "pvesh", "pvesm"] {
            symlink(binary(), links.join(name)).expect("a link can be made");
        }
        let name = format!("hv{}n{}", std::process::id(), NEXT_HOST.fetch_add(1, Ordering::Relaxed));
        Self {
            recorder: Recorder::new(folder.path()),
            journal: RefCell::new(Some(Journal::start(&name))),
            guests: RefCell::default(),
            bridges: RefCell::default(),
            template: Cell::new(false),
            folder,
            root,
        }
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path below the root.
    #[must_use]
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A folder beside the root for a test's own files.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// The folder with the links `qm`, `pct` and so on.
    #[must_use]
    pub fn links(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    /// The hook that notes its calls.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Does something with the journal.
    ///
    /// # Panics
    /// If the host has been finished.
    pub fn with_journal<T>(&self, act: impl FnOnce(&mut Journal) -> T) -> T {
        act(self.journal.borrow_mut().as_mut().expect("the host has its journal until it is finished"))
    }

    /// A command with this host's environment, found by its name among the links first.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let link = self.links().join(program);
        let mut command = Command::new(if link.exists() { link.as_os_str() } else { program.as_ref() });
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/sbin:/usr/bin:/sbin:/bin".to_owned());
        command
            .env("PATH", format!("{}:{path}", self.links().display()))
            .env("HOOKVISOR_ROOT", &self.root)
            .env_remove("NOTIFY_SOCKET")
            .current_dir(self.folder.path());
        if let Some(journal) = &*self.journal.borrow() {
            command.env("HOOKVISOR_JOURNAL", journal.name());
        }
        command
    }

    /// Runs a command to its end.
    #[track_caller]
    pub fn run<A: AsRef<str>>(&self, program: &str, args: impl IntoIterator<Item = A>) -> Output {
        let args: Vec<String> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        run(self.command(program).args(args))
    }

    /// Starts a command in the background.
    #[track_caller]
    pub fn spawn<A: AsRef<str>>(&self, program: &str, args: impl IntoIterator<Item = A>) -> Running {
        let args: Vec<String> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        Running::start(self.command(program).args(args))
    }

    /// Runs `hookvisor …`.
    #[track_caller]
    pub fn hookvisor<A: AsRef<str>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        self.run("hookvisor", args)
    }

    /// Runs `qm …`.
    #[track_caller]
    pub fn qm<A: AsRef<str>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        self.run("qm", args)
    }

    /// Runs `pct …`.
    #[track_caller]
    pub fn pct<A: AsRef<str>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        self.run("pct", args)
    }

    /// Writes an executable snippet on storage `local` and returns its volume id.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn snippet(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let folder = self.at("var/lib/vz/snippets");
        fs::create_dir_all(&folder).expect("the folder of snippets can be made");
        let path = folder.join(name);
        // Renamed into place: writing to a script that runs would be refused as busy.
        let fresh = folder.join(format!(".{name}.new"));
        fs::write(&fresh, text).expect("a snippet can be written");
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755)).expect("a mode can be set");
        fs::rename(&fresh, &path).expect("a snippet can be put in its place");
        format!("local:snippets/{name}")
    }

    /// A VMID that no other host of this run uses.
    #[must_use]
    pub fn next_vmid(&self) -> u32 {
        NEXT_VMID.fetch_add(1, Ordering::Relaxed)
    }

    /// A guest whose clean-up this host sees to.
    pub fn adopt(&self, kind: Kind, vmid: u32) -> Guest<'_> {
        self.guests.borrow_mut().push((kind, vmid));
        Guest::of(self, kind, vmid)
    }

    /// A tiny VM with the recording hook.
    ///
    /// # Panics
    /// If it cannot be made.
    #[track_caller]
    pub fn vm(&self, behaviour: &Behaviour) -> Guest<'_> {
        self.vm_with(behaviour, &[])
    }

    /// A tiny VM with the recording hook and more options for `qm create`.
    ///
    /// # Panics
    /// If it cannot be made.
    #[track_caller]
    pub fn vm_with(&self, behaviour: &Behaviour, options: &[&str]) -> Guest<'_> {
        let vmid = self.next_vmid();
        let disk = self.disk(vmid, behaviour);
        let id = vmid.to_string();
        let mut args = vec!["create", &id, "--name", "tiny", "--memory", "16", "--kvm", "0", "--vga", "none"];
        args.extend(["--ide0", &disk, "--boot", "order=ide0", "--hookscript", "local:snippets/recorder"]);
        args.extend(options);
        self.qm(args).ok();
        self.adopt(Kind::Vm, vmid)
    }

    /// Puts the tiny VM's image where its first disk belongs and returns the volume id.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn disk(&self, vmid: u32, behaviour: &Behaviour) -> String {
        let folder = self.at(&format!("var/lib/vz/images/{vmid}"));
        fs::create_dir_all(&folder).expect("the folder of images can be made");
        let name = format!("vm-{vmid}-disk-0.raw");
        tiny_vm::write_image(&folder.join(&name), behaviour).expect("an image can be written");
        format!("local:{vmid}/{name}")
    }

    /// A busybox container with the recording hook.
    ///
    /// # Panics
    /// If it cannot be made.
    #[track_caller]
    pub fn container(&self) -> Guest<'_> {
        self.container_with(&[])
    }

    /// A busybox container with the recording hook and more options for `pct create`.
    ///
    /// # Panics
    /// If it cannot be made.
    #[track_caller]
    pub fn container_with(&self, options: &[&str]) -> Guest<'_> {
        let vmid = self.next_vmid();
        let id = vmid.to_string();
        let template = self.template();
        let mut args = vec!["create", &id, &template, "--ostype", "unmanaged", "--hostname", "tiny"];
        args.extend(["--rootfs", "local:0", "--memory", "64", "--swap", "0", "--unprivileged", "0"]);
        args.extend(["--hookscript", "local:snippets/recorder"]);
        args.extend(options);
        self.pct(args).ok();
        self.adopt(Kind::Container, vmid)
    }

    /// The volume id of the busybox template, written at first use.
    pub fn template(&self) -> String {
        if !self.template.replace(true) {
            let cache = self.at("var/lib/vz/template/cache");
            fs::create_dir_all(&cache).expect("the folder of templates can be made");
            template::write(&cache.join("busybox.tar.gz"));
        }
        "local:vztmpl/busybox.tar.gz".to_owned()
    }

    /// A guest of that kind that obeys a shutdown.
    #[track_caller]
    pub fn guest(&self, kind: Kind) -> Guest<'_> {
        match kind {
            Kind::Vm => self.vm(&Behaviour::Obeys),
            Kind::Container => self.container(),
        }
    }

    /// Makes a bridge that is gone with this host.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn bridge(&self) -> String {
        let name = format!("vmbr{}", self.next_vmid());
        run(Command::new("ip").args(["link", "add", &name, "type", "bridge"])).ok();
        run(Command::new("ip").args(["link", "set", &name, "up"])).ok();
        self.bridges.borrow_mut().push(name.clone());
        name
    }

    /// The bridges made so far.
    #[must_use]
    pub fn bridges(&self) -> Vec<String> {
        self.bridges.borrow().clone()
    }

    /// What is on record about everything, for somebody who looks into a failure.
    #[must_use]
    pub fn diagnosis(&self) -> String {
        let mut text = String::new();
        let mut section = |title: &str, body: &str| {
            if !body.trim().is_empty() {
                text.push_str(&format!("--- {title}\n{}\n", body.trim_end()));
            }
        };
        if let Some(journal) = &*self.journal.borrow() {
            journal.thaw();
            let records = journal.records();
            let lines: Vec<String> =
                records.iter().map(|record| crate::journal::text(record, "MESSAGE")).collect();
            section("journal", &lines.join("\n"));
        }
        for (kind, vmid) in &*self.guests.borrow() {
            let guest = Guest::of(self, *kind, *vmid);
            section(&format!("configuration of {vmid}"), &guest.config());
            for ledger in guest.ledgers() {
                section(&ledger.display().to_string(), &fs::read_to_string(&ledger).unwrap_or_default());
            }
        }
        let left: Vec<String> = proc::of_root(self.scratch())
            .iter()
            .map(|process| format!("{} (parent {}) {}", process.pid, process.parent, process.cmdline))
            .collect();
        section("processes", &left.join("\n"));
        text
    }

    /// Stops every guest, ends the journal and looks for what was left behind.
    ///
    /// # Errors
    /// With a list of what is still there.
    pub fn finish(&self) -> Result<(), String> {
        let guests = self.guests.take();
        for (kind, vmid) in &guests {
            let guest = Guest::of(self, *kind, *vmid);
            for phase in ["pre-stop", "post-stop"] {
                self.recorder.forget(*vmid, phase);
            }
            if guest.exists() && guest.status() != "stopped" {
                guest.stop();
            }
        }
        let mut left = Vec::new();
        // What ends by itself right after the last command gets a moment to do so.
        let mut tries = 0;
        let processes = loop {
            let processes = proc::of_root(self.scratch());
            tries += 1;
            if processes.is_empty() || tries > 250 {
                break processes;
            }
            std::thread::sleep(std::time::Duration::from_millis(8));
        };
        for process in processes {
            left.push(format!("process {} {}: {}", process.pid, process.comm, process.cmdline));
            proc::kill(process.pid);
        }
        for bridge in self.bridges.take() {
            let _ = Command::new("ip").args(["link", "del", &bridge]).status();
        }
        self.journal.take();
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let root = self.scratch().to_string_lossy().into_owned();
        for line in mounts.lines().rev().filter(|line| line.contains(&root)) {
            left.push(format!("mount {line}"));
            if let Some(path) = line.split(' ').nth(1) {
                let _ = Command::new("umount").arg("-l").arg(path).status();
            }
        }
        for (_, vmid) in &guests {
            for name in interfaces(self.root(), *vmid) {
                let _ = Command::new("ip").args(["link", "del", &name]).status();
                left.push(format!("interface {name}"));
            }
            for group in cgroups(self.root(), *vmid) {
                remove_tree(&group);
                left.push(format!("cgroup {}", group.display()));
            }
        }
        if left.is_empty() { Ok(()) } else { Err(format!("left behind:\n  {}", left.join("\n  "))) }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if self.journal.borrow().is_some() {
            // A test that failed: nothing may stay, whatever it was in the middle of.
            let _ = self.finish();
        }
    }
}

/// Whether something of the kernel's is named for a guest of this root: with its number, unless the three letters before that
/// are those of another root's (docs/design.md, "Files").
fn is_of(root: &Path, vmid: u32, name: &str) -> bool {
    let own = model::Layout::new(root).tag().unwrap_or_default();
    let id = vmid.to_string();
    name.match_indices(&id).any(|(at, _)| {
        let (before, after) = (&name[..at], &name[at + id.len()..]);
        let whole = !before.ends_with(|c: char| c.is_ascii_digit())
            && !after.starts_with(|c: char| c.is_ascii_digit());
        let tagged = before.len() == 3 && before.bytes().all(|byte| byte.is_ascii_lowercase());
        whole && (!tagged || before == own || before == "tap")
    })
}

/// The interfaces of a guest.
pub(crate) fn interfaces(root: &Path, vmid: u32) -> Vec<String> {
    let names = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| is_of(root, vmid, name)).collect()
}

/// The cgroups of a container, in every hierarchy.
pub(crate) fn cgroups(root: &Path, vmid: u32) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![(PathBuf::from("/sys/fs/cgroup"), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_of(root, vmid, &name) {
                found.push(entry.path());
            } else if depth < 4 {
                folders.push((entry.path(), depth + 1));
            }
        }
    }
    found
}

/// Removes an empty cgroup with those below it, so that it is not found again by a later test.
fn remove_tree(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    let _ = fs::remove_dir(folder);
}

/// Waits until no process of a pid is alive.
#[track_caller]
pub fn wait_gone(pid: u32) {
    wait::until(&format!("process {pid} to end"), || (!proc::alive(pid)).then_some(()));
}
