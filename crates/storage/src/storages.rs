//! All storages of this host, and what needs no disk to answer.

use crate::definition::Storage;
use crate::{StorageError, StorageKind, VolumeName};
use config::storage_cfg::StorageCfg;
use model::{ContentType, Layout, NodeName, StorageId, Vmid, VolumeId};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use store::ConfigStore;

/// The storages that `storage.cfg` defines, as this host sees them.
#[derive(Debug, Clone)]
pub struct Storages {
    pub(crate) layout: Layout,
    node: NodeName,
    storages: BTreeMap<StorageId, Definition>,
}

#[derive(Debug, Clone)]
enum Definition {
    Good(Storage),
    Bad { property: &'static str, value: String },
}

/// Where a volume lies and what its name says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumePath {
    /// The path on this host. Whether there is anything is another question.
    pub path: PathBuf,
    /// The content type.
    pub content: ContentType,
    /// The format, as [`VolumeName::format`] has it.
    pub format: Option<String>,
    /// The guest it belongs to.
    pub owner: Option<Vmid>,
}

impl Storages {
    /// Reads `storage.cfg` afresh. What the file says wrongly is left out silently; the store tells of it.
    ///
    /// # Errors
    /// [`StorageError::Store`] where the file cannot be read.
    pub fn load(store: &ConfigStore) -> Result<Self, StorageError> {
        Ok(Self::new(store.layout().clone(), store.node().clone(), &store.storage_cfg()?))
    }

    /// Takes what `storage.cfg` says. Types that are not known here are left out.
    #[must_use]
    pub fn new(layout: Layout, node: NodeName, cfg: &StorageCfg) -> Self {
        let mut storages = BTreeMap::new();
        for section in &cfg.sections {
            let Some(kind) = StorageKind::parse(&section.kind) else { continue };
            let definition = match Storage::new(&layout, kind, section.id.clone(), &section.options) {
                Ok(storage) => Definition::Good(storage),
                Err(StorageError::BadProperty { property, value, .. }) => Definition::Bad { property, value },
                Err(_) => continue,
            };
            storages.insert(section.id.clone(), definition);
        }
        Self { layout, node, storages }
    }

    /// This host's name.
    #[must_use]
    pub fn node(&self) -> &NodeName {
        &self.node
    }

    /// The ids of all storages, in order.
    pub fn ids(&self) -> impl Iterator<Item = &StorageId> {
        self.storages.keys()
    }

    /// A storage by its id.
    ///
    /// # Errors
    /// [`StorageError::NoStorage`], or [`StorageError::BadProperty`] where its definition makes no sense.
    pub fn get(&self, id: &StorageId) -> Result<&Storage, StorageError> {
        match self.storages.get(id) {
            Some(Definition::Good(storage)) => Ok(storage),
            Some(Definition::Bad { property, value }) => {
                Err(StorageError::BadProperty { storage: id.clone(), property, value: value.clone() })
            }
            None => Err(StorageError::NoStorage(id.clone())),
        }
    }

    /// A storage that this host may use now. Nothing is looked at.
    ///
    /// # Errors
    /// As [`Storages::get`]; [`StorageError::Disabled`] and [`StorageError::NotOnNode`].
    pub fn enabled(&self, id: &StorageId) -> Result<&Storage, StorageError> {
        let storage = self.get(id)?;
        storage.check_enabled(&self.node)?;
        Ok(storage)
    }

    /// Takes a volume's name apart, by the rules of its storage's type.
    ///
    /// # Errors
    /// As [`Storages::get`]; the type's refusal of the name.
    pub fn parse(&self, volume: &VolumeId) -> Result<VolumeName, StorageError> {
        self.get(volume.storage())?.kind.parse_name(volume.name())
    }

    /// Where a volume lies. This is how a hookscript is found: neither whether the storage is enabled, on this
    /// host or active, nor what content it allows, counts (lifecycle.md 1.1). Nothing is looked at.
    ///
    /// # Errors
    /// As [`Storages::parse`], with Proxmox VE's texts; [`StorageError::Unsupported`] for volumes that are no files
    /// of this host.
    pub fn path(&self, volume: &VolumeId) -> Result<VolumePath, StorageError> {
        let storage = self.get(volume.storage())?;
        let name = storage.kind.parse_name(volume.name())?;
        Ok(VolumePath {
            path: storage.locate(&name)?,
            content: name.content,
            format: name.format.map(str::to_owned),
            owner: name.owner,
        })
    }

