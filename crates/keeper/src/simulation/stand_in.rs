//! The process that stands in for a guest: QEMU's monitor and guest agent in as few words as a guest needs.

use super::Conduct;
use rustix::event::{PollFd, PollFlags, poll};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// The last option of a stand-in's command line: what it does.
pub(super) const CONDUCT: &str = "-x-conduct";

/// The command by which a guest powers itself off, as nobody asked it to.
pub(super) const POWER_OFF: &str = "x-guest-poweroff";

/// The option that names the socket of a stand-in which no keeper has launched.
pub(super) const LISTEN: &str = "-x-listen";

/// The longest line that is heard, in bytes.
const LINE: usize = 1 << 20;

/// Whether a command line is a stand-in's.
#[must_use]
pub fn is_stand_in(words: &[String]) -> bool {
    words.len() >= 2 && words[words.len() - 2] == CONDUCT
}

/// Becomes the guest that the command line says. `monitor` is the listening socket of its keeper, where it has one.
#[must_use]
pub fn be_guest(words: &[String], monitor: Option<OwnedFd>) -> i32 {
    let conduct: Conduct = words.last().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    if conduct.fails {
        eprintln!("does not come up, as this life wants it");
        return 1;
    }
    let after = |option: &str| words.iter().position(|word| word == option).and_then(|at| words.get(at + 1));
    for number in 0..after("-smp").and_then(|text| text.parse().ok()).unwrap_or(0) {
        let thread = std::thread::Builder::new().name(format!("CPU {number}/KVM")).stack_size(64 << 10);
        // A guest with a processor less is a guest all the same.
        let _ = thread.spawn(|| {
            loop {
                std::thread::park();
            }
        });
    }
    let mut guest = Guest { ignores: conduct.ignores, status: "running", over: false };
    let mut places: Vec<(UnixListener, bool)> =
        monitor.map(|fd| (UnixListener::from(fd), false)).into_iter().collect();
    places.extend(after(LISTEN).and_then(|path| UnixListener::bind(path).ok()).map(|place| (place, false)));
    if let Some(pid_file) = after("-pidfile").map(PathBuf::from) {
        let _ = std::fs::write(&pid_file, format!("{}\n", std::process::id()));
        let beside = |end: &str| UnixListener::bind(pid_file.with_extension(end)).ok();
        places.extend(beside("qmp").map(|place| (place, false)));
        places.extend(beside("qga").map(|place| (place, true)));
    }
    guest.serve(&places)
}

struct Guest {
    ignores: u32,
    status: &'static str,
    over: bool,
}

struct Line {
    stream: UnixStream,
    agent: bool,
    heard: Vec<u8>,
}

impl Guest {
    fn serve(&mut self, places: &[(UnixListener, bool)]) -> i32 {
        let mut lines: Vec<Line> = Vec::new();
        while !self.over {
            let mut fds: Vec<PollFd<'_>> =
                places.iter().map(|(place, _)| PollFd::new(place, PollFlags::IN)).collect();
            fds.extend(lines.iter().map(|line| PollFd::from_borrowed_fd(line.stream.as_fd(), PollFlags::IN)));
            if poll(&mut fds, None).is_err() {
                continue;
            }
            let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            drop(fds);
            let (new, old) = ready.split_at(places.len());
            let mut gone: VecDeque<usize> = VecDeque::new();
            for at in (0..lines.len()).filter(|at| old[*at]) {
                if !self.hear(&mut lines, at) {
                    gone.push_front(at);
                }
            }
            gone.into_iter().for_each(|at| drop(lines.swap_remove(at)));
            for (place, agent) in
                places.iter().zip(new).filter(|(_, new)| **new).map(|(place, _)| (&place.0, place.1))
            {
                let Ok((stream, _)) = place.accept() else { continue };
                let mut line = Line { stream, agent, heard: Vec::new() };
                let greeting = json!({"QMP": {"version": {"qemu": {"major": 9, "minor": 2, "micro": 0}, "package": "simulated"}, "capabilities": []}});
                if agent || say(&mut line, &greeting) {
                    lines.push(line);
                }
            }
        }
        0
    }

