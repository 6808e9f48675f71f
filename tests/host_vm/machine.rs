//! The machine on which hookvisor runs: QEMU without any help of the processor, a Debian with systemd, and guests in it.

use crate::agent::{Agent, Ended, LIMIT};
use crate::disk::{self, Cache};
use crate::{calls, prepared};
use e2e::qmp::Monitor;
use serde_json::json;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A machine that runs.
pub(crate) struct Machine {
    files: Files,
    qemu: Child,
    agent: Agent,
    /// Which time it is up.
    boot: usize,
    /// What the hook has said, each time that the machine was up.
    notes: Vec<PathBuf>,
}

/// Where a machine that is up keeps its things.
struct Files {
    folder: Arc<TempDir>,
    name: String,
    /// The disk that lies below the present one.
    base: PathBuf,
}

impl Files {
    fn at(&self, what: &str) -> PathBuf {
        self.folder.path().join(format!("{}.{what}", self.name))
    }
}

/// What a machine is started from.
pub(crate) enum From<'a> {
    /// Its disk alone.
    Disk,
    /// What its memory held, in a file.
    Memory(&'a Path),
}

/// A machine whose power has gone.
pub(crate) struct Wreck {
    files: Files,
    boot: usize,
    notes: Vec<PathBuf>,
}

impl Machine {
    /// A machine with its guests, which are stopped.
    pub(crate) fn ready() -> Self {
        let prepared = prepared::get();
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder can be made"));
        let files = Files { folder, name: "1".to_owned(), base: prepared.disk() };
        Self::start(files, 1, Vec::new(), &From::Memory(&prepared.memory()))
    }

    /// A machine on a disk, which is not changed.
    pub(crate) fn fresh(base: PathBuf) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder can be made"));
        Self::start(Files { folder, name: "1".to_owned(), base }, 1, Vec::new(), &From::Disk)
    }

    fn start(files: Files, boot: usize, mut notes: Vec<PathBuf>, from: &From<'_>) -> Self {
        let format = if files.base.extension().is_some_and(|end| end == "raw") { "raw" } else { "qcow2" };
        disk::overlay(&files.base, format, &files.at("qcow2"));
        File::create(files.at("log")).expect("a file can be made");
        notes.push(files.at("notes"));
        let mut qemu = qemu(&files, from).spawn().expect("QEMU can be started");
        let came_up = go_on(&files, &mut qemu).and_then(|()| Agent::connect(&files.at("agent")));
        match came_up {
            Ok(agent) => Self { files, qemu, agent, boot, notes },
            Err(error) => {
                end(&mut qemu);
                panic!("the machine does not come up: {error}\n{}", tail(&files.at("console")));
            }
        }
    }

    /// Runs lines of shell, which must succeed, and returns what they printed.
    #[track_caller]
    pub(crate) fn sh(&mut self, lines: &str) -> String {
        let Ended { code, text } = self.agent.run(lines, LIMIT);
        assert!(code == 0, "`{lines}` failed ({code}): {text}\n{}", self.diagnosis());
        text
    }

    /// Runs lines of shell that may take long, or fail.
    pub(crate) fn run(&mut self, lines: &str, limit: Duration) -> Ended {
        self.agent.run(lines, limit)
    }

    /// Starts lines of shell and does not wait for them.
    pub(crate) fn background(&mut self, lines: &str) {
        self.agent.spawn(lines, false);
    }

    /// Writes a file.
    pub(crate) fn write(&mut self, path: &str, bytes: &[u8]) {
        let octal: String = bytes.iter().map(|byte| format!("\\{byte:03o}")).collect();
        self.sh(&format!("mkdir -p \"$(dirname {path})\" && printf '{octal}' >{path}"));
    }

    /// Waits until the machine shows something.
    #[track_caller]
    pub(crate) fn until<T>(&mut self, what: &str, mut look: impl FnMut(&mut Self) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(began.elapsed() < LIMIT, "gave up waiting for {what}\n{}", self.diagnosis());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Which time it is up, from 1.
    pub(crate) fn boot(&self) -> usize {
        self.boot
    }

    /// The calls that the hook told of, which no loss of power takes away: it says them on a serial port.
    pub(crate) fn calls(&self) -> Vec<calls::Call> {
        let texts = self.notes.iter().map(|path| fs::read_to_string(path).unwrap_or_default());
        calls::read(&texts.collect::<Vec<_>>())
    }

    /// Pulls the power.
    pub(crate) fn pull(mut self) -> Wreck {
        end(&mut self.qemu);
        let folder = Arc::clone(&self.files.folder);
        let files = Files { folder, name: self.files.name.clone(), base: self.files.base.clone() };
        Wreck { files, boot: self.boot, notes: self.notes.clone() }
    }

    /// Stops the machine for good, and keeps what its memory holds and its disk.
    pub(crate) fn freeze(mut self, memory: &Path, disk: &Path) {
        let mut monitor = Monitor::connect(&self.files.at("monitor"));
        monitor.ask("stop", &json!({}));
        monitor.ask("migrate-set-parameters", &json!({"max-bandwidth": 1_u64 << 40}));
        monitor.ask("migrate", &json!({"uri": format!("exec:cat >'{}'", memory.display())}));
        loop {
            let answer = monitor.ask("query-migrate", &json!({})).expect("QEMU answers");
            match answer["return"]["status"].as_str() {
                Some("completed") => break,
                Some("failed" | "cancelled") => panic!("the machine's memory cannot be written: {answer}"),
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        monitor.ask("quit", &json!({}));
        let _ = self.qemu.wait();
        fs::copy(self.files.at("qcow2"), disk).expect("a disk can be copied");
    }

    /// What the machine has on record, and what it said last, for somebody who looks into a failure.
    pub(crate) fn diagnosis(&mut self) -> String {
        let look = "cd /var/lib/hookvisor && tail -n +1 runs/*.jsonl* history/*/* | cut -c -300; ps -ef | tail -n 20; \
            journalctl -b -q --no-pager -o cat -u hookvisor.service | tail -n 20";
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.agent.run(look, LIMIT)));
        let shown = ended.map_or_else(|_| "the agent does not answer".to_owned(), |ended| ended.text);
        format!(
            "--- calls\n{:#?}\n--- machine\n{shown}\n--- console\n{}",
            self.calls(),
            tail(&self.files.at("console"))
        )
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        end(&mut self.qemu);
    }
}

