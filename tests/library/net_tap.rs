//! net-tap: mirrors, forwarding entries and masks are there while the guest runs, and the network is as before once it does not.

use crate::pve::Pve;
use crate::scene::{file, give, killed, refused, settings, settings_of};
use e2e::inventory::Inventory;
use e2e::output::run;
use e2e::suite::{Need, QEMU, Test};
use e2e::{Behaviour, Guest, Host, Kind, tests, wait};
use std::fs;
use std::process::Command;

const SCRIPT: &str = "net-tap";
const MAC: &str = "BC:24:11:00:AA:01";

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each [Need::Bridge]: all_is_there_while_the_guest_runs, what_is_not_there_is_named, guests_share_a_bridge;
        once [QEMU, Need::Bridge]: what_others_set_stays, what_fails_leaves_nothing, as_pve
    )
}

/// Two interfaces of the host: what one end sends the other receives.
struct Pair {
    near: String,
    far: String,
}

impl Pair {
    fn make(name: char, vmid: u32) -> Self {
        let pair = Self { near: format!("{name}n{vmid}"), far: format!("{name}f{vmid}") };
        run(Command::new("ip").args(["link", "add", &pair.near, "type", "veth", "peer", "name", &pair.far]))
            .ok();
        for end in [&pair.near, &pair.far] {
            run(Command::new("ip").args(["link", "set", end, "up"])).ok();
        }
        pair
    }

    /// Sends something that goes to all.
    fn send(&self) {
        let _ = run(Command::new("ip").args(["addr", "replace", "10.213.0.1/24", "dev", &self.far]));
        let _ = run(Command::new("ping").args(["-c", "1", "-W", "1", "-I", &self.far, "10.213.0.9"]));
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["link", "del", &self.near]).status();
    }
}

/// A guest with an interface on a bridge.
fn guest_on<'h>(host: &'h Host, kind: Kind, bridge: &str) -> Guest<'h> {
    match kind {
        Kind::Vm => host.vm_with(&Behaviour::Obeys, &["--net0", &format!("virtio={MAC},bridge={bridge}")]),
        Kind::Container => {
            host.container_with(&["--net0", &format!("name=eth0,bridge={bridge},hwaddr={MAC}")])
        }
    }
}

fn shows(words: &[&str]) -> String {
    run(Command::new(words[0]).args(&words[1..])).out()
}

/// All that the script may change at interfaces of the host.
fn network(devices: &[&str]) -> String {
    let mut text = String::new();
    for device in devices {
        text += &shows(&["tc", "qdisc", "show", "dev", device]);
        text += &filters(device);
        let entries = shows(&["bridge", "fdb", "show", "dev", device]);
        // What the kernel itself has there comes and goes with time.
        let own = entries.lines().filter(|line| line.starts_with("bc:24:11"));
        text += &own.map(|line| format!("{line}\n")).collect::<String>();
        text += &mask(device);
    }
    text
}

fn filters(device: &str) -> String {
    ["ingress", "egress"].map(|direction| shows(&["tc", "filter", "show", "dev", device, direction])).concat()
}

fn mask(bridge: &str) -> String {
    fs::read_to_string(format!("/sys/class/net/{bridge}/bridge/group_fwd_mask")).unwrap_or_default()
}

