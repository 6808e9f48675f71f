//! `/var/log/pveproxy/access.log`: a line for each request (api.md 1.1). A thread of its own writes it, so that a disk that
//! hangs or is full holds nobody up; what it cannot take is left out, and counted.

#![expect(unsafe_code, reason = "localtime_r(3): the time zone database is the C library's")]

use model::Layout;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

/// Lines that wait to be written, at most.
const WAITING: usize = 4096;

/// Lines that are written at once, at most.
const AT_ONCE: usize = 256;

/// The log.
pub(crate) struct AccessLog {
    lines: Mutex<Option<SyncSender<String>>>,
    lost: Arc<AtomicU64>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// A request that was answered.
pub(crate) struct Entry<'a> {
    /// Where it came from.
    pub(crate) peer: &'a str,
    /// Who it was; none before that is known.
    pub(crate) user: Option<&'a str>,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) version: hyper::Version,
    pub(crate) status: u16,
    /// Bytes of the body.
    pub(crate) length: usize,
}

impl AccessLog {
    /// Begins it.
    ///
    /// # Errors
    /// Where no thread can be made.
    pub(crate) fn open(layout: &Layout) -> io::Result<Self> {
        let (lines, waiting) = sync_channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let mut file = LogFile { path: layout.at("var/log/pveproxy/access.log"), open: None };
        let counter = lost.clone();
        let thread = std::thread::Builder::new().name("access-log".to_owned());
        let writer = thread.spawn(move || file.write_all(&waiting, &counter))?;
        Ok(Self { lines: Mutex::new(Some(lines)), lost, writer: Mutex::new(Some(writer)) })
    }

    /// Writes a line.
    pub(crate) fn add(&self, entry: &Entry<'_>) {
        let line = entry.line(SystemTime::now());
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.as_ref().is_none_or(|lines| lines.try_send(line).is_err()) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until all is written that was added.
    pub(crate) fn close(&self) {
        drop(self.lines.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(writer) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = writer.join();
        }
    }
}

struct LogFile {
    path: PathBuf,
    open: Option<File>,
}

impl LogFile {
    fn write_all(&mut self, waiting: &Receiver<String>, lost: &AtomicU64) {
        while let Ok(mut text) = waiting.recv() {
            waiting.try_iter().take(AT_ONCE).for_each(|line| text.push_str(&line));
            let missing = lost.swap(0, Ordering::Relaxed);
            if missing > 0 {
                text.push_str(&format!(
                    "[{missing} lines are left out here: they came faster than they were written]\n"
                ));
            }
            // There is nobody to tell; the server goes on.
            let _ = self.append(text.as_bytes());
        }
    }

    /// A log that was put aside or removed is begun anew.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let there = fs::metadata(&self.path).map(|meta| (meta.dev(), meta.ino())).ok();
        let same = |file: &File| file.metadata().is_ok_and(|meta| Some((meta.dev(), meta.ino())) == there);
        let file = match self.open.take().filter(same) {
            Some(file) => file,
            None => {
                self.path.parent().map_or(Ok(()), fs::create_dir_all)?;
                OpenOptions::new().append(true).create(true).mode(0o640).open(&self.path)?
            }
        };
        self.open.insert(file).write_all(bytes)
    }
}

impl Entry<'_> {
    fn line(&self, now: SystemTime) -> String {
        let Self { peer, method, status, length, version, .. } = self;
        let user = self.user.unwrap_or("-");
        let query = self.query.map(|query| format!("?{}", without_secrets(query))).unwrap_or_default();
        let path = self.path.replace('"', "%22");
        format!("{peer} - {user} [{}] \"{method} {path}{query} {version:?}\" {status} {length}\n", when(now))
    }
}

/// A query without the values of what may be secret.
fn without_secrets(query: &str) -> String {
    const SECRET: [&str; 6] = ["pass", "ticket", "token", "secret", "otp", "key"];
    let hide = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if SECRET.iter().any(|word| name.to_ascii_lowercase().contains(word)) => {
            format!("{name}=<hidden>")
        }
        // A name can be written in another way.
        Some((name, _)) if name.contains('%') => format!("{name}=<hidden>"),
        _ => pair.replace('"', "%22"),
    };
    query.split(['&', ';']).map(hide).collect::<Vec<_>>().join("&")
}

/// `23/11/2026:00:12:59 +0000`
fn when(now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let seconds = libc::time_t::try_from(seconds).unwrap_or(libc::time_t::MAX);
    let mut parts = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are valid; a zeroed tm is a valid one where the call fails.
    let parts = unsafe {
        libc::localtime_r(&raw const seconds, parts.as_mut_ptr());
        parts.assume_init()
    };
    let minutes = parts.tm_gmtoff / 60;
    format!(
        "{:02}/{:02}/{}:{:02}:{:02}:{:02} {}{:02}{:02}",
        parts.tm_mday,
        parts.tm_mon + 1,
        parts.tm_year + 1900,
        parts.tm_hour,
        parts.tm_min,
        parts.tm_sec,
        if minutes < 0 { '-' } else { '+' },
        minutes.abs() / 60,
        minutes.abs() % 60,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(query: Option<&'static str>) -> Entry<'static> {
        Entry {
            peer: "127.0.0.1",
            user: Some("root@pam"),
            method: "GET",
            path: "/api2/json/version",
            query,
            version: hyper::Version::HTTP_11,
            status: 200,
            length: 13,
        }
    }

    #[test]
    fn a_request_is_a_line_without_secrets() {
        let line = entry(Some("Password=x&a=1;b=2&%70assword=x")).line(UNIX_EPOCH);
        let (before, after) = line.split_once('[').unwrap();
        assert_eq!(before, "127.0.0.1 - root@pam ");
        let query = "?Password=<hidden>&a=1&b=2&%70assword=<hidden>";
        assert!(
            after.ends_with(&format!("] \"GET /api2/json/version{query} HTTP/1.1\" 200 13\n")),
            "{after}"
        );
        assert!(after.starts_with("01/01/1970:") || after.starts_with("31/12/1969:"), "{after}");
    }

    #[test]
    fn a_log_that_was_put_aside_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let path = layout.at("var/log/pveproxy/access.log");
        let mut file = LogFile { path: path.clone(), open: None };
        file.append(b"one\n").unwrap();
        file.append(b"two\n").unwrap();
        fs::rename(&path, path.with_extension("1")).unwrap();
        file.append(b"three\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three\n");
        assert_eq!(fs::read(path.with_extension("1")).unwrap(), b"one\ntwo\n");
        let log = AccessLog::open(&layout).unwrap();
        log.add(&entry(None));
        log.close();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    }
}
