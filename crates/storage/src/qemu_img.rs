//! Running `qemu-img`, with bounds on its time and its output.

use crate::StorageError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = "qemu-img";
const PACKAGE: &str = "qemu-utils";

/// As much of its output as is kept.
const KEPT: usize = 256 << 10;

/// Runs `qemu-img` and returns what it wrote to standard output.
///
/// `action` and `path` are for the error: what it was run for. It is killed when it takes longer than `limit`.
pub(crate) fn qemu_img<S: AsRef<OsStr>>(
    args: impl IntoIterator<Item = S>,
    limit: Option<Duration>,
    action: &'static str,
    path: &Path,
) -> Result<Vec<u8>, StorageError> {
    run(Command::new(PROGRAM).args(args), limit, action, path)
}

fn run(
    command: &mut Command,
    limit: Option<Duration>,
    action: &'static str,
    path: &Path,
) -> Result<Vec<u8>, StorageError> {
    let failed = |why: String| StorageError::Program { action, path: path.to_owned(), program: PROGRAM, why };
    let spawned =
        command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => StorageError::NoProgram { program: PROGRAM, package: PACKAGE, source },
        _ => failed(source.to_string()),
    })?;
    let mut stdout = Vec::new();
    let mut stderr = Vec::new();
    let ended = collect(&mut child, &mut stdout, &mut stderr, limit.map(|limit| Instant::now() + limit));
    if !matches!(ended, Ok(Some(_))) {
        // Already gone is as good.
        drop(child.kill());
        drop(child.wait());
    }
    match ended.map_err(|error| failed(error.to_string()))? {
        Some(status) if status.success() => Ok(stdout),
        Some(status) => {
            let text = String::from_utf8_lossy(&stderr);
            let text = text.trim().trim_start_matches("qemu-img: ").replace('\n', " ");
            Err(failed(if text.is_empty() { format!("failed: {status}") } else { format!("failed: {text}") }))
        }
        None => Err(failed(format!("took longer than {} s", limit.unwrap_or_default().as_secs()))),
    }
}

/// Reads both outputs to their ends, keeping what fits; none where the time is over first.
fn collect(
    child: &mut Child,
    stdout: &mut Vec<u8>,
    stderr: &mut Vec<u8>,
    deadline: Option<Instant>,
) -> io::Result<Option<ExitStatus>> {
    let mut out = child.stdout.take();
    let mut err = child.stderr.take();
    while out.is_some() || err.is_some() {
        let left = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
            Some(Duration::ZERO) => return Ok(None),
            left => left,
        };
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let (out_ready, err_ready) = {
            let mut fds = Vec::with_capacity(2);
            fds.extend(out.as_ref().map(|pipe| PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)));
            fds.extend(err.as_ref().map(|pipe| PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)));
            match poll(&mut fds, left.as_ref()) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
            (out.is_some() && ready.next() == Some(true), err.is_some() && ready.next() == Some(true))
        };
        if out_ready && !read_some(out.as_mut(), stdout)? {
            out = None;
        }
        if err_ready && !read_some(err.as_mut(), stderr)? {
            err = None;
        }
    }
    child.wait().map(Some)
}

/// Reads once from a pipe that has something; whether there may be more.
fn read_some(pipe: Option<&mut impl Read>, kept: &mut Vec<u8>) -> io::Result<bool> {
    let Some(pipe) = pipe else { return Ok(false) };
    let mut buffer = [0; 8192];
    match pipe.read(&mut buffer) {
        Ok(0) => Ok(false),
        Ok(count) => {
            let room = KEPT.saturating_sub(kept.len()).min(count);
            kept.extend_from_slice(&buffer[..room]);
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Option<Duration>) -> Result<Vec<u8>, String> {
        let mut command = Command::new("/bin/sh");
        run(command.args(["-c", script]), limit, "unable to read image", Path::new("/a.raw"))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn output_is_bounded_and_failures_are_told() {
        assert_eq!(shell("echo out; echo err >&2", None), Ok(b"out\n".to_vec()));
        assert_eq!(
            shell("head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2", None).unwrap().len(),
            KEPT
        );
        assert_eq!(
            shell("echo qemu-img: no such thing >&2; exit 1", None),
            Err("unable to read image '/a.raw': qemu-img failed: no such thing".to_owned())
        );
        assert_eq!(
            shell("exit 3", None),
            Err("unable to read image '/a.raw': qemu-img failed: exit status: 3".to_owned())
        );
    }

    #[test]
    fn a_program_that_hangs_is_killed() {
        let start = Instant::now();
        let limit = Duration::from_millis(200);
        assert_eq!(
            shell("exec sleep 60", Some(limit)),
            Err("unable to read image '/a.raw': qemu-img took longer than 0 s".to_owned())
        );
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_missing_program_names_its_package() {
        let mut command = Command::new("/nonexistent/qemu-img");
        let error = run(&mut command, None, "unable to create image", Path::new("/a.raw")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("unable to run 'qemu-img', which comes with the package 'qemu-utils': ")
        );
    }
}
