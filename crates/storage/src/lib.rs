//! Storages, volumes, snippets and disk images.
//!
//! A *storage* is a section of `storage.cfg`; a *volume* is one thing in it, named `<storage>:<name>`. Names are
//! resolved without a look at the disk ([`Storages::path`]); everything that touches files says so.

mod activate;
mod alloc;
mod content;
mod definition;
mod error;
mod free;
mod image;
mod kind;
mod lock;
mod mounts;
mod qemu_img;
mod size;
mod status;
mod storages;
mod template;
mod text;
mod volume_name;

pub use alloc::{AllocRequest, Allocated};
pub use content::{ContentFilter, ContentItem, Listing};
pub use definition::{Preallocation, Storage};
pub use error::StorageError;
pub use free::Freed;
pub use image::ImageInfo;
pub use kind::StorageKind;
pub use size::{format_size, parse_size};
pub use status::{StatusFilter, StorageStatus};
pub use storages::{Storages, VolumePath};
pub use template::Template;
pub use text::{content_table, status_table};
pub use volume_name::{Compression, ImageFormat, VolumeName};

#[cfg(test)]
mod tests {
    use crate::Storages;
    use model::{Layout, StorageId};
    use std::collections::BTreeMap;

    /// Type, id and properties of a storage.
    pub(crate) type Section<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

    /// Storages of a host `pve1` from type, id and properties.
    pub(crate) fn storages(layout: &Layout, cfg: &[Section<'_>]) -> Storages {
        let sections: Vec<(&str, StorageId, BTreeMap<String, String>)> = cfg
            .iter()
            .map(|(kind, id, properties)| {
                let properties = properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
                (*kind, id.parse().unwrap(), properties)
            })
            .collect();
        let sections = sections.iter().map(|(kind, id, properties)| (*kind, id, properties));
        Storages::new(layout.clone(), "pve1".parse().unwrap(), sections)
    }
}
