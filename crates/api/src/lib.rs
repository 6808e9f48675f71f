//! The registry of methods: what can be asked of hookvisor, by whom, and the function that does it.
//!
//! A [`Method`] has its path and verb, its parameters in Proxmox VE's schema dialect, its permission as data and what
//! it returns. A transport — a command line, a server — brings what a caller asks for to [`call()`], which finds the method,
//! sees whether the caller may, checks the parameters and runs it. Texts, statuses and exit codes of failures stand in one table, [`ApiError`].
//!
//! Adding a method takes these steps:
//! 1. a `pub static` [`Method`] in the file of its resource below [`access`], [`nodes`] or [`extension`];
//! 2. its line in [`METHODS`], which is sorted by path and verb;
//! 3. its command in the program's table, in the crate `hookvisor`, where it has one.

pub mod access;
mod call;
mod check;
pub mod cluster;
mod context;
mod error;
pub mod extension;
mod guest;
mod host;
mod index;
mod lifecycle;
mod method;
pub mod nodes;
pub mod openapi;
mod params;
mod permission;
pub mod pools;
mod refusal;
mod registry;
mod schema;
mod shape;
pub mod storage_cfg;
mod task;
#[cfg(test)]
mod testing;
pub mod version;

pub use call::{call, prepare};
pub use check::{check, is_list};
pub use context::{Authority, Context, Origin, Output};
pub use error::{ApiError, Manner};
pub use method::{Method, Returns, Scope, Verb};
pub use params::{Given, Params};
pub use permission::{Groups, Permission};
pub use refusal::Refusal;
pub use registry::{Found, METHODS, below, find, methods};
pub use shape::{Field, Kind, Shape, shape};
