//! The registry of methods: what can be asked of hookvisor, by whom, and the function that does it.
//!
//! A [`Method`] has its path and verb, its parameters in Proxmox VE's schema dialect, its permission as data and what
//! it returns. A transport — the command line, later a server — brings a caller's parameters to [`check()`] and calls
//! the method's function with what passed. Texts, statuses and exit codes of failures stand in one table, [`ApiError`].
//!
//! Adding a method takes these steps:
//! 1. a `pub static` [`Method`] in the file of its resource below [`nodes`] or [`extension`];
//! 2. its line in [`METHODS`], which is sorted by path and verb;
//! 3. its command in the program's table, in the crate `hookvisor`, where it has one.

mod check;
mod context;
mod error;
pub mod extension;
mod guest;
mod lifecycle;
mod method;
pub mod nodes;
mod params;
mod permission;
mod refusal;
mod registry;
mod schema;
mod task;

pub use check::{check, is_list};
pub use context::{Context, Origin, Output};
pub use error::{ApiError, Manner};
pub use method::{Method, Returns, Scope, Verb};
pub use params::{Given, Params};
pub use permission::Permission;
pub use refusal::Refusal;
pub use registry::{Found, METHODS, find};
