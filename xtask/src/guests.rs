//! `demo` and `bench`: programs of the end to end package, run on an optimised build.

use crate::run::{cargo, show, target};
use crate::{dist, packages, run};
use std::path::PathBuf;

/// Guests of both kinds through their phases.
pub(crate) fn demo(args: &[&str]) -> Result<(), String> {
    packages::install()?;
    build()?;
    program("demo", args, None)
}

/// What a start, a stop and a query cost.
pub(crate) fn bench(args: &[&str]) -> Result<(), String> {
    packages::install()?;
    packages::install_for_comparison();
    build()?;
    let debian = dist::prepare_tests(&target().join("release/hookvisor"));
    if let Err(message) = &debian {
        eprintln!("{message}\nThe bench goes on without it.");
    }
    program("bench", args, debian.ok())
}

fn build() -> Result<(), String> {
    let mut build = cargo(&["build", "--release", "--locked", "--quiet", "--bins"]);
    let packages = ["hookvisor", "e2e"].into_iter().chain(dist::HOOKSCRIPTS);
    show(build.args(packages.flat_map(|package| ["--package", package])))
}

/// Runs a program of the end to end package, with a Debian that it may install hookvisor on.
fn program(name: &str, args: &[&str], debian: Option<PathBuf>) -> Result<(), String> {
    let folder = target().join("release");
    let mut command = run::command(&folder.join(name).to_string_lossy(), args);
    command.envs(debian.map(|debian| ("E2E_DEBIAN", debian)));
    show(command.env("HOOKVISOR_BIN", folder.join("hookvisor")))
}
