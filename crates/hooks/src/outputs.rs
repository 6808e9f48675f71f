use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, mkfifoat, open};
use rustix::pipe::fcntl_setpipe_size;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The two FIFOs that a program writes to.
///
/// The program holds both ends of each: with nobody else there its writes wait in the pipe instead of ending it with
/// SIGPIPE, and a later reader finds them (fifo(7)).
#[derive(Debug, Clone)]
pub struct Outputs {
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Outputs {
    /// The FIFOs called `<name>.out` and `<name>.err` in a folder.
    #[must_use]
    pub fn at(folder: &Path, name: &str) -> Self {
        Self { stdout: folder.join(format!("{name}.out")), stderr: folder.join(format!("{name}.err")) }
    }

    /// Makes them anew. Whoever holds older ones of the same name keeps those.
    ///
    /// # Errors
    /// Those of unlink(2) and mkfifo(3).
    pub fn make(&self) -> io::Result<()> {
        for path in [&self.stdout, &self.stderr] {
            match rustix::fs::unlink(path) {
                Err(error) if error != rustix::io::Errno::NOENT => return Err(error.into()),
                _ => mkfifoat(rustix::fs::CWD, path, Mode::RUSR | Mode::WUSR)?,
            }
        }
        Ok(())
    }

    /// Opens both for reading, standard output first.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn readers(&self) -> io::Result<[Reader; 2]> {
        Ok([Reader::open(&self.stdout)?, Reader::open(&self.stderr)?])
    }

    /// Opens both for the program, standard output first.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn writers(&self) -> io::Result<[OwnedFd; 2]> {
        let writer = |path: &Path| open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
        Ok([writer(&self.stdout)?, writer(&self.stderr)?])
    }

    /// Removes both names; what is open stays open.
    pub fn remove(&self) {
        let _ = rustix::fs::unlink(&self.stdout);
        let _ = rustix::fs::unlink(&self.stderr);
    }
}

/// The reading end of one FIFO. Never blocks.
#[derive(Debug)]
pub struct Reader {
    fd: OwnedFd,
}

/// What a read found.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// This many bytes.
    Bytes(usize),
    /// Nothing now, though somebody may still write.
    Nothing,
    /// Nobody holds it for writing, and nobody has since it was opened here.
    Unheld,
    /// Nobody holds it for writing any more.
    Closed,
}

impl Reader {
    fn open(path: &Path) -> io::Result<Self> {
        let fd = open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
        // Room for what is printed while nobody reads. Unprivileged users may be refused; the default will do then.
        let _ = fcntl_setpipe_size(&fd, 1 << 20);
        Ok(Self { fd })
    }

    /// Reads what is there.
    pub fn read(&self, buffer: &mut [u8]) -> Read {
        match rustix::io::read(&self.fd, buffer) {
            Ok(0) if self.hung_up() => Read::Closed,
            Ok(0) => Read::Unheld,
            Ok(count) => Read::Bytes(count),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Read::Nothing,
            Err(_) => Read::Closed,
        }
    }

    /// Set once somebody who held it for writing has let go.
    fn hung_up(&self) -> bool {
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
        let _ = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        fds[0].revents().contains(PollFlags::HUP)
    }
}

impl AsFd for Reader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
