//! The floors: the same programs run without anything around them.
#![expect(unsafe_code, reason = "the hypervisor inherits its listening socket by number, as from a keeper")]

use e2e::output::run;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A command line of QEMU, as it was seen running.
#[derive(Debug)]
pub(crate) struct Machine {
    argv: Vec<String>,
    /// The number under which it expects its monitor's listening socket, if it does not make it itself.
    monitor_fd: Option<RawFd>,
    socket: PathBuf,
}

impl Machine {
    /// Reads the command line of a running QEMU.
    ///
    /// # Panics
    /// If the process does not exist or has no monitor.
    pub(crate) fn of(pid: u32, folder: &Path) -> Self {
        let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).expect("QEMU runs");
        let argv = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
        let argv: Vec<String> = argv.map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        let monitor_fd = argv
            .iter()
            .filter(|word| word.starts_with("socket,"))
            .find_map(|word| word.split(',').find_map(|part| part.strip_prefix("fd=")?.parse().ok()));
        let own = argv
            .iter()
            .filter(|word| word.starts_with("socket,") && word.contains("qmp"))
            .find_map(|word| word.split(',').find_map(|part| part.strip_prefix("path=").map(PathBuf::from)));
        let socket = match monitor_fd {
            Some(_) => folder.join("floor"),
            None => own.expect("QEMU has a monitor"),
        };
        Self { argv, monitor_fd, socket }
    }

    /// Starts it until its first in-band answer, then ends it with `quit`: how long each took.
    ///
    /// # Panics
    /// If it does not start.
    pub(crate) fn start_and_quit(&self) -> (Duration, Duration) {
        let _ = std::fs::remove_file(&self.socket);
        let mut command = Command::new(&self.argv[0]);
        command
            .args(&self.argv[1..])
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let began = Instant::now();
        let listener = self.monitor_fd.map(|number| {
            let listener = UnixListener::bind(&self.socket).expect("a socket can be made");
            let from = listener.as_raw_fd();
            // SAFETY: dup2 is async-signal-safe and touches only the child's table of descriptors; where both
            // numbers are the same, fcntl(2) only clears a flag.
            unsafe {
                command.pre_exec(move || {
                    let done = if from == number {
                        libc::fcntl(from, libc::F_SETFD, 0)
                    } else {
                        libc::dup2(from, number)
                    };
                    if done < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
                });
            }
            listener
        });
        let mut child = command.spawn().expect("QEMU can be started");
        drop(listener);
        let stream = loop {
            match UnixStream::connect(&self.socket) {
                Ok(stream) => break stream,
                Err(_) => {
                    let ended = child.try_wait().ok().flatten();
                    assert!(ended.is_none(), "QEMU ended: {ended:?}");
                    std::thread::sleep(Duration::from_micros(200));
                }
            }
        };
        let mut lines = BufReader::new(stream.try_clone().expect("a descriptor can be copied")).lines();
        let say = |line: &[u8]| (&stream).write_all(line);
        lines.next().expect("a greeting").expect("a greeting");
        say(b"{\"execute\":\"qmp_capabilities\"}\n").expect("the monitor listens");
        lines.next().expect("an answer").expect("an answer");
        // The first command in band is answered when the devices exist, as the keeper has it.
        say(b"{\"execute\":\"query-status\"}\n").expect("the monitor listens");
        lines
            .find(|line| line.as_ref().is_ok_and(|line| line.contains("\"return\"")))
            .expect("an answer")
            .expect("an answer");
        let started = began.elapsed();
        let began = Instant::now();
        say(b"{\"execute\":\"quit\"}\n").expect("the monitor listens");
        child.wait().expect("a child can be waited for");
        (started, began.elapsed())
    }
}

/// A hookscript by plain fork and exec, with pipes on its outputs, until it has ended.
pub(crate) fn hook(script: &Path, vmid: u32, phase: &str) -> Duration {
    let began = Instant::now();
    let output = Command::new(script).args([&vmid.to_string(), phase]).stdin(Stdio::null()).output();
    let took = began.elapsed();
    assert!(output.is_ok_and(|output| output.status.success()), "{} must succeed", script.display());
    took
}

/// A command until it has ended, which it must do well.
pub(crate) fn command(command: &mut Command) -> Duration {
    run(command).ok().took
}
