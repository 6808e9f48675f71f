//! Virtual machines: from configuration to QEMU's command line, its monitor, the guest agent, taps.
//!
//! [`command`] is pure: everything that it needs from the host stands in [`command::Facts`]. [`probe`] gathers those
//! facts; the rest talks to a QEMU that runs, or prepares what one needs.

pub mod agent;
pub mod binary;
pub mod command;
pub mod monitor;
pub mod probe;
pub mod socket;
pub mod tap;
pub mod vfio;

pub mod base64;
mod timeout;

pub use command::{CommandError, CommandLine, Facts, command_line};
pub use monitor::Monitor;
pub use timeout::start_timeout;
