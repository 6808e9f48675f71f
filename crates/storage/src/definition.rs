//! One storage as `storage.cfg` defines it (api.md 6.1).

use crate::format::ImageFormat;
use crate::{StorageError, StorageKind, VolumeName};
use config::storage_cfg::storage_type;
use config::text::{parse_boolean, split_list};
use model::{ContentType, Layout, NodeName, StorageId};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A storage: a section of `storage.cfg`, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// Its id.
    pub id: StorageId,
    /// Its type.
    pub kind: StorageKind,
    /// What it may hold, in the order of `storage.cfg`.
    pub content: Vec<ContentType>,
    /// Whether it is switched off.
    pub disabled: bool,
    /// The hosts that may use it; none for all.
    pub nodes: Option<Vec<String>>,
    /// Whether all hosts see the same volumes.
    pub shared: bool,
    /// Its folder on this host, for types that have one.
    pub path: Option<PathBuf>,
    /// Where a mount is expected; none where it need not be one.
    pub mount_point: Option<PathBuf>,
    /// Whether its folder is made when it is not there.
    pub create_base: bool,
    /// Whether the folders of its content types are made.
    pub create_subfolders: bool,
    /// How much of a new image is reserved: `off`, `metadata`, `falloc`, `full`; none for the format's default.
    pub preallocation: Option<Preallocation>,
    /// The format of a new image where none is asked for.
    pub default_format: ImageFormat,
    /// Folders of content types that are not where they usually are, relative to `path`.
    folders: Vec<(ContentType, String)>,
    /// `vgname`, or `pool`, of block storages.
    pool: Option<String>,
    /// `mountpoint` of a ZFS pool.
    zfs_mount: Option<PathBuf>,
}

/// How much of a new image's space is reserved when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preallocation {
    /// Nothing.
    Off,
    /// The tables of a `qcow2` image.
    Metadata,
    /// All of it, by `fallocate`.
    Falloc,
    /// All of it, by writing it.
    Full,
}

impl Preallocation {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Metadata => "metadata",
            Self::Falloc => "falloc",
            Self::Full => "full",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Off, Self::Metadata, Self::Falloc, Self::Full].into_iter().find(|p| p.as_str() == text)
    }
}

