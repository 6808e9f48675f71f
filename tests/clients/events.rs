//! Events as they happen, to clients that stay: in order, none lost and none twice, whoever reads how slowly, and to nobody
//! who may not hear.

use e2e::output::Running;
use e2e::server::token;
use e2e::suite::{CURL, QEMU, Test};
use e2e::{Guest, Host, Kind, Server, proc, tests, wait};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) fn tests() -> Vec<Test> {
    tests!(once [CURL, QEMU]: a_stream_is_gone_on_with, what_is_missing_is_an_event, only_who_may_hear_hears,
        a_slow_reader_costs_nobody_anything, a_hundred_listen;
        once [CURL]: a_stream_ends_with_what_it_lives_of)
}

const PATH: &str = "/api2/json/hookvisor/events";

/// An event as it was sent.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    id: String,
    name: String,
    data: Value,
}

impl Event {
    /// Which line of which run it is.
    fn place(&self) -> (String, u64) {
        let text = |key: &str| self.data[key].as_str().unwrap_or_default().to_owned();
        (text("run"), self.data["line"].as_u64().unwrap_or(0))
    }
}

/// The events in what was received, without one that has only begun.
fn events(text: &str) -> Vec<Event> {
    let text = text.replace('\r', "");
    let whole = text.rfind("\n\n").map_or("", |end| &text[..end]);
    let blocks =
        whole.split("\n\n").filter(|block| block.contains("\ndata: ") || block.starts_with("data: "));
    let field = |block: &str, name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_default().to_owned()
    };
    let event = |block: &str| Event {
        id: field(block, "id"),
        name: field(block, "event"),
        data: serde_json::from_str(&field(block, "data")).expect("JSON"),
    };
    blocks.map(event).collect()
}

/// curl that listens.
struct Listener(Running);

impl Listener {
    fn start(server: &Server<'_>, args: &[&str], query: &str) -> Self {
        Self(Running::start(&mut curl(server, args, query)))
    }

    fn text(&self) -> String {
        self.0.stdout_so_far()
    }

    fn events(&self) -> Vec<Event> {
        events(&self.text())
    }

    /// Waits until it is told from here on.
    #[track_caller]
    fn hears(self) -> Self {
        wait::until("the stream to begin", || self.text().contains("told from here on").then_some(()));
        self
    }

    #[track_caller]
    fn wait_for(&self, what: &str, vmid: u32) -> Vec<Event> {
        wait::until(what, || {
            // To read thousands of events again and again takes longer than it took to write them.
            let text = self.text();
            let events = text.contains(&format!("\"event\":\"{what}\"")).then(|| events(&text))?;
            let found = events.iter().any(|event| event.data["event"] == what && event.data["vmid"] == vmid);
            found.then_some(events)
        })
    }

    /// Leaves.
    fn leave(self) -> Vec<Event> {
        self.0.signal(Signal::KILL);
        events(&self.0.finish().out())
    }

    /// Waits for the server to end it; why that was.
    #[track_caller]
    fn ended(self) -> String {
        let output = self.0.finish();
        let last = events(&output.out()).pop().unwrap_or_else(|| panic!("{}", output.describe()));
        assert_eq!(last.name, "end", "{last:?}");
        last.data["why"].as_str().expect("a text").to_owned()
    }
}

fn curl(server: &Server<'_>, args: &[&str], query: &str) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-i", "-N", "--cacert"]).arg(server.certificate()).args(args);
    curl.arg(format!("https://{}{PATH}?follow=1{query}", server.address));
    curl
}

fn root(server: &Server<'_>) -> String {
    format!("Authorization: {}", server.token)
}

/// All that a guest's ledgers have, as it was written.
fn truth(guest: &Guest<'_>) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    for ledger in guest.ledgers() {
        let text = fs::read_to_string(ledger).expect("a ledger");
        let first: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
        let run = first["run"].as_str().or(first["event"]["run"].as_str()).expect("a run").to_owned();
        all.extend((1..=text.lines().count()).map(|line| (run.clone(), line as u64)));
    }
    all.sort();
    all
}

