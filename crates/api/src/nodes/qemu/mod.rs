//! `/nodes/{node}/qemu/…`: virtual machines.

pub mod agent;
pub mod agent_commands;
pub mod agent_files;
pub mod config;
pub mod create;
pub mod destroy;
pub mod disk;
pub mod power;
pub mod showcmd;
pub mod status;
pub mod wait;