impl Storage {
    /// Understands a section: its type, its id and its properties.
    ///
    /// Paths are moved below the root where they are `/var/lib/vz` or below it; all others are the host's.
    ///
    /// # Errors
    /// [`StorageError::BadProperty`] where the storage cannot be used as it is defined.
    pub fn new(
        layout: &Layout,
        kind: StorageKind,
        id: StorageId,
        properties: &BTreeMap<String, String>,
    ) -> Result<Self, StorageError> {
        let get = |key: &str| properties.get(key).map(String::as_str);
        let bad = |property: &'static str, value: &str| StorageError::BadProperty {
            storage: id.clone(),
            property,
            value: value.to_owned(),
        };
        let known = storage_type(kind.as_str());
        let flag = |property: &'static str, default: bool| match get(property) {
            None => Ok(default),
            Some(text) => parse_boolean(text).ok_or_else(|| bad(property, text)),
        };

        let path = match get("path") {
            Some(text) if text.starts_with('/') => Some(PathBuf::from(text)),
            Some(text) => return Err(bad("path", text)),
            None if kind.is_mounted() => Some(Path::new("/mnt/pve").join(id.as_str())),
            None if kind.is_folder() => return Err(bad("path", "")),
            None => None,
        };
        let path = path.map(|path| place(layout, &path));
        let mount_point = match get("is_mountpoint") {
            _ if kind.is_mounted() => path.clone(),
            None => None,
            Some(text) => match parse_boolean(text) {
                Some(true) => path.clone(),
                Some(false) => None,
                None if text.is_empty() => path.clone(),
                None if text.starts_with('/') => Some(place(layout, Path::new(text))),
                None => return Err(bad("is_mountpoint", text)),
            },
        };
        let mut content = Vec::new();
        for word in split_list(get("content").or(known.map(|known| known.content)).unwrap_or_default()) {
            let word: ContentType = word.parse().map_err(|_| bad("content", word))?;
            if word != ContentType::None && !content.contains(&word) {
                content.push(word);
            }
        }
        let preallocation = match get("preallocation") {
            None => None,
            Some(text) => Some(Preallocation::parse(text).ok_or_else(|| bad("preallocation", text))?),
        };
        let default_format = match get("format") {
            None => ImageFormat::Raw,
            Some(text) => text.parse().map_err(|_| bad("format", text))?,
        };
        let folders = match get("content-dirs") {
            None => Vec::new(),
            Some(text) => overrides(text).ok_or_else(|| bad("content-dirs", text))?,
        };
        let make = flag("mkdir", true)?;
        Ok(Self {
            kind,
            content,
            disabled: flag("disable", false)?,
            nodes: get("nodes").map(|text| split_list(text).map(str::to_owned).collect()),
            shared: known.is_some_and(|known| known.shared) || flag("shared", false)?,
            path,
            mount_point,
            create_base: make && flag("create-base-path", true)?,
            create_subfolders: make && flag("create-subdirs", true)?,
            preallocation,
            default_format,
            folders,
            pool: get("vgname").or_else(|| get("pool")).map(str::to_owned),
            zfs_mount: get("mountpoint").map(PathBuf::from),
            id,
        })
    }

    /// Whether volumes of this content type belong here.
    #[must_use]
    pub fn allows(&self, content: ContentType) -> bool {
        self.content.contains(&content)
    }

    /// Whether this host may use it now.
    ///
    /// # Errors
    /// [`StorageError::Disabled`] and [`StorageError::NotOnNode`].
    pub fn check_enabled(&self, node: &NodeName) -> Result<(), StorageError> {
        if self.disabled {
            return Err(StorageError::Disabled(self.id.clone()));
        }
        match &self.nodes {
            Some(nodes) if !nodes.iter().any(|name| name == node.as_str()) => {
                Err(StorageError::NotOnNode { storage: self.id.clone(), node: node.to_string() })
            }
            _ => Ok(()),
        }
    }

    /// The storage's folder.
    ///
    /// # Errors
    /// [`StorageError::Unsupported`] for a type that has none.
    pub fn root(&self) -> Result<&Path, StorageError> {
        self.path.as_deref().ok_or_else(|| self.unsupported("use as a folder"))
    }

    /// The folder of a content type.
    ///
    /// # Errors
    /// As [`Storage::root`].
    pub fn folder(&self, content: ContentType) -> Result<PathBuf, StorageError> {
        let moved = self.folders.iter().find(|(of, _)| *of == content).map(|(_, folder)| folder.as_str());
        let usual = match content {
            ContentType::Images => "images",
            ContentType::Rootdir => "private",
            ContentType::Iso => "template/iso",
            ContentType::Vztmpl => "template/cache",
            ContentType::Backup => "dump",
            ContentType::Snippets => "snippets",
            ContentType::Import => "import",
            ContentType::None => return Err(self.unsupported("content type 'none'")),
        };
        Ok(self.root()?.join(moved.unwrap_or(usual)))
    }

    /// Where a volume of that name lies. The name decides alone; nothing is looked at.
    ///
    /// # Errors
    /// [`StorageError::Unsupported`] for types whose volumes are not files of this host.
    pub fn locate(&self, name: &VolumeName) -> Result<PathBuf, StorageError> {
        if self.kind.is_folder() {
            let mut path = self.folder(name.content)?;
            path.extend(name.folder.as_deref());
            path.push(&name.name);
            if self.kind == StorageKind::Btrfs
                && name.format == Some("raw")
                && name.content == ContentType::Images
            {
                path.set_extension("");
                path.push("disk.raw");
            }
            return Ok(path);
        }
        let pool =
            || self.pool.as_deref().ok_or_else(|| self.unsupported("a volume without 'vgname' or 'pool'"));
        match self.kind {
            StorageKind::Lvm | StorageKind::LvmThin => Ok(Path::new("/dev").join(pool()?).join(&name.name)),
            StorageKind::ZfsPool if name.format == Some("subvol") => {
                let mount = match &self.zfs_mount {
                    Some(mount) => mount.clone(),
                    None => Path::new("/").join(pool()?),
                };
                Ok(mount.join(&name.name))
            }
            StorageKind::ZfsPool => Ok(Path::new("/dev/zvol").join(pool()?).join(&name.name)),
            StorageKind::Iscsi => {
                let device = name.name.splitn(4, '.').last().unwrap_or_default();
                Ok(Path::new("/dev/disk/by-id").join(device))
            }
            _ => Err(self.unsupported("the path of a volume")),
        }
    }

    pub(crate) fn unsupported(&self, what: &'static str) -> StorageError {
        StorageError::Unsupported { storage: self.id.clone(), kind: self.kind.as_str(), what }
    }
}

/// Moves `/var/lib/vz` and what is below it under the root; leaves every other path, and one that is there already.
fn place(layout: &Layout, path: &Path) -> PathBuf {
    let below = |root: &Path| path.starts_with(root);
    if !layout.is_host() && below(layout.root()) {
        path.to_owned()
    } else if below(Path::new("/var/lib/vz")) {
        layout.at(path)
    } else {
        path.to_owned()
    }
}

