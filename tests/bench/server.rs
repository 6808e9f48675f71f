//! (f): what the server costs with 10, 100 and 1,000 guests configured and with 100 containers running: lists and a guest's
//! status by TLS on a connection that is kept, its memory, and the commands beside it.

use crate::Plan;
use crate::container::container;
use crate::report::Report;
use e2e::https::Https;
use e2e::{Host, Kind, Server};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// The first of the guests that are configured.
const FIRST: u32 = 20_000;

/// Bytes in a MiB, in units of what the kernel tells.
const KIB_IN_MIB: f64 = 1024.0;

pub(crate) fn measure(plan: Plan, report: &mut Report) {
    let lists: Vec<(f64, f64)> = plan
        .served
        .iter()
        .map(|guests| {
            let host = Host::new();
            configure(&host, *guests);
            let list = scene(&host, &format!("{guests} guests"), FIRST, Kind::Vm, plan, report);
            report.goal(&format!("qm list, {guests} guests"), list.command, Some(50.0), "ms");
            finish(&host);
            (f64::from(*guests), list.median)
        })
        .collect();
    if let [.., (few, quick), (many, slow)] = lists[..] {
        // A fixed part is in both, so many guests must not cost more each than few do.
        let is = slow / many * 1e3;
        report.goal("server: /cluster/resources, each guest", Some(is), Some(quick / few * 1e3), "µs");
    }
    containers(plan, report);
}

fn configure(host: &Host, guests: u32) {
    let folder = host.at("etc/pve/qemu-server");
    for vmid in FIRST..FIRST + guests {
        let text = format!(
            "boot: order=net0\ncores: 2\nmemory: 512\nname: vm{vmid}\nnet0: virtio=BC:24:11:00:00:01\n"
        );
        fs::write(folder.join(format!("{vmid}.conf")), text).expect("a configuration");
    }
}

fn containers(plan: Plan, report: &mut Report) {
    let host = Host::new();
    let guests: Vec<_> = (FIRST..FIRST + plan.running).map(|vmid| container(&host, vmid, None)).collect();
    guests.iter().for_each(|guest| drop(guest.start().ok()));
    let name = format!("{} containers running", plan.running);
    scene(&host, &name, FIRST, Kind::Container, plan, report);
    drop(guests);
    finish(&host);
}

fn finish(host: &Host) {
    host.finish().unwrap_or_else(|left| panic!("{left}"));
}

/// What the list of everything took, in milliseconds.
struct List {
    median: f64,
    /// The command `qm list`.
    command: Option<f64>,
}

/// Measures one number of guests.
fn scene(host: &Host, name: &str, vmid: u32, kind: Kind, plan: Plan, report: &mut Report) -> List {
    let server = Server::start(host);
    let collection = if kind == Kind::Vm { "qemu" } else { "lxc" };
    let status = format!("/nodes/pve1/{collection}/{vmid}/status/current");
    let mut took = |path: &str, calls: usize, what: &str, at_most: f64| -> f64 {
        let mut client = Client::new(&server);
        (0..calls / 10).for_each(|_| {
            client.get(path);
        });
        let mut took: Vec<Duration> = (0..calls).map(|_| client.get(path)).collect();
        took.sort_unstable();
        let rank = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
        report.add(&format!("server, {name}: {what}, p50 (ms)"), rank(0.5));
        report.add(&format!("server, {name}: {what}, p99 (ms)"), rank(0.99));
        let is = rank(0.99).as_secs_f64() * 1e3;
        report.goal(&format!("server, {name}: {what}, p99"), Some(is), Some(at_most), "ms");
        rank(0.5).as_secs_f64() * 1e3
    };
    let median = took("/cluster/resources", plan.calls / 10, "/cluster/resources", 20.0);
    took(&status, plan.calls, "status/current", 2.0);
    let rate = rate(&server, &status, plan.calls);
    report.add_number(&format!("server, {name}: status/current, two clients (requests per second)"), rate);
    let memory = memory(server.pid());
    report.add_number(&format!("server, {name}: PSS after that (MiB)"), memory);
    report.goal(&format!("server, {name}: PSS"), Some(memory), Some(40.0), "MiB");
    let (program, list) = if kind == Kind::Vm { ("qm", "qm list") } else { ("pct", "pct list") };
    let (list, version) = (format!("{list}, {name} (ms)"), format!("pvesh get /version, {name} (ms)"));
    for _ in 0..plan.rounds {
        report.add(&list, host.run(program, ["list"]).ok().took);
        report.add(&version, host.run("pvesh", ["get", "/version"]).ok().took);
    }
    List { median, command: report.median(&list) }
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

/// The memory of a process, what it shares counted in part, in MiB.
fn memory(pid: u32) -> f64 {
    let rollup = Path::new("/proc").join(pid.to_string()).join("smaps_rollup");
    let rollup = fs::read_to_string(rollup).expect("a process");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).expect("its memory");
    let kib: f64 = line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number");
    kib / KIB_IN_MIB
}

/// A client with root's token.
struct Client {
    https: Https,
    headers: [(String, String); 1],
}

impl Client {
    fn new(server: &Server<'_>) -> Self {
        let headers = [("Authorization".to_owned(), server.token.clone())];
        Self { https: Https::new(server), headers }
    }

    /// How long it takes until the whole answer is there.
    fn get(&mut self, path: &str) -> Duration {
        let began = Instant::now();
        let reply = self.https.call("GET", path, &self.headers, None);
        assert_eq!(reply.status, 200, "{}", reply.reason);
        began.elapsed()
    }
}
