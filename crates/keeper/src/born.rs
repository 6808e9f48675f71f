//! How a keeper comes into the world: as a unit of systemd's where that watches over the host, else in a session of its own.
//!
//! systemd starts a program and nothing more, so whoever wants a keeper lays a socket into a *cradle*, a folder that all
//! keepers know, has the unit started, and waits for a connection there: it is the newborn's first one, and the run lock goes
//! over it where there is one to hand over. A unit that runs already starts nobody, as for a moment after a run has ended;
//! then it is asked for again.

use crate::client::ClientError;
use crate::keep::keep;
use crate::next;
use crate::protocol::{Asked, Request, line};
use model::{Layout, Vmid};
use process::{Birth, birth};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use sd_notify::NotifyState;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use supervision::Supervision;

/// How long a unit that is asked for may take before it is asked for again: long enough for one that starts, short for one
/// that was just ending.
const AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// How long systemd may take to start a keeper before it is borne without it.
const LIMIT: Duration = Duration::from_secs(20);

/// How long a keeper that nobody asked waits for the run lock, which a client has that is about to ask.
const LOCK_LIMIT: Duration = Duration::from_secs(10);

/// Whether this process is a keeper that systemd watches.
static WATCHED: AtomicBool = AtomicBool::new(false);

/// A keeper that has just been born, ready for its first request. It takes the run lock itself where it is not given.
///
/// # Errors
/// Where no process can be made.
pub(crate) fn born(layout: &Layout, vmid: Vmid, lock: Option<File>) -> Result<UnixStream, ClientError> {
    let failed = |source| ClientError::Birth { vmid, source };
    // A keeper that is watched is followed by its own child, in the same unit.
    if !is_watched() && Supervision::of(layout) == Supervision::Systemd {
        match Cradle::new(layout, vmid).map_err(failed)?.wait(layout, vmid, lock.as_ref()) {
            Ok(stream) => return Ok(stream),
            Err(why) => tell(layout, vmid, &why),
        }
    }
    in_session(layout, vmid, lock).map_err(failed)
}

/// Whether systemd watches this process.
pub(crate) fn is_watched() -> bool {
    WATCHED.load(Ordering::Relaxed)
}

/// From now on systemd watches this process, if it does not yet: it is what the unit stands for.
pub fn be_watched() {
    WATCHED.store(true, Ordering::Relaxed);
    let _ = sd_notify::notify(&[NotifyState::MainPid(std::process::id())]);
}

/// A line in `systemctl status`.
pub(crate) fn show(status: &str) {
    if is_watched() {
        let _ = sd_notify::notify(&[NotifyState::Status(status)]);
    }
}

/// That a guest's keeper is not watched is on record.
fn tell(layout: &Layout, vmid: Vmid, why: &str) {
    use record::journal::{Entry, IDENTIFIER, Priority};
    let text = format!("the keeper of {vmid} lives without systemd, which does not start it: {why}");
    if let Ok(mut journal) = record::Journal::open(layout) {
        let entry = Entry::new(Priority::Notice, IDENTIFIER, text).field("GUEST_VMID", vmid.to_string());
        journal.send(entry);
        journal.close(Duration::from_secs(1));
    }
}

/// A keeper in a session of its own, and where this process is one that is watched, in its unit.
fn in_session(layout: &Layout, vmid: Vmid, lock: Option<File>) -> io::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    let program = process::own_program()?;
    let mut argv = ["hookvisor", "keeper", &vmid.to_string()].map(OsString::from).to_vec();
    let mut env = vec![("PATH".into(), crate::environment::PATH.into())];
    let mut inherited = vec!["HOOKVISOR_JOURNAL"];
    if is_watched() {
        argv.push("--watched".into());
        inherited.push("NOTIFY_SOCKET");
    }
    env.extend(inherited.into_iter().filter_map(|key| Some((key.into(), std::env::var_os(key)?))));
    env.push(("HOOKVISOR_ROOT".into(), layout.root().into()));
    let lock = lock.map(Into::into);
    let program = program.as_os_str();
    birth(&Birth { program, argv, env, socket: theirs.into(), lock, keeps_oom_score: is_watched() })?;
    Ok(ours)
}

