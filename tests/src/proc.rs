//! Looking at processes by `/proc`.

use std::fs;
use std::path::Path;

/// A process as `/proc` shows it.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its pid.
    pub pid: u32,
    /// Its parent.
    pub parent: u32,
    /// Its name.
    pub comm: String,
    /// Its arguments, joined by spaces.
    pub cmdline: String,
    /// Its state letter.
    pub state: char,
    /// How many threads it has, itself included.
    pub threads: u32,
}

/// All processes.
#[must_use]
pub fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| process(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// One process, if it exists.
#[must_use]
pub fn process(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (open, close) = (stat.find('(')?, stat.rfind(')')?);
    let mut rest = stat[close + 1..].split_ascii_whitespace();
    let state = rest.next()?.chars().next()?;
    let parent = rest.next()?.parse().ok()?;
    let threads = rest.nth(15)?.parse().ok()?;
    let cmdline = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let cmdline = String::from_utf8_lossy(&cmdline).trim_end_matches('\0').replace('\0', " ");
    Some(Process { pid, parent, comm: stat[open + 1..close].to_owned(), cmdline, state, threads })
}

/// Whether a process exists and has not ended (a zombie has, once its threads have).
#[must_use]
pub fn alive(pid: u32) -> bool {
    process(pid).is_some_and(|process| !matches!(process.state, 'Z' | 'X') || process.threads > 1)
}

/// Sends a signal; a process that is gone is fine.
pub fn signal(pid: u32, signal: rustix::process::Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// `kill -9`.
pub fn kill(pid: u32) {
    signal(pid, rustix::process::Signal::KILL);
}

/// The processes that belong to the host with this root: by their arguments, environment, folders or open files.
#[must_use]
pub fn of_root(root: &Path) -> Vec<Process> {
    let me = std::process::id();
    let text = root.to_string_lossy().into_owned();
    all()
        .into_iter()
        .filter(|process| process.pid != me && process.state != 'Z' && holds(process, &text))
        .collect()
}

fn holds(process: &Process, root: &str) -> bool {
    if process.cmdline.contains(root) {
        return true;
    }
    let base = format!("/proc/{}", process.pid);
    if fs::read(format!("{base}/environ")).is_ok_and(|environ| contains(&environ, root.as_bytes())) {
        return true;
    }
    let into_root = |path: &Path| fs::read_link(path).is_ok_and(|to| to.to_string_lossy().starts_with(root));
    if into_root(Path::new(&format!("{base}/cwd"))) || into_root(Path::new(&format!("{base}/root"))) {
        return true;
    }
    let fds = fs::read_dir(format!("{base}/fd")).into_iter().flatten().flatten();
    let mut fds = fds.map(|fd| fd.path());
    fds.any(|fd| into_root(&fd))
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}
