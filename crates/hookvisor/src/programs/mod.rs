//! The programs and their commands. A command is a method, which of its parameters stand without their names, and
//! how its answer is printed for people.

pub(crate) mod hookvisor;
mod pct;
mod print;
mod pvesm;
pub(crate) mod record;
mod qm;

pub(crate) use print::plain;

use crate::cli::Program;

/// The programs that are called by their own names, and by the first argument of the binary.
pub(crate) static PROGRAMS: &[&Program] = &[&qm::QM, &pct::PCT, &pvesm::PVESM];

/// The program of this name.
pub(crate) fn named(name: &str) -> Option<&'static Program> {
    PROGRAMS.iter().copied().chain([&hookvisor::HOOKVISOR]).find(|program| program.name == name)
}
