//! The types of storages that `storage.cfg` can name (api.md 6.3).

use crate::volume_name::is_number;
use crate::{StorageError, VolumeName};
use model::ContentType;

/// The type of a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StorageKind {
    /// A folder.
    Dir,
    /// A folder on a btrfs file system.
    Btrfs,
    /// A mounted NFS export.
    Nfs,
    /// A mounted SMB share.
    Cifs,
    /// A mounted CephFS.
    Cephfs,
    /// A volume group.
    Lvm,
    /// A thin pool in a volume group.
    LvmThin,
    /// A ZFS pool of this host.
    ZfsPool,
    /// A ZFS pool behind iSCSI.
    Zfs,
    /// A pool of Ceph block devices.
    Rbd,
    /// LUNs of an iSCSI target.
    Iscsi,
    /// The same, opened by QEMU itself.
    IscsiDirect,
    /// A backup server.
    Pbs,
    /// A VMware host to import from.
    Esxi,
}

/// Every type with its name, in the order of the type's values.
const NAMES: [(StorageKind, &str); 14] = [
    (StorageKind::Dir, "dir"),
    (StorageKind::Btrfs, "btrfs"),
    (StorageKind::Nfs, "nfs"),
    (StorageKind::Cifs, "cifs"),
    (StorageKind::Cephfs, "cephfs"),
    (StorageKind::Lvm, "lvm"),
    (StorageKind::LvmThin, "lvmthin"),
    (StorageKind::ZfsPool, "zfspool"),
    (StorageKind::Zfs, "zfs"),
    (StorageKind::Rbd, "rbd"),
    (StorageKind::Iscsi, "iscsi"),
    (StorageKind::IscsiDirect, "iscsidirect"),
    (StorageKind::Pbs, "pbs"),
    (StorageKind::Esxi, "esxi"),
];

impl StorageKind {
    /// By its name in `storage.cfg`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|known| known.1 == name).map(|known| known.0)
    }

    /// Its name in `storage.cfg`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        NAMES[self as usize].1
    }

    /// Whether volumes are files below a folder.
    #[must_use]
    pub fn is_folder(self) -> bool {
        matches!(self, Self::Dir | Self::Btrfs | Self::Nfs | Self::Cifs | Self::Cephfs)
    }

    /// Whether the folder is usable only while something is mounted there.
    #[must_use]
    pub fn is_mounted(self) -> bool {
        matches!(self, Self::Nfs | Self::Cifs | Self::Cephfs)
    }

    /// Takes a volume name of a storage of this type apart.
    ///
    /// # Errors
    /// Proxmox VE's refusal for the type (lifecycle.md 1.1).
    pub fn parse_name(self, name: &str) -> Result<VolumeName, StorageError> {
        let family = match self {
            _ if self.is_folder() => return VolumeName::parse(name),
            Self::Lvm | Self::LvmThin => "lvm",
            Self::ZfsPool | Self::Zfs => "zfs",
            Self::Rbd => "rbd",
            Self::Iscsi | Self::IscsiDirect => "iscsi",
            Self::Pbs => "PBS",
            _ => {
                let parts = name.splitn(3, '/').filter(|part| !part.is_empty()).count();
                let found = (parts == 3).then(|| volume(ContentType::Import, name, None, None));
                return found.ok_or_else(|| StorageError::EsxiName(name.to_owned()));
            }
        };
        let found = if name.contains(char::is_whitespace) || name.contains('\0') {
            None
        } else {
            match self {
                Self::Lvm => block_name(name, &["vm"], &[]),
                Self::LvmThin => block_name(name, &["vm", "base"], &[]),
                Self::ZfsPool | Self::Zfs => {
                    block_name(name, &["vm", "base", "subvol", "basevol"], &["base", "basevol"])
                }
                Self::Rbd => block_name(name, &["vm", "base"], &["base"]),
                Self::Iscsi => iscsi_name(name),
                Self::IscsiDirect => name
                    .strip_prefix("lun")
                    .filter(|lun| is_number(lun))
                    .map(|_| volume(ContentType::Images, name, None, Some("raw"))),
                _ => pbs_name(name),
            }
        };
        found.ok_or_else(|| StorageError::BlockName { family, name: name.to_owned() })
    }
}

fn volume(content: ContentType, name: &str, owner: Option<&str>, format: Option<&'static str>) -> VolumeName {
    VolumeName {
        content,
        name: name.to_owned(),
        folder: None,
        owner: owner.and_then(|digits| digits.parse().ok()),
        base: None,
        is_base: false,
        format,
    }
}

/// `<prefix>-<digits>-<rest>`: the prefix and the digits.
fn owned<'a>(name: &'a str, prefixes: &[&'static str]) -> Option<(&'static str, &'a str)> {
    prefixes.iter().find_map(|prefix| {
        let (digits, rest) = name.strip_prefix(prefix)?.strip_prefix('-')?.split_once('-')?;
        let plain = rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+@:=".contains(&b));
        (is_number(digits) && !rest.is_empty() && plain).then_some((*prefix, digits))
    })
}

