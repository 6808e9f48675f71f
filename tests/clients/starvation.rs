//! What hangs, comes slowly or is long holds up nobody else.

use e2e::hanging::{Frozen, Silent};
use e2e::output::Running;
use e2e::suite::{CURL, QEMU, Test};
use e2e::{Host, Kind, Server, proc, tests, wait};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

pub(crate) fn tests() -> Vec<Test> {
    tests!(once [CURL, QEMU]: a_storage_that_hangs_holds_up_only_who_asks_for_it, what_hangs_in_the_midst_is_given_up;
        once [CURL]: long_and_slow_bodies_hold_nobody_up)
}

/// Calls that have nothing to do with it are answered in time.
#[track_caller]
fn others_are_served(server: &Server<'_>, what: &str) {
    let in_time = |path: &str, began: Instant| {
        assert!(began.elapsed() < Duration::from_secs(8), "{what}: {path} took {:?}", began.elapsed());
    };
    for path in [
        "/version",
        "/nodes/pve1/storage/local/content",
        "/nodes/pve1/storage/local/status",
        "/nodes/pve1/qemu",
        // These look at all storages: at one that hangs for as long as it may take.
        "/cluster/resources",
        "/nodes/pve1/storage",
    ] {
        let began = Instant::now();
        server.call("GET", path, &["--max-time", "10"]).ok();
        in_time(path, began);
    }
    let began = Instant::now();
    server.send("POST", "/access/ticket", &["-d", "username=ann@pve&password=secret+word"]).ok();
    in_time("a log-in", began);
}

#[track_caller]
fn a_guest_lives(server: &Server<'_>, host: &Host) {
    let (guest, began) = (host.guest(Kind::Vm), Instant::now());
    let at = |what: &str| format!("/nodes/pve1/qemu/{}/status/{what}", guest.vmid());
    assert_eq!(server.task(&server.call("POST", &at("start"), &[])), "OK");
    assert_eq!(server.call("GET", &at("current"), &[]).ok().body["data"]["status"], "running");
    assert_eq!(server.task(&server.call("POST", &at("stop"), &[])), "OK");
    assert!(began.elapsed() < Duration::from_secs(20), "the guest took {:?}", began.elapsed());
}

fn threads(server: &Server<'_>) -> u32 {
    proc::process(server.pid()).expect("the server").threads
}

/// Requests that hang, in the background.
fn ask(server: &Server<'_>, method: &str, path: &str, args: &[&str], count: usize) -> Vec<Running> {
    let call = || {
        let mut curl = server.curl();
        curl.arg("-X").arg(method).arg("-H").arg(format!("Authorization: {}", server.token)).args(args);
        curl.arg(format!("https://{}/api2/json{path}", server.address));
        Running::start(&mut curl)
    };
    (0..count).map(|_| call()).collect()
}

fn ann(host: &Host) {
    host.hookvisor(["user", "add", "ann@pve", "--password", "secret word"]).ok();
}

/// A storage that does not answer is found out about within seconds, by one thread, and is there again when it answers.
fn a_storage_that_hangs_holds_up_only_who_asks_for_it(host: &Host) {
    ann(host);
    let server = Server::start(host);
    let frozen = Frozen::at(host, &host.scratch().join("nas"));
    storage(host);
    let vmid = host.next_vmid();
    host.qm(["create", &vmid.to_string(), "--memory", "16", "--kvm", "0"]).ok();
    let config = host.at(&format!("etc/pve/qemu-server/{vmid}.conf"));
    let there = fs::read_to_string(&config).expect("a configuration");
    fs::write(&config, format!("{there}scsi0: nas:{vmid}/vm-{vmid}-disk-0.raw,size=1M\n")).expect("written");
    let began = Instant::now();
    let mut asked = Vec::new();
    let storage = "/nodes/pve1/storage/nas";
    let disk = format!("filename=vm-{vmid}-disk-1.raw&size=1M&vmid={vmid}");
    for (method, path, args) in [
        ("GET", format!("{storage}/content"), vec![]),
        ("GET", format!("{storage}/status"), vec![]),
        ("POST", format!("{storage}/content"), vec!["-d", &disk]),
        ("GET", "/cluster/resources".to_owned(), vec![]),
        ("PUT", format!("/nodes/pve1/qemu/{vmid}/config"), vec!["-d", "scsi1=nas:1"]),
        ("POST", format!("/nodes/pve1/qemu/{vmid}/status/start"), vec![]),
    ] {
        asked.extend(ask(&server, method, &path, &args, 30));
    }
    others_are_served(&server, "while it hangs");
    a_guest_lives(&server, host);
    let mut texts = Vec::new();
    for running in asked {
        texts.push(running.finish().out());
    }
    assert!(began.elapsed() < Duration::from_secs(50), "{:?}", began.elapsed());
    let refused = texts.iter().filter(|text| text.contains("unable to activate storage 'nas'")).count();
    assert!(refused >= 40, "{refused}: {texts:?}");
    assert!(threads(&server) < 150, "{} threads", threads(&server));
    // Long after, no more hang than at first.
    let before = threads(&server);
    for _ in 0..50 {
        let rows = server.call("GET", "/nodes/pve1/storage", &[]).ok();
        let row =
            rows.body["data"].as_array().and_then(|rows| rows.iter().find(|row| row["storage"] == "nas"));
        assert_eq!(row.expect("the storage")["active"], 0);
    }
    assert!(threads(&server) <= before + 8, "{before} threads became {}", threads(&server));
    frozen.thaw();
    wait::until("the storage to be there again", || {
        let status = server.call("GET", &format!("{storage}/status"), &[]).ok();
        (status.body["data"]["active"] == 1).then_some(())
    });
    server.call("GET", &format!("{storage}/content"), &[]).ok();
    drop(frozen);
}