    /// Hears one connection; false where it is over.
    fn hear(&mut self, lines: &mut [Line], at: usize) -> bool {
        let mut buffer = [0; 4096];
        match lines[at].stream.read(&mut buffer) {
            Ok(0) | Err(_) => return false,
            Ok(count) => lines[at].heard.extend_from_slice(&buffer[..count]),
        }
        while let Some(end) = lines[at].heard.iter().position(|byte| *byte == b'\n') {
            let text: Vec<u8> = lines[at].heard.drain(..=end).collect();
            // A guest agent's client begins with a byte that no text has.
            let text: Vec<u8> = text.into_iter().filter(|byte| *byte != 0xff).collect();
            let Ok(asked) = serde_json::from_slice::<Value>(&text) else { continue };
            let command = asked["execute"].as_str().unwrap_or_default().to_owned();
            let (answer, event) = if lines[at].agent {
                self.agent(&command, &asked["arguments"])
            } else {
                self.monitor(&command)
            };
            let mut reply = answer;
            if !asked["id"].is_null() {
                reply["id"] = asked["id"].clone();
            }
            if lines[at].agent && command == "guest-sync-delimited" {
                let _ = lines[at].stream.write_all(&[0xff]);
            }
            if !say(&mut lines[at], &reply) {
                return false;
            }
            if let Some(event) = event {
                lines.iter_mut().filter(|line| !line.agent).for_each(|line| {
                    say(line, &event);
                });
            }
        }
        lines[at].heard.len() <= LINE
    }

    fn monitor(&mut self, command: &str) -> (Value, Option<Value>) {
        let nothing = || json!({"return": {}});
        match command {
            "query-version" => (
                json!({"return": {"qemu": {"major": 9, "minor": 2, "micro": 0}, "package": "simulated"}}),
                None,
            ),
            "query-status" => {
                (json!({"return": {"status": self.status, "running": self.status == "running"}}), None)
            }
            "query-cpus-fast" => (json!({"return": cpus()}), None),
            "system_powerdown" => (nothing(), self.asked_down()),
            POWER_OFF => (nothing(), Some(self.go_down())),
            "stop" => {
                self.status = "paused";
                (nothing(), Some(event("STOP", json!({}))))
            }
            "cont" => {
                self.status = "running";
                (nothing(), Some(event("RESUME", json!({}))))
            }
            "quit" => {
                self.over = true;
                (nothing(), Some(event("SHUTDOWN", json!({"guest": false, "reason": "host-qmp-quit"}))))
            }
            "qmp_capabilities" | "system_reset" => (nothing(), None),
            _ => {
                let text = format!("The command {command} has not been found");
                (json!({"error": {"class": "CommandNotFound", "desc": text}}), None)
            }
        }
    }

    fn agent(&mut self, command: &str, arguments: &Value) -> (Value, Option<Value>) {
        let answer = match command {
            "guest-sync" | "guest-sync-delimited" => arguments["id"].clone(),
            "guest-shutdown" => return (json!({"return": {}}), self.asked_down()),
            "guest-exec" => json!({"pid": 4242}),
            "guest-exec-status" => json!({"exited": true, "exitcode": 0}),
            "guest-get-osinfo" => {
                json!({"id": "simulated", "name": "Simulated", "pretty-name": "A simulated guest"})
            }
            "guest-get-host-name" => json!({"host-name": "simulated"}),
            "guest-network-get-interfaces" => {
                let ip = json!([{"ip-address-type": "ipv4", "ip-address": "192.0.2.10", "prefix": 24}]);
                json!([{"name": "eth0", "hardware-address": "bc:24:11:00:00:01", "ip-addresses": ip}])
            }
            "guest-fsfreeze-status" => json!("thawed"),
            "guest-fsfreeze-freeze" | "guest-fsfreeze-thaw" => json!(0),
            "guest-get-time" => json!(0),
            _ => json!({}),
        };
        (json!({"return": answer}), None)
    }

    fn asked_down(&mut self) -> Option<Value> {
        if self.ignores > 0 {
            self.ignores -= 1;
            return None;
        }
        Some(self.go_down())
    }

    /// Off, and there until somebody says `quit`, as QEMU with `-no-shutdown`.
    fn go_down(&mut self) -> Value {
        self.status = "shutdown";
        event("SHUTDOWN", json!({"guest": true, "reason": "guest-shutdown"}))
    }
}

fn event(name: &str, data: Value) -> Value {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    json!({"timestamp": {"seconds": now.as_secs(), "microseconds": now.subsec_micros()}, "event": name, "data": data})
}

/// The threads that run the guest's processors.
fn cpus() -> Vec<Value> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let number = |folder: &Path| {
        let name = std::fs::read_to_string(folder.join("comm")).ok()?;
        name.strip_prefix("CPU ")?.split('/').next()?.parse::<u32>().ok()
    };
    let thread = |folder: &Path| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let mut found: Vec<(u32, u32)> =
        tasks.filter_map(|task| Some((number(&task.path())?, thread(&task.path())?))).collect();
    found.sort_unstable();
    found.into_iter().map(|(number, thread)| json!({"cpu-index": number, "thread-id": thread})).collect()
}

fn say(line: &mut Line, message: &Value) -> bool {
    let mut text = message.to_string();
    text.push_str("\r\n");
    line.stream.write_all(text.as_bytes()).is_ok()
}
