//! The client against a real guest agent, which serves its commands over a unix socket on this host.

use qemu::agent::{Agent, AgentError, ORDINARY, PING};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct Served {
    child: Child,
    socket: PathBuf,
    _folder: tempfile::TempDir,
}

impl Served {
    fn begin() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("100.qga");
        let child = Command::new("qemu-ga")
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .args(["-m", "unix-listen", "-p"])
            .arg(&socket)
            .arg("-t")
            .arg(folder.path())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            eprintln!("skipped: no guest agent is installed (Debian package 'qemu-guest-agent')");
            return None;
        };
        let served = Self { child, socket, _folder: folder };
        let deadline = Instant::now() + Duration::from_secs(10);
        while !served.socket.exists() {
            assert!(Instant::now() < deadline, "the agent does not come up");
            std::thread::yield_now();
        }
        Some(served)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn connect(path: &Path, timeout: Duration) -> Result<Agent, AgentError> {
    Agent::connect(path, "100".parse().unwrap(), timeout)
}

/// Runs a program through the agent to its end.
fn run(agent: &mut Agent, command: &[&str], input: Option<&[u8]>) -> qemu::agent::Execution {
    let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
    let pid = agent.exec(&command, input).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let execution = agent.exec_status(pid).unwrap();
        if execution.exited {
            return execution;
        }
        assert!(Instant::now() < deadline, "the program does not end");
        std::thread::yield_now();
    }
}

#[test]
fn a_real_agent_is_found_and_obeys() {
    let Some(served) = Served::begin() else { return };

    // An earlier client left half a command.
    let mut earlier = UnixStream::connect(&served.socket).unwrap();
    earlier.write_all(b"{\"execute\":\"guest-pi").unwrap();
    drop(earlier);

    let mut agent = connect(&served.socket, PING).unwrap();
    agent.ping().unwrap();
    assert!(agent.os_info().unwrap().get("kernel-release").is_some());
    let info = agent.call("guest-info", None, ORDINARY).unwrap();
    assert!(info["supported_commands"].as_array().unwrap().len() > 10);

    let done = run(&mut agent, &["/bin/sh", "-c", "cat; echo no >&2; exit 3"], Some(b"\xff\x00text\n"));
    assert_eq!((done.exitcode, done.signal), (Some(3), None));
    assert_eq!(done.out_data.unwrap(), b"\xff\x00text\n");
    assert_eq!(done.err_data.unwrap(), b"no\n");
    let killed = run(&mut agent, &["/bin/sh", "-c", "kill -9 $$"], None);
    assert_eq!(killed.signal, Some(9));
    let long = run(&mut agent, &["/bin/sh", "-c", "head -c 3000000 /dev/zero"], None);
    assert_eq!(long.out_data.unwrap().len(), 3_000_000);

    let error = agent.exec(&["/does/not/exist".to_owned()], None).unwrap_err();
    assert!(error.to_string().starts_with("Agent error: "), "{error}");
    let error = agent.call("guest-no-such", None, ORDINARY).unwrap_err();
    assert!(matches!(&error, AgentError::Fault { class, .. } if class == "CommandNotFound"), "{error}");

    // A second client waits for the first, and takes over where it has gone.
    let error = connect(&served.socket, Duration::from_millis(50)).unwrap_err();
    assert_eq!(error.to_string(), "VM 100 qga command 'guest-sync-delimited' failed - got timeout");
    drop(agent);
    connect(&served.socket, PING).unwrap().ping().unwrap();
}

/// What a channel carries when earlier clients did not read to the end: part of an answer, whole ones, one to another
/// synchronisation.
#[test]
fn answers_to_earlier_clients_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("100.qga");
    let listener = UnixListener::bind(&path).unwrap();
    let guest = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"turn\": 5}\n{\"return\": {}}\n\xff{\"return\": 1}\n").unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).split(b'\n').map(Result::unwrap);
        let request = lines.next().unwrap();
        assert_eq!(request[0], 0xff);
        let request: serde_json::Value = serde_json::from_slice(&request[1..]).unwrap();
        let id = &request["arguments"]["id"];
        // The delimiter resets a reader that had half a command, which complains.
        stream.write_all(b"{\"error\": {\"class\": \"GenericError\", \"desc\": \"stray\"}}\n\xff").unwrap();
        stream.write_all(format!("{{\"return\": {id}}}\n").as_bytes()).unwrap();
        assert!(String::from_utf8(lines.next().unwrap()).unwrap().contains("guest-ping"));
        stream.write_all(b"{\"return\": {}}\n").unwrap();
        lines.count()
    });
    let mut agent = connect(&path, PING).unwrap();
    agent.ping().unwrap();
    drop(agent);
    assert_eq!(guest.join().unwrap(), 0);
}

#[test]
fn an_agent_that_is_not_there_is_missed_in_proxmox_ves_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("100.qga");
    let missing = "QEMU guest agent is not running";
    assert_eq!(connect(&path, PING).unwrap_err().to_string(), missing);
    // QEMU listens, but nobody in the guest does.
    let _listener = UnixListener::bind(&path).unwrap();
    assert_eq!(connect(&path, Duration::from_millis(50)).unwrap_err().to_string(), missing);

    let layout = model::Layout::new(folder.path());
    let open = |text: &str, running| {
        let mut main = config::Section::default();
        if !text.is_empty() {
            main.set("agent", text);
        }
        Agent::open(&main, &layout, "100".parse().unwrap(), running, PING).unwrap_err().to_string()
    };
    assert_eq!(open("", false), "No QEMU guest agent configured");
    assert_eq!(open("0,type=isa", false), "No QEMU guest agent configured");
    assert_eq!(open("1", false), "VM 100 is not running");
    assert_eq!(open("enabled=1", true), missing);
}
