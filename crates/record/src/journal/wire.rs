use super::Entry;
use rustix::cmsg_space;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags,
    SocketType, connect as connect_socket, sendmsg, socket_with,
};
use std::fs::File;
use std::io::{IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Why a record was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SendError {
    /// The journal has no room now.
    Full,
    /// Nobody is at the other end.
    Gone,
    /// This record cannot be sent at all.
    Refused,
}

/// A socket that is connected to the journal, if it is there.
pub(super) fn connect(path: &Path) -> Option<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None).ok()?;
    connect_socket(&socket, &SocketAddrUnix::new(path).ok()?).ok()?;
    Some(socket)
}

/// Sends a record, by a sealed memory file where it is too large for a datagram.
pub(super) fn send(socket: BorrowedFd<'_>, entry: &Entry) -> Result<(), SendError> {
    let datagram = entry.datagram();
    let sent = match send_datagram(socket, &datagram, &mut SendAncillaryBuffer::default()) {
        Err(Errno::MSGSIZE | Errno::NOBUFS) => memory_file(&datagram).and_then(|file| {
            let fds = [file.as_fd()];
            let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
            let mut ancillary = SendAncillaryBuffer::new(&mut space);
            ancillary.push(SendAncillaryMessage::ScmRights(&fds));
            send_datagram(socket, b"", &mut ancillary)
        }),
        sent => sent,
    };
    sent.map_err(|error| match error {
        Errno::AGAIN => SendError::Full,
        Errno::CONNREFUSED | Errno::NOTCONN | Errno::CONNRESET | Errno::PIPE | Errno::DESTADDRREQ => {
            SendError::Gone
        }
        _ => SendError::Refused,
    })
}

fn send_datagram(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    ancillary: &mut SendAncillaryBuffer<'_, '_, '_>,
) -> Result<(), Errno> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    retry_on_intr(|| sendmsg(socket, &[IoSlice::new(bytes)], ancillary, flags)).map(|_| ())
}

fn memory_file(bytes: &[u8]) -> Result<File, Errno> {
    let fd = memfd_create(c"hookvisor-record", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut file = File::from(fd);
    file.write_all(bytes).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::NOMEM))?;
    fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL)?;
    Ok(file)
}
