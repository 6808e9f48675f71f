//! The transport: who comes in, what is refused and how, and what no request may do.

use e2e::output::run;
use e2e::server::token;
use e2e::suite::{CURL, Test};
use e2e::{Host, Server, proc, tests, wait};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) fn tests() -> Vec<Test> {
    tests!(once [CURL]: credentials, refusals, bodies, long_answers_are_compressed, other_transports,
        malformed_requests_change_nothing, slow_clients_hold_nobody_up)
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

fn credentials(host: &Host) {
    let server = Server::start(host);
    server.call("GET", "/version", &[]).ok();
    server.send("GET", "/version", &[]).refused(401, "No ticket");
    let wrong = format!("Authorization: {}0", server.token);
    server.send("GET", "/version", &["-H", &wrong]).refused(401, "Authentication failed!");
    let stale = "Cookie: PVEAuthCookie=PVE%3Aroot%40pam%3A60000000%3A%3AeA%3D%3D";
    server.send("GET", "/version", &["-H", stale]).refused(401, "permission denied - invalid PVE ticket");

    host.hookvisor(["user", "add", "ann@pve", "--password", "secret word"]).ok();
    let logged_in =
        server.send("POST", "/access/ticket", &["-d", "username=ann@pve&password=secret+word"]).ok();
    let data = &logged_in.body["data"];
    let cookie = format!("Cookie: PVEAuthCookie={}", data["ticket"].as_str().expect("a ticket"));
    let csrf = format!("CSRFPreventionToken: {}", data["CSRFPreventionToken"].as_str().expect("a token"));
    server.send("GET", "/version", &["-H", &cookie]).ok();
    let as_header = cookie.replace("Cookie: ", "Authorization: ");
    server.send("GET", "/version", &["-H", &as_header]).ok();
    let change = ["-H", &cookie, "-d", "name=a"];
    let config = "/nodes/pve1/qemu/100/config";
    server.send("PUT", config, &change).refused(401, "Permission denied - invalid csrf token");
    let denied = server.send("PUT", config, &[&change[..], &["-H", &csrf]].concat());
    assert!(denied.reason.starts_with("Permission check failed (/vms/100, VM.Config."), "{}", denied.text);
    let began = Instant::now();
    let wrong = server.send("POST", "/access/ticket", &["-d", "username=ann@pve&password=x"]);
    wrong.refused(401, "authentication failure");
    assert!(began.elapsed() >= Duration::from_secs(3));
    let shown = format!("Authorization: {}", token(host, "ann@pve", "t02"));
    let refused = server.send("POST", "/access/ticket", &["-H", &shown, "-d", "username=a@pve&password=x"]);
    let text =
        "Permission check failed (URI '/access/ticket' not available with API token, need proper ticket.)";
    refused.refused(403, text);
    let log = wait::until("the access log", || {
        let log = fs::read_to_string(host.at("var/log/pveproxy/access.log")).ok()?;
        log.contains("\"POST /api2/json/access/ticket HTTP/1.1\" 403").then_some(log)
    });
    assert!(log.contains("127.0.0.1 - ann@pve [") && !log.contains("secret"), "{log}");
}

fn refusals(host: &Host) {
    let server = Server::start(host);
    for (method, path, args, status, text) in [
        ("GET", "/nothing", &[][..], 501, "Method 'GET /nothing' not implemented"),
        ("PATCH", "/version", &[], 501, "method 'PATCH' not available"),
        ("GET", "/api2/xml/version", &[], 501, "no formatter for uri '/api2/xml/version'"),
        (
            "GET",
            "/nodes/pve1/qemu/100/config",
            &[],
            500,
            "Configuration file 'nodes/pve1/qemu-server/100.conf' does not exist",
        ),
        ("GET", "/nodes/pve1/qemu/x/config", &[], 400, "Parameter verification failed."),
        ("GET", "/version", &["-d", "a=b", "-H", FORM], 501, "Unexpected content for method 'GET'"),
        (
            "POST",
            "/nodes/pve1/qemu",
            &["-d", "a", "-H", "Content-Type: text/plain"],
            506,
            "upload 'Content-Type 'text/plain' not implemented",
        ),
        (
            "POST",
            "/nodes/pve1/qemu",
            &["-d", "a", "-H", "Transfer-Encoding: chunked"],
            501,
            "chunked transfer encoding not supported",
        ),
        // For the command line alone.
        (
            "POST",
            "/nodes/pve1/qemu/100/unlock",
            &[],
            501,
            "Method 'POST /nodes/pve1/qemu/100/unlock' not implemented",
        ),
    ] {
        server.call(method, path, args).refused(status, text);
    }
    let twice = server.call("PUT", "/nodes/pve1/qemu/100/config", &["-d", "vmid=101&node=localhost"]);
    let text = "duplicate parameter (already defined in URI) with conflicting values!";
    assert_eq!((twice.status, twice.body["errors"]["vmid"].as_str()), (400, Some(text)), "{}", twice.text);
    let extjs = server.call("GET", "/api2/extjs/nodes/pve1/qemu/x/config", &[]).ok();
    assert_eq!((&extjs.body["success"], &extjs.body["status"]), (&0.into(), &400.into()), "{}", extjs.text);
}

fn bodies(host: &Host) {
    let server = Server::start(host);
    let json = r#"{"vmid": 100, "name": "one", "memory": "16", "kvm": false, "onboot": true, "tags": "a;b"}"#;
    let made =
        server.call("POST", "/nodes/localhost/qemu", &["-H", "Content-Type: application/json", "-d", json]);
    assert_eq!(server.task(&made), "OK");
    let change = ["-d", "description=from the body&vmid=100&cores=2", "-H", FORM];
    let path = "/nodes/pve1/qemu/100/config";
    let changed = server.call("PUT", &format!("{path}?description=from+the+query&_dc=1"), &change).ok();
    assert_eq!(changed.text.lines().last(), Some(r#"{"data":null}"#));
    let config = server.call("GET", path, &[]).ok().body["data"].clone();
    for (key, value) in [
        ("name", "one".into()),
        ("description", "from the query".into()),
        ("cores", 2.into()),
        ("kvm", 0.into()),
        ("onboot", 1.into()),
        ("memory", "16".into()),
        ("tags", "a;b".into()),
    ] {
        let value: serde_json::Value = value;
        assert_eq!(config[key], value, "{key} in {config}");
    }
    // A body without a type, an empty one, one that is too long.
    server.call("PUT", path, &["-H", "Content-Type:", "-d", "cores=1"]).ok();
    let empty = server.call("PUT", path, &[]);
    empty.refused(500, "no options specified");
    let long = host.scratch().join("long");
    fs::write(&long, format!("description={}", "x".repeat(600 << 10))).expect("a file");
    let long = format!("@{}", long.display());
    server.call("PUT", path, &["--data-binary", &long]).refused(501, "for data too large");
    let ticket = ["-d", &"x".repeat(17 << 10)];
    server.send("POST", "/access/ticket", &ticket).refused(501, "for data too large");
    let destroyed = server.call("DELETE", "/nodes/pve1/qemu/100/?purge=1", &[]);
    assert_eq!(server.task(&destroyed), "OK");
}

fn long_answers_are_compressed(host: &Host) {
    let server = Server::start(host);
    for vmid in 100..120 {
        let config = host.at(&format!("etc/pve/qemu-server/{vmid}.conf"));
        fs::write(config, "name: a\nmemory: 16\n").expect("a configuration");
    }
    let plain = server.call("GET", "/nodes/pve1/qemu", &[]).ok();
    assert!(!plain.head.contains("content-encoding"), "{}", plain.head);
    for encoding in ["gzip", "deflate"] {
        let header = format!("Accept-Encoding: {encoding}");
        let packed = server.call("GET", "/nodes/pve1/qemu", &["--compressed", "-H", &header]).ok();
        assert!(packed.head.contains(&format!("content-encoding: {encoding}")), "{}", packed.head);
        assert_eq!(packed.body, plain.body);
    }
    assert!(plain.head.contains("content-type: application/json;charset=utf-8"), "{}", plain.head);
}

fn other_transports(host: &Host) {
    let server = Server::start(host);
    server.as_owner("GET", "/version", &[]).ok();
    let plain = run(Command::new("curl").args([
        "-s",
        "-i",
        &format!("http://{}/api2/json/version?a=b", server.address),
    ]));
    let location = format!("Location: https://{}/api2/json/version?a=b", server.address);
    plain.ok().prints("301 Moved Permanently").prints(&location);
    for version in ["--tls-max 1.2", "--tlsv1.3"] {
        let args: Vec<&str> = version.split(' ').collect();
        server.call("GET", "/version", &args).ok();
    }
    // Who would speak HTTP/2 if it could gets HTTP/1.1, for the reason's sake.
    let answer = server.call("GET", "/nothing", &["--http2"]);
    assert!(answer.text.starts_with("HTTP/1.1 501 Method"), "{}", answer.text);
}

/// Whatever is sent, the server lives, has as many open files as before, and no guest has come or gone.
fn malformed_requests_change_nothing(host: &Host) {
    let server = Server::start(host);
    let socket = server.socket();
    let files = || fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("open files").count();
    server.as_owner("GET", "/version", &[]).ok();
    // It stays open from its first line on, which is written when the answer is out.
    let log = host.at("var/log/pveproxy/access.log");
    wait::until("the access log to be open", || log.exists().then_some(()));
    let before = files();
    let long = "x".repeat(100_000);
    let lines: String = (0..100).map(|n| format!("H{n}: x\r\n")).collect();
    for request in [
        "".to_owned(),
        "\r\n\r\n\0\0\0".to_owned(),
        "GET".to_owned(),
        format!("GET /{long} HTTP/1.1\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{lines}\r\n"),
        format!("GET / HTTP/1.1\r\nCookie: {long}\r\n\r\n"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "GET /api2/json/%2e%2e/%00 HTTP/1.1\r\n\r\n".to_owned(),
        "GET /api2/json/nodes/../../etc/passwd HTTP/1.1\r\n\r\n".to_owned(),
        "GET http://[::1/api2 HTTP/1.1\r\n\r\n".to_owned(),
        "POST /api2/json/nodes/pve1/qemu HTTP/1.1\r\nContent-Length: -1\r\n\r\nvmid=100".to_owned(),
        "POST /api2/json/nodes/pve1/qemu HTTP/1.1\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\nvmid=100".to_owned(),
        "POST /api2/json/nodes/pve1/qemu HTTP/1.1\r\nContent-Length: 99\r\n\r\nvmid=100".to_owned(),
        "POST /api2/json/nodes/pve1/qemu HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nvmid=100\r\n0\r\n\r\n".to_owned(),
        format!("POST /api2/json/nodes/pve1/qemu HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 50000\r\n\r\n{}", "[".repeat(50_000)),
        format!("POST /api2/json/nodes/pve1/qemu HTTP/1.1\r\nContent-Length: 50000\r\n\r\n{}", "a&b=c;".repeat(8334)),
        "DELETE /api2/json/nodes/pve1/storage/local/content/snippets%2F..%2F..%2Fx HTTP/1.1\r\n\r\n".to_owned(),
    ] {
        let mut stream = UnixStream::connect(&socket).expect("the server takes connections");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
        // It may close at any time.
        let _ = stream.write_all(request.as_bytes());
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        let first = answer.lines().next().unwrap_or_default();
        let shown: String = request.chars().take(80).collect();
        assert!(!first.contains(" 200 "), "{shown}: {answer}");
    }
    // Half a handshake, and something that is none.
    for bytes in [&[22, 3, 1][..], &[22, 3, 1, 255, 255, 0, 0, 0], &[0; 64]] {
        let mut stream = TcpStream::connect(&server.address).expect("the server takes connections");
        let _ = stream.write_all(bytes);
    }
    wait::until("the files to be closed", || (files() <= before).then_some(()));
    server.call("GET", "/version", &[]).ok();
    assert_eq!(server.as_owner("GET", "/nodes/pve1/qemu", &[]).ok().body["data"], serde_json::json!([]));
}

/// Many that send nothing, half a head, or half a body.
fn slow_clients_hold_nobody_up(host: &Host) {
    let server = Server::start(host);
    let mut slow = Vec::new();
    for number in 0..600 {
        let mut stream = TcpStream::connect(&server.address).expect("the server takes connections");
        if number % 2 == 0 {
            stream.write_all(&[22, 3, 1, 2, 0]).expect("a part of a handshake");
        }
        slow.push(stream);
    }
    let mut halves = Vec::new();
    for _ in 0..600 {
        let mut stream = UnixStream::connect(server.socket()).expect("the server takes connections");
        let head =
            "PUT /api2/json/nodes/pve1/qemu/100/config HTTP/1.1\r\nContent-Length: 500000\r\n\r\nname=";
        stream.write_all(head.as_bytes()).expect("a part of a request");
        halves.push(stream);
    }
    let began = Instant::now();
    server.call("GET", "/version", &[]).ok();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(proc::alive(server.pid()));
}
