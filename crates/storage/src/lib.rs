//! Storages, volumes, snippets and disk images.
//!
//! A *storage* is a section of `storage.cfg`; a *volume* is one thing in it, named `<storage>:<name>`. Names are
//! resolved without a look at the disk ([`Storages::path`]); everything that touches files says so.

mod definition;
mod error;
mod kind;
mod volume_name;

pub use definition::{Preallocation, Storage};
pub use error::StorageError;
pub use kind::StorageKind;
pub use volume_name::{Compression, ImageFormat, VolumeName};
