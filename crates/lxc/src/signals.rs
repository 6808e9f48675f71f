//! What LXC's hooks report to the keeper.
//!
//! Each report is a line in a file, which lasts while no keeper lives, and then a byte in a FIFO, which wakes the one
//! that does. The shell that LXC runs a hook with writes both by itself, so no further program is executed. The FIFO
//! is opened for reading and writing on both sides, so neither ever waits for the other.

use crate::Paths;
use crate::quote::shell;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
use std::fs;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A report of LXC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Everything is set up and init is about to be executed: the container is ready.
    Started {
        /// Init's pid on the host.
        init_pid: u32,
    },
    /// The container has ended, or its start has failed.
    Stopped {
        /// What its end was meant for.
        target: Target,
    },
}

/// What a container's end is meant for, `LXC_TARGET`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// It has powered itself off, was killed, or never came up.
    Stop,
    /// It asked to be restarted. lxc-start has been told not to do so itself.
    Reboot,
}

impl Signal {
    fn parse(line: &str) -> Option<Self> {
        match line.split_once(' ')? {
            ("started", pid) => Some(Self::Started { init_pid: pid.parse().ok()? }),
            ("stopped", "stop") => Some(Self::Stopped { target: Target::Stop }),
            ("stopped", "reboot") => Some(Self::Stopped { target: Target::Reboot }),
            _ => None,
        }
    }
}

/// The reading side, to be opened before the launch.
#[derive(Debug)]
pub struct Signals {
    file: fs::File,
    wake: OwnedFd,
    at: u64,
}

impl Signals {
    /// Begins a new start: reports of an earlier one are dropped.
    ///
    /// # Errors
    /// Those of making the file and the FIFO in the run's folder, which must exist.
    pub fn create(paths: &Paths) -> io::Result<Self> {
        for path in [&paths.signals, &paths.wake] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, &paths.wake, FileType::Fifo, mode, 0)?;
        open(&paths.signals, OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC, mode)?;
        Self::open(paths)
    }

    /// Goes on with a start that another keeper made: [`Signals::read`] gives all its reports again.
    ///
    /// # Errors
    /// Where the files of that start are not there.
    pub fn open(paths: &Paths) -> io::Result<Self> {
        let wake = open(&paths.wake, OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { file: fs::File::open(&paths.signals)?, wake, at: 0 })
    }

    /// Readable when there may be reports.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// The reports since the last call.
    ///
    /// # Errors
    /// Those of reading.
    pub fn read(&mut self) -> io::Result<Vec<Signal>> {
        let mut wakes = [0; 64];
        while matches!(rustix::io::read(&self.wake, &mut wakes), Ok(count) if count > 0) {}
        let mut new = String::new();
        self.file.seek(SeekFrom::Start(self.at))?;
        (&self.file).take(64 << 10).read_to_string(&mut new)?;
        let whole = new.rfind('\n').map_or(0, |end| end + 1);
        self.at += whole as u64;
        Ok(new[..whole].lines().filter_map(Signal::parse).collect())
    }
}

/// The hooks of LXC's configuration that make the reports.
///
/// LXC runs `exec <value> <name> lxc <type>` in a shell. The leading redirection keeps `exec` from replacing that shell,
/// and the trailing `:` takes the arguments.
pub(crate) fn hooks(paths: &Paths) -> [(&'static str, String); 2] {
    let (signals, wake) = (shell(&paths.signals), shell(&paths.wake));
    let report = |line: &str| format!(">/dev/null; echo \"{line}\" >>{signals}; echo 1<>{wake}; :");
    [
        ("lxc.hook.start-host", report("started $LXC_PID")),
        ("lxc.hook.post-stop", report("stopped $LXC_TARGET")),
    ]
}

/// The last hook: it fails on a reboot, which makes lxc-start end instead of starting the container again.
pub(crate) const NO_REBOOT: (&str, &str) =
    ("lxc.hook.post-stop", ">/dev/null; test \"$LXC_TARGET\" != reboot && :");

#[cfg(test)]
mod tests {
    use super::*;
    use model::Layout;
    use std::io::Write;
    use std::process::Command;

    #[test]
    fn a_report_wakes_the_reader_and_lasts_for_its_successor() {
        let root = tempfile::tempdir().unwrap();
        // The name needs quoting in the shell.
        let layout = Layout::new(root.path().join("it's a $root"));
        let paths = Paths::new(&layout, "100".parse().unwrap());
        fs::create_dir_all(layout.run_guest("100".parse().unwrap())).unwrap();
        let mut signals = Signals::create(&paths).unwrap();
        assert_eq!(signals.read().unwrap(), []);
        for (hook, (name, value)) in [("start-host", &hooks(&paths)[0]), ("post-stop", &hooks(&paths)[1])] {
            assert_eq!(*name, format!("lxc.hook.{hook}"));
            let line = format!("exec {value} 100 lxc {hook}");
            let mut run = Command::new("/bin/sh");
            run.args(["-c", &line]).env("LXC_PID", "4711").env("LXC_TARGET", "reboot");
            assert!(run.status().unwrap().success());
        }
        let mut polled = [rustix::event::PollFd::new(&signals.wake, rustix::event::PollFlags::IN)];
        assert_eq!(rustix::event::poll(&mut polled, None).unwrap(), 1);
        let both = [Signal::Started { init_pid: 4711 }, Signal::Stopped { target: Target::Reboot }];
        assert_eq!(signals.read().unwrap(), both);
        assert_eq!(signals.read().unwrap(), []);
        assert_eq!(Signals::open(&paths).unwrap().read().unwrap(), both);
        assert_eq!(Signals::create(&paths).unwrap().read().unwrap(), []);
    }

    #[test]
    fn a_line_counts_once_it_is_whole() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let paths = Paths::new(&layout, "100".parse().unwrap());
        fs::create_dir_all(layout.run_guest("100".parse().unwrap())).unwrap();
        let mut signals = Signals::create(&paths).unwrap();
        let mut file = fs::File::options().append(true).open(&paths.signals).unwrap();
        file.write_all(b"started 12").unwrap();
        assert_eq!(signals.read().unwrap(), []);
        file.write_all(b"3\nnonsense\n").unwrap();
        assert_eq!(signals.read().unwrap(), [Signal::Started { init_pid: 123 }]);
    }

    #[test]
    fn the_last_hook_fails_on_a_reboot_alone() {
        for (target, code) in [("stop", 0), ("reboot", 1)] {
            let line = format!("exec {} 100 lxc post-stop", NO_REBOOT.1);
            let run = Command::new("/bin/sh").args(["-c", &line]).env("LXC_TARGET", target).status().unwrap();
            assert_eq!(run.code(), Some(code), "{target}");
        }
    }
}