/// `vm-100-disk-0`, or `base-100-disk-0/vm-101-disk-0` where the type's names tell what a clone is based on.
fn block_name(name: &str, prefixes: &[&'static str], bases: &[&'static str]) -> Option<VolumeName> {
    let (base, own) = match name.split_once('/') {
        Some((base, own)) => (Some((owned(base, bases)?.1.to_owned(), base.to_owned())), own),
        None => (None, name),
    };
    let (prefix, digits) = owned(own, prefixes)?;
    let folder = matches!(prefix, "subvol" | "basevol");
    let mut found =
        volume(ContentType::Images, own, Some(digits), Some(if folder { "subvol" } else { "raw" }));
    found.base = base;
    found.is_base = matches!(prefix, "base" | "basevol");
    Some(found)
}

/// `<channel>.<id>.<lun>.<name below /dev/disk/by-id>`.
fn iscsi_name(name: &str) -> Option<VolumeName> {
    let mut parts = name.splitn(4, '.');
    let address = parts.by_ref().take(3).filter(|part| is_number(part)).count() == 3;
    let device = parts.next()?;
    let valid = address && !device.is_empty() && !device.contains('/') && device != "." && device != "..";
    valid.then(|| volume(ContentType::Images, name, None, Some("raw")))
}

/// `backup/<kind>/<id>/<time>`.
fn pbs_name(name: &str) -> Option<VolumeName> {
    let path = name.strip_prefix("backup/")?;
    let parts: Vec<&str> = path.split('/').collect();
    let [kind, id, time] = parts[..] else { return None };
    let word = |text: &str| !text.is_empty() && !text.contains('_');
    let shape = "dddd-dd-ddTdd:dd:ddZ";
    let timed = time.len() == shape.len()
        && time.bytes().zip(shape.bytes()).all(|(b, s)| if s == b'd' { b.is_ascii_digit() } else { b == s });
    if !word(kind) || !word(id) || !timed {
        return None;
    }
    let format = match kind {
        "vm" => Some("pbs-vm"),
        "ct" => Some("pbs-ct"),
        "host" => Some("pbs-host"),
        _ => None,
    };
    Some(volume(ContentType::Backup, path, is_number(id).then_some(id), format))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_types() {
        for (index, (kind, name)) in NAMES.iter().enumerate() {
            assert_eq!(*kind as usize, index, "{name}");
            assert_eq!(StorageKind::parse(name), Some(*kind));
        }
        for known in &config::storage_cfg::TYPES {
            let kind = StorageKind::parse(known.name).unwrap();
            assert_eq!(kind.is_folder(), known.folder, "{}", known.name);
        }
    }

    #[test]
    fn each_type_refuses_in_its_own_words() {
        for (kind, text) in [
            ("dir", "unable to parse directory volume name 'hook.sh'"),
            ("cephfs", "unable to parse directory volume name 'hook.sh'"),
            ("lvm", "unable to parse lvm volume name 'hook.sh'"),
            ("lvmthin", "unable to parse lvm volume name 'hook.sh'"),
            ("zfspool", "unable to parse zfs volume name 'hook.sh'"),
            ("rbd", "unable to parse rbd volume name 'hook.sh'"),
            ("iscsi", "unable to parse iscsi volume name 'hook.sh'"),
            ("pbs", "unable to parse PBS volume name 'hook.sh'"),
            ("esxi", "failed to parse volname 'hook.sh'"),
        ] {
            let kind = StorageKind::parse(kind).unwrap();
            assert_eq!(kind.parse_name("hook.sh").unwrap_err().to_string(), text);
        }
        for name in ["snippets/hook.sh", "32G", "base-100-disk-0", "vm-100-", "vm-x-disk-0", "vm-100-a/../b"]
        {
            let error = StorageKind::Lvm.parse_name(name).unwrap_err().to_string();
            assert_eq!(error, format!("unable to parse lvm volume name '{name}'"));
        }
    }

    #[test]
    fn names_of_block_storages() {
        let parse = |kind: StorageKind, name: &str| {
            let v = kind.parse_name(name).unwrap();
            (v.content, v.name, v.owner.map(model::Vmid::get), v.base.map(|b| b.1), v.format)
        };
        let image = |name: &str, owner, base: Option<&str>, format| {
            (ContentType::Images, name.to_owned(), owner, base.map(str::to_owned), Some(format))
        };
        assert_eq!(parse(StorageKind::Lvm, "vm-100-disk-0"), image("vm-100-disk-0", Some(100), None, "raw"));
        assert_eq!(
            parse(StorageKind::ZfsPool, "base-100-disk-0/vm-101-disk-0"),
            image("vm-101-disk-0", Some(101), Some("base-100-disk-0"), "raw")
        );
        assert_eq!(
            parse(StorageKind::ZfsPool, "subvol-200-disk-0"),
            image("subvol-200-disk-0", Some(200), None, "subvol")
        );
        assert_eq!(parse(StorageKind::Iscsi, "0.0.1.scsi-36"), image("0.0.1.scsi-36", None, None, "raw"));
        assert_eq!(
            parse(StorageKind::Pbs, "backup/vm/117/2025-08-06T14:27:07Z"),
            (ContentType::Backup, "vm/117/2025-08-06T14:27:07Z".to_owned(), Some(117), None, Some("pbs-vm"))
        );
    }
}
