//! The bench: what a start, a stop and a query cost, in interleaved pairs with the floor below which nobody can go.
//!
//! F is the same command line spawned by this program, until QEMU answers its first in-band monitor command, and its
//! `quit` until it is gone; for a container `lxc-start -d` and `lxc-stop -k`. H is the same hooks by plain fork and
//! exec. All on a machine that does nothing else, after a warm-up round, medians of ten rounds.

mod container;
mod floor;
mod libvirt;
mod machine;
mod queries;
mod report;
mod server;
mod supervision;

use e2e::Host;
use report::Report;
use std::path::PathBuf;
use std::process::ExitCode;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Plan {
    rounds: usize,
    /// Guests in the list, and guests alive for the measurement of memory.
    listed: u32,
    alive: u32,
    libvirt: bool,
    /// Numbers of guests that the server knows, how many containers run, and how many calls it gets.
    served: &'static [u32],
    running: u32,
    calls: usize,
}

fn main() -> ExitCode {
    if let Some(rounds) = supervision::asked_within() {
        supervision::measure_within(rounds);
        return ExitCode::SUCCESS;
    }
    let is_asked = |option: &str| std::env::args().any(|arg| arg == option);
    let quick = is_asked("--quick");
    let (server, supervision) = (is_asked("--server"), is_asked("--supervision"));
    let all = !server && !supervision;
    let plan = if quick {
        Plan { rounds: 2, listed: 10, alive: 2, libvirt: false, served: &[10], running: 2, calls: 50 }
    } else {
        Plan {
            rounds: 10,
            listed: 100,
            alive: 20,
            libvirt: true,
            served: &[10, 100, 1000],
            running: 100,
            calls: 5000,
        }
    };
    let host = Host::new();
    let mut report = Report::default();
    let measured = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        if all {
            machine::measure(&host, plan, &mut report);
            container::measure(&host, plan, &mut report);
            queries::measure(&host, plan, &mut report);
        }
        if all || supervision {
            supervision::measure(&host, plan, &mut report);
        }
        if all || server {
            server::measure(plan, &mut report);
        }
    }));
    let clean = host.finish();
    report.print();
    let path = json_path();
    if let Err(error) = std::fs::write(&path, report.json()) {
        eprintln!("{}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    println!("\nas JSON in {}", path.display());
    match (measured, clean) {
        (Ok(()), Ok(())) => ExitCode::SUCCESS,
        (_, Err(left)) => {
            eprintln!("{left}");
            ExitCode::FAILURE
        }
        (Err(_), _) => ExitCode::FAILURE,
    }
}

/// `bench.json` in the folder above the binary's, cargo's target folder.
fn json_path() -> PathBuf {
    let binary = e2e::host::binary();
    let folder = binary.parent().and_then(std::path::Path::parent).map(PathBuf::from);
    folder.unwrap_or_default().join("bench.json")
}