/// None is lost, none is told twice, and the order is that of the record.
#[track_caller]
fn same(told: &[(String, u64)], truth: &[(String, u64)]) {
    let differs = told.iter().zip(truth).position(|(told, truth)| told != truth);
    let differs = differs.or((told.len() != truth.len()).then(|| told.len().min(truth.len())));
    if let Some(at) = differs {
        let from = at.saturating_sub(1);
        let part =
            |list: &[(String, u64)]| format!("{:?}", list.iter().skip(from).take(4).collect::<Vec<_>>());
        panic!("told {} of {}; at {at}: {} instead of {}", told.len(), truth.len(), part(told), part(truth));
    }
}

fn a_stream_is_gone_on_with(host: &Host) {
    let server = Server::start(host);
    let guest = host.guest(Kind::Vm);
    let root = root(&server);
    let first = Listener::start(&server, &["-H", &root], "").hears();
    assert!(
        first.text().to_ascii_lowercase().contains("content-type: text/event-stream"),
        "{}",
        first.text()
    );
    guest.on("post-start", "seq 200");
    guest.start().ok();
    // It leaves in the midst of things.
    first.wait_for("ready", guest.vmid());
    let mut heard = first.leave();
    guest.stop().ok();
    guest.start().ok();
    for how in ["header", "parameter"] {
        let last = heard.last().expect("an event").id.clone();
        let header = format!("Last-Event-ID: {last}");
        let query = format!("&after={last}&vmid={}", guest.vmid());
        let next = match how {
            // As a browser does it: the header goes before what was asked for at first.
            "header" => Listener::start(&server, &["-H", &root, "-H", &header], "&after=1"),
            _ => Listener::start(&server, &["-H", &root], &query),
        };
        guest.stop().ok();
        let runs = guest.history().as_array().map_or(0, Vec::len);
        wait::until("the ends of all runs", || {
            let all = heard.iter().cloned().chain(next.events());
            let ended: Vec<Event> = all.filter(|event| event.data["event"] == "run-end").collect();
            (ended.len() == runs).then_some(())
        });
        heard.extend(next.leave());
        guest.start().ok();
    }
    guest.stop().ok();
    let last = heard.last().expect("an event").id.clone();
    let rest = server.call("GET", &format!("/hookvisor/events?after={last}"), &[]).ok();
    let of_list = |event: &Value| {
        (event["run"].as_str().unwrap_or_default().to_owned(), event["line"].as_u64().unwrap_or(0))
    };
    let rest = rest.body["data"].as_array().cloned().expect("a list");
    let rest = rest.iter().filter(|event| event["event"] != "idle").map(of_list);
    let mut places: Vec<(String, u64)> = heard.iter().map(Event::place).chain(rest).collect();
    let mut times: Vec<u64> = heard.iter().filter_map(|event| event.data["time"].as_u64()).collect();
    times.dedup();
    assert!(times.is_sorted(), "{times:?}");
    places.sort();
    same(&places, &truth(&guest));
}

fn what_is_missing_is_an_event(host: &Host) {
    let server = Server::start(host);
    let guest = host.guest(Kind::Vm);
    let root = root(&server);
    let first = Listener::start(&server, &["-H", &root], "").hears();
    guest.start().ok();
    let last = first.wait_for("ready", guest.vmid()).pop().expect("an event").id;
    first.leave();
    guest.stop().ok();
    fs::remove_dir_all(host.at(&format!("var/lib/hookvisor/history/{}", guest.vmid()))).expect("a history");
    let header = format!("Last-Event-ID: {last}");
    let next = Listener::start(&server, &["-H", &root, "-H", &header], "").hears();
    let gap = wait::until("the gap", || next.events().into_iter().find(|event| event.name == "gap"));
    let what = gap.data["what"].as_str().expect("words");
    assert!(what.starts_with("the rest of run ") && what.ends_with(" is not on record any more"), "{what}");
    next.leave();
    // It is said once to who goes on after it.
    let header = format!("Last-Event-ID: {}", gap.id);
    let after = Listener::start(&server, &["-H", &root, "-H", &header], "").hears();
    guest.start().ok();
    guest.stop().ok();
    let events = after.wait_for("run-end", guest.vmid());
    assert!(events.iter().all(|event| event.name.is_empty()), "{events:?}");
    after.leave();
    for (query, status) in [("&after=nonsense", 400), ("&vmid=x", 400)] {
        let refused = server.call("GET", &format!("/hookvisor/events?follow=1{query}"), &[]);
        refused.refused(status, "Parameter verification failed.");
    }
}

