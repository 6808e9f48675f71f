use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, mkfifoat, open};
use rustix::pipe::fcntl_setpipe_size;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The two FIFOs that a program writes to.
///
/// The program holds both ends of each: with nobody else there its writes wait in the pipe instead of ending it with
/// SIGPIPE, and a later reader finds them (fifo(7)).
#[derive(Debug)]
pub struct Outputs {
    place: Place,
}

#[derive(Debug)]
enum Place {
    Named([PathBuf; 2]),
    Nameless([Pipe; 2]),
}

#[derive(Debug)]
struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

impl Outputs {
    /// The FIFOs called `<name>.out` and `<name>.err` in a folder.
    #[must_use]
    pub fn at(folder: &Path, name: &str) -> Self {
        let path = |suffix| folder.join(format!("{name}.{suffix}"));
        Self { place: Place::Named([path("out"), path("err")]) }
    }

    /// Two pipes, for a call that must be made although no FIFO can be: no other process finds them later.
    ///
    /// # Errors
    /// Those of pipe(2).
    pub fn nameless() -> io::Result<Self> {
        let pipe = || -> io::Result<Pipe> {
            let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
            Ok(Pipe { read, write })
        };
        Ok(Self { place: Place::Nameless([pipe()?, pipe()?]) })
    }

    /// Makes them anew. Whoever holds older ones of the same name keeps those.
    ///
    /// # Errors
    /// Those of unlink(2) and mkfifo(3).
    pub fn make(&self) -> io::Result<()> {
        let Place::Named(paths) = &self.place else { return Ok(()) };
        for path in paths {
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
        match &self.place {
            Place::Named([stdout, stderr]) => Ok([Reader::open(stdout)?, Reader::open(stderr)?]),
            Place::Nameless([stdout, stderr]) => Ok([Reader::of(&stdout.read)?, Reader::of(&stderr.read)?]),
        }
    }

    /// Opens both for the program, standard output first.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn writers(&self) -> io::Result<[OwnedFd; 2]> {
        let both_ends = |path: &Path| open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
        let writer = |pipe: &Pipe| -> io::Result<OwnedFd> {
            let name = format!("/proc/self/fd/{}", pipe.read.as_raw_fd());
            both_ends(Path::new(&name)).or_else(|_| Ok(rustix::io::fcntl_dupfd_cloexec(&pipe.write, 3)?))
        };
        match &self.place {
            Place::Named([stdout, stderr]) => Ok([both_ends(stdout)?, both_ends(stderr)?]),
            Place::Nameless([stdout, stderr]) => Ok([writer(stdout)?, writer(stderr)?]),
        }
    }

    /// Removes both names; what is open stays open.
    pub fn remove(&self) {
        let Place::Named(paths) = &self.place else { return };
        for path in paths {
            let _ = rustix::fs::unlink(path);
        }
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
        Self::with(open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?)
    }

    fn of(pipe: &OwnedFd) -> io::Result<Self> {
        let fd = rustix::io::fcntl_dupfd_cloexec(pipe, 3)?;
        rustix::fs::fcntl_setfl(&fd, OFlags::NONBLOCK)?;
        Self::with(fd)
    }

    fn with(fd: OwnedFd) -> io::Result<Self> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_until_the_last_writer_is_gone_with_or_without_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let named = Outputs::at(folder.path(), "pre-stop.1");
        named.make().unwrap();
        for outputs in [named, Outputs::nameless().unwrap()] {
            let [out, err] = outputs.readers().unwrap();
            let [to_out, to_err] = outputs.writers().unwrap();
            // Once the call is made only the program holds the writing ends.
            drop(outputs);
            let mut buffer = [0; 16];
            assert_eq!(out.read(&mut buffer), Read::Nothing);
            rustix::io::write(&to_out, b"out").unwrap();
            rustix::io::write(&to_err, b"error").unwrap();
            assert_eq!((out.read(&mut buffer), &buffer[..3]), (Read::Bytes(3), &b"out"[..]));
            drop((to_out, to_err));
            assert_eq!(out.read(&mut buffer), Read::Closed);
            assert_eq!((err.read(&mut buffer), &buffer[..5]), (Read::Bytes(5), &b"error"[..]));
            assert_eq!(err.read(&mut buffer), Read::Closed);
        }
    }
}
