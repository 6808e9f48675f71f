//! Unix sockets by path, also where the path is longer than the kernel takes.
//!
//! `sun_path` of unix(7) holds 107 bytes and a zero. A longer path is reached through its folder, opened and named by
//! `/proc/self/fd`.

use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

/// The longest path, in bytes, that a socket's address holds.
pub const LONGEST: usize = 107;

/// Connects to the socket at `path`; the result blocks or not as `flags` say.
///
/// # Errors
/// Those of connect(2): `ConnectionRefused` where nobody listens, `NotFound` where there is no socket.
pub fn connect(path: &Path, flags: SocketFlags) -> io::Result<OwnedFd> {
    let socket = stream(flags)?;
    at(path, |address| rustix::net::connect(&socket, address))?;
    Ok(socket)
}

/// Makes a socket at `path` that listens, in place of whatever socket is there.
///
/// # Errors
/// Those of unlink(2), bind(2) and listen(2).
pub fn listen(path: &Path) -> io::Result<OwnedFd> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = stream(SocketFlags::CLOEXEC)?;
    at(path, |address| rustix::net::bind(&socket, address))?;
    rustix::net::listen(&socket, 16)?;
    Ok(socket)
}

fn stream(flags: SocketFlags) -> rustix::io::Result<OwnedFd> {
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags | SocketFlags::CLOEXEC, None)
}

fn at(path: &Path, act: impl Fn(&SocketAddrUnix) -> rustix::io::Result<()>) -> io::Result<()> {
    if path.as_os_str().len() <= LONGEST {
        return Ok(act(&SocketAddrUnix::new(path)?)?);
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let folder = rustix::fs::open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let short = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
    Ok(act(&SocketAddrUnix::new(short)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_below_a_long_path_is_made_and_reached() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("long".repeat(40));
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("monitor");
        assert!(path.as_os_str().len() > LONGEST);
        assert_eq!(connect(&path, SocketFlags::empty()).unwrap_err().kind(), io::ErrorKind::NotFound);
        let listener = listen(&path).unwrap();
        connect(&path, SocketFlags::empty()).unwrap();
        drop(listener);
        assert_eq!(
            connect(&path, SocketFlags::empty()).unwrap_err().kind(),
            io::ErrorKind::ConnectionRefused
        );
        listen(&path).unwrap();
    }
}
