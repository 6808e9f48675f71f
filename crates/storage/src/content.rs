//! What is in a storage (api.md 3.3 and 5.5).

use crate::definition::Storage;
use crate::format::{Compression, ImageFormat, backup_extension, image_format, import_format, iso_extension};
use crate::{StorageError, Storages, VolumeName, image};
use model::{ContentType, GuestKind, StorageId, Vmid, VolumeId};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// One volume of a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentItem {
    /// Its id.
    pub volume: VolumeId,
    /// Its content type.
    pub content: ContentType,
    /// `raw`, `qcow2`, `subvol`, `iso`, `tgz`, `snippet` …; `invalid` for an image that is not what its name says.
    pub format: String,
    /// Its size in bytes, of images what a guest sees.
    pub size: u64,
    /// What an image takes on the disk, in bytes.
    pub used: Option<u64>,
    /// The image that a linked clone is based on, as the clone tells it.
    pub parent: Option<String>,
    /// When its inode changed last, in seconds since the Unix epoch.
    pub ctime: i64,
    /// The guest it belongs to.
    pub vmid: Option<Vmid>,
    /// The first line of a backup's notes.
    pub notes: Option<String>,
    /// Whether a backup is protected.
    pub protected: bool,
}

/// What of a storage to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct ContentFilter {
    /// Only this content type.
    pub content: Option<ContentType>,
    /// Only what belongs to this guest. Snippets and imports belong to nobody and are listed all the same.
    pub vmid: Option<Vmid>,
}

/// A list of volumes, and what could not be listed.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// The volumes, by id without regard to case.
    pub items: Vec<ContentItem>,
    /// What is wrong with some of them, or with ones that are missing, a line each.
    pub warnings: Vec<String>,
}

const ALL: [ContentType; 7] = [
    ContentType::Rootdir,
    ContentType::Images,
    ContentType::Vztmpl,
    ContentType::Iso,
    ContentType::Backup,
    ContentType::Snippets,
    ContentType::Import,
];

impl Storages {
    /// Lists a storage that is made ready for it. Content types that it does not allow list nothing.
    ///
    /// `kind_of` tells what a guest is: the images of containers are listed as `rootdir`.
    ///
    /// # Errors
    /// As [`Storages::activate`]; [`StorageError::Io`] where a folder cannot be read. A volume that cannot be read
    /// is a warning.
    pub fn list(
        &self,
        id: &StorageId,
        filter: ContentFilter,
        kind_of: &dyn Fn(Vmid) -> Option<GuestKind>,
    ) -> Result<Listing, StorageError> {
        let storage = self.activate(id)?;
        let wanted = |content| storage.allows(content) && filter.content.is_none_or(|only| only == content);
        let mut listing = Listing::default();
        if wanted(ContentType::Images) || wanted(ContentType::Rootdir) {
            storage.list_images(filter.vmid, &mut listing)?;
            listing.items.retain_mut(|item| {
                if item.vmid.and_then(kind_of) == Some(GuestKind::Lxc) {
                    item.content = ContentType::Rootdir;
                }
                wanted(item.content)
            });
        }
        for content in ALL.into_iter().filter(|content| wanted(*content)) {
            match content {
                ContentType::Images | ContentType::Rootdir => {}
                ContentType::Iso | ContentType::Vztmpl if filter.vmid.is_some() => {}
                _ => storage.list_files(content, filter.vmid, &mut listing)?,
            }
        }
        listing.items.sort_by_cached_key(|item| item.volume.to_string().to_lowercase());
        Ok(listing)
    }
}

impl Storage {
    /// All images below `images/<digits>/`, or those of one guest.
    pub(crate) fn list_images(&self, vmid: Option<Vmid>, listing: &mut Listing) -> Result<(), StorageError> {
        let images = self.folder(ContentType::Images)?;
        for (owner, path) in owners(&images, vmid)? {
            for name in names(&path)? {
                let Ok(format) = image_format(&name) else { continue };
                let item = self.image_item(&owner, &name, &path.join(&name), format, &mut listing.warnings);
                listing.items.extend(item);
            }
        }
        Ok(())
    }

