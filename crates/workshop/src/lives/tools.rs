//! The programs of the world that scripts call: they do little, and what they were called with is on record.

use super::{units, worker};
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Their names.
pub(super) const NAMES: [&str; 4] = ["logger", "lspci", "systemctl", "systemd-run"];

/// The commands that Proxmox VE has a guest's lock for.
const LOCKING: [&str; 7] = ["start", "stop", "shutdown", "reboot", "resume", "suspend", "destroy"];

/// Where calls are noted.
pub(super) const CALLS: &str = "/run/hookvisor/simulated-calls.jsonl";

/// Named after the guest whose life is played as Proxmox VE would: its own commands wait for its lock.
pub(super) const OWN: &str = "/run/hookvisor/simulated-own";

/// A call of one of them.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Called {
    pub(super) time_ms: u64,
    pub(super) words: Vec<String>,
}

/// Whether a program of this name is one of the world's, called with these words.
#[must_use]
pub fn is_tool(name: &str, words: &[String]) -> bool {
    (NAMES.contains(&name) || name == worker::NAME || own_guest(name, words).is_some())
        && keeper::simulation::is_own_world()
}

/// `qm start 100` and the like, where that is the guest whose life is played as Proxmox VE would.
fn own_guest(name: &str, words: &[String]) -> Option<PathBuf> {
    let [command, vmid, ..] = words else { return None };
    let lock = match name {
        "qm" => format!("/var/lock/qemu-server/lock-{vmid}.conf"),
        "pct" => format!("/run/lock/lxc/pve-config-{vmid}.lock"),
        _ => return None,
    };
    let own = LOCKING.contains(&command.as_str()) && Path::new(&format!("{OWN}/{vmid}")).exists();
    own.then(|| lock.into())
}

/// Is that program.
#[must_use]
pub fn tool(name: &str, words: &[String]) -> i32 {
    if name == worker::NAME {
        return worker::work(words);
    }
    note(name, words);
    match name {
        "systemctl" => systemctl(words),
        "systemd-run" => run(words),
        "lspci" => lspci(words),
        "logger" => 0,
        _ => own_guest(name, words).map_or(0, |lock| wait_for(&lock)),
    }
}

fn note(name: &str, words: &[String]) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let words = std::iter::once(name.to_owned()).chain(words.iter().cloned()).collect();
    let called = Called { time_ms: u64::try_from(now.as_millis()).unwrap_or(0), words };
    let (Ok(mut line), Ok(mut file)) =
        (serde_json::to_vec(&called), OpenOptions::new().create(true).append(true).open(CALLS))
    else {
        return;
    };
    line.push(b'\n');
    let _ = file.write_all(&line);
}

/// As Proxmox VE's own commands wait for the lock that the phase is under.
fn wait_for(lock: &Path) -> i32 {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let mut said = false;
    loop {
        let taken =
            OpenOptions::new().create(true).append(true).open(lock).is_ok_and(|file| file.try_lock().is_ok());
        if taken {
            // Whatever it would do now is no longer part of this life.
            return 0;
        }
        if !std::mem::replace(&mut said, true) {
            eprintln!("trying to acquire lock...");
        }
        if std::time::Instant::now() >= deadline {
            eprintln!("can't lock file '{}' - got timeout", lock.display());
            return 255;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// No unit runs in this world but what `systemd-run` has started, and any can be started.
fn systemctl(words: &[String]) -> i32 {
    let verb = words.iter().find(|word| !word.starts_with('-')).map(String::as_str);
    let quiet = words.iter().any(|word| word == "-q" || word == "--quiet");
    let say = |text: &str| {
        if !quiet {
            println!("{text}");
        }
    };
    let units = || words.iter().filter(|word| !word.starts_with('-')).skip(1);
    match verb {
        Some("stop" | "kill") => {
            units().for_each(|unit| units::stop(unit));
            0
        }
        Some("is-active" | "status") if units().any(|unit| units::is_active(unit)) => {
            say("active");
            0
        }
        Some("is-active") => {
            say("inactive");
            3
        }
        Some("is-enabled") => {
            say("disabled");
            1
        }
        Some("is-failed") => {
            say("inactive");
            1
        }
        Some("status") => 3,
        _ => 0,
    }
}

/// Options of `systemd-run` whose value is a word of its own.
const VALUED: [&str; 14] = [
    "-u",
    "-p",
    "-E",
    "-H",
    "-M",
    "--unit",
    "--property",
    "--setenv",
    "--description",
    "--slice",
    "--uid",
    "--gid",
    "--working-directory",
    "--nice",
];

/// Runs the command, in the background but for `--wait`, `--pipe` and `--scope`; one with a timer is only noted.
fn run(words: &[String]) -> i32 {
    let (mut at, mut front, mut later, mut unit) = (0, false, false, None);
    while let Some(word) = words.get(at).filter(|word| word.starts_with('-')) {
        at += 1;
        front |= ["--wait", "--pipe", "-P", "--scope", "-t", "--pty"].contains(&word.as_str());
        later |= word.starts_with("--on-") || word.starts_with("--timer") || word.starts_with("--path");
        if word == "--" {
            break;
        }
        let timer = word.starts_with("--on-") && !word.contains('=');
        unit = match word.split_once('=') {
            Some(("--unit", name)) => Some(name),
            None if word == "--unit" || word == "-u" => words.get(at).map(String::as_str),
            _ => unit,
        };
        if VALUED.contains(&word.as_str()) || timer {
            at += 1;
        }
    }
    let Some((program, arguments)) = words.get(at..).and_then(<[String]>::split_first) else { return 1 };
    if later {
        return 0;
    }
    let mut command = Command::new(program);
    command.args(arguments);
    if !front {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
    }
    match command.spawn() {
        Ok(mut child) if front => child.wait().ok().and_then(|status| status.code()).unwrap_or(1),
        Ok(child) => {
            units::began(unit, child.id());
            0
        }
        Err(error) => {
            eprintln!("Failed to find executable {program}: {error}");
            1
        }
    }
}

/// The devices of the seeded tree, as `lspci -n` has them.
fn lspci(words: &[String]) -> i32 {
    let full = words.iter().any(|word| word == "-D");
    let wanted = words.iter().position(|word| word == "-s").and_then(|at| words.get(at + 1));
    let mut found: Vec<PathBuf> = fs::read_dir("/sys/bus/pci/devices")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    found.sort();
    for folder in found {
        let value = |name: &str| {
            let text = fs::read_to_string(folder.join(name)).unwrap_or_default();
            text.trim().trim_start_matches("0x").to_owned()
        };
        let address = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let short = address.trim_start_matches("0000:");
        if wanted
            .is_some_and(|wanted| !address.ends_with(wanted.as_str()) && !short.starts_with(wanted.as_str()))
        {
            continue;
        }
        let class = value("class");
        let address = if full { &address } else { short };
        println!("{address} {}: {}:{}", class.get(..4).unwrap_or(&class), value("vendor"), value("device"));
        if words.iter().any(|word| word.starts_with("-k") || word.contains("nnk") || word == "-nk")
            && let Ok(driver) = fs::read_link(folder.join("driver"))
        {
            println!("\tKernel driver in use: {}", driver.file_name().unwrap_or_default().to_string_lossy());
        }
    }
    0
}
