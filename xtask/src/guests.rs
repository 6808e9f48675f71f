//! `demo` and `bench`: programs of the end to end package, run on an optimised build.

use crate::run::{cargo, show, target};
use crate::{packages, run};

/// Guests of both kinds through their phases.
pub(crate) fn demo(args: &[&str]) -> Result<(), String> {
    packages::install()?;
    program("demo", args)
}

/// What a start, a stop and a query cost.
pub(crate) fn bench(args: &[&str]) -> Result<(), String> {
    packages::install()?;
    packages::install_for_comparison();
    program("bench", args)
}

fn program(name: &str, args: &[&str]) -> Result<(), String> {
    let built = ["build", "--release", "--locked", "--quiet", "-p", "hookvisor", "-p", "e2e", "--bins"];
    show(&mut cargo(&built))?;
    let folder = target().join("release");
    let mut command = run::command(&folder.join(name).to_string_lossy(), args);
    show(command.env("HOOKVISOR_BIN", folder.join("hookvisor")))
}
