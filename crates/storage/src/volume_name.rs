//! Volume names of storages that are folders (api.md 6.2).

use crate::StorageError;
use crate::format::{
    Compression, ImageFormat, backup_extension, image_format, import_format, is_space, iso_extension,
};
use model::{ContentType, Vmid};
use std::fmt;

/// What a volume name says, without a look at any disk.
///
/// Made by [`VolumeName::parse`]; its `Display` gives back the text it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeName {
    /// The content type, which decides about the folder.
    pub content: ContentType,
    /// The path below the content type's folder, without the guest's own: nearly always a file name.
    pub name: String,
    /// The folder of the owner in `images`, as it was written: digits, not always a valid VMID.
    pub folder: Option<String>,
    /// The guest it belongs to.
    pub owner: Option<Vmid>,
    /// The image that a linked clone is based on: its owner's folder and its name.
    pub base: Option<(String, String)>,
    /// Whether it is itself the base of linked clones.
    pub is_base: bool,
    /// `raw`, `qcow2`, `vmdk`, `subvol`, `ova`, `ovf`, `ova+raw` …; none for a legacy `rootdir`.
    pub format: Option<&'static str>,
}

impl VolumeName {
    /// Takes a volume name apart.
    ///
    /// # Errors
    /// [`StorageError::DirectoryName`] and [`StorageError::FileName`], with Proxmox VE's texts. Names that would
    /// leave their folder (`snippets/..`) and names with a NUL are refused like any other unknown one.
    pub fn parse(text: &str) -> Result<Self, StorageError> {
        let unknown = || StorageError::DirectoryName(text.to_owned());
        if text.contains(['\0', '\n']) {
            return Err(unknown());
        }
        let (first, rest) = text.split_once('/').ok_or_else(unknown)?;
        if is_number(first) {
            if rest.is_empty() || rest.contains(is_space) {
                return Err(unknown());
            }
            return Self::image(first, rest);
        }
        let file = !rest.is_empty() && !rest.contains('/') && rest != "." && rest != "..";
        let plain = |content, format| Self {
            content,
            name: rest.to_owned(),
            folder: None,
            owner: None,
            base: None,
            is_base: false,
            format,
        };
        match first {
            "iso" if file && iso_extension(rest) => Ok(plain(ContentType::Iso, Some("raw"))),
            "vztmpl" if file && Compression::of(rest).is_some() => {
                Ok(plain(ContentType::Vztmpl, Some("raw")))
            }
            "rootdir" if is_number(rest) => {
                Ok(Self { owner: rest.parse().ok(), ..plain(ContentType::Rootdir, None) })
            }
            "backup" if file && backup_extension(rest).is_some() => {
                Ok(Self { owner: backup_owner(rest), ..plain(ContentType::Backup, Some("raw")) })
            }
            "snippets" if file => Ok(plain(ContentType::Snippets, Some("raw"))),
            "import" => {
                import_format(rest).map(|format| plain(ContentType::Import, Some(format))).ok_or_else(unknown)
            }
            _ => Err(unknown()),
        }
    }

    /// `<digits>/<rest>`, where the rest may be `<base>/<digits>/<name>`.
    fn image(first: &str, rest: &str) -> Result<Self, StorageError> {
        let (folder, name, base) = match split_clone(rest) {
            Some((base, folder, name)) => {
                image_format(base)?;
                (folder, name, Some((first.to_owned(), base.to_owned())))
            }
            None => (first, rest, None),
        };
        let format = image_format(name)?;
        Ok(Self {
            content: ContentType::Images,
            name: name.to_owned(),
            folder: Some(folder.to_owned()),
            owner: folder.parse().ok(),
            base,
            is_base: name.strip_prefix("base-").is_some_and(|rest| rest.rfind('.') > Some(0)),
            format: Some(format.as_str()),
        })
    }

    /// The format as one of an image; none for everything else.
    #[must_use]
    pub fn image_format(&self) -> Option<ImageFormat> {
        if self.content == ContentType::Images { self.format?.parse().ok() } else { None }
    }
}

