//! Storages, volumes, snippets and disk images.
//!
//! A *storage* is a section of `storage.cfg`; a *volume* is one thing in it, named `<storage>:<name>`. Names are
//! resolved without a look at the disk ([`Storages::path`]); everything that touches files says so.

mod activate;
mod alloc;
mod attributes;
mod content;
mod definition;
mod error;
mod format;
mod free;
mod image;
mod kind;
mod lock;
mod look;
mod mounts;
mod patience;
mod place;
mod qemu_img;
mod resize;
mod size;
mod status;
mod storages;
mod template;
mod text;
mod volume_name;
mod wait;

pub use alloc::{AllocRequest, Allocated};
pub use config::text::format_size;
pub use content::{ContentFilter, ContentItem, Listing};
pub use definition::{Preallocation, Storage};
pub use error::StorageError;
pub use format::{Compression, ImageFormat};
pub use free::Freed;
pub use image::ImageInfo;
pub use kind::StorageKind;
pub use look::Seen;
pub use patience::ask;
pub use place::{Copying, Placement};
pub use size::parse_alloc_size;
pub use status::{StatusFilter, StorageStatus};
pub use storages::{Storages, VolumePath};
pub use template::Template;
pub use text::{content_table, status_table};
pub use volume_name::VolumeName;

#[cfg(test)]
mod tests {
    use crate::Storages;
    use model::Layout;
    use std::fmt::Write as _;

    /// Type, id and properties of a storage.
    pub(crate) type Section<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

    /// Storages of a host `pve1`.
    pub(crate) fn storages(layout: &Layout, cfg: &[Section<'_>]) -> Storages {
        let mut text = String::new();
        for (kind, id, properties) in cfg {
            writeln!(text, "{kind}: {id}").unwrap();
            for (key, value) in *properties {
                writeln!(text, "\t{key} {value}").unwrap();
            }
            text.push('\n');
        }
        let (cfg, _) = config::storage_cfg::parse(text.as_bytes());
        Storages::new(layout.clone(), "pve1".parse().unwrap(), &cfg)
    }
}
