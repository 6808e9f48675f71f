//! From configurations to command lines, on a host of known facts.

#[path = "../common/mod.rs"]
mod common;
mod golden;
mod host;
mod refusals;
