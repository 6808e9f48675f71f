//! (g): what systemd's supervision costs: start and stop of a virtual machine whose keeper is a unit, and of the same one whose
//! keeper nobody watches, on the same host, which is a Debian in a container. And how systemd is best asked for a unit.

use crate::Plan;
use crate::report::Report;
use e2e::Host;
use e2e::machine::Machine;
use model::Vmid;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// This program, where it measures in there.
const PROGRAM: &str = "/root/bench";
/// The option by which it does.
const WITHIN: &str = "--within";
/// A root whose keepers nobody watches: it is not the host's own.
const APART: &str = "/srv/apart";
/// The virtual machine that is measured.
const VM: &str = "300";
/// No guest has this number, so its keeper ends at once.
const NOBODY: &str = "999";

const UNIT: &str = "systemd";
const SESSION: &str = "no supervision";
const BUS: &str = "keeper's unit asked for by D-Bus (ms)";
const SYSTEMCTL: &str = "keeper's unit asked for by systemctl --no-block (ms)";

/// How many rounds this program shall measure in the container, if it is that program.
pub(crate) fn asked_within() -> Option<usize> {
    let mut words = std::env::args().skip_while(|word| word != WITHIN);
    words.next()?;
    words.next()?.parse().ok()
}

pub(crate) fn measure(host: &Host, plan: Plan, report: &mut Report) {
    if e2e::suite::debian().is_none() {
        return report.note("Without systemd: there is no Debian to install the package on.");
    }
    let machine = Machine::boot(host);
    let program = std::env::current_exe().expect("this program");
    fs::copy(program, machine.at(PROGRAM)).expect("this program can be copied");
    let said = machine.run(&format!("{PROGRAM} {WITHIN} {}", plan.rounds));
    for line in said.lines() {
        let (number, name) = line.split_once(' ').expect("a number and a name");
        report.add_number(name, number.parse().expect("a number"));
    }
    for verb in ["start", "stop"] {
        let median = |how| report.median(&series(verb, how));
        let adds = median(UNIT).zip(median(SESSION)).map(|(with, without)| with - without);
        report.goal(&format!("qm {verb}: what systemd adds"), adds, Some(10.0), "ms");
    }
    let (bus, systemctl) = (report.median(BUS), report.median(SYSTEMCTL));
    report.goal("keeper's unit: D-Bus against systemctl", bus, systemctl, "ms");
}

fn series(verb: &str, how: &str) -> String {
    format!("qm {verb}, {how} (ms)")
}

/// Measures, and prints a line for each sample.
pub(crate) fn measure_within(rounds: usize) {
    for root in ["/", APART] {
        run("hookvisor", &["init", "--node", "pve1"], root);
        run("qm", &["create", VM, "--memory", "16", "--kvm", "0", "--vga", "none"], root);
    }
    // The first round warms up.
    for round in 0..=rounds {
        let mut samples = Vec::new();
        for (root, how) in [("/", UNIT), (APART, SESSION)] {
            for verb in ["start", "stop"] {
                samples.push((series(verb, how), run("qm", &[verb, VM], root)));
            }
        }
        let vmid: Vmid = NOBODY.parse().expect("a VMID");
        samples.push((BUS.to_owned(), timed(|| supervision::start_keeper(vmid).expect("systemd answers"))));
        settle();
        let unit = format!("hookvisor-keeper@{NOBODY}");
        samples.push((SYSTEMCTL.to_owned(), run("systemctl", &["start", "--no-block", &unit], "/")));
        settle();
        for (name, took) in samples.iter().filter(|_| round > 0) {
            println!("{} {name}", took.as_secs_f64() * 1e3);
        }
    }
}

/// Waits until nothing is to be done for systemd.
fn settle() {
    let unit = format!("hookvisor-keeper@{NOBODY}.service");
    let rests = || {
        let mut command = Command::new("systemctl");
        let told = command.args(["show", "--property=ActiveState,Job", &unit]).output().expect("systemctl");
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        told.lines().all(|line| matches!(line, "ActiveState=inactive" | "Job=" | "Job=0"))
    };
    while !rests() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs a command about a root, and returns how long it took.
fn run(program: &str, args: &[&str], root: &str) -> Duration {
    let mut command = Command::new(program);
    command.args(args).stdout(Stdio::null());
    if Path::new(root) != Path::new("/") {
        command.env("HOOKVISOR_ROOT", root);
    }
    timed(|| {
        let status = command.status();
        assert!(status.is_ok_and(|status| status.success()), "{program} {args:?} about {root}");
    })
}

fn timed(act: impl FnOnce()) -> Duration {
    let began = Instant::now();
    act();
    began.elapsed()
}
