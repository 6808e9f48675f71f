//! `/nodes/{node}/storage/…`

mod access;
mod checksum;
pub mod content;
pub mod download;
pub mod status;
pub mod upload;
pub mod volume;
