//! What a process changes about itself before it executes a program.
#![expect(unsafe_code, reason = "signal dispositions, resource limits and descriptor numbers")]

use crate::id;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Sets every signal to its default and blocks none, so that the program starts as from a fresh shell.
pub fn reset_signals() {
    // SAFETY: plain system calls on values of this frame; signals that cannot be changed are refused harmlessly.
    unsafe {
        for signal in 1..=libc::SIGRTMAX() {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Sets the resource limits that a caller may have lowered (`ulimit`) to what a service gets, setrlimit(2).
pub fn reset_limits() {
    const NONE: libc::rlim_t = libc::RLIM_INFINITY;
    let limits = [
        (libc::RLIMIT_CPU, NONE, NONE),
        (libc::RLIMIT_FSIZE, NONE, NONE),
        (libc::RLIMIT_DATA, NONE, NONE),
        (libc::RLIMIT_STACK, 8 << 20, NONE),
        (libc::RLIMIT_CORE, 0, NONE),
        (libc::RLIMIT_AS, NONE, NONE),
        (libc::RLIMIT_NOFILE, 1024, 524_288),
    ];
    for (resource, rlim_cur, rlim_max) in limits {
        let limit = libc::rlimit { rlim_cur, rlim_max };
        // SAFETY: the pointer is to a value of this frame. A refusal leaves the limit as it was.
        unsafe { libc::setrlimit(resource, &raw const limit) };
    }
}

/// Begins a session of its own, setsid(2): signals to the terminal's or the keeper's group do not reach it.
pub fn set_session() {
    let _ = rustix::process::setsid();
}

/// What every child gets: default signals, umask 022, cwd `/`, an oom score that is not its parent's.
pub fn become_default() {
    reset_signals();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let _ = rustix::process::chdir("/");
    let _ = std::fs::write("/proc/self/oom_score_adj", "0");
}

/// The file of the program that this process runs; where another version has been installed in its place, that one.
///
/// # Errors
/// Those of readlink(2).
pub fn own_program() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    // As /proc has it of a file without a name, proc_pid_exe(5).
    let replaced = path.as_os_str().as_bytes().strip_suffix(b" (deleted)");
    Ok(replaced.map(|name| PathBuf::from(OsStr::from_bytes(name))).unwrap_or(path))
}

/// Makes `fd` this process's descriptor `number` for the program to come.
///
/// # Errors
/// Those of dup2(2).
pub fn place_fd(fd: impl AsFd, number: i32) -> io::Result<()> {
    let raw = fd.as_fd().as_raw_fd();
    // SAFETY: plain system calls on descriptor numbers; nothing in this process owns `number`, which the caller vouches for
    // by executing a program next.
    let done =
        unsafe { if raw == number { libc::fcntl(raw, libc::F_SETFD, 0) } else { libc::dup2(raw, number) } };
    if done == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The processes of a process group, apart from `except`, with their names.
#[must_use]
pub fn group_members(group: u32, except: u32) -> Vec<(model::ProcessId, String)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != except && id::group(*pid) == Some(group))
        .filter_map(|pid| {
            let process = id::lookup(pid).filter(|process| id::alive(*process))?;
            let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
            Some((process, comm.trim_end().to_owned()))
        })
        .collect()
}