/// A storage beside `local`.
fn storage(host: &Host) {
    let cfg = host.at("etc/pve/storage.cfg");
    let before = fs::read_to_string(&cfg).expect("storages");
    let path = host.scratch().join("nas");
    let text = format!("{before}\ndir: nas\n\tpath {}\n\tcontent images,iso,snippets\n", path.display());
    fs::write(&cfg, text).expect("storages");
}

/// What a storage hangs with only when somebody looks closer is ended by the limit, and those who wait are not many.
fn what_hangs_in_the_midst_is_given_up(host: &Host) {
    ann(host);
    let server = Server::start(host);
    storage(host);
    let vmid = host.next_vmid();
    let silent = Silent::at(&host.scratch().join(format!("nas/images/{vmid}")));
    let storage = "/nodes/pve1/storage/nas";
    let began = Instant::now();
    let volume = format!("{storage}/content/{vmid}%2Fvm-{vmid}-disk-0.raw");
    let mut asked = ask(&server, "GET", &format!("{storage}/content"), &[], 20);
    asked.extend((0..20).flat_map(|_| ask(&server, "GET", &volume, &[], 1)));
    wait::until("the lane to be full", || (threads(&server) > 8).then_some(()));
    others_are_served(&server, "while it hangs");
    a_guest_lives(&server, host);
    let texts: Vec<String> = asked.into_iter().map(|running| running.finish().out()).collect();
    let took = began.elapsed();
    let count = |word: &str| texts.iter().filter(|text| text.contains(word)).count();
    let (late, waiting) =
        (count("500 got timeout: no answer within 30 seconds"), count("500 got timeout: too many calls of "));
    assert!(late == 4 && waiting == 36, "{late} {waiting} {texts:?}");
    assert!(took > Duration::from_secs(25) && took < Duration::from_secs(45), "{took:?}");
    assert!(threads(&server) < 40, "{} threads", threads(&server));
    drop(silent);
    wait::until("the storage to be there again", || {
        let answer = server.call("GET", &format!("{storage}/content"), &[]);
        (answer.status == 200).then_some(())
    });
}

/// Hundreds of uploads and long bodies that come a byte at a time.
fn long_and_slow_bodies_hold_nobody_up(host: &Host) {
    ann(host);
    let server = Server::start(host);
    let connect = || {
        let stream = UnixStream::connect(server.socket()).expect("the server takes connections");
        stream.set_read_timeout(Some(Duration::from_secs(40))).expect("a limit");
        stream
    };
    let mut slow = Vec::new();
    for number in 0..400 {
        let mut stream = connect();
        let head = if number % 2 == 0 {
            let part = "--b\r\nContent-Disposition: form-data; name=\"content\"\r\n\r\niso\r\n\
                --b\r\nContent-Disposition: form-data; name=\"filename\"; filename=\"x.iso\"\r\n\r\nx";
            format!(
                "POST /api2/json/nodes/pve1/storage/local/upload HTTP/1.1\r\nHost: x\r\nContent-Type: \
                 multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n{part}"
            )
        } else {
            let most = "x".repeat(400 << 10);
            format!(
                "PUT /api2/json/nodes/pve1/qemu/100/config HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n{most}"
            )
        };
        // What the server does not take yet stays here.
        stream.set_nonblocking(true).expect("a mode");
        let _ = stream.write(head.as_bytes());
        slow.push(stream);
    }
    for round in 0..4 {
        for stream in &mut slow {
            let _ = stream.write(b"x");
        }
        others_are_served(&server, &format!("round {round}"));
        assert!(threads(&server) < 150, "{} threads", threads(&server));
    }
    // One that comes at once gets its place when others have had their time.
    drop(slow.split_off(100));
    let image = host.scratch().join("good.iso");
    fs::write(&image, "x".repeat(3 << 20)).expect("a file");
    let file = format!("filename=@{}", image.display());
    let sent = server.call("POST", "/nodes/pve1/storage/local/upload", &["-F", "content=iso", "-F", &file]);
    assert_eq!(server.task(&sent), "OK");
    let size = fs::metadata(host.at("var/lib/vz/template/iso/good.iso")).expect("the image").len();
    assert_eq!(size, 3 << 20);
    drop(slow);
    let leftovers = || fs::read_dir(host.at("var/tmp")).map_or(0, Iterator::count);
    wait::until("what was cut short to be gone", || (leftovers() == 0).then_some(()));
    let mut last = connect();
    last.write_all(b"GET /api2/json/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("a request");
    let mut text = String::new();
    last.read_to_string(&mut text).expect("an answer");
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
}