    fn image_item(
        &self,
        owner: &str,
        name: &str,
        path: &Path,
        format: ImageFormat,
        warnings: &mut Vec<String>,
    ) -> Option<ContentItem> {
        let mut shown = format.as_str();
        let info = match image::read(path, format) {
            Ok(info) => info,
            Err(error) => {
                warnings.push(error.to_string());
                shown = "invalid";
                match error {
                    StorageError::BadImage { .. } => image::read(path, ImageFormat::Raw).ok()?,
                    _ => return None,
                }
            }
        };
        let own = format!("{owner}/{name}");
        let base = info.parent.as_deref().and_then(|parent| parent.strip_prefix("../"));
        let linked =
            base.map(|base| format!("{base}/{own}")).filter(|linked| VolumeName::parse(linked).is_ok());
        Some(ContentItem {
            volume: VolumeId::new(self.id.clone(), &linked.unwrap_or(own))?,
            content: ContentType::Images,
            format: shown.to_owned(),
            size: info.size,
            used: Some(info.used),
            parent: info.parent,
            ctime: info.ctime,
            vmid: owner.parse().ok(),
            notes: None,
            protected: false,
        })
    }

    /// The files of a folder that are of this content type.
    fn list_files(
        &self,
        content: ContentType,
        vmid: Option<Vmid>,
        listing: &mut Listing,
    ) -> Result<(), StorageError> {
        let folder = self.folder(content)?;
        for name in names(&folder)? {
            let format = match content {
                ContentType::Iso => iso_extension(&name).then_some("iso"),
                ContentType::Vztmpl => Compression::of(&name).map(Compression::format),
                ContentType::Backup => backup_extension(&name),
                ContentType::Import => import_format(&name),
                _ => Some("snippet"),
            };
            let Some(format) = format.map(str::to_owned) else { continue };
            let text = format!("{content}/{name}");
            let (Ok(parsed), Some(volume)) =
                (VolumeName::parse(&text), VolumeId::new(self.id.clone(), &text))
            else {
                continue;
            };
            if content == ContentType::Backup && vmid.is_some() && parsed.owner != vmid {
                continue;
            }
            let path = folder.join(&name);
            // A file that is gone by now, or a link to nowhere, is none.
            let Ok(meta) = fs::metadata(&path) else { continue };
            if meta.is_dir() {
                continue;
            }
            let backup = content == ContentType::Backup;
            listing.items.push(ContentItem {
                volume,
                content,
                format,
                size: meta.len(),
                used: None,
                parent: None,
                ctime: meta.ctime(),
                vmid: parsed.owner,
                notes: if backup { first_line(&beside(&path, "notes")) } else { None },
                protected: backup && beside(&path, "protected").exists(),
            });
        }
        Ok(())
    }
}

/// The folders below `images` that belong to guests: those of two digits or more.
pub(crate) fn owners(images: &Path, vmid: Option<Vmid>) -> Result<Vec<(String, PathBuf)>, StorageError> {
    let names = match vmid {
        Some(vmid) => vec![vmid.to_string()],
        None => names(images)?,
    };
    let guest = |name: &String| name.len() >= 2 && crate::volume_name::is_number(name);
    Ok(names.into_iter().filter(guest).map(|name| (name.clone(), images.join(name))).collect())
}

/// The names in a folder that are UTF-8 and do not begin with a dot; none where there is no folder.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>, StorageError> {
    let failed = StorageError::io("unable to read folder", folder);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(failed(error)),
    };
    let names: io::Result<Vec<OsString>> =
        entries.map(|entry| entry.map(|entry| entry.file_name())).collect();
    let names = names.map_err(failed)?;
    Ok(names
        .into_iter()
        .filter_map(|name| name.into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect())
}

/// A file beside another: its name with an extension more.
pub(crate) fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

