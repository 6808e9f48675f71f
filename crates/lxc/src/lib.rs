//! Containers, by LXC's own tools.
//!
//! - [`configuration`](configuration()) makes LXC's configuration of Proxmox VE's: pure.
//! - [`launch`], [`Signals`] and [`start_errors`] start lxc-start and follow it.
//! - [`end`] asks init to power off, or kills it; [`cgroup`] clears away what is left.
//! - [`create`] makes root file systems. [`attach`] runs commands inside.
//! - [`subid`] and [`Tools`] say what the host lacks.
//!
//! lxc-start passes every signal that it gets on to init, so it is never signalled: a hang-up is a restart for many.

mod attach;
pub mod cgroup;
mod configuration;
pub mod create;
pub mod end;
mod fields;
pub mod grow;
mod host;
mod launch;
mod log;
mod paths;
mod quote;
mod signals;
pub mod subid;
mod tools;

pub use attach::{Attach, attach, console, login};
pub use configuration::{Bridge, ConfigurationError, Device, Facts, LxcConfig, Source, configuration};
pub use host::{FactsError, facts};
pub use launch::{Launch, launch};
pub use log::{init_end, start_errors, start_failed};
pub use paths::Paths;
pub use signals::{Signal, Signals, Target};
pub use tools::{Tools, ToolsError};
