//! The framework of the end to end tests: a scratch host with its own journal, tiny virtual machines, a busybox
//! container, hookscripts that note what they see, and what is read back afterwards.
//!
//! A test gets a [`host::Host`], makes guests on it, drives them with the real commands and looks at what the hooks
//! noted by themselves and at what hookvisor has on record. Nothing is simulated: QEMU, LXC, journald and the kernel
//! are the machine's.

pub mod guest;
pub mod hanging;
pub mod host;
pub mod https;
pub mod inventory;
pub mod journal;
pub mod linux_vm;
pub mod machine;
pub mod output;
pub mod pages;
pub mod proc;
pub mod promise;
pub mod qmp;
pub mod recorder;
mod runs;
pub mod server;
pub mod small;
pub mod suite;
pub mod template;
pub mod tiny_vm;
pub mod trace;
pub mod transcript;
pub mod wait;

pub use guest::{Guest, Kind};
pub use host::Host;
pub use server::Server;
pub use tiny_vm::Behaviour;
