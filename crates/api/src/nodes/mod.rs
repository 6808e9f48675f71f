//! `/nodes/{node}/…`

pub mod all;
pub mod feature;
pub mod host;
pub mod journal;
pub mod list;
pub mod lxc;
pub mod network;
pub mod power;
pub mod qemu;
pub mod snapshot;
pub mod status;
pub mod storage;
pub mod tasks;

use crate::{ApiError, Params};

/// Refuses parameters of Proxmox VE that this version does not serve, rather than ignore them. One that says no is
/// served.
pub(crate) fn unsupported(params: &Params, names: &[&str]) -> Result<(), ApiError> {
    match names.iter().find(|name| params.text(name).is_some_and(|value| value != "0")) {
        Some(name) => Err(ApiError::parameter(name, "is not supported by this version of hookvisor")),
        None => Ok(()),
    }
}