impl fmt::Display for VolumeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.folder, &self.base) {
            (Some(folder), None) => write!(f, "{folder}/{}", self.name),
            (Some(folder), Some((of, base))) => write!(f, "{of}/{base}/{folder}/{}", self.name),
            (None, Some((_, base))) => write!(f, "{base}/{}", self.name),
            (None, None) if self.content == ContentType::Images => f.write_str(&self.name),
            (None, None) => write!(f, "{}/{}", self.content, self.name),
        }
    }
}

/// The guest that a backup is of, by its file name `vzdump-<kind>-<vmid>-<rest>`.
fn backup_owner(name: &str) -> Option<Vmid> {
    let rest = name.strip_prefix("vzdump-")?;
    let rest = ["qemu-", "lxc-", "openvz-"].into_iter().find_map(|kind| rest.strip_prefix(kind))?;
    let (vmid, rest) = rest.split_once('-')?;
    if rest.is_empty() { None } else { vmid.parse().ok() }
}

/// Finds `<base>/<digits>/<name>`, with the longest base there is.
fn split_clone(text: &str) -> Option<(&str, &str, &str)> {
    let mut end = text.len();
    while let Some(second) = text[..end].rfind('/') {
        let (head, name) = (&text[..second], &text[second + 1..]);
        let (base, digits) = head.rsplit_once('/')?;
        if is_number(digits) && !base.is_empty() && !name.is_empty() {
            return Some((base, digits, name));
        }
        end = second;
    }
    None
}

