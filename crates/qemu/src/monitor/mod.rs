//! QEMU's monitor: a client of the QMP protocol for a poll loop, with a blocking call for helpers.
//!
//! The set of events and of their members is open: a newer QEMU says things that this client does not know, and they go
//! to its user as they are. What the client relies on is in [`view`].

mod client;
mod message;
pub mod view;

pub use client::{Monitor, MonitorError};
pub use message::{Event, Fault, Message, Reply};
