//! `/nodes/{node}/storage/…`

pub mod content;
pub mod status;