fn sent_to(device: &str) -> u64 {
    let text = fs::read_to_string(format!("/sys/class/net/{device}/statistics/tx_packets"));
    text.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// The host's end of the guest's interface.
fn tap(bridge: &str) -> String {
    let ports = fs::read_dir(format!("/sys/class/net/{bridge}/brif")).expect("a bridge").flatten();
    let mut names: Vec<String> = ports.map(|port| port.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    assert_eq!(names.len(), 1, "{names:?}");
    names.remove(0)
}

fn all_is_there_while_the_guest_runs(host: &Host, kind: Kind) {
    let bridge = host.bridge();
    let guest = guest_on(host, kind, &bridge);
    give(host, &guest, SCRIPT);
    let (up, monitor) = (Pair::make('u', guest.vmid()), Pair::make('m', guest.vmid()));
    let params = format!(
        "tap_mirror=\"{up}>net0 net0>{monitor}\", tap_fdb=net0@{up}, tap_group_fwd=\"{bridge}=0x4000 net0=16384\"",
        up = up.near,
        monitor = monitor.near
    );
    settings_of(host, &guest, &params);
    let devices = [up.near.as_str(), &monitor.near, &bridge];
    let before = network(&devices);
    for end in ["stop", "kill", "kill of all"] {
        let inventory = (end == "kill").then(|| Inventory::of(host, &guest));
        let output = guest.start().ok();
        let tap = tap(&bridge);
        output
            .prints(&format!("net-tap: what {} receives and sends is copied to {tap}", up.near))
            .prints(&format!("net-tap: {} forwards to bc:24:11:00:aa:01", up.near));
        assert!(
            filters(&up.near).contains(&format!("(Egress Mirror to device {tap})")),
            "{}",
            filters(&up.near)
        );
        assert!(
            filters(&tap).contains(&format!("(Egress Mirror to device {})", monitor.near)),
            "{}",
            filters(&tap)
        );
        assert_eq!(mask(&bridge), "0x4000\n");
        let port = fs::read_to_string(format!("/sys/class/net/{tap}/brport/group_fwd_mask"));
        assert_eq!(port.expect("a port").trim(), "0x4000");
        // What comes to the host's interface goes to the guest's, and from there to the monitor.
        let seen = sent_to(&monitor.near);
        wait::until("a frame to be copied twice", || {
            up.send();
            (sent_to(&monitor.near) > seen).then_some(())
        });
        match end {
            "stop" => {
                guest.stop().ok();
            }
            "kill" => killed(host, &guest, &inventory.expect("it was taken")),
            _ => {
                guest.kill(&[guest.keeper(), guest.hypervisor()]);
                // What is asked for has changed meanwhile.
                settings_of(host, &guest, "");
                host.hookvisor(["recover"]).ok();
            }
        }
        guest.wait_run_end();
        assert_eq!(network(&devices), before, "after {end}");
    }
}

fn what_is_not_there_is_named(host: &Host, kind: Kind) {
    let bridge = host.bridge();
    let guest = guest_on(host, kind, &bridge);
    give(host, &guest, SCRIPT);
    // The file by which calls take turns is there from the first of them.
    guest.start().ok().prints("nothing to do");
    guest.stop().ok();
    guest.wait_run_end();
    for (params, why) in [
        ("tap_mirror=nosuch0>net0".to_owned(), "this host has no interface nosuch0"),
        (format!("tap_mirror={bridge}>net3"), "the guest has no net3"),
        (format!("tap_mirror={bridge}"), "which is not FROM>TO"),
        ("tap_fdb=net0@../x".to_owned(), "'../x' is no name of an interface"),
        ("tap_fdb=net0".to_owned(), "which is not netN@DEVICE"),
        ("tap_group_fwd=lo=0x4000".to_owned(), "lo is no bridge, and has no group_fwd_mask"),
        (format!("tap_group_fwd={bridge}=all"), "which is not BRIDGE=MASK or netN=MASK"),
    ] {
        settings_of(host, &guest, &params);
        refused(host, &guest, why);
    }
}

fn guests_share_a_bridge(host: &Host, kind: Kind) {
    let bridge = host.bridge();
    let (guest, other) = (guest_on(host, kind, &bridge), host.vm(&Behaviour::Obeys));
    settings(
        host,
        &[
            (&format!("guest {}", guest.vmid()), &format!("tap_group_fwd={bridge}=0x4000")),
            (&format!("guest {}", other.vmid()), &format!("tap_group_fwd={bridge}=0x8")),
        ],
    );
    for guest in [&guest, &other] {
        give(host, guest, SCRIPT);
        guest.start().ok();
    }
    assert_eq!(mask(&bridge), "0x4008\n");
    guest.kill(&[guest.hypervisor()]);
    guest.wait_run_end();
    assert_eq!(mask(&bridge), "0x4008\n");
    other.stop().ok();
    other.wait_run_end();
    assert_eq!(mask(&bridge), "0x0\n");
}

/// A filter, an entry and a discipline that were there before, and a filter that comes while the guest runs.
fn what_others_set_stays(host: &Host) {
    let bridge = host.bridge();
    let guest = guest_on(host, Kind::Vm, &bridge);
    give(host, &guest, SCRIPT);
    let up = Pair::make('u', guest.vmid());
    settings_of(host, &guest, &format!("tap_mirror={0}>net0, tap_fdb=net0@{0}", up.near));
    let filter = |preference: &str| {
        let place = ["filter", "add", "dev", &up.near, "ingress", "pref", preference, "protocol", "all"];
        let what = ["u32", "match", "u32", "0", "0", "action", "mirred", "egress", "mirror", "dev", "lo"];
        run(Command::new("tc").args(place).args(what)).ok();
    };
    run(Command::new("tc").args(["qdisc", "add", "dev", &up.near, "clsact"])).ok();
    filter("20000");
    let mac = MAC.to_ascii_lowercase();
    run(Command::new("bridge").args(["fdb", "add", &mac, "dev", &up.near, "self", "permanent"])).ok();
    let before = network(&[&up.near]);
    guest.start().ok();
    guest.kill(&[guest.hypervisor()]);
    guest.wait_run_end();
    assert_eq!(network(&[&up.near]), before);
    run(Command::new("tc").args(["qdisc", "del", "dev", &up.near, "clsact"])).ok();
    guest.start().ok();
    filter("7");
    guest.stop().ok();
    guest.wait_run_end();
    let left = filters(&up.near);
    assert!(left.contains("pref 7 ") && !left.contains("pref 20000"), "{left}");
}

fn what_fails_leaves_nothing(host: &Host) {
    let bridge = host.bridge();
    let guest = guest_on(host, Kind::Vm, &bridge);
    give(host, &guest, SCRIPT);
    let (up, other) = (Pair::make('u', guest.vmid()), Pair::make('o', guest.vmid()));
    settings_of(host, &guest, &format!("tap_mirror=\"{}>net0 {}>net0\"", up.near, other.near));
    run(Command::new("tc").args(["qdisc", "add", "dev", &other.near, "ingress"])).ok();
    let before = network(&[&up.near, &other.near]);
    let output = guest.start().ok();
    let said = [output.out(), output.err()].concat();
    let why = format!(
        "clsact {0}: {0} has the queueing discipline 'ingress', beside which 'clsact' cannot be",
        other.near
    );
    assert!(said.contains(&why), "{why}: {said}");
    assert_eq!(network(&[&up.near, &other.near]), before);
    guest.stop().ok();
    guest.wait_run_end();
    assert_eq!(network(&[&up.near, &other.near]), before);
}

fn as_pve(host: &Host) {
    let (pve, bridge) = (Pve::of(host), host.bridge());
    let guest = guest_on(host, Kind::Vm, &bridge);
    let id = guest.vmid();
    let (script, up) = (file(SCRIPT), Pair::make('u', id));
    let call = |phase| pve.call(&script, id, phase);
    pve.settings(&format!(
        "[guest {id}]\nparams = tap_mirror={0}>net0, tap_fdb=net0@{0}, tap_group_fwd={bridge}=0x4000\n",
        up.near
    ));
    let before = network(&[&up.near, &bridge]);
    call("pre-start").ok();
    let tap = format!("tap{id}i0");
    run(Command::new("ip").args(["tuntap", "add", &tap, "mode", "tap"])).ok();
    call("post-start").ok().prints(&format!("is copied to {tap}"));
    assert_eq!(mask(&bridge), "0x4000\n");
    call("pre-stop").ok();
    run(Command::new("ip").args(["link", "del", &tap])).ok();
    call("post-stop").ok();
    call("post-stop").ok();
    assert_eq!(network(&[&up.near, &bridge]), before);
    // The interface never came, and no end either.
    let output = call("post-start").fails();
    assert!(
        output.err().contains(&format!("for the guest's interface {tap} in vain")),
        "{}",
        output.describe()
    );
    assert_eq!(network(&[&up.near, &bridge]), before);
    assert_eq!(pve.left(), [""; 0]);
}
