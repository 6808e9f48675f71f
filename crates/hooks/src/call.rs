use crate::{Outputs, Problem, Reader};
use model::{Phase, Vmid};
use process::{Child, Program, exec};
use rustix::fs::OFlags;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Puts a begin on record.
pub type Begin<'a> = Box<dyn FnOnce(&Path) -> io::Result<()> + 'a>;

/// A call of a hookscript that is about to be made.
pub struct Call<'a> {
    /// The first argument.
    pub vmid: Vmid,
    /// The second argument.
    pub phase: Phase,
    /// The whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// Where its outputs go; made beforehand.
    pub outputs: Outputs,
    /// Finds the script, in the child, because the storage may hang.
    pub locate: Box<dyn FnOnce() -> Result<PathBuf, Problem> + 'a>,
    /// Puts the begin on record, in the child, right before it becomes the script.
    pub begin: Begin<'a>,
    /// Whether the script is run although its begin cannot be put on record: a stop is never held up.
    pub unrecorded: bool,
}

/// What the child tells before it becomes the script.
#[derive(Serialize, Deserialize)]
enum Report {
    Located(Vec<u8>),
    Failed(Problem),
}

/// A script that was called.
pub struct Running {
    /// The process.
    pub child: Child,
    report: OwnedFd,
    told: Vec<u8>,
}

/// How the call itself went.
#[derive(Debug, PartialEq, Eq)]
pub enum Started {
    /// The child has not become the script yet: its storage may hang.
    NotYet,
    /// The child is the script, from this file.
    Yes(PathBuf),
    /// It could not be run. The file is known where it was found.
    No(Option<PathBuf>, Problem),
}

impl Call<'_> {
    /// Forks the child that becomes the script and returns at once, with the reading ends of its outputs.
    ///
    /// # Errors
    /// Those of fork(2), pipe(2) and of opening the outputs.
    pub fn make(self) -> io::Result<(Running, [Reader; 2])> {
        let readers = self.outputs.readers()?;
        let (report, teller) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        rustix::fs::fcntl_setfl(&report, OFlags::NONBLOCK)?;
        let child = process::fork(move || self.become_script(&teller))?;
        // Both sides do this, so that the group is there whoever comes first.
        let pid = rustix::process::Pid::from_raw(child.id.pid.cast_signed());
        let _ = rustix::process::setpgid(pid, pid);
        Ok((Running { child, report, told: Vec::new() }, readers))
    }

    fn become_script(self, teller: &OwnedFd) -> i32 {
        let tell = |report: &Report| {
            let mut line = serde_json::to_vec(report).unwrap_or_default();
            line.push(b'\n');
            let _ = rustix::io::write(teller, &line);
        };
        let failed = |problem| {
            tell(&Report::Failed(problem));
            127
        };
        let _ = rustix::process::setpgid(None, None);
        let path = match (self.locate)() {
            Ok(path) => path,
            Err(problem) => return failed(problem),
        };
        tell(&Report::Located(path.as_os_str().as_bytes().to_vec()));
        let argv = [path.clone().into_os_string(), self.vmid.to_string().into(), self.phase.as_str().into()];
        let ready = || -> io::Result<Program> {
            let null =
                rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, rustix::fs::Mode::empty())?;
            let [stdout, stderr] = self.outputs.writers()?;
            process::place_fd(&null, 0)?;
            process::place_fd(&stdout, 1)?;
            process::place_fd(&stderr, 2)?;
            process::become_default();
            Program::new(&path, &argv, self.env)
        };
        let program = match ready() {
            Ok(program) => program,
            Err(error) => return failed(Problem::Exec(format!("cannot prepare the call: {error}"))),
        };
        match (self.begin)(&path) {
            Err(error) if !self.unrecorded => return failed(Problem::Unrecorded(error.to_string())),
            _ => {}
        }
        let error = exec(&program);
        let words = argv.map(|word| word.to_string_lossy().into_owned()).join(" ");
        failed(Problem::Exec(format!("open3: exec of {words} failed: {}", reason(&error))))
    }
}

/// The kernel's reason in strerror(3)'s words, without the number that [`io::Error`] adds.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

impl Running {
    /// Readable when the child has something to tell about the call.
    #[must_use]
    pub fn report(&self) -> BorrowedFd<'_> {
        self.report.as_fd()
    }

    /// How the call went, as far as the child has told. Never blocks.
    pub fn started(&mut self) -> Started {
        let mut buffer = [0; 4096];
        let closed = loop {
            match rustix::io::read(&self.report, &mut buffer) {
                Ok(0) => break true,
                Ok(count) => self.told.extend_from_slice(&buffer[..count]),
                Err(Errno::INTR) => {}
                Err(_) => break false,
            }
        };
        let mut located = None;
        for line in self.told.split(|byte| *byte == b'\n') {
            match serde_json::from_slice(line) {
                Ok(Report::Located(path)) => located = Some(PathBuf::from(OsString::from_vec(path))),
                Ok(Report::Failed(problem)) => return Started::No(located, problem),
                Err(_) => {}
            }
        }
        match (closed, located) {
            (true, Some(path)) => Started::Yes(path),
            (true, None) => {
                Started::No(None, Problem::Exec("the call was ended before the script was found".to_owned()))
            }
            (false, _) => Started::NotYet,
        }
    }

    /// Sends a signal to the script and everything in its process group.
    pub fn signal_group(&self, signal: rustix::process::Signal) {
        if let Some(group) = rustix::process::Pid::from_raw(self.child.id.pid.cast_signed()) {
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }
}
