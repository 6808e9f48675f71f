//! Programs that are asked something: with a limit, and gone afterwards whatever happens.
#![expect(
    unsafe_code,
    reason = "a child that dies with its parent asks the kernel for that between fork and exec"
)]

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, set_parent_process_death_signal};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Where programs are looked for, whatever the caller's `PATH`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How much is read of what a program says, in bytes.
const SAID: u64 = 1 << 20;

/// How long a killed program may take to go.
const LEAVING: Duration = Duration::from_secs(1);

/// How a program ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    /// None where it was killed at its limit.
    pub(crate) status: Option<ExitStatus>,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) took: Duration,
}

impl Ended {
    /// Why it did not do what it was to do, in its own words where it has some.
    pub(crate) fn why(&self) -> String {
        let said = self.err.lines().rev().find(|line| !line.trim().is_empty());
        match (&self.status, said) {
            (None, _) => format!("it did not end within {} s", self.took.as_secs()),
            (_, Some(line)) => line.trim().to_owned(),
            (Some(status), None) => status.to_string(),
        }
    }
}

/// A program by its name.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    PATH.split(':').map(|folder| Path::new(folder).join(name)).find(|path| path.is_file())
}

/// Runs a program that says little, with nothing or a file as its input. It is killed where it takes longer than `limit`, and
/// where the calling thread ends.
///
/// # Errors
/// Those of starting it and of waiting for it.
pub(crate) fn run(command: &mut Command, input: Option<File>, limit: Duration) -> io::Result<Ended> {
    let (mut out, mut err) = (memory("said")?, memory("complained")?);
    command
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(input.map_or_else(Stdio::null, Stdio::from))
        .stdout(out.try_clone()?)
        .stderr(err.try_clone()?);
    // SAFETY: nothing but a system call is made between fork and exec.
    unsafe { command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?)) };
    let began = Instant::now();
    let mut child = command.spawn()?;
    let status = wait(&mut child, limit)?;
    let took = began.elapsed();
    Ok(Ended { status, out: said(&mut out)?, err: said(&mut err)?, took })
}

/// A file in memory, which is gone with its last descriptor.
pub(crate) fn memory(name: &str) -> io::Result<File> {
    Ok(memfd_create(name, MemfdFlags::CLOEXEC)?.into())
}

fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let pidfd = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    if has_ended(&pidfd, limit) {
        return child.wait().map(Some);
    }
    child.kill()?;
    // One that cannot be killed sleeps in the kernel; it goes when it wakes.
    if has_ended(&pidfd, LEAVING) {
        child.wait()?;
    }
    Ok(None)
}

fn has_ended(pidfd: &OwnedFd, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&left)) {
            Err(rustix::io::Errno::INTR) => {}
            found => return found.is_ok_and(|count| count > 0),
        }
    }
}

fn said(file: &mut File) -> io::Result<String> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(SAID).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_says_how_it_went_and_one_that_hangs_is_killed() {
        let shell = |text: &str, limit| {
            run(Command::new("/bin/sh").args(["-c", text]), None, Duration::from_millis(limit)).unwrap()
        };
        let well = shell("echo hello; echo why >&2; exit 3", 10_000);
        assert_eq!((well.out.as_str(), well.why().as_str()), ("hello\n", "why"));
        assert_eq!(well.status.and_then(|status| status.code()), Some(3));
        let hung = shell("echo $$; exec sleep 60", 200);
        assert!(hung.status.is_none() && hung.took < Duration::from_secs(20), "{hung:?}");
        assert!(!Path::new("/proc").join(hung.out.trim()).exists(), "it is still there");
    }
}
