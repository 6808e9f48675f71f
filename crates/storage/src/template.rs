//! Container templates.

use crate::format::Compression;
use crate::{ContentFilter, StorageError, Storages};
use model::{ContentType, VolumeId};
use std::path::PathBuf;

/// A container template that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its volume.
    pub volume: VolumeId,
    /// The archive.
    pub path: PathBuf,
    /// How the archive is packed.
    pub compression: Compression,
}

impl Storages {
    /// The template that a volume is, of an enabled storage that is made ready for it.
    ///
    /// # Errors
    /// As [`Storages::activate_volumes`]; [`StorageError::WrongContent`] for other volumes.
    pub fn template(&self, volume: &VolumeId) -> Result<Template, StorageError> {
        let wrong = || StorageError::WrongContent { volume: volume.clone(), wanted: ContentType::Vztmpl };
        let name = self.parse(volume)?;
        if name.content != ContentType::Vztmpl {
            return Err(wrong());
        }
        let compression = Compression::of(&name.name).ok_or_else(wrong)?;
        let found = self.activate_volumes([volume])?.pop().ok_or_else(wrong)?;
        Ok(Template { volume: volume.clone(), path: found.path, compression })
    }

    /// The templates of all storages that this host may use and that allow them. Storages that cannot be made ready
    /// are left out.
    #[must_use]
    pub fn templates(&self) -> Vec<Template> {
        let filter = ContentFilter { content: Some(ContentType::Vztmpl), vmid: None };
        self.ids()
            .filter_map(|id| self.list(id, filter, &|_| None).ok())
            .flat_map(|listing| listing.items)
            .filter_map(|item| self.template(&item.volume).ok())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::storages;
    use model::Layout;
    use std::fs;

    #[test]
    fn templates_are_found_with_how_they_are_packed() {
        let root = tempfile::tempdir().unwrap();
        let all = storages(&Layout::new(root.path()), &[("lvm", "vg", &[("vgname", "vg0")])]);
        let cache = root.path().join("var/lib/vz/template/cache");
        fs::create_dir_all(&cache).unwrap();
        for name in ["a.tar", "b.tar.GZ", "c.tar.zst", "d.zip", "e.tar.xz", "f.tar.bz2"] {
            fs::write(cache.join(name), "").unwrap();
        }
        let found: Vec<_> =
            all.templates().into_iter().map(|t| (t.volume.to_string(), t.compression)).collect();
        assert_eq!(
            found,
            [
                ("local:vztmpl/a.tar".to_owned(), Compression::None),
                ("local:vztmpl/b.tar.GZ".to_owned(), Compression::Gzip),
                ("local:vztmpl/c.tar.zst".to_owned(), Compression::Zstd),
                ("local:vztmpl/e.tar.xz".to_owned(), Compression::Xz),
                ("local:vztmpl/f.tar.bz2".to_owned(), Compression::Bzip2),
            ]
        );
        let refusal = |volume: &str| all.template(&volume.parse().unwrap()).unwrap_err().to_string();
        assert_eq!(refusal("local:iso/x.iso"), "volume 'local:iso/x.iso' is not of content type 'vztmpl'");
        assert_eq!(refusal("local:vztmpl/g.tar"), "volume 'local:vztmpl/g.tar' does not exist");
        assert_eq!(refusal("local:vztmpl/d.zip"), "unable to parse directory volume name 'vztmpl/d.zip'");
    }
}
