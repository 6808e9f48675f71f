//! The REST API, as Proxmox VE's clients expect it: HTTPS and a unix socket (api.md 1).
//!
//! This is the one asynchronous crate. What waits for a client is a future; what touches a file runs on a thread that has
//! its turn, so that neither slow clients nor a storage that hangs keep others waiting; what makes a task runs in a
//! process of its own, so that the server can be ended and upgraded meanwhile.
//!
//! ```text
//! connection ─ handle ─┬─ target, credentials, parameters
//!                      └─ work ─┬─ a thread: api::call
//!                               └─ a worker process: api::call
//! events ─ one thread that reads, a future for each who listens
//! ```

mod access_log;
mod accounts;
mod answer;
mod certificate;
mod connection;
mod credentials;
mod events;
mod handle;
mod lanes;
mod memory;
mod names;
mod parameters;
mod serve;
mod target;
mod upload;
mod work;
mod worker;

pub use certificate::{CertificateError, Files};
pub use serve::{Options, ServeError, serve};
pub use worker::work;