impl Wreck {
    /// The machine comes up again with what is left on its disk.
    pub(crate) fn boot(&self, cache: Cache) -> Machine {
        let folder = Arc::clone(&self.files.folder);
        let name = format!("{}-{}", self.files.name, if cache == Cache::Lost { "lost" } else { "kept" });
        let base = folder.path().join(format!("{name}.disk"));
        if !base.exists() {
            disk::after(&self.files.base, &self.files.at("log"), cache, &base);
        }
        Machine::start(Files { folder, name, base }, self.boot + 1, self.notes.clone(), &From::Disk)
    }
}

/// QEMU, ended the way in which nothing is written any more.
fn end(qemu: &mut Child) {
    let _ = qemu.kill();
    let _ = qemu.wait();
}

fn qemu(files: &Files, from: &From<'_>) -> Command {
    let image = prepared::folder().expect("a test of a host needs its disk");
    let words = File::create(files.at("qemu")).expect("a file can be made");
    let mut command = Command::new("qemu-system-x86_64");
    command
        .args(["-machine", "q35,accel=tcg", "-cpu", "qemu64", "-smp", "2", "-m", "768"])
        .args(["-nodefaults", "-display", "none", "-no-reboot", "-kernel"])
        .arg(image.join("vmlinuz"))
        .arg("-initrd")
        .arg(image.join("initrd"))
        .args(["-append", "root=/dev/vda rw console=ttyS0 quiet no_timer_check mitigations=off apparmor=0 selinux=0 panic=-1"])
        .arg("-blockdev")
        .arg(format!(
            "driver=blklogwrites,node-name=disk,file.driver=qcow2,file.file.driver=file,file.file.filename={},\
             log.driver=file,log.filename={}",
            files.at("qcow2").display(),
            files.at("log").display()
        ))
        .args(["-device", "virtio-blk-pci,drive=disk", "-blockdev"])
        .arg(format!(
            "driver=raw,node-name=payload,read-only=on,file.driver=file,file.filename={},file.read-only=on,file.locking=off",
            image.join("payload.raw").display()
        ))
        .args(["-device", "virtio-blk-pci,drive=payload"])
        .arg("-serial")
        .arg(format!("file:{}", files.at("console").display()))
        .arg("-serial")
        .arg(format!("file:{}", files.at("notes").display()))
        .args(["-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,name=agent", "-chardev"])
        .arg(format!("socket,id=agent,path={},server=on,wait=off", files.at("agent").display()))
        .args(["-device", "virtio-rng-pci", "-qmp"])
        .arg(format!("unix:{},server=on,wait=off", files.at("monitor").display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(words);
    if let From::Memory(path) = from {
        command.arg("-incoming").arg(format!("exec:cat '{}'", path.display()));
    }
    command
}

/// Waits for QEMU's monitor, and lets a machine that was frozen go on.
fn go_on(files: &Files, qemu: &mut Child) -> Result<(), String> {
    let began = Instant::now();
    while !files.at("monitor").exists() || !files.at("agent").exists() {
        if qemu.try_wait().is_ok_and(|status| status.is_some()) || began.elapsed() > LIMIT {
            return Err(fs::read_to_string(files.at("qemu")).unwrap_or_default());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut monitor = Monitor::connect(&files.at("monitor"));
    let mut status =
        || monitor.ask("query-status", &json!({})).unwrap_or_default()["return"]["status"].clone();
    while status() == "inmigrate" {
        std::thread::sleep(Duration::from_millis(10));
    }
    monitor.ask("cont", &json!({}));
    Ok(())
}

fn tail(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&text[text.len().saturating_sub(3000)..]).into_owned()
}
