//! `cargo xtask test`: check, unit tests, end to end tests, demo; one line at the end.

use crate::run::{cargo, root, show, show_within, target};
use crate::{check, dist, host_vm, linux, packages, python, run};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The suites of the end to end tests.
const SUITES: [&str; 8] =
    ["lifecycle", "compat", "faults", "clients", "workshop", "library", PACKAGED[0], PACKAGED[1]];
/// The suites that install the Debian package.
const PACKAGED: [&str; 2] = ["systemd", "package"];
/// No suite may take longer.
const LIMIT: Duration = Duration::from_secs(600);
/// The machine whose power is pulled has an emulated processor, and comes up some sixty times.
const HOST_VM_LIMIT: Duration = Duration::from_secs(5400);
/// The tests that kill at random instants.
const RANDOM: &str = "random_kills";
/// The tests that call the API by chance.
const BY_CHANCE: &str = "by_chance";

#[derive(Default)]
struct Tally {
    passed: u64,
    failed: u64,
    skipped: BTreeMap<String, String>,
    ran: Vec<String>,
    complaints: Vec<String>,
}

/// A line that an end to end test leaves.
#[derive(Deserialize)]
struct Line {
    name: String,
    result: String,
    reason: String,
}

/// `tests/skips.toml`.
#[derive(Deserialize)]
struct Skips {
    #[serde(default)]
    skip: Vec<Skip>,
}

#[derive(Deserialize)]
struct Skip {
    name: String,
    reason: String,
}

impl Tally {
    fn step(&mut self, name: &str, result: Result<(), String>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(message) => {
                self.failed += 1;
                self.complaints.push(format!("{name}: {message}"));
            }
        }
    }
}

impl Tally {
    /// The last words of a run.
    fn close(&self, began: Instant) -> Result<(), String> {
        for complaint in &self.complaints {
            eprintln!("FAILED {complaint}");
        }
        eprintln!("in {} s", began.elapsed().as_secs());
        println!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped.len());
        if self.failed == 0 { Ok(()) } else { std::process::exit(1) }
    }
}

/// Runs only the kills at random instants, so many for each kind of guest.
pub(crate) fn run_faults(instants: u64) -> Result<(), String> {
    // What is asked for takes as long as it takes; only a guest that hangs is ended.
    let limit = LIMIT + Duration::from_secs(instants.saturating_mul(5));
    run_only("faults", RANDOM, ("E2E_FAULTS", instants), limit)
}

/// Runs only the calls by chance, so many of each method.
pub(crate) fn run_calls(requests: u64) -> Result<(), String> {
    python::install()?;
    let limit = Duration::from_secs(requests.saturating_mul(60).saturating_add(3600));
    run_only("compat", BY_CHANCE, ("E2E_REQUESTS", requests), limit)
}

/// Runs some tests of a suite with a number of their own.
fn run_only(suite: &str, tests: &str, (name, number): (&str, u64), limit: Duration) -> Result<(), String> {
    for result in [packages::install(), show(&mut cargo(&["build", "--locked", "--workspace"]))] {
        result?;
    }
    let args = ["test", "--quiet", "--locked", "--workspace", "--test", suite, "--", tests];
    let mut command = cargo(&args);
    command.env(name, number.to_string()).env("HOOKVISOR_BIN", target().join("debug/hookvisor"));
    show_within(&mut command, limit)
}

/// Writes the reference: the test that compares it does so where it is told to.
pub(crate) fn write_reference() -> Result<(), String> {
    let test = ["test", "--quiet", "--package", "hookvisor", "reference"];
    show(cargo(&test).env("HOOKVISOR_WRITE_REFERENCE", "1"))
}

