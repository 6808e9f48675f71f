//! The server's own life: its certificate, its end, and what goes on without it.

use e2e::output::run;
use e2e::suite::{CURL, QEMU, Test};
use e2e::{Behaviour, Host, Server, proc, tests, wait};
use rustix::process::Signal;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::Command;

pub(crate) fn tests() -> Vec<Test> {
    tests!(once [CURL]: the_certificate, systemd_is_told, an_answer_is_given_before_the_end;
        once [CURL, QEMU]: a_task_goes_on_without_the_server)
}

fn the_certificate(host: &Host) {
    let mut server = Server::start(host);
    let key = host.at("etc/pve/local/pve-ssl.key");
    assert_eq!(fs::metadata(&key).expect("a key").permissions().mode() & 0o7777, 0o600);
    // curl checks the name: by address, and by the node's.
    server.call("GET", "/version", &[]).ok();
    let first = fs::read(server.certificate()).expect("a certificate");
    let own = host.scratch().join("own");
    let made = |stem: &str| {
        let (cert, key) =
            (own.with_extension(format!("{stem}.pem")), own.with_extension(format!("{stem}.key")));
        run(Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=own"])
            .args(["-addext", "subjectAltName=IP:127.0.0.1"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&cert))
        .ok();
        (cert, key)
    };
    // One that is put in its place is served from the next connection on.
    let (cert, new_key) = made("1");
    fs::copy(&new_key, &key).expect("a key");
    fs::copy(&cert, server.certificate()).expect("a certificate");
    server.call("GET", "/version", &[]).ok();
    // One that is broken changes nothing.
    fs::write(&key, "nonsense").expect("a key");
    server.call("GET", "/version", &[]).ok();
    let end = server.end(Signal::TERM).ok();
    end.complains("the certificate is not changed");

    fs::copy(&new_key, &key).expect("a key");
    let (cert, other) = made("2");
    let options =
        ["--certificate", &cert.to_string_lossy(), "--key", &other.to_string_lossy()].map(str::to_owned);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let server = Server::start_with(host, &options);
    let trusted = server.send("GET", "/version", &["--cacert", &cert.to_string_lossy()]);
    trusted.refused(401, "No ticket");
    assert_ne!(fs::read(server.certificate()).expect("a certificate"), first);
    for (args, text) in [
        (&["--listen", "nowhere"][..], "--listen 'nowhere' is no address with a port"),
        (&["--certificate", "/nowhere"], "key: missing property required by 'certificate'"),
        (
            &["--listen", "127.0.0.1:0", "--certificate", "/nowhere", "--key", "/nowhere"],
            "cannot read '/nowhere'",
        ),
        (&["--listen", &server.address], "cannot listen at 127.0.0.1:"),
    ] {
        host.hookvisor(["serve"].iter().chain(args)).fails().complains(text);
    }
}

fn systemd_is_told(host: &Host) {
    let path = host.scratch().join("notify");
    let notify = UnixDatagram::bind(&path).expect("a socket");
    notify.set_read_timeout(Some(wait::DEADLINE)).expect("a limit");
    let mut command = host.command("hookvisor");
    command.args(["serve", "--listen", "127.0.0.1:0"]).env("NOTIFY_SOCKET", &path);
    let server = e2e::output::Running::start(&mut command);
    let told = || {
        let mut bytes = [0; 64];
        let count = notify.recv(&mut bytes).expect("a word to systemd");
        String::from_utf8_lossy(&bytes[..count]).trim().to_owned()
    };
    assert!(told().starts_with("READY=1\nSTATUS=serving https://127.0.0.1:"));
    assert!(host.at("run/hookvisor/api.sock").exists());
    host.hookvisor(["serve", "--listen", "127.0.0.1:0"]).fails().complains("another server listens there");
    server.signal(Signal::TERM);
    assert_eq!(told(), "STOPPING=1");
    let _ = server.finish().ok();
    assert!(!host.at("run/hookvisor/api.sock").exists());
}

/// The answer to a refusal takes three seconds; the server's end comes in between.
fn an_answer_is_given_before_the_end(host: &Host) {
    let mut server = Server::start(host);
    let mut stream = UnixStream::connect(server.socket()).expect("the server takes connections");
    // With the answer to the first, the second has been read too.
    let first = "GET /api2/json/version HTTP/1.1\r\n\r\n";
    let second = "GET /api2/json/version HTTP/1.1\r\nCookie: PVEAuthCookie=x\r\n\r\n";
    stream.write_all(format!("{first}{second}").as_bytes()).expect("requests");
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(answer, b"HTTP/1.1 200");
    let _ = server.end(Signal::TERM).ok();
    stream.read_to_end(&mut answer).expect("an answer");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains("HTTP/1.1 401 permission denied - invalid PVE ticket"), "{answer}");
}

/// The hook of a start waits; the server is killed; the start goes on, and the next server tells of it.
fn a_task_goes_on_without_the_server(host: &Host) {
    let mut server = Server::start(host);
    let guest = host.vm(&Behaviour::Obeys);
    let open = host.scratch().join("open");
    guest.on("pre-start", &format!("while [ ! -e {} ]; do sleep 0.05; done", open.display()));
    let started = server.call("POST", &format!("/nodes/pve1/qemu/{}/status/start", guest.id()), &[]);
    let upid = started.upid();
    guest.wait_noted("pre-start", 1);
    let worker = wait::until("the worker", || {
        proc::of_root(host.scratch()).into_iter().find(|process| process.cmdline == "hookvisor worker")
    });
    let _ = server.end(Signal::KILL);
    fs::write(&open, "").expect("a file");
    guest.wait_status("running");
    wait::until("the worker's end", || (!proc::alive(worker.pid)).then_some(()));

    let server = Server::start_with(host, &[]);
    assert_eq!(server.task(&started), "OK");
    let log = server.as_owner("GET", &format!("/nodes/pve1/tasks/{upid}/log?limit=0"), &[]).ok();
    assert!(log.text.contains("TASK OK"), "{}", log.text);
    let stopped = server.call("POST", &format!("/nodes/pve1/qemu/{}/status/stop", guest.id()), &[]);
    assert_eq!(server.task(&stopped), "OK");
    guest.lived("pre-start post-start pre-stop post-stop");
}
