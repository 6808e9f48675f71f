//! Files that are sent in a form: a snippet goes from a client to a guest's phases; what may not come in leaves nothing.

use e2e::server::token;
use e2e::suite::{CURL, QEMU, Test};
use e2e::{Host, Kind, Server, tests};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        once [CURL, QEMU]: a_snippet_becomes_a_hookscript;
        once [CURL]: a_large_image_passes_through, what_may_not_come_in_leaves_nothing, a_client_that_leaves,
            a_file_is_fetched_whole_or_not_at_all, a_file_to_be_run_is_not_taken_from_any_page
    )
}

const UPLOAD: &str = "/nodes/pve1/storage/local/upload";

/// What lies in the folder that uploads pass through.
fn passing(host: &Host) -> usize {
    fs::read_dir(host.at("var/tmp")).into_iter().flatten().flatten().count()
}

fn a_snippet_becomes_a_hookscript(host: &Host) {
    let server = Server::start(host);
    let (script, heard) = (host.scratch().join("sent"), host.scratch().join("heard"));
    fs::write(&script, format!("#!/bin/sh\necho $2 >>'{}'\n", heard.display()))
        .expect("a file can be written");
    let sum = e2e::output::run(std::process::Command::new("sha256sum").arg(&script)).ok().out();
    let sum = sum.split(' ').next().expect("a checksum");
    let file = format!("filename=@{};filename=../../own script.sh", script.display());
    let sent = |sum: &str| {
        let sum = format!("checksum={sum}");
        let form = [
            "-F",
            "content=snippets",
            "-F",
            "checksum-algorithm=sha256",
            "-F",
            &sum,
            "-F",
            "mode=0755",
            "-F",
            &file,
        ];
        server.as_owner("POST", UPLOAD, &form)
    };
    let wrong = sent(&sum.replace(|c: char| c.is_ascii_digit(), "0"));
    assert_ne!(server.task(&wrong), "OK");
    let placed = host.at("var/lib/vz/snippets/own_script.sh");
    assert!(!placed.exists(), "a file with another checksum is not placed");
    assert_eq!(server.task(&sent(sum)), "OK");
    assert_eq!(fs::read(&placed).expect("the snippet"), fs::read(&script).expect("what was sent"));
    assert_eq!(fs::metadata(&placed).expect("the snippet").permissions().mode() & 0o777, 0o755);

    let guest = host.guest(Kind::Vm);
    let config = format!("/nodes/pve1/qemu/{}/config", guest.vmid());
    server.as_owner("PUT", &config, &["-d", "hookscript=local:snippets/own_script.sh"]).ok();
    guest.start().ok();
    guest.stop().ok();
    let heard = fs::read_to_string(heard).expect("the hook was called");
    assert_eq!(heard, "pre-start\npost-start\npre-stop\npost-stop\n");
    assert_eq!(passing(host), 0);
}

