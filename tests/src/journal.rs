//! A `systemd-journald` instance of a test's own, and what is read back from it.

use crate::output::run;
use crate::{proc, wait};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const JOURNALD: &str = "/lib/systemd/systemd-journald";

/// Whether this machine has one.
#[must_use]
pub fn available() -> bool {
    fs::exists(JOURNALD).unwrap_or(false) && fs::exists("/etc/machine-id").unwrap_or(false)
}

/// A journal under its own name, gone when dropped.
#[derive(Debug)]
pub struct Journal {
    name: String,
    daemon: Option<Child>,
}

/// One record: its fields. A field that is no text is an array of bytes, as `journalctl -o json` has it.
pub type Record = serde_json::Map<String, Value>;

impl Journal {
    /// Starts a journal of that name and waits until it takes records.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(name: &str) -> Self {
        let mut journal = Self { name: name.to_owned(), daemon: None };
        // Without a retention time, an instance with a name of its own ends after 30 s without a record.
        let folder = journal.settings();
        fs::create_dir_all(&folder).expect("journald's settings can be written");
        let settings =
            "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nMaxRetentionSec=1day\nSyncIntervalSec=1d\n";
        fs::write(folder.join("e2e.conf"), settings).expect("journald's settings can be written");
        journal.resume();
        journal
    }

    /// The name, for `HOOKVISOR_JOURNAL` and `journalctl --namespace`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Starts it again after [`Journal::stop`].
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn resume(&mut self) {
        let child = Command::new(JOURNALD)
            .arg(&self.name)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("systemd-journald can be started");
        self.daemon = Some(child);
        let socket = self.folder().join("socket");
        wait::until("the journal to take records", || {
            let socket_is_there = std::os::unix::net::UnixDatagram::unbound().ok()?.connect(&socket).is_ok();
            socket_is_there.then_some(())
        });
    }

    /// Ends it and takes its sockets away, as on a host without a journal.
    pub fn stop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            // A stopped daemon must go on before it can take its leave.
            proc::signal(daemon.id(), Signal::CONT);
            proc::signal(daemon.id(), Signal::TERM);
            let _ = daemon.wait();
        }
        let _ = fs::remove_dir_all(self.folder());
    }

    /// SIGSTOP: it takes records until its socket is full and handles none.
    pub fn freeze(&self) {
        if let Some(daemon) = &self.daemon {
            proc::signal(daemon.id(), Signal::STOP);
        }
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        if let Some(daemon) = &self.daemon {
            proc::signal(daemon.id(), Signal::CONT);
        }
    }

    /// Everything hookvisor has sent, in order, as `journalctl -o json` shows it.
    ///
    /// # Panics
    /// If `journalctl` fails or prints something else than JSON.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.matching(&[])
    }

    /// The records that match, for example `["GUEST_VMID=100", "HOOK_PHASE=pre-start"]`.
    ///
    /// # Panics
    /// If `journalctl` fails or prints something else than JSON.
    #[must_use]
    pub fn matching(&self, matches: &[&str]) -> Vec<Record> {
        if self.daemon.is_some() {
            run(Command::new("journalctl").args(["--namespace", &self.name, "--sync"]));
        }
        let output = run(Command::new("journalctl")
            .args(["--namespace", &self.name, "-o", "json", "--all", "--no-pager", "--quiet"])
            .args(matches));
        let lines = output.out();
        let records = lines.lines().filter(|line| line.starts_with('{'));
        let records = records.map(|line| serde_json::from_str(line).expect("journalctl prints JSON"));
        records.filter(|record: &Record| text(record, "SYSLOG_IDENTIFIER") != "systemd-journald").collect()
    }

    fn folder(&self) -> PathBuf {
        PathBuf::from(format!("/run/systemd/journal.{}", self.name))
    }

    fn settings(&self) -> PathBuf {
        PathBuf::from(format!("/run/systemd/journald@{}.conf.d", self.name))
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(self.settings());
        let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default();
        for base in ["/run/log/journal", "/var/log/journal"] {
            let _ = fs::remove_dir_all(format!("{base}/{}.{}", machine.trim(), self.name));
        }
    }
}

/// A field's bytes; empty if the record does not have it.
#[must_use]
pub fn bytes(record: &Record, field: &str) -> Vec<u8> {
    match record.get(field) {
        Some(Value::String(text)) => text.clone().into_bytes(),
        Some(Value::Array(numbers)) => {
            numbers.iter().filter_map(|number| u8::try_from(number.as_u64()?).ok()).collect()
        }
        _ => Vec::new(),
    }
}

/// A field as text; empty if the record does not have it.
#[must_use]
pub fn text(record: &Record, field: &str) -> String {
    String::from_utf8_lossy(&bytes(record, field)).into_owned()
}