/// Runs everything, or the end to end tests that match a filter.
pub(crate) fn run_all(filter: Option<&str>) -> Result<(), String> {
    let began = Instant::now();
    let mut tally = Tally::default();
    if filter.is_none() {
        tally.step("check", check::run_all());
    }
    for result in [packages::install(), linux::fetch(), python::install()] {
        // The tests that need what is missing say so themselves.
        if let Err(message) = result {
            eprintln!("{message}");
        }
    }
    let built = show(&mut cargo(&["build", "--locked", "--workspace", "--all-targets"]));
    if built.is_ok() {
        if filter.is_none() {
            unit_tests(&mut tally);
        }
        let debian = end_to_end(&mut tally, filter);
        if filter.is_none() {
            programs(&mut tally, debian.as_deref());
            audit_skips(&mut tally);
        }
    } else {
        tally.step("build", built);
    }
    tally.close(began)
}

/// Runs the tests that pull the power of a machine on which hookvisor runs.
pub(crate) fn run_host_vm(filter: Option<&str>) -> Result<(), String> {
    let began = Instant::now();
    let mut tally = Tally::default();
    let host_vm = host_vm::prepare()?;
    let results = target().join("e2e-results.jsonl");
    let _ = fs::remove_file(&results);
    suite(&mut tally, "host_vm", &mut host_vm.suite(filter), &results, HOST_VM_LIMIT);
    for (name, reason) in &tally.skipped {
        eprintln!("skipped {name}: {reason}");
    }
    tally.close(began)
}

fn unit_tests(tally: &mut Tally) {
    // A package alone would want its dependencies with fewer features, and so built again.
    for which in [
        &["--lib", "--bins"][..],
        &["--exclude", "e2e", "--test", "*"][..],
        &["--exclude", "e2e", "--doc"][..],
    ] {
        let args = [&["test", "--locked", "--workspace", "--no-fail-fast"][..], which].concat();
        let output = cargo(&args).stderr(std::process::Stdio::inherit()).output();
        let Ok(output) = output else {
            tally.step("unit tests", Err("cargo cannot be run".to_owned()));
            continue;
        };
        let text = String::from_utf8_lossy(&output.stdout);
        print!("{text}");
        let before = tally.failed;
        for line in text.lines() {
            if let Some((passed, failed, ignored)) = closing_line(line) {
                tally.passed += passed;
                tally.failed += failed;
                if ignored > 0 && !text.contains(" ... ignored") {
                    tally.step("unit tests", Err(format!("{ignored} are ignored without a name")));
                }
            } else if let Some((name, reason)) = ignored_line(line) {
                tally.skipped.insert(name, reason);
            }
        }
        if !output.status.success() && tally.failed == before {
            tally.step("unit tests", Err(output.status.to_string()));
        }
    }
}

/// The numbers of `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
fn closing_line(line: &str) -> Option<(u64, u64, u64)> {
    let rest = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let number =
        |word: &str| rest.split("; ").find_map(|part| part.strip_suffix(word)?.trim().parse::<u64>().ok());
    Some((number("passed")?, number("failed")?, number("ignored")?))
}

/// The name and the reason in `test NAME ... ignored, REASON`, or in `test NAME: skipped: REASON ... ignored`.
fn ignored_line(line: &str) -> Option<(String, String)> {
    let (name, reason) = line.strip_prefix("test ")?.split_once(" ... ignored")?;
    let (name, reason) = name.split_once(": skipped: ").unwrap_or((name, reason.trim_start_matches(", ")));
    Some((name.trim().to_owned(), reason.trim().to_owned()))
}

/// Runs the suites, and returns the folder of the Debian that some of them install the package on.
fn end_to_end(tally: &mut Tally, filter: Option<&str>) -> Option<PathBuf> {
    let results = target().join("e2e-results.jsonl");
    let _ = fs::remove_file(&results);
    let mut package = None;
    if wanted(filter) {
        match dist::prepare_tests(&target().join("debug/hookvisor")) {
            Ok(folder) => package = Some(folder),
            Err(message) => eprintln!("{message}"),
        }
    }
    for name in SUITES {
        let mut args = vec!["test", "--quiet", "--locked", "--workspace", "--test", name, "--"];
        args.extend(filter);
        let mut command = cargo(&args);
        if let Some(folder) = package.as_ref().filter(|_| PACKAGED.contains(&name)) {
            command.env("E2E_DEBIAN", folder);
        }
        suite(tally, name, &mut command, &results, LIMIT);
    }
    package
}