/// `<content>=<relative path>[,…]`, each path without `.` and `..`.
fn overrides(text: &str) -> Option<Vec<(ContentType, String)>> {
    let one = |word: &str| {
        let (content, folder) = word.split_once('=')?;
        let content: ContentType = content.trim().parse().ok()?;
        let folder = folder.trim().trim_matches('/');
        let plain = !folder.contains('\0') && folder.split('/').all(|part| !matches!(part, "" | "." | ".."));
        (content != ContentType::None && plain).then(|| (content, folder.to_owned()))
    };
    text.split(',').map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(kind: &str, properties: &[(&str, &str)]) -> Result<Storage, StorageError> {
        let properties = properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let kind = StorageKind::parse(kind).unwrap();
        Storage::new(&Layout::new("/srv/root"), kind, "store".parse().unwrap(), &properties)
    }

    fn locate(storage: &Storage, name: &str) -> String {
        let name = storage.kind.parse_name(name).unwrap();
        storage.locate(&name).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn paths_follow_the_content_type() {
        let dir =
            storage("dir", &[("path", "/data"), ("content-dirs", "snippets=hooks/all,iso=/cd")]).unwrap();
        for (name, path) in [
            ("100/vm-100-disk-0.raw", "/data/images/100/vm-100-disk-0.raw"),
            ("100/base-100-disk-0.raw/101/vm-101-disk-0.qcow2", "/data/images/101/vm-101-disk-0.qcow2"),
            ("snippets/hook.sh", "/data/hooks/all/hook.sh"),
            ("iso/x.iso", "/data/cd/x.iso"),
            ("vztmpl/x.tar.zst", "/data/template/cache/x.tar.zst"),
            ("backup/x.tar", "/data/dump/x.tar"),
            ("import/x.ova/d.raw", "/data/import/x.ova/d.raw"),
            ("rootdir/200", "/data/private/200"),
        ] {
            assert_eq!(locate(&dir, name), path);
        }
        let nfs = storage("nfs", &[("server", "a"), ("export", "/b")]).unwrap();
        assert_eq!(locate(&nfs, "snippets/x"), "/mnt/pve/store/snippets/x");
        let lvm = storage("lvmthin", &[("vgname", "pve"), ("thinpool", "data")]).unwrap();
        assert_eq!(locate(&lvm, "vm-100-disk-0"), "/dev/pve/vm-100-disk-0");
        let zfs = storage("zfspool", &[("pool", "rpool/data")]).unwrap();
        assert_eq!(locate(&zfs, "vm-100-disk-0"), "/dev/zvol/rpool/data/vm-100-disk-0");
        assert_eq!(locate(&zfs, "subvol-200-disk-0"), "/rpool/data/subvol-200-disk-0");
    }

    #[test]
    fn only_the_standard_place_moves_with_the_root() {
        for (given, used) in [
            ("/var/lib/vz", "/srv/root/var/lib/vz"),
            ("/var/lib/vz/two", "/srv/root/var/lib/vz/two"),
            ("/var/lib/vzx", "/var/lib/vzx"),
            ("/srv/root/data", "/srv/root/data"),
            ("/srv/root/var/lib/vz", "/srv/root/var/lib/vz"),
            ("/srv/rooted", "/srv/rooted"),
        ] {
            let dir = storage("dir", &[("path", given)]).unwrap();
            assert_eq!(dir.path.unwrap(), Path::new(used));
        }
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (properties, text) in [
            (vec![], "storage 'store' has an invalid path: ''"),
            (vec![("path", "data")], "storage 'store' has an invalid path: 'data'"),
            (
                vec![("path", "/d"), ("content-dirs", "snippets=../../etc")],
                "storage 'store' has an invalid content-dirs: 'snippets=../../etc'",
            ),
            (
                vec![("path", "/d"), ("content-dirs", "snippets=a//b")],
                "storage 'store' has an invalid content-dirs: 'snippets=a//b'",
            ),
            (
                vec![("path", "/d"), ("content-dirs", "hooks=a")],
                "storage 'store' has an invalid content-dirs: 'hooks=a'",
            ),
            (vec![("path", "/d"), ("disable", "maybe")], "storage 'store' has an invalid disable: 'maybe'"),
        ] {
            assert_eq!(storage("dir", &properties).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn flags_are_understood() {
        let dir =
            storage("dir", &[("path", "/d"), ("disable", "1"), ("is_mountpoint", "yes"), ("mkdir", "0")]);
        let dir = dir.unwrap();
        assert!(dir.disabled && !dir.create_base && !dir.create_subfolders);
        assert_eq!(dir.mount_point.as_deref(), Some(Path::new("/d")));
        assert_eq!(dir.content, [ContentType::Images, ContentType::Rootdir]);
    }
}