fn only_who_may_hear_hears(host: &Host) {
    let server = Server::start(host);
    let (own, other) = (host.guest(Kind::Vm), host.guest(Kind::Vm));
    host.hookvisor(["user", "add", "ann@pve", "--password", "secret word"]).ok();
    let vms = format!("/vms/{}", own.vmid());
    let acl = ["acl", "modify", &vms, "--users", "ann@pve", "--roles", "PVEAuditor"];
    host.hookvisor(acl).ok();
    let shown = format!("Authorization: {}", token(host, "ann@pve", "t03"));
    let answer = server.send("GET", "/hookvisor/events?follow=1", &[]);
    answer.refused(401, "No ticket");
    let path = format!("/hookvisor/events?follow=1&vmid={}", other.vmid());
    let text = format!("Permission check failed (/vms/{}, VM.Audit)", other.vmid());
    server.send("GET", &path, &["-H", &shown]).refused(403, &text);
    let (ann, all) = (
        Listener::start(&server, &["-H", &shown], "").hears(),
        Listener::start(&server, &["-H", &root(&server)], "").hears(),
    );
    other.start().ok();
    own.start().ok();
    own.stop().ok();
    all.wait_for("run-end", own.vmid());
    let heard = ann.wait_for("run-end", own.vmid());
    assert!(heard.iter().all(|event| event.data["vmid"] == own.vmid()), "{heard:?}");
    // Rights that are taken away count at once.
    host.hookvisor([&acl[..], &["--delete", "1"]].concat()).ok();
    let before = ann.events().len();
    own.start().ok();
    all.wait_for("ready", own.vmid());
    own.stop().ok();
    other.stop().ok();
    all.wait_for("run-end", other.vmid());
    assert_eq!(ann.events().len(), before);
    ann.leave();
    all.leave();
}

/// A token that is removed, a user who may no longer log in, a server that ends.
fn a_stream_ends_with_what_it_lives_of(host: &Host) {
    let mut server = Server::start(host);
    for user in ["ann@pve", "bob@pve"] {
        host.hookvisor(["user", "add", user, "--password", "secret word"]).ok();
    }
    let shown = format!("Authorization: {}", token(host, "ann@pve", "t04"));
    let ann = Listener::start(&server, &["-H", &shown], "").hears();
    let logged_in =
        server.send("POST", "/access/ticket", &["-d", "username=bob@pve&password=secret+word"]).ok();
    let ticket = logged_in.body["data"]["ticket"].as_str().expect("a ticket").to_owned();
    let bob = Listener::start(&server, &["-b", &format!("PVEAuthCookie={ticket}")], "").hears();
    let root = Listener::start(&server, &["-H", &root(&server)], "").hears();
    let began = Instant::now();
    server.as_owner("DELETE", "/access/users/ann@pve/token/t04", &[]).ok();
    assert_eq!(ann.ended(), "Authentication failed!");
    server.as_owner("PUT", "/access/users/bob@pve", &["-d", "enable=0"]).ok();
    assert_eq!(bob.ended(), "Authentication failed!");
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "the kernel tells, not the clock: {:?}",
        began.elapsed()
    );
    // A token that comes to its end.
    let end =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_secs() + 4;
    let short = format!("Authorization: {}", token(host, "ann@pve", "t05"));
    server.as_owner("PUT", "/access/users/ann@pve/token/t05", &["-d", &format!("expire={end}")]).ok();
    let ann = Listener::start(&server, &["-H", &short], "").hears();
    assert_eq!(ann.ended(), "Authentication failed!");
    let began = Instant::now();
    server.end(Signal::TERM).ok();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(root.ended(), "the server ends");
}

fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// One that takes nothing while a hook prints much: the guest goes on, the server has no more memory, and who reads on hears
/// all of it.
fn a_slow_reader_costs_nobody_anything(host: &Host) {
    const LINES: usize = 20_000;
    let server = Server::start(host);
    let guest = host.guest(Kind::Vm);
    let mut slow = curl(&server, &["-H", &root(&server)], "");
    // Into a pipe that nobody empties.
    let mut slow = slow.stdout(Stdio::piped()).spawn().expect("curl");
    let mut reader = BufReader::new(slow.stdout.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("told from here on") {
        line.clear();
        reader.read_line(&mut line).expect("a line");
    }
    let other = Listener::start(&server, &["-H", &root(&server)], "").hears();
    let files = || fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("open files").count();
    let mut stuck = UnixStream::connect(server.socket()).expect("the server takes connections");
    stuck
        .write_all(format!("GET {PATH}?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
        .expect("a request");
    stuck.read_exact(&mut [0; 15]).expect("an answer");
    let before = (memory(server.pid()), files());
    guest.on("post-start", &format!("seq -f 'line %06.0f {}' {LINES}", "x".repeat(40)));
    guest.start().ok();
    guest.stop().ok();
    other.wait_for("run-end", guest.vmid());
    let grown = memory(server.pid()).saturating_sub(before.0);
    assert!(grown < 40 << 10, "the server grew by {grown} KiB");
    let (mut text, mut line, mut ends) = (String::new(), String::new(), 0);
    // That of the start's task, and that of the stop's, which is the last of all.
    while ends < 2 {
        line.clear();
        assert!(reader.read_line(&mut line).expect("a line") > 0, "the stream ended");
        text.push_str(&line);
        ends += usize::from(line.contains("\"event\":\"task-end\""));
    }
    reader.read_line(&mut text).expect("a line");
    let heard = events(&text);
    let places: Vec<(String, u64)> = heard.iter().map(Event::place).collect();
    assert!(text.len() > LINES * 40, "{} bytes are much", text.len());
    same(&places, &truth(&guest));
    let blocks = |text: &str| text.matches("\ndata: ").count();
    wait::until("the other one", || (blocks(&other.text()) >= blocks(&text)).then_some(()));
    let of_other: Vec<(String, u64)> = other.leave().iter().map(Event::place).collect();
    same(&of_other, &places);
    slow.kill().expect("curl is killed");
    slow.wait().expect("curl ends");
    // One that reads nothing at all and never leaves is left by the server, after half a minute.
    wait::until("the server to leave", || (files() < before.1).then_some(()));
    drop(stuck);
}

fn a_hundred_listen(host: &Host) {
    let server = Server::start(host);
    let guest = host.guest(Kind::Vm);
    let header = root(&server);
    let hundred: Vec<Listener> = (0..100).map(|_| Listener::start(&server, &["-H", &header], "")).collect();
    let hundred: Vec<Listener> = hundred.into_iter().map(Listener::hears).collect();
    let began = Instant::now();
    server.call("GET", "/version", &[]).ok();
    server.call("GET", "/cluster/resources", &[]).ok();
    let started = server.call("POST", &format!("/nodes/pve1/qemu/{}/status/start", guest.vmid()), &[]);
    assert_eq!(server.task(&started), "OK");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    for listener in &hundred {
        listener.wait_for("ready", guest.vmid());
    }
    let threads = proc::process(server.pid()).expect("the server").threads;
    assert!(threads < 40, "{threads} threads");
    guest.stop().ok();
    // More, up to the last place; by the socket, as it is cheap.
    let open = || {
        let mut stream = UnixStream::connect(server.socket()).expect("the server takes connections");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
        stream
            .write_all(format!("GET {PATH}?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
            .expect("a request");
        let mut head = [0; 12];
        stream.read_exact(&mut head).expect("an answer");
        (String::from_utf8_lossy(&head).into_owned(), stream)
    };
    let mut more = Vec::new();
    let refused = loop {
        let (status, stream) = open();
        if status != "HTTP/1.1 200" {
            break status;
        }
        more.push(stream);
        assert!(more.len() < 1000, "there is no end to it");
    };
    assert_eq!((refused.as_str(), more.len()), ("HTTP/1.1 503", 156));
    let full = server.call("GET", "/hookvisor/events?follow=1", &[]);
    full.refused(503, "too many event streams are open, at most 256 at the same time");
    // Who leaves gives its place back at once.
    drop(more);
    for listener in hundred {
        listener.leave();
    }
    wait::until("a place", || (open().0 == "HTTP/1.1 200").then_some(()));
    server.call("GET", "/version", &[]).ok();
}
