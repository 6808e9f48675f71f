//! Formats of volumes, told by the names of their files (api.md 6.2).

use crate::StorageError;

/// The format of a disk image or container volume in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImageFormat {
    /// The plain bytes.
    Raw,
    /// QEMU's own format.
    Qcow2,
    /// VMware's format.
    Vmdk,
    /// A folder.
    Subvol,
}

impl ImageFormat {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Raw, Self::Qcow2, Self::Vmdk, Self::Subvol];

    /// Its name, which is also the extension of its files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Vmdk => "vmdk",
            Self::Subvol => "subvol",
        }
    }
}

impl std::str::FromStr for ImageFormat {
    type Err = StorageError;

    fn from_str(text: &str) -> Result<Self, StorageError> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or_else(|| StorageError::Format(text.to_owned()))
    }
}

/// How a container template is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// `.tar`
    None,
    /// `.tar.gz`
    Gzip,
    /// `.tar.xz`
    Xz,
    /// `.tar.zst`
    Zstd,
    /// `.tar.bz2`
    Bzip2,
}

impl Compression {
    /// By the ending of a file name; none where it is no tar archive.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let ending =
            |suffix: &str| strip_suffix_ignore_case(name, suffix).is_some_and(|stem| !stem.is_empty());
        [
            (".tar", Self::None),
            (".tar.gz", Self::Gzip),
            (".tar.xz", Self::Xz),
            (".tar.zst", Self::Zstd),
            (".tar.bz2", Self::Bzip2),
        ]
        .into_iter()
        .find_map(|(suffix, compression)| ending(suffix).then_some(compression))
    }

    /// The format in a listing of contents: `tar`, `tgz`, `txz`, `tzst`, `tbz2`.
    #[must_use]
    pub fn format(self) -> &'static str {
        match self {
            Self::None => "tar",
            Self::Gzip => "tgz",
            Self::Xz => "txz",
            Self::Zstd => "tzst",
            Self::Bzip2 => "tbz2",
        }
    }
}

/// The format of an image by its file name.
pub(crate) fn image_format(name: &str) -> Result<ImageFormat, StorageError> {
    let valid = !name.contains(['/', '\0']) && !name.contains(is_space);
    name.rsplit_once('.')
        .filter(|(stem, _)| valid && !stem.is_empty())
        .and_then(|(_, extension)| extension.parse().ok())
        .ok_or_else(|| StorageError::FileName(name.to_owned()))
}

/// Whether a file name is that of a CD image.
pub(crate) fn iso_extension(name: &str) -> bool {
    [".iso", ".img"]
        .into_iter()
        .any(|suffix| strip_suffix_ignore_case(name, suffix).is_some_and(|stem| !stem.is_empty()))
}

/// The format of a backup by its file name: `tgz`, `tar.zst`, `vma` …
pub(crate) fn backup_extension(name: &str) -> Option<&str> {
    let format = |stem: &str| {
        let at = stem.rfind('.')?;
        (at > 0).then_some(&name[at + 1..])
    };
    if name.ends_with(".tgz") {
        return format(name);
    }
    let stem = [".gz", ".lzo", ".zst", ".bz2"]
        .into_iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .unwrap_or(name);
    if stem.ends_with(".tar") || stem.ends_with(".vma") { format(stem) } else { None }
}

/// The format of something to import: a file, or one within an OVA archive.
pub(crate) fn import_format(name: &str) -> Option<&'static str> {
    let safe = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b" -.+=_".contains(&b));
    let one_of = |text: &str, formats: &[&'static str]| {
        let (stem, extension) = text.rsplit_once('.')?;
        let known = formats.iter().copied().find(|format| *format == extension)?;
        (!stem.is_empty() && safe(stem)).then_some(known)
    };
    match name.split_once('/') {
        None => one_of(name, &["ova", "ovf", "qcow2", "raw", "vmdk"]),
        Some((archive, inner)) => {
            one_of(archive, &["ova"])?;
            match one_of(inner, &["qcow2", "raw", "vmdk"])? {
                "qcow2" => Some("ova+qcow2"),
                "raw" => Some("ova+raw"),
                _ => Some("ova+vmdk"),
            }
        }
    }
}

fn strip_suffix_ignore_case<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let at = text.len().checked_sub(suffix.len())?;
    let (stem, end) = text.split_at_checked(at)?;
    end.eq_ignore_ascii_case(suffix).then_some(stem)
}

/// White space as Proxmox VE's patterns have it, which work on bytes.
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}
