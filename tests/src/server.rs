//! `hookvisor serve` on a scratch host, and curl as its client.

use crate::output::{Output, Running, run};
use crate::{Host, proc, wait};
use rustix::process::Signal;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Each has a token of its own.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A server that is ended with this.
#[derive(Debug)]
pub struct Server<'h> {
    host: &'h Host,
    process: Option<Running>,
    /// `127.0.0.1:<port>`
    pub address: String,
    /// A token of root with all rights but those that are root's alone, as its header has it.
    pub token: String,
}

/// An answer that curl got.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// What stands beside the status.
    pub reason: String,
    /// The head in lower case.
    pub head: String,
    /// The body; null where it is none of JSON.
    pub body: Value,
    /// All of it.
    pub text: String,
}

impl<'h> Server<'h> {
    /// Starts it at a free port.
    ///
    /// # Panics
    /// If it does not come up.
    #[must_use]
    pub fn start(host: &'h Host) -> Self {
        Self::start_with(host, &[])
    }

    /// Starts it on a root whose tickets are signed with a key of Proxmox VE's kind, so that [`Self::ticket_of_root`] can
    /// make one.
    ///
    /// # Panics
    /// If it does not come up.
    #[must_use]
    pub fn with_key_of_proxmox_ve(host: &'h Host) -> Self {
        let (key, public) = (host.at("etc/pve/priv/authkey.key"), host.at("etc/pve/authkey.pub"));
        run(Command::new("openssl").args(["genrsa", "-out"]).arg(&key).arg("2048")).ok();
        run(Command::new("openssl").args(["rsa", "-pubout", "-in"]).arg(&key).arg("-out").arg(&public)).ok();
        Self::start(host)
    }

    /// A ticket of root@pam, whose password no test knows: good as a password at the log-in.
    ///
    /// # Panics
    /// If it cannot be signed, as where the key is not [one of Proxmox VE's kind](Self::with_key_of_proxmox_ve).
    #[must_use]
    pub fn ticket_of_root(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let text = format!("PVE:root@pam:{now:08X}");
        let [plain, signed] = ["ticket", "ticket.signed"].map(|name| self.host.scratch().join(name));
        std::fs::write(&plain, &text).expect("a file can be written");
        let mut sign = Command::new("openssl");
        sign.args(["dgst", "-sha256", "-sign"]).arg(self.host.at("etc/pve/priv/authkey.key"));
        run(sign.arg("-out").arg(&signed).arg(&plain)).ok();
        let signature = run(Command::new("base64").args(["-w", "0"]).arg(&signed)).ok().out();
        format!("{text}::{}", signature.trim())
    }

    /// Starts it with more options.
    ///
    /// # Panics
    /// If it does not come up.
    #[must_use]
    pub fn start_with(host: &'h Host, options: &[&str]) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let token = token(host, "root@pam", &format!("server{number}"));
        let args = ["serve", "--listen", "127.0.0.1:0"].iter().chain(options);
        let mut process = host.spawn("hookvisor", args);
        let address = wait::until("the server", || {
            let text = process.stdout_so_far();
            let address = text.split("https://").nth(1).and_then(|rest| rest.split(' ').next());
            assert!(address.is_some() || !process.ended(), "the server ended");
            address.map(str::to_owned)
        });
        Self { host, process: Some(process), address, token }
    }