/// A keeper that systemd starts: whoever waits for it at a cradle is served, else what a dead one left is gone on with. Returns
/// the exit code.
#[must_use]
pub fn keep_watched(layout: Layout, vmid: Vmid) -> i32 {
    be_watched();
    let deadline = Instant::now() + LOCK_LIMIT;
    loop {
        if let Some((first, lock)) = waiting(&layout, vmid) {
            return kept(layout, vmid, first, lock);
        }
        if !crate::client::is_unfinished(&layout, vmid) && next::read(&layout, vmid).is_none() {
            let what = format!("nothing to keep: 'qm start {vmid}' or 'pct start {vmid}' starts the guest");
            eprintln!("{what}");
            show(&what);
            return 0;
        }
        let lock = File::options().create(true).append(true).open(layout.run_lock(vmid));
        if let Some(lock) = lock.ok().filter(|lock| lock.try_lock().is_ok()) {
            return match asks_for_recovery() {
                Ok(first) => kept(layout, vmid, first, Some(lock)),
                Err(_) => 1,
            };
        }
        if UnixStream::connect(layout.control_socket(vmid)).is_ok() || Instant::now() >= deadline {
            let what = format!("another keeper keeps {vmid}");
            eprintln!("{what}");
            show(&what);
            return 0;
        }
        // Whoever has the lock is about to lay a socket into the cradle, or to listen.
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Keeps the guest. That a start is refused is for who asked; the unit fails where a run is left that nobody can go on with.
fn kept(layout: Layout, vmid: Vmid, first: UnixStream, lock: Option<File>) -> i32 {
    let code = keep(layout.clone(), vmid, first, lock);
    if crate::client::is_unfinished(&layout, vmid) { code } else { 0 }
}

/// A first connection by which nobody waits for an answer.
fn asks_for_recovery() -> io::Result<UnixStream> {
    let (mut ours, theirs) = UnixStream::pair()?;
    ours.write_all(&line(&Asked { callers: Vec::new(), request: Request::Recover { hook_limit: None } }))?;
    Ok(theirs)
}

/// Where one who wants a keeper waits for it.
struct Cradle {
    path: PathBuf,
    listener: UnixListener,
}

impl Cradle {
    fn new(layout: &Layout, vmid: Vmid) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = layout.cradles();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let (pid, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = folder.join(format!("{vmid}.{pid}.{count}"));
        // Of an earlier process with this pid.
        let _ = fs::remove_file(&path);
        Ok(Self { listener: UnixListener::bind(&path)?, path })
    }

    /// Has the keeper started and waits for it. A connection that is closed tells that another keeper keeps the guest.
    fn wait(&self, layout: &Layout, vmid: Vmid, lock: Option<&File>) -> Result<UnixStream, String> {
        let text = |error: io::Error| error.to_string();
        let deadline = Instant::now() + LIMIT;
        loop {
            supervision::start_keeper(vmid).map_err(|error| crate::keeper::told(&error))?;
            let mut polled = [PollFd::new(&self.listener, PollFlags::IN)];
            if poll(&mut polled, Some(&AGAIN)).is_ok_and(|ready| ready > 0) {
                let (stream, _) = self.listener.accept().map_err(text)?;
                hand_over(&stream, lock).map_err(text)?;
                return Ok(stream);
            }
            if lock.is_none() && UnixStream::connect(layout.control_socket(vmid)).is_ok() {
                return UnixStream::pair().map(|(ours, _)| ours).map_err(text);
            }
            if Instant::now() >= deadline {
                return Err(format!("it has not begun within {} s", LIMIT.as_secs()));
            }
        }
    }
}

impl Drop for Cradle {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The first who waits for a keeper of this guest, and the run lock that comes with it.
fn waiting(layout: &Layout, vmid: Vmid) -> Option<(UnixStream, Option<File>)> {
    let prefix = format!("{vmid}.");
    fs::read_dir(layout.cradles()).ok()?.flatten().find_map(|entry| {
        entry.file_name().to_str()?.strip_prefix(&prefix)?;
        let stream = UnixStream::connect(entry.path());
        if stream.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            // Who laid it there has died.
            let _ = fs::remove_file(entry.path());
        }
        let stream = stream.ok()?;
        let lock = take_over(&stream).ok()?;
        Some((stream, lock))
    })
}

/// Sends a byte, and the lock with it.
fn hand_over(stream: &UnixStream, lock: Option<&File>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let lock = lock.map(AsFd::as_fd);
    if let Some(lock) = &lock {
        control.push(SendAncillaryMessage::ScmRights(std::slice::from_ref(lock)));
    }
    rustix::net::sendmsg(stream, &[IoSlice::new(b"\n")], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Reads that byte, and takes the lock.
fn take_over(stream: &UnixStream) -> io::Result<Option<File>> {
    // Who listens and does not accept has given up waiting.
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let iov = &mut [IoSliceMut::new(&mut byte)];
    let read = rustix::net::recvmsg(stream, iov, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    if read.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut files = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    Ok(files.next().map(File::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_at_a_cradle_is_found_and_hands_the_lock_over() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let vmid: Vmid = "100".parse().unwrap();
        let other = Cradle::new(&layout, "1001".parse().unwrap()).unwrap();
        // One whose owner has died.
        fs::write(layout.cradles().join("100.1.0"), "").unwrap();
        assert!(waiting(&layout, vmid).is_none());
        let cradle = Cradle::new(&layout, vmid).unwrap();
        let path = root.path().join("lock");
        let lock = File::create(&path).unwrap();
        lock.lock().unwrap();
        let waiter = std::thread::spawn(move || {
            let (stream, _) = cradle.listener.accept().unwrap();
            hand_over(&stream, Some(&lock)).unwrap();
            stream
        });
        let (_first, taken) = waiting(&layout, vmid).unwrap();
        drop(waiter.join().unwrap());
        assert!(File::open(&path).unwrap().try_lock().is_err(), "the lock came over");
        drop(taken.unwrap());
        assert!(File::open(&path).unwrap().try_lock().is_ok(), "and nobody else has it");
        drop(other);
        assert!(!layout.cradles().join("100.1.0").exists());
    }
}
