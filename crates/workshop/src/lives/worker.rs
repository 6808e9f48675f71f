//! The process that calls a script at Proxmox VE: a task's worker, which the script has as its parent, and may kill.

use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

/// The name by which this program is a worker, in a life's own world.
pub(super) const NAME: &str = "simulated-worker";

/// How a call ended, as its worker saw it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum End {
    /// As waitpid(2) has it.
    Status(i32),
    /// The script could not be run.
    Failed(String),
}

/// Where the worker of a guest says it.
fn told(vmid: &str) -> PathBuf {
    Path::new("/run/hookvisor").join(format!("{NAME}.{vmid}"))
}

/// What calls a script with a VMID and a phase: a worker where there are some, else the caller itself.
pub(super) fn call(
    own: bool,
    script: &Path,
    words: &[String; 2],
    set: impl Fn(&mut Command),
) -> io::Result<Child> {
    if !own {
        return spawn(script, words, set);
    }
    let _ = fs::remove_file(told(&words[0]));
    let mut command = Command::new(std::env::current_exe()?);
    command.arg0(NAME).arg(script).args(words);
    set(&mut command);
    command.spawn()
}

/// How the script ended whose caller ended so; none where nobody has seen it.
pub(super) fn end(own: bool, vmid: &str, caller: ExitStatus) -> Option<Result<ExitStatus, String>> {
    if !own {
        return Some(Ok(caller));
    }
    match serde_json::from_slice(&fs::read(told(vmid)).ok()?).ok()? {
        End::Status(raw) => Some(Ok(ExitStatus::from_raw(raw))),
        End::Failed(why) => Some(Err(why)),
    }
}

/// Is a worker: calls the script, and says how it ended.
pub(super) fn work(words: &[String]) -> i32 {
    let [script, vmid, phase] = words else { return 255 };
    let called =
        spawn(Path::new(script), &[vmid.clone(), phase.clone()], |_| {}).and_then(|mut child| child.wait());
    let end = match called {
        Ok(status) => End::Status(status.into_raw()),
        Err(error) => End::Failed(error.to_string()),
    };
    let path = told(vmid);
    // The script may have removed the folder.
    let _ = fs::create_dir_all(path.with_file_name(""));
    let written = serde_json::to_vec(&end).is_ok_and(|text| store::replace(&path, &text, 0o600).is_ok());
    i32::from(!written)
}

/// A file without a first line that names an interpreter is the shell's.
fn spawn(script: &Path, words: &[String; 2], set: impl Fn(&mut Command)) -> io::Result<Child> {
    let mut command = Command::new(script);
    set(command.args(words));
    command.spawn().or_else(|error| {
        if error.raw_os_error() != Some(libc::ENOEXEC) {
            return Err(error);
        }
        let mut shell = Command::new("/bin/sh");
        set(shell.arg0("sh").arg(script).args(words));
        shell.spawn()
    })
}