    /// Its pid.
    ///
    /// # Panics
    /// If it has been ended.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the server runs").pid()
    }

    /// What it has complained about so far.
    ///
    /// # Panics
    /// If it has been ended.
    #[must_use]
    pub fn stderr_so_far(&self) -> String {
        self.process.as_ref().expect("the server runs").stderr_so_far()
    }

    /// Ends it by a signal and waits for its end.
    ///
    /// # Panics
    /// If it has been ended before.
    #[track_caller]
    pub fn end(&mut self, signal: Signal) -> Output {
        let process = self.process.take().expect("the server runs");
        process.signal(signal);
        process.finish_now()
    }

    /// The file of its unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.host.at("run/hookvisor/api.sock")
    }

    /// The certificate that it made.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.host.at("etc/pve/local/pve-ssl.pem")
    }

    /// curl that trusts the server's certificate and shows no credentials.
    #[must_use]
    pub fn curl(&self) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-i", "--max-time", "50", "--cacert"]).arg(self.certificate());
        curl
    }

    /// A call with root's token.
    #[track_caller]
    pub fn call(&self, method: &str, path: &str, args: &[&str]) -> Answer {
        let header = format!("Authorization: {}", self.token);
        self.send(method, path, &[&["-H", &header][..], args].concat())
    }

    /// A call without credentials but those among the arguments.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, args: &[&str]) -> Answer {
        let mut curl = self.curl();
        curl.args(["-X", method]).args(args).arg(format!("https://{}{}", self.address, uri(path)));
        Answer::read(&run(&mut curl))
    }

    /// A call as the root's owner, by the unix socket.
    #[track_caller]
    pub fn as_owner(&self, method: &str, path: &str, args: &[&str]) -> Answer {
        let mut curl = self.curl();
        curl.arg("--unix-socket").arg(self.socket());
        curl.args(["-X", method]).args(args).arg(format!("http://localhost{}", uri(path)));
        Answer::read(&run(&mut curl))
    }

    /// Waits for the end of the task that an answer names, and says how it ended.
    ///
    /// # Panics
    /// If it does not end.
    #[track_caller]
    pub fn task(&self, answer: &Answer) -> String {
        let upid = answer.upid();
        wait::until(&format!("the end of {upid}"), || {
            let answer = self.as_owner("GET", &format!("/nodes/pve1/tasks/{upid}/status"), &[]).ok();
            let data = &answer.body["data"];
            (data["status"] == "stopped").then(|| data["exitstatus"].as_str().unwrap_or_default().to_owned())
        })
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            proc::kill(process.pid());
            let _ = process.finish_now();
        }
    }
}

/// Makes an API token without privilege separation; what its header says.
///
/// # Panics
/// If it cannot be made.
#[track_caller]
pub fn token(host: &Host, user: &str, name: &str) -> String {
    let made =
        host.hookvisor(["user", "token", "add", user, name, "--privsep", "0", "--output-format", "json"]);
    let made: Value = serde_json::from_str(&made.ok().out()).expect("JSON");
    let text = |key: &str| made[key].as_str().expect("a text").to_owned();
    format!("PVEAPIToken={}={}", text("full-tokenid"), text("value"))
}

/// A path of the API, unless it is one with its format.
fn uri(path: &str) -> String {
    if path.starts_with("/api2") { path.to_owned() } else { format!("/api2/json{path}") }
}

impl Answer {
    #[track_caller]
    fn read(output: &Output) -> Self {
        let text = output.out();
        let split =
            |text: &str| text.split_once("\r\n\r\n").map(|(head, body)| (head.to_owned(), body.to_owned()));
        let (mut head, mut body) = split(&text).unwrap_or_else(|| panic!("{}", output.describe()));
        if head.contains("100 Continue") {
            (head, body) = split(&body).unwrap_or_else(|| panic!("{}", output.describe()));
        }
        let line = head.lines().next().unwrap_or_default().to_owned();
        let mut words = line.splitn(3, ' ').skip(1);
        let status = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        let reason = words.next().unwrap_or_default().to_owned();
        let body = serde_json::from_str(&body).unwrap_or(Value::Null);
        Self { status, reason, head: head.to_ascii_lowercase(), body, text }
    }

    /// It went well.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.text);
        self
    }

    /// It was refused with this status and text, in the reason and, where there is a body, in the message.
    ///
    /// # Panics
    /// If it was not.
    #[track_caller]
    pub fn refused(&self, status: u16, reason: &str) {
        assert_eq!((self.status, self.reason.as_str()), (status, reason), "{}", self.text);
        if !self.body.is_null() {
            let first = self.body["message"].as_str().and_then(|text| text.lines().next());
            assert_eq!((first, &self.body["data"]), (Some(reason), &Value::Null), "{}", self.text);
        }
        assert!(self.head.contains("connection: close"), "{}", self.text);
    }

    /// The task that it names.
    ///
    /// # Panics
    /// If it names none.
    #[track_caller]
    #[must_use]
    pub fn upid(&self) -> String {
        let upid = self.body["data"].as_str().unwrap_or_default();
        assert!(self.status == 200 && upid.matches(':').count() == 8, "{}", self.text);
        upid.to_owned()
    }
}
