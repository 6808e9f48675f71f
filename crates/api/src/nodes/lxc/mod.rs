//! `/nodes/{node}/lxc/…`: containers.

pub mod config;
pub mod create;
pub mod destroy;
pub mod disk;
pub mod exec;
pub mod interfaces;
pub mod power;
pub mod status;
pub mod suspend;
