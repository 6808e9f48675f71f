//! Hookscripts in Rust, for hookvisor and for Proxmox VE alike.
//!
//! A hookscript is called with a guest's VMID and a phase. [`run`] reads the call, tolerates a phase that does not exist yet,
//! and turns an error into a line and an exit code:
//!
//! ```no_run
//! use hookscript::{Phase, run};
//! use std::process::ExitCode;
//!
//! fn main() -> ExitCode {
//!     run(|call| {
//!         if call.phase == Phase::PreStart && call.guest()?.config.get("onboot").is_none() {
//!             return Err("this guest is started by hand only".into());
//!         }
//!         Ok(())
//!     })
//! }
//! ```
//!
//! What a script takes in `pre-start` it gives back in `post-stop`, whatever happened between: [`hold()`] does both halves. The
//! rest is help with what hookscripts do: [`command`] runs programs within a limit, [`wait`] waits within one, [`process`]
//! finds QEMU and its threads, [`pci`] and [`usb`] the host's devices, [`log`] says something with a priority.
//!
//! All of it is told by the guest's context where hookvisor calls (`HOOKVISOR_CONTEXT`), and found out from `/etc/pve` and
//! `/run` where Proxmox VE does.

pub mod command;
pub mod hold;
pub mod log;
pub mod pci;
pub mod process;
pub mod usb;
pub mod wait;

mod call;
mod config;
mod error;
mod guest;
mod params;
mod phase;
mod sysfs;

pub use call::{Call, run};
pub use config::Config;
pub use error::{Error, Result};
pub use guest::{Guest, Interface, Kind};
pub use hold::{Resource, Sharing, held, hold, hold_running};
pub use phase::Phase;
pub use serde_json;
