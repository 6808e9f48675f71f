//! What the server costs: a guest's status by TLS on a connection that is kept, one client and two, and its memory.

use crate::Plan;
use crate::report::Report;
use e2e::{Host, Server};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Guests that are configured, on top of those that the other measurements left.
const FIRST: u32 = 20_000;

pub(crate) fn measure(host: &Host, plan: Plan, report: &mut Report) {
    let folder = host.at("etc/pve/qemu-server");
    for vmid in FIRST..FIRST + plan.served {
        let text = format!(
            "boot: order=net0\ncores: 2\nmemory: 512\nname: vm{vmid}\nnet0: virtio=BC:24:11:00:00:01\n"
        );
        fs::write(folder.join(format!("{vmid}.conf")), text).expect("a configuration");
    }
    let server = Server::start(host);
    let path = format!("/api2/json/nodes/pve1/qemu/{FIRST}/status/current");
    let mut client = Client::new(&server);
    for _ in 0..plan.calls / 10 {
        client.get(&path);
    }
    let mut took: Vec<Duration> = (0..plan.calls).map(|_| client.get(&path)).collect();
    took.sort_unstable();
    let rank = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    report.add("server: status/current, p50 (ms)", rank(0.5));
    report.add("server: status/current, p99 (ms)", rank(0.99));
    report.add_number("server: requests per second, two clients", rate(&server, &path, plan.calls));
    let list = format!("server: list of {} guests (ms)", plan.served);
    (0..plan.rounds).for_each(|_| report.add(&list, client.get("/api2/json/nodes/pve1/qemu")));
    let resident = resident(server.pid());
    report.add_number(&format!("server: memory after that, {} guests (MiB)", plan.served), resident);
    report.goal("server: status/current, p99", Some(rank(0.99).as_secs_f64() * 1e3), Some(2.0), "ms");
    report.goal("server: memory", Some(resident), Some(40.0), "MiB");
    for vmid in FIRST..FIRST + plan.served {
        fs::remove_file(folder.join(format!("{vmid}.conf"))).expect("a configuration");
    }
}

/// Two clients at once, each on its own connection.
fn rate(server: &Server<'_>, path: &str, calls: usize) -> f64 {
    let clients = [Client::new(server), Client::new(server)];
    let began = Instant::now();
    std::thread::scope(|scope| {
        for mut client in clients {
            scope.spawn(move || {
                for _ in 0..calls {
                    client.get(path);
                }
            });
        }
    });
    (2 * calls) as f64 / began.elapsed().as_secs_f64()
}

/// What is in memory of a process, in MiB.
fn resident(pid: u32) -> f64 {
    let status =
        fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    let kib: f64 = line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number");
    kib / 1024.0
}

/// A connection that is kept.
struct Client {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    token: String,
}

impl Client {
    fn new(server: &Server<'_>) -> Self {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(server.certificate()).expect("a certificate");
        roots.add(certificate).expect("a certificate that can be trusted");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("127.0.0.1").expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
        let stream = TcpStream::connect(&server.address).expect("the server takes connections");
        stream.set_nodelay(true).expect("an option");
        Self { stream: BufReader::new(StreamOwned::new(connection, stream)), token: server.token.clone() }
    }

    /// How long it takes until the whole answer is there.
    fn get(&mut self, path: &str) -> Duration {
        let began = Instant::now();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\n\r\n", self.token);
        self.stream.get_mut().write_all(request.as_bytes()).expect("a request");
        let mut length = 0;
        let mut line = String::new();
        let mut first = true;
        loop {
            line.clear();
            self.stream.read_line(&mut line).expect("a head");
            assert!(!first || line.starts_with("HTTP/1.1 200"), "{line}");
            first = false;
            if let Some(number) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = number.trim().parse().expect("a length");
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("a body");
        began.elapsed()
    }
}
