//! What of the host is ready, and what is not, each with the command that mends it.
//!
//! [`examine`] makes every check, each in a thread of its own with a limit, so that what hangs holds up nobody but itself; a
//! group of checks is a file. [`missing`] is what of it everybody is told in passing. Nothing is ever changed: no lock is
//! taken, no folder made, no module loaded.

mod apart;
mod bridges;
mod calls;
mod cgroups;
mod checks;
mod configurations;
mod containers;
mod finding;
mod hooks_conf;
mod kernel;
mod kvm;
mod locks;
mod machines;
mod programs;
mod record;
mod runs;
mod scene;
mod scripts;
mod server;
mod storages;
mod units;
mod word;
mod workshop;

pub use bridges::make_bridge;
pub use checks::{Report, examine, missing, settings};
pub use finding::{Finding, State};
pub use word::word;
