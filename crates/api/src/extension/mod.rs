//! What Proxmox VE does not have: below `/hookvisor/…`.

pub mod approvals;
pub mod events;
pub mod hooks;
pub mod log;
pub mod recover;
pub mod runs;
pub mod status;