fn first_line(path: &Path) -> Option<String> {
    let mut line = Vec::new();
    BufReader::new(File::open(path).ok()?.take(64 << 10)).read_until(b'\n', &mut line).ok()?;
    Some(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::storages;
    use model::Layout;
    use std::os::unix::ffi::OsStringExt;

    fn list(root: &Path, content: Option<ContentType>, vmid: Option<u32>) -> (Vec<String>, Vec<String>) {
        let all = storages(&Layout::new(root), &[]);
        let filter = ContentFilter { content, vmid: vmid.map(|id| Vmid::try_from(id).unwrap()) };
        let kind = |vmid: Vmid| Some(if vmid.get() >= 200 { GuestKind::Lxc } else { GuestKind::Qemu });
        let found = all.list(&"local".parse().unwrap(), filter, &kind).unwrap();
        let line = |i: ContentItem| {
            let vmid = i.vmid.map(|vmid| vmid.to_string()).unwrap_or_default();
            format!("{} {} {} {} {vmid}", i.volume, i.content, i.format, i.size).trim_end().to_owned()
        };
        (found.items.into_iter().map(line).collect(), found.warnings)
    }

    #[test]
    fn every_kind_of_volume_is_listed_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let base = root.path().join("var/lib/vz");
        let write = |name: &str, bytes: &[u8]| {
            let path = base.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        write("snippets/hook.sh", b"#!/bin/sh\n");
        write("snippets/.hidden", b"x");
        write("snippets/sub/deep.sh", b"x");
        std::os::unix::fs::symlink("hook.sh", base.join("snippets/Link.sh")).unwrap();
        std::os::unix::fs::symlink("gone", base.join("snippets/dangling")).unwrap();
        fs::write(base.join("snippets").join(OsString::from_vec(b"\xff.sh".to_vec())), "x").unwrap();
        fs::write(base.join("snippets/new\nline"), "x").unwrap();
        write("template/iso/x.iso", &[0; 100]);
        write("template/iso/x.txt", b"x");
        write("template/cache/bb.tar.gz", b"1234");
        write("dump/vzdump-qemu-100-2026_01_31-12_00_00.vma.zst", b"12");
        write("dump/vzdump-qemu-100-2026_01_31-12_00_00.vma.zst.notes", "grüße\nmore\n".as_bytes());
        write("images/100/vm-100-disk-0.raw", &[0; 1000]);
        write("images/100/vm-100-disk-1.qcow2", b"");
        write("images/100/empty.raw", b"");
        write("images/100/readme.txt", b"x");
        let mut clone = b"QFI\xfb\0\0\0\x03\0\0\0\0\0\0\0\x20\0\0\0\x1a\0\0\0\x10\0\0\0\0\0\x10\0\0".to_vec();
        clone.extend(b"../100/base-100-disk-9.raw");
        write("images/101/vm-101-disk-0.qcow2", &clone);
        fs::create_dir_all(base.join("images/200/subvol-200-disk-0.subvol/etc")).unwrap();
        write("images/9/x.raw", b"x");

        let (lines, warnings) = list(root.path(), None, None);
        assert_eq!(
            lines,
            [
                "local:100/base-100-disk-9.raw/101/vm-101-disk-0.qcow2 images qcow2 1048576 101",
                "local:100/empty.raw images raw 0 100",
                "local:100/vm-100-disk-0.raw images raw 1024 100",
                "local:100/vm-100-disk-1.qcow2 images invalid 0 100",
                "local:200/subvol-200-disk-0.subvol rootdir subvol 0 200",
                "local:backup/vzdump-qemu-100-2026_01_31-12_00_00.vma.zst backup vma.zst 2 100",
                "local:iso/x.iso iso iso 100",
                "local:snippets/hook.sh snippets snippet 10",
                "local:snippets/Link.sh snippets snippet 10",
                "local:vztmpl/bb.tar.gz vztmpl tgz 4",
            ]
        );
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("vm-100-disk-1.qcow2' is not a valid qcow2 image"), "{warnings:?}");

        let (lines, _) = list(root.path(), Some(ContentType::Rootdir), None);
        assert_eq!(lines, ["local:200/subvol-200-disk-0.subvol rootdir subvol 0 200"]);
        let (lines, _) = list(root.path(), Some(ContentType::Images), Some(101));
        assert_eq!(lines, ["local:100/base-100-disk-9.raw/101/vm-101-disk-0.qcow2 images qcow2 1048576 101"]);
        let (lines, _) = list(root.path(), None, Some(101));
        assert_eq!(lines.len(), 3, "the image and both snippets: {lines:?}");
        assert!(list(root.path(), Some(ContentType::Import), None).0.is_empty());

        let all = storages(&Layout::new(root.path()), &[]);
        let filter = ContentFilter { content: Some(ContentType::Backup), vmid: None };
        let backups = all.list(&"local".parse().unwrap(), filter, &|_| None).unwrap().items;
        assert_eq!((backups[0].notes.as_deref(), backups[0].protected), (Some("grüße"), false));
    }

    #[test]
    fn every_listed_volume_resolves_to_the_listed_file() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let all = storages(&layout, &[]);
        let local: StorageId = "local".parse().unwrap();
        all.activate(&local).unwrap();
        for name in ["a b", "x:y", "é", "-rf", "a,b=1", "%41", "..."] {
            fs::write(layout.at("var/lib/vz/snippets").join(name), name).unwrap();
        }
        let found = all.list(&local, ContentFilter::default(), &|_| None).unwrap();
        assert_eq!(found.items.len(), 6, "all but the one with a dot in front: {:?}", found.items);
        for item in found.items {
            let volume: VolumeId = item.volume.to_string().parse().unwrap();
            let path = all.path(&volume).unwrap().path;
            assert_eq!(fs::read_to_string(&path).unwrap(), path.file_name().unwrap().to_str().unwrap());
        }
    }
}
