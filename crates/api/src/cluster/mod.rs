//! `/cluster/…`, of a cluster that has one node.

pub mod backup;
pub mod ha;
pub mod log;
pub mod nextid;
pub mod none;
pub mod options;
pub mod resources;
pub mod status;
