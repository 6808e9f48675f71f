//! Passwords of the realm `pam`: checked by a helper process, because modules of PAM may block, fork or crash.

pub(crate) mod helper;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long a check may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The most bytes that a helper's reason may have.
const REASON: u64 = 4096;

/// Whether a password is a user's; else the reason, which is for the record alone.
pub(crate) fn check(helper: &Path, user: &str, password: &str) -> Result<(), String> {
    check_within(helper, user, password, LIMIT)
}

fn check_within(helper: &Path, user: &str, password: &str, limit: Duration) -> Result<(), String> {
    // The line's end separates the two, and NUL ends both for PAM.
    if user.contains(['\n', '\0']) || password.contains('\0') {
        return Err("a character that no name or password has".to_owned());
    }
    let failed = |error: &dyn std::fmt::Display| format!("cannot check the password: {error}");
    let mut child = Command::new(helper)
        .arg("pam-helper")
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .current_dir("/")
        .spawn()
        .map_err(|error| failed(&error))?;
    // A helper that does not read ends as one that takes too long: what is written fits into a pipe or was refused before.
    let request = format!("{user}\n{password}");
    let told = match child.stdin.take() {
        Some(mut stdin) if request.len() <= 4096 => stdin.write_all(request.as_bytes()),
        _ => Err(std::io::Error::other("name and password are too long")),
    };
    let ended = told.map_err(|error| failed(&error)).and_then(|()| wait(&child, limit));
    if ended.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| failed(&error))?;
    ended?;
    let mut reason = String::new();
    if let Some(stdout) = child.stdout.take() {
        let _ = stdout.take(REASON).read_to_string(&mut reason);
    }
    match status.code() {
        Some(0) => Ok(()),
        Some(_) => Err(reason.trim().to_owned()),
        None => Err(failed(&status)),
    }
}

/// Waits for a child's end, at most this long.
fn wait(child: &Child, limit: Duration) -> Result<(), String> {
    let failed = |error: rustix::io::Errno| format!("cannot wait for the helper: {error}");
    let pid = Pid::from_child(child);
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(failed)?;
    let begun = std::time::Instant::now();
    loop {
        let left = limit.saturating_sub(begun.elapsed());
        let left = Timespec::try_from(left).map_err(|_| "the limit is too long".to_owned())?;
        match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&left)) {
            Ok(0) => return Err(format!("it took longer than {} s", limit.as_secs())),
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    /// A script that is being written must not be inherited by another's fork: it could not be executed.
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());

    /// What a helper that is a shell script makes of it.
    fn asked(script: &str, password: &str) -> Result<(), String> {
        let _one = ONE_AT_A_TIME.lock();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("helper");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        check_within(&path, "ann", password, Duration::from_secs(1))
    }

    #[test]
    fn the_helper_decides_within_its_limit() {
        let compare =
            "[ \"$1\" = pam-helper ] && [ \"$(cat)\" = \"ann\nsecret\" ] || { echo refused; exit 1; }";
        assert_eq!(asked(compare, "secret"), Ok(()));
        assert_eq!(asked(compare, "Secret"), Err("refused".to_owned()));
        assert_eq!(asked("exec sleep 60", "secret"), Err("it took longer than 1 s".to_owned()));
        assert!(asked("kill -9 $$", "secret").unwrap_err().contains("cannot check"));
        assert!(asked("exit 0", &"x".repeat(70_000)).is_err());
        assert!(asked("exit 0", "a\0b").is_err());
    }

    #[test]
    fn a_helper_that_prints_without_end_is_not_waited_for() {
        assert!(asked("while :; do echo x; done", "secret").unwrap_err().contains("longer"));
    }

    #[test]
    fn one_that_is_not_there_lets_nobody_in() {
        assert!(check(Path::new("/nonexistent"), "ann", "secret").unwrap_err().contains("cannot check"));
    }
}
