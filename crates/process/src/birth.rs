#![expect(unsafe_code, reason = "fork(2) twice, with nothing but async-signal-safe calls in the children")]

use crate::exec::{Program, exec};
use crate::own;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// What a process is born with. It has nothing else of its maker.
pub struct Birth<'a> {
    /// The program.
    pub program: &'a OsStr,
    /// Its arguments, its own name first.
    pub argv: Vec<OsString>,
    /// The whole of its environment.
    pub env: Vec<(OsString, OsString)>,
    /// What becomes its descriptor 3.
    pub socket: OwnedFd,
    /// A lock that becomes its descriptor 4, where its maker hands one over.
    pub lock: Option<OwnedFd>,
    /// Whether it has its maker's oom score, which one keeper hands to the next.
    pub keeps_oom_score: bool,
}

/// Bears a process in a session of its own: descriptors 0 to 2 are `/dev/null`, 3 and 4 are the given ones, no other; umask 022,
/// default signals, limits and oom score, cwd `/`, nobody's child. May be called from a process with threads.
///
/// # Errors
/// Those of fork(2); where the program itself cannot be executed the other end of the socket is closed unanswered.
pub fn birth(birth: &Birth<'_>) -> io::Result<()> {
    let program = Program::new(birth.program, &birth.argv, birth.env.iter().map(|(k, v)| (k, v)))?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let (null, socket) = (null.as_raw_fd(), birth.socket.as_raw_fd());
    let lock = birth.lock.as_ref().map_or(-1, AsRawFd::as_raw_fd);
    // SAFETY: both children make system calls on values prepared above and nothing else until they exec or exit.
    unsafe {
        let first = libc::fork();
        if first == -1 {
            return Err(io::Error::last_os_error());
        }
        if first == 0 {
            libc::setsid();
            let second = libc::fork();
            if second == 0 {
                // Out of the way of 0 to 4, which are about to be replaced.
                let high = libc::fcntl(socket, libc::F_DUPFD, 10);
                let high_lock = libc::fcntl(lock, libc::F_DUPFD, 10);
                libc::dup2(null, 0);
                libc::dup2(null, 1);
                libc::dup2(null, 2);
                libc::dup2(high, 3);
                let kept = if libc::dup2(high_lock, 4) == 4 { 5 } else { 4 };
                libc::close_range(kept, libc::c_uint::MAX, 0);
                libc::umask(0o022);
                libc::chdir(c"/".as_ptr());
                own::reset_signals();
                own::reset_limits();
                let score = match birth.keeps_oom_score {
                    true => -1,
                    false => libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY),
                };
                if score >= 0 {
                    libc::write(score, c"0".as_ptr().cast(), 1);
                    libc::close(score);
                }
                let _ = exec(&program);
                libc::_exit(127);
            }
            libc::_exit(i32::from(second == -1));
        }
        let mut status = 0;
        while libc::waitpid(first, &raw mut status, 0) == -1
            && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
        {}
        if status == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EAGAIN)) }
    }
}