/// Whether tests of the package may match a filter: what they need takes a while.
fn wanted(filter: Option<&str>) -> bool {
    filter.is_none_or(|filter| PACKAGED.iter().any(|suite| filter.starts_with(suite)))
}

/// Runs one suite, whose tests leave a line each.
fn suite(tally: &mut Tally, name: &str, command: &mut Command, results: &Path, limit: Duration) {
    command.env("E2E_RESULTS", results).env("HOOKVISOR_BIN", target().join("debug/hookvisor"));
    let lines_before = lines(results).len();
    let result = show_within(command, limit);
    let mut any_failed = false;
    for line in lines(results).into_iter().skip(lines_before) {
        match line.result.as_str() {
            "passed" => tally.passed += 1,
            "failed" => {
                any_failed = true;
                tally.failed += 1;
                let first = line.reason.lines().next().unwrap_or_default();
                tally.complaints.push(format!("{}: {first}", line.name));
            }
            _ => {
                tally.skipped.insert(line.name, line.reason);
                continue;
            }
        }
        tally.ran.push(line.name);
    }
    if !any_failed && let Err(message) = result {
        tally.step(name, Err(message));
    }
}

fn lines(path: &Path) -> Vec<Line> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The demo, and one short round of the bench, on the build that was just tested.
fn programs(tally: &mut Tally, debian: Option<&Path>) {
    for (name, args) in [("demo", &[][..]), ("bench", &["--quick"][..])] {
        if !packages::is_root() {
            tally.skipped.insert(name.to_owned(), "needs root".to_owned());
            continue;
        }
        let folder = target().join("debug");
        let mut command = run::command(&folder.join(name).to_string_lossy(), args);
        command.env("HOOKVISOR_BIN", folder.join("hookvisor"));
        command.envs(debian.map(|debian| ("E2E_DEBIAN", debian)));
        tally.step(name, show_within(&mut command, LIMIT));
        tally.ran.push(name.to_owned());
    }
}

/// As root on Debian the skips are exactly those of the list.
fn audit_skips(tally: &mut Tally) {
    for (name, reason) in &tally.skipped {
        eprintln!("skipped {name}: {reason}");
    }
    if !(packages::is_root() && packages::is_debian()) {
        return;
    }
    let listed = fs::read_to_string(root().join("tests/skips.toml")).map_err(|error| error.to_string());
    let listed = listed.and_then(|text| toml::from_str::<Skips>(&text).map_err(|error| error.to_string()));
    let listed = match listed {
        Ok(listed) => listed.skip,
        Err(message) => return tally.step("tests/skips.toml", Err(message)),
    };
    let mut wrong = Vec::new();
    for (name, reason) in &tally.skipped {
        match listed.iter().find(|skip| skip.name == *name) {
            None => {
                wrong.push(format!("{name} was skipped ({reason}) and tests/skips.toml does not list it"))
            }
            Some(skip) if skip.reason != *reason => {
                wrong.push(format!("{name} was skipped because it {reason}, not because it {}", skip.reason));
            }
            Some(_) => {}
        }
    }
    for skip in listed.iter().filter(|skip| !tally.skipped.contains_key(&skip.name)) {
        let ran = if tally.ran.contains(&skip.name) { "ran" } else { "does not exist" };
        wrong.push(format!("{} is listed in tests/skips.toml but {ran}", skip.name));
    }
    for message in wrong {
        tally.step("skips", Err(message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_of_a_test_program_is_read() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(closing_line(line), Some((12, 3, 1)));
        assert_eq!(closing_line("running 3 tests"), None);
        let line = "test net::bridge ... ignored, needs a bridge";
        assert_eq!(ignored_line(line), Some(("net::bridge".to_owned(), "needs a bridge".to_owned())));
        let line = "test start rate: skipped: needs a kernel that polices     ... ignored";
        assert_eq!(
            ignored_line(line),
            Some(("start rate".to_owned(), "needs a kernel that polices".to_owned()))
        );
    }
}
