//! The chores of this repository: `cargo xtask check|test|demo|bench|fuzz|dist|openapi`.

mod check;
mod debian_root;
mod dist;
mod fuzz;
mod guests;
mod host_vm;
mod linux;
mod packages;
mod policy;
mod python;
mod run;
mod test;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask COMMAND

  check             format, lints, documentation, dependency policy and house rules
  test [FILTER]     check, then every test there is; ends with `N passed, N failed, N skipped`
                    (with a filter: only the end to end tests whose name holds it)
  test --host-vm [FILTER]
                    hookvisor on a virtual machine of its own, whose power is pulled
  test --faults N   only kills at N random instants for each kind of guest, instead of the 200 of every test
  test --calls N    only calls of the API by chance: N requests of each method, and every corner of its parameters
  demo [--by-hand]  guests of both kinds through their phases, with the timeline from the journal; slowly, so that
                    you can kill what lives, and see that every phase is on record all the same
  bench [--quick] [--server] [--supervision]
                    what a start, a stop and a query cost, against the floors, and what the server and systemd's
                    supervision cost (or one of these alone); a table and JSON
  fuzz [TARGET] [--seconds N]
                    every parser of outside data, or one, each for N seconds (120), with libFuzzer
  dist [--binary PATH] [--release VERSION]
                    a Debian package and a tarball with a static program, in target/dist; or quickly a package of the
                    program at PATH
  openapi           writes docs/openapi.json and the reference pages of the book, which `test` compares";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["check"] => check::run_all(),
        ["test"] => test::run_all(None),
        ["test", "--host-vm"] => test::run_host_vm(None),
        ["test", "--host-vm", filter] if !filter.starts_with('-') => test::run_host_vm(Some(filter)),
        ["test", "--faults", number] => match number.parse() {
            Ok(instants) => test::run_faults(instants),
            Err(_) => Err(format!("'{number}' is no number of instants\n\n{USAGE}")),
        },
        ["test", "--calls", number] => match number.parse() {
            Ok(requests) => test::run_calls(requests),
            Err(_) => Err(format!("'{number}' is no number of requests\n\n{USAGE}")),
        },
        ["test", filter] if !filter.starts_with('-') => test::run_all(Some(filter)),
        ["demo"] => guests::demo(&[]),
        ["demo", "--by-hand"] => guests::demo(&["--by-hand"]),
        ["openapi"] => test::write_reference(),
        ["bench", ref rest @ ..] => guests::bench(rest),
        ["dist", ref rest @ ..] => dist::run(rest),
        ["fuzz", ref rest @ ..] => fuzz::run(rest),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
