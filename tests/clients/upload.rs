//! Files that are sent in a form: a snippet goes from a client to a guest's phases; what may not come in leaves nothing.

use e2e::server::token;
use e2e::suite::{CURL, QEMU, Test};
use e2e::{Host, Kind, Server, tests};
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        once [CURL, QEMU]: a_snippet_becomes_a_hookscript;
        once [CURL]: a_large_image_passes_through, what_may_not_come_in_leaves_nothing, a_client_that_leaves
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
