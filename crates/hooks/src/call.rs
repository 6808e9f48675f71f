use crate::{Outputs, Problem, Reader};
use model::{Limit, Phase, Vmid};
use process::{Child, Program, exec};
use rustix::fs::OFlags;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Finds the script of a call, unless it is passed over.
pub type Locate<'a> = Box<dyn FnOnce() -> Result<Result<PathBuf, NotCalled>, Problem> + 'a>;

/// Finds out how a script wants to be called, unless it does not in this phase.
pub type Prepare<'a> = Box<dyn FnOnce(&Path) -> Result<Result<Prepared, NotCalled>, Problem> + 'a>;

/// A script that is not called in a phase.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotCalled {
    /// What is wrong about that, if anything.
    pub warning: Option<String>,
    /// Whether it names the phase `agent-up`.
    pub agent_up: bool,
}

/// Puts a begin on record.
pub type Begin<'a> = Box<dyn FnOnce(&Path, &Prepared) -> io::Result<()> + 'a>;

/// A call of a hookscript that is about to be made.
pub struct Call<'a> {
    /// The first argument.
    pub vmid: Vmid,
    /// The second argument.
    pub phase: Phase,
    /// The environment, to which [`Prepared::env`] is added.
    pub env: Vec<(OsString, OsString)>,
    /// Where its outputs go; made beforehand.
    pub outputs: Outputs,
    /// Finds the script, in the child, because the storage may hang.
    pub locate: Locate<'a>,
    /// Reads what the script says about itself, in the child, for the same reason.
    pub prepare: Prepare<'a>,
    /// Puts the begin on record, in the child, right before it becomes the script.
    pub begin: Begin<'a>,
    /// Whether the script is run although its begin cannot be put on record: a stop is never held up.
    pub unrecorded: bool,
}

/// How a script is to be called.
#[derive(Debug, Default)]
pub struct Prepared {
    /// What is added to its environment.
    pub env: Vec<(OsString, OsString)>,
    /// How long it may run; none for what the caller has for it.
    pub limit: Option<Limit>,
    /// Whether everything that it forked is ended with it.
    pub tree: bool,
    /// Whether it may be called again where nobody sees how this call ends.
    pub retry: bool,
    /// Whether it names the phase `agent-up`.
    pub agent_up: bool,
    /// The SHA-256 of the file in hexadecimal, where it could be read.
    pub sha256: Option<String>,
    /// The SHA-256 of the guest's configuration, as it is kept.
    pub config: Option<String>,
    /// What is wrong with it and no reason not to call it.
    pub warnings: Vec<String>,
}

/// A script that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Located {
    path: Vec<u8>,
    /// How long it may run, where it says that itself or the host's administrator does.
    pub limit: Option<Limit>,
    /// Whether everything that it forked is ended with it.
    pub tree: bool,
    /// Whether it names the phase `agent-up`.
    pub agent_up: bool,
    /// What is wrong with it and no reason not to call it.
    pub warnings: Vec<String>,
}

impl Located {
    /// One that an earlier keeper found.
    #[must_use]
    pub fn before(path: &Path, limit: Option<Limit>, tree: bool) -> Self {
        Self {
            path: path.as_os_str().as_bytes().to_vec(),
            limit,
            tree,
            agent_up: false,
            warnings: Vec::new(),
        }
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        OsString::from_vec(self.path.clone()).into()
    }
}

/// What the child tells before it becomes the script.
#[derive(Serialize, Deserialize)]
enum Report {
    Located(Located),
    /// Its begin is on record: nothing is left to do but to become it.
    Begun,
    NotCalled(NotCalled),
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
    /// The child is the script.
    Yes(Located),
    /// The script does not want to be called in this phase, or is passed over.
    NotCalled(NotCalled),
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
            Ok(Ok(path)) => path,
            Ok(Err(not_called)) => {
                tell(&Report::NotCalled(not_called));
                return 0;
            }
            Err(problem) => return failed(problem),
        };
        let mut prepared = match (self.prepare)(&path) {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(not_called)) => {
                tell(&Report::NotCalled(not_called));
                return 0;
            }
            Err(problem) => return failed(problem),
        };
        tell(&Report::Located(Located {
            warnings: std::mem::take(&mut prepared.warnings),
            agent_up: prepared.agent_up,
            ..Located::before(&path, prepared.limit, prepared.tree)
        }));
        let argv = [path.clone().into_os_string(), self.vmid.to_string().into(), self.phase.as_str().into()];
        let ready = || -> io::Result<Program> {
            let null =
                rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, rustix::fs::Mode::empty())?;
            let [stdout, stderr] = self.outputs.writers()?;
            process::place_fd(&null, 0)?;
            process::place_fd(&stdout, 1)?;
            process::place_fd(&stderr, 2)?;
            process::become_default();
            Program::new(&path, &argv, self.env.iter().chain(&prepared.env).map(|(key, value)| (key, value)))
        };
        let program = match ready() {
            Ok(program) => program,
            Err(error) => return failed(Problem::Exec(format!("cannot prepare the call: {error}"))),
        };
        match (self.begin)(&path, &prepared) {
            Err(error) if !self.unrecorded => return failed(Problem::Unrecorded(error.to_string())),
            _ => tell(&Report::Begun),
        }
        let error = exec(&program);
        let words = argv.map(|word| word.to_string_lossy().into_owned()).join(" ");
        let hint = interpreter_hint(&path, &error).unwrap_or_default();
        failed(Problem::Exec(format!("open3: exec of {words} failed: {}{hint}", reason(&error))))
    }
}

/// What is missing where a script that is there cannot be executed because something is not.
fn interpreter_hint(path: &Path, error: &io::Error) -> Option<String> {
    if error.kind() != io::ErrorKind::NotFound {
        return None;
    }
    let mut head = Vec::new();
    std::fs::File::open(path).ok()?.take(256).read_to_end(&mut head).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    let interpreter = line.split([' ', '\t']).find(|word| !word.is_empty())?;
    Some(match interpreter.strip_suffix('\r') {
        Some(name) => format!(" (its first line ends in CR: there is no interpreter '{name}\\r')"),
        None => format!(" (there is no interpreter '{interpreter}')"),
    })
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
        let (mut located, mut begun) = (None, false);
        for line in self.told.split(|byte| *byte == b'\n') {
            match serde_json::from_slice(line) {
                Ok(Report::Located(script)) => located = Some(script),
                Ok(Report::Begun) => begun = true,
                Ok(Report::NotCalled(not_called)) => return Started::NotCalled(not_called),
                Ok(Report::Failed(problem)) => {
                    return Started::No(located.map(|script| script.path()), problem);
                }
                Err(_) => {}
            }
        }
        match (closed, located) {
            (true, Some(script)) if begun => Started::Yes(script),
            // Nothing has begun, so none of it goes on record.
            (true, _) => {
                Started::No(None, Problem::Exec("the call was ended before the script began".to_owned()))
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