fn a_large_image_passes_through(host: &Host) {
    let server = Server::start(host);
    let image = host.scratch().join("image.iso");
    let bytes: Vec<u8> = (0..40_u32 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(&image, &bytes).expect("a file can be written");
    let file = format!("filename=@{}", image.display());
    let answer = server.call("POST", UPLOAD, &["-F", "content=iso", "-F", &file]);
    assert_eq!(server.task(&answer), "OK");
    let placed = fs::read(host.at("var/lib/vz/template/iso/image.iso")).expect("the image");
    assert!(placed == bytes, "it is what was sent");
    assert_eq!(passing(host), 0);
}

fn what_may_not_come_in_leaves_nothing(host: &Host) {
    let server = Server::start(host);
    let script = host.scratch().join("script");
    fs::write(&script, "#!/bin/sh\n").expect("a file can be written");
    let file = format!("filename=@{};filename=x.sh", script.display());
    let form = ["-F", "content=snippets", "-F", &file];
    // Nobody; somebody without a right to it; a name that is another's file; content that is none.
    assert_eq!(server.send("POST", UPLOAD, &form).status, 401);
    host.hookvisor(["user", "add", "ann@pve"]).ok();
    let ann = format!("Authorization: {}", token(host, "ann@pve", "t01"));
    assert_eq!(server.send("POST", UPLOAD, &[&["-H", &ann][..], &form].concat()).status, 403);
    let own = ["-F", "tmpfilename=/etc/shadow", "-F", "content=snippets", "-F", "filename=x.sh"];
    assert_eq!(server.call("POST", UPLOAD, &own).status, 400);
    let named = ["-d", "content=snippets&filename=x.sh&tmpfilename=/var/tmp/pveupload-0"];
    assert_eq!(server.call("POST", UPLOAD, &named).status, 400);
    let named = format!("{UPLOAD}?tmpfilename=/var/tmp/pveupload-0");
    assert_eq!(server.call("POST", &named, &form).status, 400);
    let other = ["-F", "content=rootdir", "-F", &file];
    assert_eq!(server.call("POST", UPLOAD, &other).status, 400);
    // Only there is such a form taken.
    assert_eq!(server.call("POST", "/nodes/pve1/qemu", &form).status, 506);
    assert!(!host.at("var/lib/vz/snippets/x.sh").exists());
    assert_eq!(passing(host), 0);
}

/// A client that ends in the middle of its file.
fn a_client_that_leaves(host: &Host) {
    let server = Server::start(host);
    let socket = std::os::unix::net::UnixStream::connect(server.socket()).expect("the server's socket");
    let head = format!(
        "POST /api2/json{UPLOAD} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n\
         Content-Length: 100000\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"content\"\r\n\r\nsnippets\r\n\
         --b\r\nContent-Disposition: form-data; name=\"filename\"; filename=\"x.sh\"\r\n\r\n#!/bin/sh\n"
    );
    (&socket).write_all(head.as_bytes()).expect("the head can be sent");
    e2e::wait::until("the file to be begun", || (passing(host) == 1).then_some(()));
    drop(socket);
    e2e::wait::until("the file to be gone", || (passing(host) == 0).then_some(()));
    assert!(TcpStream::connect(&server.address).is_ok());
    server.call("GET", "/version", &[]).ok();
}

/// A server of files for as long as the test runs: what it has, and what goes wrong with it.
fn files() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let count = stream.read(&mut head).unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..count]).into_owned();
            let answer = match head.split(' ').nth(1).unwrap_or_default() {
                "/good" => format!("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "an image\n"),
                "/moved" => "HTTP/1.1 302 Found\r\nLocation: /good\r\nContent-Length: 0\r\n\r\n".to_owned(),
                "/local" => "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"
                    .to_owned(),
                "/cut" => "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\nan image".to_owned(),
                _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
            };
            // A client may leave.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

fn a_file_is_fetched_whole_or_not_at_all(host: &Host) {
    let (server, from) = (Server::start(host), files());
    let folder = host.at("var/lib/vz/template/iso");
    let fetch = |file: &str, name: &str, more: &str| {
        let body = format!("content=iso&filename={name}&url=http://{from}/{file}{more}");
        server.call("POST", "/nodes/pve1/storage/local/download-url", &["-d", &body])
    };
    let sum = "&checksum-algorithm=md5&checksum=";
    let good = "b5f7a6b1d3ab2eac0ea5a2ba3a5bc4bc";
    let image = host.scratch().join("image");
    fs::write(&image, "an image\n").expect("a file");
    let known = e2e::output::run(std::process::Command::new("md5sum").arg(&image)).ok().out();
    let known = known.split(' ').next().expect("a checksum");
    assert_eq!(server.task(&fetch("good", "../one.iso", &format!("{sum}{known}"))), "OK");
    assert_eq!(server.task(&fetch("moved", "two.iso", "")), "OK");
    for name in ["one.iso", "two.iso"] {
        assert_eq!(fs::read_to_string(folder.join(name)).expect("an image"), "an image\n");
    }
    for (file, more, why) in [
        ("missing", "", "404"),
        ("cut", "", "download failed: curl: (18)"),
        ("local", "", "download failed: curl: (1)"),
        ("good", &format!("{sum}{good}")[..], "checksum mismatch: got "),
    ] {
        let ended = server.task(&fetch(file, "three.iso", more));
        assert!(ended.contains(why), "{file}: {ended}");
    }
    let there = format!("refusing to override existing file '{}'", folder.join("one.iso").display());
    fetch("good", "one.iso", "").refused(500, &there);
    for (name, more) in [("x.txt", ""), ("x.iso", "&compression=gz"), ("x.iso", "&checksum=1")] {
        fetch("good", name, more).refused(400, "Parameter verification failed.");
    }
    let local = "content=iso&filename=x.iso&url=file:///etc/passwd";
    let refused = server.call("POST", "/nodes/pve1/storage/local/download-url", &["-d", local]);
    refused.refused(400, "Parameter verification failed.");
    let names = fs::read_dir(&folder).expect("images").flatten().map(|entry| entry.file_name());
    let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    assert_eq!(names, ["one.iso", "two.iso"]);
}

/// A form may come from any page that a browser shows: with the ticket, and without the token against that.
fn a_file_to_be_run_is_not_taken_from_any_page(host: &Host) {
    let server = Server::with_key_of_proxmox_ve(host);
    let password = format!("password={}", server.ticket_of_root());
    let logged_in = ["-d", "username=root@pam", "--data-urlencode", &password];
    let logged_in = server.send("POST", "/access/ticket", &logged_in).ok();
    let data = &logged_in.body["data"];
    let cookie = format!("Cookie: PVEAuthCookie={}", data["ticket"].as_str().expect("a ticket"));
    let csrf = format!("CSRFPreventionToken: {}", data["CSRFPreventionToken"].as_str().expect("a token"));
    let script = host.scratch().join("sent.sh");
    fs::write(&script, "#!/bin/sh\n").expect("a file can be written");
    let file = format!("filename=@{}", script.display());
    let plain = ["-H", &cookie, "-F", "content=snippets", "-F", &file];
    let mode = ["-F", "mode=0755"];
    let run = [&plain[..3], &["content=snippets"], &mode, &plain[4..]].concat();
    server.send("POST", UPLOAD, &run).refused(401, "Permission denied - invalid csrf token");
    assert_eq!(passing(host), 0);
    assert!(!host.at("var/lib/vz/snippets/sent.sh").exists());
    let with_token = [&["-H", &csrf], &run[..]].concat();
    assert_eq!(server.task(&server.send("POST", UPLOAD, &with_token)), "OK");
    fs::remove_file(host.at("var/lib/vz/snippets/sent.sh")).expect("the snippet");
    // As at Proxmox VE.
    assert_eq!(server.task(&server.send("POST", UPLOAD, &plain)), "OK");
}
