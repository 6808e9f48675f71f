//! The machine on which hookvisor runs: QEMU without any help of the processor, a Debian with systemd, and guests in it.

use crate::agent::{Agent, Ended, LIMIT};
use crate::disk::{self, Cache};
use crate::scratch::Folder;
use crate::{calls, count, prepared};
use e2e::qmp::Monitor;
use serde_json::json;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

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
    folder: Arc<Folder>,
    name: String,
    /// The disk that lies below the present one.
    base: PathBuf,
}

impl Files {
    fn at(&self, what: &str) -> PathBuf {
        self.folder.path().join(format!("{}.{what}", self.name))
    }
}

/// How a machine comes up.
enum From<'a> {
    /// It is switched on, and stops as it reads from its disk.
    Off,
    /// It goes on with what its memory held, in a file.
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
        let prepared = &*prepared::READY;
        let files = Files { folder: Arc::new(Folder::new()), name: "1".to_owned(), base: prepared.disk() };
        Self::start(files, 1, Vec::new(), &prepared.memory())
    }

    /// A machine that boots from a disk, which is not changed.
    pub(crate) fn fresh(base: PathBuf) -> Self {
        let files = Files { folder: Arc::new(Folder::new()), name: "1".to_owned(), base };
        Self::start(files, 1, Vec::new(), &prepared::SWITCHED_ON.memory())
    }

    /// Switches a machine on and keeps what its memory holds when it reads from its disk for the first time, and so the same
    /// whatever is on that.
    pub(crate) fn switch_on(base: PathBuf, memory: &Path) {
        let files = Files { folder: Arc::new(Folder::new()), name: "0".to_owned(), base };
        let mut qemu = spawn(&files, &From::Off);
        let reads = wait_for(&files, &mut qemu, "io-error");
        let kept = reads.map(|mut monitor| keep(&mut monitor, memory));
        end(&mut qemu);
        kept.unwrap_or_else(|error| {
            panic!("the machine reads no disk: {error}\n{}", tail(&files.at("console")))
        });
    }

    fn start(files: Files, boot: usize, mut notes: Vec<PathBuf>, memory: &Path) -> Self {
        let mut qemu = spawn(&files, &From::Memory(memory));
        notes.push(files.at("notes"));
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

    /// The calls that the hook told of, which no loss of power takes away: it says them on a port.
    pub(crate) fn calls(&self) -> Vec<calls::Call> {
        let texts = self.notes.iter().map(|path| fs::read_to_string(path).unwrap_or_default());
        calls::read(&texts.collect::<Vec<_>>())
    }

    /// Pulls the power.
    pub(crate) fn pull(mut self) -> Wreck {
        end(&mut self.qemu);
        count::pulled();
        self.left()
    }

    /// Has the machine go down by `systemctl reboot` or `poweroff`, and waits until it is switched off.
    #[track_caller]
    pub(crate) fn go_down(mut self, verb: &str) -> Wreck {
        self.background(&format!("systemctl {verb}"));
        let began = Instant::now();
        while self.qemu.try_wait().is_ok_and(|ended| ended.is_none()) {
            assert!(
                began.elapsed() < LIMIT,
                "the machine does not go down\n{:#?}\n{}",
                self.calls(),
                tail(&self.files.at("console"))
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        self.left()
    }

    /// What is left of a machine whose QEMU has ended.
    fn left(&self) -> Wreck {
        let folder = Arc::clone(&self.files.folder);
        let files = Files { folder, name: self.files.name.clone(), base: self.files.base.clone() };
        Wreck { files, boot: self.boot, notes: self.notes.clone() }
    }

    /// Stops the machine for good, and keeps what its memory holds and its disk.
    pub(crate) fn freeze(mut self, memory: &Path, disk: &Path) {
        let mut monitor = Monitor::connect(&self.files.at("monitor"));
        monitor.ask("stop", &json!({}));
        keep(&mut monitor, memory);
        monitor.ask("quit", &json!({}));
        let _ = self.qemu.wait();
        fs::copy(self.files.at("qcow2"), disk).expect("a disk can be copied");
    }

    /// What the machine has on record, and what it said last, for somebody who looks into a failure.
    pub(crate) fn diagnosis(&mut self) -> String {
        let look = "cd /var/lib/hookvisor && tail -n +1 runs/*.jsonl* history/*/* | cut -c -300; ps -ef | tail -n 20; \
            journalctl -b -q --no-pager -o cat -u 'hookvisor*' | tail -n 20";
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
        count::calls(self.calls().iter().filter(|call| call.boot == self.boot));
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
        count::came_up(cache);
        let memory = prepared::SWITCHED_ON.memory();
        Machine::start(Files { folder, name, base }, self.boot + 1, self.notes.clone(), &memory)
    }
}

/// QEMU, ended the way in which nothing is written any more.
fn end(qemu: &mut Child) {
    let _ = qemu.kill();
    let _ = qemu.wait();
}

fn qemu(files: &Files, from: &From<'_>) -> Command {
    let words = File::create(files.at("qemu")).expect("a file can be made");
    // QEMU goes where this program goes.
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "qemu-system-x86_64"])
        .args(["-machine", "q35,accel=tcg", "-cpu", "qemu64,+rdrand", "-smp", "2", "-m", "768"])
        .args(["-nodefaults", "-display", "none", "-no-reboot", "-kernel"])
        .arg(prepared::made("vmlinuz"))
        .arg("-initrd")
        .arg(prepared::made("initrd"))
        .args(["-append", "root=/dev/vda rw console=ttyS0 quiet no_timer_check mitigations=off apparmor=0 selinux=0 panic=-1"])
        .arg("-blockdev")
        .arg(match from {
            From::Off => format!(
                "driver=blkdebug,node-name=disk,image.driver=qcow2,image.file.driver=file,image.file.filename={},\
                 inject-error.0.event=none,inject-error.0.iotype=read,inject-error.0.errno=5",
                files.at("qcow2").display()
            ),
            From::Memory(_) => format!(
                "driver=blklogwrites,node-name=disk,file.driver=qcow2,file.file.driver=file,file.file.filename={},\
                 log.driver=file,log.filename={}",
                files.at("qcow2").display(),
                files.at("log").display()
            ),
        })
        .args(["-device", "virtio-blk-pci,drive=disk,rerror=stop", "-blockdev"])
        .arg(format!(
            "driver=raw,node-name=payload,read-only=on,file.driver=file,file.filename={},file.read-only=on,file.locking=off",
            prepared::made("payload.raw").display()
        ))
        .args(["-device", "virtio-blk-pci,drive=payload"])
        .arg("-serial")
        .arg(format!("file:{}", files.at("console").display()))
        .args(["-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,name=agent", "-chardev"])
        .arg(format!("socket,id=agent,path={},server=on,wait=off", files.at("agent").display()))
        .args(["-device", "virtserialport,chardev=notes,name=notes", "-chardev"])
        .arg(format!("file,id=notes,path={}", files.at("notes").display()))
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

fn spawn(files: &Files, from: &From<'_>) -> Child {
    let format = if files.base.extension().is_some_and(|end| end == "raw") { "raw" } else { "qcow2" };
    disk::overlay(&files.base, format, &files.at("qcow2"));
    File::create(files.at("log")).expect("a file can be made");
    qemu(files, from).spawn().expect("QEMU can be started")
}

/// Waits until a machine is frozen as it was left, and lets it go on.
fn go_on(files: &Files, qemu: &mut Child) -> Result<(), String> {
    let mut monitor = monitor(files, qemu)?;
    while status(&mut monitor)? == "inmigrate" {
        std::thread::sleep(Duration::from_millis(10));
    }
    monitor.ask("cont", &json!({}));
    Ok(())
}

/// Waits for a state of QEMU.
fn wait_for(files: &Files, qemu: &mut Child, state: &str) -> Result<Monitor, String> {
    let began = Instant::now();
    let mut monitor = monitor(files, qemu)?;
    while status(&mut monitor)? != state {
        if began.elapsed() > LIMIT {
            return Err(format!("it does not come to '{state}'"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(monitor)
}

fn status(monitor: &mut Monitor) -> Result<String, String> {
    let answer = monitor.ask("query-status", &json!({})).ok_or("QEMU does not answer")?;
    Ok(answer["return"]["status"].as_str().unwrap_or_default().to_owned())
}

/// Waits for QEMU's monitor.
fn monitor(files: &Files, qemu: &mut Child) -> Result<Monitor, String> {
    let began = Instant::now();
    loop {
        // The socket is there before QEMU listens.
        match Monitor::try_connect(&files.at("monitor")) {
            Ok(monitor) => return Ok(monitor),
            Err(error) if began.elapsed() > LIMIT => return Err(error.to_string()),
            Err(_) if qemu.try_wait().is_ok_and(|status| status.is_some()) => {
                return Err(fs::read_to_string(files.at("qemu")).unwrap_or_default());
            }
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Writes what the memory of a machine that is stopped holds.
fn keep(monitor: &mut Monitor, memory: &Path) {
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
}

fn tail(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&text[text.len().saturating_sub(3000)..]).into_owned()
}