pub(crate) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Fields = (ContentType, String, Option<u32>, Option<(String, String)>, bool, Option<&'static str>);

    fn fields(text: &str) -> Fields {
        let v = VolumeName::parse(text).unwrap();
        assert_eq!(v.to_string(), text);
        (v.content, v.name, v.owner.map(Vmid::get), v.base, v.is_base, v.format)
    }

    #[test]
    fn images_and_linked_clones() {
        let vm = |name: &str| name.to_owned();
        assert_eq!(
            fields("100/vm-100-disk-0.raw"),
            (ContentType::Images, vm("vm-100-disk-0.raw"), Some(100), None, false, Some("raw"))
        );
        assert_eq!(
            fields("200/subvol-200-disk-0.subvol"),
            (ContentType::Images, vm("subvol-200-disk-0.subvol"), Some(200), None, false, Some("subvol"))
        );
        assert_eq!(
            fields("100/base-100-disk-0.qcow2"),
            (ContentType::Images, vm("base-100-disk-0.qcow2"), Some(100), None, true, Some("qcow2"))
        );
        assert_eq!(
            fields("100/base-100-disk-0.raw/101/vm-101-disk-0.qcow2"),
            (
                ContentType::Images,
                vm("vm-101-disk-0.qcow2"),
                Some(101),
                Some((vm("100"), vm("base-100-disk-0.raw"))),
                false,
                Some("qcow2")
            )
        );
        assert_eq!(fields("007/x.vmdk").2, None);
    }

    #[test]
    fn other_contents() {
        for (text, content, name, owner, format) in [
            ("iso/a b.ISO", ContentType::Iso, "a b.ISO", None, Some("raw")),
            ("iso/x.img", ContentType::Iso, "x.img", None, Some("raw")),
            (
                "vztmpl/debian-12_amd64.tar.zst",
                ContentType::Vztmpl,
                "debian-12_amd64.tar.zst",
                None,
                Some("raw"),
            ),
            ("vztmpl/x.tar", ContentType::Vztmpl, "x.tar", None, Some("raw")),
            ("rootdir/1234", ContentType::Rootdir, "1234", Some(1234), None),
            ("snippets/hook.sh,foo=1", ContentType::Snippets, "hook.sh,foo=1", None, Some("raw")),
            ("snippets/...", ContentType::Snippets, "...", None, Some("raw")),
            ("import/a.ova", ContentType::Import, "a.ova", None, Some("ova")),
            ("import/a.ova/OS disk.vmdk", ContentType::Import, "a.ova/OS disk.vmdk", None, Some("ova+vmdk")),
            (
                "backup/vzdump-qemu-1234-2020_03_30-21_12_40.vma.zst",
                ContentType::Backup,
                "vzdump-qemu-1234-2020_03_30-21_12_40.vma.zst",
                Some(1234),
                Some("raw"),
            ),
            (
                "backup/vzdump-none-1234-2020_03_30-21_12_40.tar",
                ContentType::Backup,
                "vzdump-none-1234-2020_03_30-21_12_40.tar",
                None,
                Some("raw"),
            ),
        ] {
            assert_eq!(fields(text), (content, name.to_owned(), owner, None, false, format));
        }
    }

    #[test]
    fn refusals_name_the_part_that_is_wrong() {
        let whole = [
            "snippets/",
            "snippets/..",
            "snippets/.",
            "snippets/sub/deep.sh",
            "snippets/../../../etc/passwd",
            "snippets/a\0b",
            "Snippets/x",
            "hook.sh",
            "",
            "/",
            "iso/yet-again.dvd",
            "iso/.iso",
            "iso/../x.iso",
            "vztmpl/debian.zip.gz",
            "rootdir/100/etc",
            "ssss/base-1234-disk-0.raw",
            "ssss/base-1234-disk-0.qcow2/1234/vm-1234-disk-0.qcow2",
            "100/vm 100.raw",
            "100/",
            "import/test.foo",
            "import/a.ova/../x.raw",
            "import/a.ovf/x.raw",
            "backup/vzdump-qemu-1234-2020_03_30-21_12_40.vma.xz",
            "backup/vzdump-lxc-1234-2020_03_30-21_12_40.tgz.lzo",
            "private/100",
        ];
        for text in whole {
            let error = VolumeName::parse(text).unwrap_err().to_string();
            assert_eq!(error, format!("unable to parse directory volume name '{text}'"));
        }
        for (text, part) in [
            ("100/vm-100-disk-0.vhdx", "vm-100-disk-0.vhdx"),
            ("100/.raw", ".raw"),
            ("100/../x.raw", "../x.raw"),
            ("100/x.raw/", "x.raw/"),
            ("1234/base-1234-disk-0.vhdx/1234/vm-1234-disk-0.vhdx", "base-1234-disk-0.vhdx"),
            (
                "1234/base-1234-disk-0.qcow2/ssss/vm-1234-disk-0.qcow2",
                "base-1234-disk-0.qcow2/ssss/vm-1234-disk-0.qcow2",
            ),
            ("1/a/2/b/3/c.raw", "a/2/b"),
            ("1/b.raw/2/../c.raw", "../c.raw"),
        ] {
            let error = VolumeName::parse(text).unwrap_err().to_string();
            assert_eq!(error, format!("unable to parse volume filename '{part}'"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_parses_prints_as_it_was(text in ".{0,40}") {
            if let Ok(parsed) = VolumeName::parse(&text) {
                prop_assert_eq!(parsed.to_string(), text);
            }
        }

        #[test]
        fn pieces_put_together_at_random_print_as_they_were(
            pieces in proptest::collection::vec(prop_oneof![
                Just("100"), Just("7"), Just("/"), Just("/"), Just("/"), Just(".."), Just("."), Just("vm-100-disk-0"),
                Just("base-100-disk-1"), Just(".raw"), Just(".qcow2"), Just("iso"), Just(".iso"), Just("snippets"),
                Just("backup"), Just("vzdump-lxc-100-x"), Just(".tar"), Just(".gz"), Just("import"), Just(".ova"),
                Just("rootdir"), Just(" "), Just("\u{e9}"), Just("\0"), Just("-"),
            ], 0..9)
        ) {
            let text = pieces.concat();
            if let Ok(parsed) = VolumeName::parse(&text) {
                prop_assert!(!parsed.name.split('/').any(|part| part.is_empty() || part == "." || part == ".."));
                prop_assert!(parsed.folder.as_deref().is_none_or(is_number));
                prop_assert_eq!(parsed.to_string(), text);
            }
        }
    }
}