    /// The volume that a path on this host is, where it is one of a folder storage and named in the usual way.
    #[must_use]
    pub fn volume_at(&self, path: &Path) -> Option<VolumeId> {
        const CONTENTS: [ContentType; 6] = [
            ContentType::Images,
            ContentType::Iso,
            ContentType::Vztmpl,
            ContentType::Backup,
            ContentType::Snippets,
            ContentType::Import,
        ];
        self.storages.values().find_map(|definition| {
            let Definition::Good(storage) = definition else { return None };
            CONTENTS.into_iter().find_map(|content| {
                let below = path.strip_prefix(storage.folder(content).ok()?).ok()?.to_str()?;
                let name = match content {
                    ContentType::Images => below.to_owned(),
                    _ => format!("{content}/{below}"),
                };
                let parsed = VolumeName::parse(&name).ok()?;
                let same = parsed.content == content && storage.locate(&parsed).ok()? == path;
                if same { VolumeId::new(storage.id.clone(), &name) } else { None }
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{Section, storages};
    use proptest::prelude::*;
    use std::path::Component;

    const CFG: &[Section<'_>] = &[
        (
            "dir",
            "local",
            &[("path", "/var/lib/vz"), ("content", "iso,vztmpl,backup"), ("nodes", "elsewhere")],
        ),
        ("dir", "nosnip", &[("path", "/var/lib/nosnip"), ("content", "images")]),
        ("dir", "off", &[("path", "/var/lib/off"), ("disable", "")]),
        ("dir", "other", &[("path", "/var/lib/other"), ("nodes", "pve2 pve3")]),
        ("dir", "moved", &[("path", "/m"), ("content-dirs", "snippets=deep/er,images=disks")]),
        ("dir", "broken", &[("path", "/b"), ("content-dirs", "snippets=..")]),
        ("lvm", "vg", &[("vgname", "vg0")]),
        ("pbs", "safe", &[("server", "x"), ("datastore", "y")]),
        ("made-up", "odd", &[("path", "/o")]),
    ];

    fn all() -> Storages {
        storages(&Layout::new("/"), CFG)
    }

    fn path(volume: &str) -> Result<String, String> {
        let found = all().path(&volume.parse().unwrap());
        found.map(|v| v.path.to_str().unwrap().to_owned()).map_err(|e| e.to_string())
    }

    #[test]
    fn paths_and_refusals_as_observed() {
        for (volume, found) in [
            ("local:snippets/hook.sh", Ok("/var/lib/vz/snippets/hook.sh")),
            ("local:iso/x.iso", Ok("/var/lib/vz/template/iso/x.iso")),
            ("local:100/vm-100-disk-0.raw", Ok("/var/lib/vz/images/100/vm-100-disk-0.raw")),
            ("nostore:snippets/hook.sh", Err("storage 'nostore' does not exist")),
            ("odd:snippets/hook.sh", Err("storage 'odd' does not exist")),
            (
                "local:snippets/sub/deep.sh",
                Err("unable to parse directory volume name 'snippets/sub/deep.sh'"),
            ),
            (
                "local:snippets/../../../etc/passwd",
                Err("unable to parse directory volume name 'snippets/../../../etc/passwd'"),
            ),
            ("local:snippets/", Err("unable to parse directory volume name 'snippets/'")),
            ("other:snippets/hook.sh", Ok("/var/lib/other/snippets/hook.sh")),
            ("off:snippets/hook.sh", Ok("/var/lib/off/snippets/hook.sh")),
            ("nosnip:snippets/hook.sh", Ok("/var/lib/nosnip/snippets/hook.sh")),
            ("moved:snippets/hook.sh", Ok("/m/deep/er/hook.sh")),
            ("broken:snippets/hook.sh", Err("storage 'broken' has an invalid content-dirs: 'snippets=..'")),
            ("vg:snippets/hook.sh", Err("unable to parse lvm volume name 'snippets/hook.sh'")),
            (
                "safe:backup/vm/100/2025-08-06T14:27:07Z",
                Err("storage 'safe' is of type 'pbs': the path of a volume is not supported"),
            ),
        ] {
            assert_eq!(path(volume), found.map(str::to_owned).map_err(str::to_owned), "{volume}");
        }
    }

    #[test]
    fn a_disabled_storage_and_one_of_other_hosts_are_not_used_for_guests() {
        let all = all();
        let enabled =
            |id: &str| all.enabled(&id.parse().unwrap()).map(|s| s.id.clone()).map_err(|e| e.to_string());
        assert!(enabled("local").is_ok(), "the nodes of local never count");
        assert_eq!(enabled("off"), Err("storage 'off' is disabled".to_owned()));
        assert_eq!(enabled("other"), Err("storage 'other' is not available on node 'pve1'".to_owned()));
    }

    #[test]
    fn there_is_always_a_storage_local() {
        let root = Layout::new("/srv/root");
        for cfg in [&[][..], &[("dir", "local", &[("path", "/data")][..])], &[("lvm", "local", &[][..])]] {
            let all = storages(&root, cfg);
            let local = all.get(&"local".parse().unwrap()).unwrap();
            assert_eq!(local.path.as_deref(), Some(Path::new("/srv/root/var/lib/vz")));
            assert!(local.allows(ContentType::Snippets));
        }
    }

    #[test]
    fn the_file_is_read_from_the_root() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        std::fs::create_dir_all(layout.pve().join("nodes/pve1")).unwrap();
        std::os::unix::fs::symlink("nodes/pve1", layout.pve().join("local")).unwrap();
        std::fs::write(layout.storage_cfg(), "dir: extra\n\tpath /var/lib/vz/extra\n\tnodes pve2\n").unwrap();
        let all = Storages::load(&ConfigStore::open(layout.clone()).unwrap()).unwrap();
        let found = all.path(&"extra:snippets/hook.sh".parse().unwrap()).unwrap();
        assert_eq!(found.path, layout.at("var/lib/vz/extra/snippets/hook.sh"));
        let refused = all.enabled(&"extra".parse().unwrap()).unwrap_err().to_string();
        assert_eq!(refused, "storage 'extra' is not available on node 'pve1'");
    }

    #[test]
    fn a_path_leads_back_to_its_volume() {
        let all = all();
        for volume in
            ["local:snippets/a b", "moved:snippets/x", "moved:100/vm-100-disk-0.raw", "nosnip:iso/x.iso"]
        {
            let volume: VolumeId = volume.parse().unwrap();
            assert_eq!(all.volume_at(&all.path(&volume).unwrap().path), Some(volume));
        }
        for path in ["/etc/passwd", "/var/lib/vz/snippets", "/var/lib/vz/snippets/a/b", "/m/images/100/x.raw"]
        {
            assert_eq!(all.volume_at(Path::new(path)), None, "{path}");
        }
    }

    /// Names made of what path tricks are made of.
    fn name() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => Just("/"), 2 => Just(".."), 1 => Just("."), 1 => Just("snippets"), 1 => Just("iso"), 1 => Just("x.iso"),
            1 => Just("vztmpl"), 1 => Just("x.tar.gz"), 1 => Just("backup"), 1 => Just("x.vma"), 1 => Just("import"),
            1 => Just("x.ova"), 1 => Just("x.raw"), 1 => Just("rootdir"), 2 => Just("100"), 1 => Just("vm-100-x.raw"),
            1 => Just("base-100-x.qcow2"), 1 => Just("\0"), 1 => Just("\\"), 1 => Just("%2e%2e%2f"), 1 => Just(" "),
            1 => Just("~"), 1 => Just("$HOME"), 1 => Just("\u{2215}"),
        ];
        prop_oneof![proptest::collection::vec(piece, 1..10).prop_map(|v| v.concat()), ".{1,30}"]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn no_name_leads_out_of_its_storage(name in name(), store in 0..CFG.len()) {
            let all = all();
            let id: StorageId = CFG[store].1.parse().unwrap();
            if let Some(volume) = VolumeId::new(id.clone(), &name)
                && let Ok(found) = all.path(&volume)
            {
                let storage = all.get(&id).unwrap();
                let root = storage.path.clone().unwrap_or_else(|| PathBuf::from("/dev/vg0"));
                let below = found.path.strip_prefix(&root).unwrap();
                prop_assert!(below.components().all(|part| matches!(part, Component::Normal(_))), "{:?}", found.path);
                prop_assert!(!found.path.to_str().unwrap().contains(['\0', '\n']));
                // What is put together as text must be what the parts say.
                let rebuilt: PathBuf = found.path.components().collect();
                prop_assert_eq!(rebuilt.as_os_str(), found.path.as_os_str());
                if storage.kind.is_folder() {
                    let folder = storage.folder(found.content).unwrap();
                    prop_assert!(found.path.starts_with(&folder) && found.path != folder);
                }
            }
        }
    }
}
