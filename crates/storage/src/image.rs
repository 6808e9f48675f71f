//! What a disk image says of itself.
//!
//! Raw images and the head of qcow2 ones are read directly: that costs no process, does not care whether a running
//! guest holds the image's lock, and follows no reference in it. `qemu-img` is asked about the rest.

use crate::format::ImageFormat;
use crate::qemu_img::qemu_img;
use crate::{StorageError, Storages};
use model::{ContentType, VolumeId};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// How long `qemu-img info` may take.
const LIMIT: Duration = Duration::from_secs(10);

/// What is known about an image or any other file of a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageInfo {
    /// What a guest sees of it, in bytes; for folders 0.
    pub size: u64,
    /// What it takes on the disk, in bytes.
    pub used: u64,
    /// The image it is based on, as it is written in the image.
    pub parent: Option<String>,
    /// When its inode changed last, in seconds since the Unix epoch.
    pub ctime: i64,
}

impl Storages {
    /// Size and format of a volume that is there.
    ///
    /// # Errors
    /// As [`Storages::existing`]; [`StorageError::SizeZero`] for an empty file, [`StorageError::BadImage`] for an
    /// image of another format than its name says.
    pub fn info(&self, volume: &VolumeId) -> Result<(String, ImageInfo), StorageError> {
        let name = self.parse(volume)?;
        let found = self.existing(volume)?;
        let format = match name.image_format() {
            Some(format) if name.content == ContentType::Images => format,
            _ => ImageFormat::Raw,
        };
        let info = read(&found.path, format)?;
        if info.size == 0 && format != ImageFormat::Subvol {
            return Err(StorageError::SizeZero(volume.clone()));
        }
        Ok((found.format.unwrap_or_default(), info))
    }
}

/// Reads about an image of the format that its name says.
pub(crate) fn read(path: &Path, format: ImageFormat) -> Result<ImageInfo, StorageError> {
    let meta = fs::metadata(path).map_err(StorageError::io("unable to read image", path))?;
    let bad = |why: &str| StorageError::BadImage {
        path: path.to_owned(),
        format: format.as_str(),
        why: why.to_owned(),
    };
    let mut info = ImageInfo { size: 0, used: meta.blocks() * 512, parent: None, ctime: meta.ctime() };
    if meta.is_dir() != (format == ImageFormat::Subvol) {
        return Err(bad(if meta.is_dir() { "it is a folder" } else { "it is no folder" }));
    }
    match format {
        ImageFormat::Subvol => info.used = 0,
        ImageFormat::Raw => info.size = raw_size(path, &meta)?,
        ImageFormat::Qcow2 => {
            let mut file = open(path)?;
            (info.size, info.parent) = qcow2_head(&mut file)
                .map_err(StorageError::io("unable to read image", path))?
                .ok_or_else(|| bad("its head is not that of one"))?;
        }
        ImageFormat::Vmdk => {
            let args = ["info".as_ref(), "-U".as_ref(), "-f".as_ref(), "vmdk".as_ref()];
            let args = args.into_iter().chain(["--output=json".as_ref(), path.as_os_str()]);
            let json = qemu_img(args, Some(LIMIT), "unable to read image", path)?;
            let json: serde_json::Value =
                serde_json::from_slice(&json).map_err(|error| bad(&format!("qemu-img says {error}")))?;
            let size = json.get("virtual-size").and_then(serde_json::Value::as_u64);
            info.size = size.ok_or_else(|| bad("qemu-img tells no size"))?;
            info.parent = json.get("backing-filename").and_then(|name| name.as_str()).map(str::to_owned);
        }
    }
    Ok(info)
}

/// The size of a raw image, in whole sectors as a guest sees it.
fn raw_size(path: &Path, meta: &Metadata) -> Result<u64, StorageError> {
    let length = if meta.file_type().is_block_device() {
        open(path)?.seek(SeekFrom::End(0)).map_err(StorageError::io("unable to read image", path))?
    } else {
        meta.len()
    };
    Ok(length.checked_next_multiple_of(512).unwrap_or(length))
}

/// Opens without waiting, should it be a FIFO.
fn open(path: &Path) -> Result<File, StorageError> {
    let options =
        OpenOptions::new().read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32).open(path);
    options.map_err(StorageError::io("unable to read image", path))
}

/// Size and backing file from the head of a qcow2 image (QEMU, docs/interop/qcow2.rst); none where it is none.
pub(crate) fn qcow2_head(file: &mut (impl Read + Seek)) -> std::io::Result<Option<(u64, Option<String>)>> {
    let mut head = [0; 32];
    let mut filled = 0;
    while filled < head.len() {
        match file.read(&mut head[filled..])? {
            0 => return Ok(None),
            count => filled += count,
        }
    }
    let u32_at = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let u64_at = |at: usize| u64::from(u32_at(at)) << 32 | u64::from(u32_at(at + 4));
    if head[..4] != *b"QFI\xfb" || !matches!(u32_at(4), 2 | 3) {
        return Ok(None);
    }
    let (offset, length, size) = (u64_at(8), u32_at(16), u64_at(24));
    if offset == 0 || length == 0 {
        return Ok(Some((size, None)));
    }
    if i64::try_from(offset).is_err() {
        return Ok(None);
    }
    // The format allows for 1023 bytes.
    let mut name = vec![0; length.min(1023) as usize];
    file.seek(SeekFrom::Start(offset))?;
    match file.read_exact(&mut name) {
        Ok(()) if length <= 1023 => Ok(Some((size, Some(String::from_utf8_lossy(&name).into_owned())))),
        Ok(()) => Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    fn head(size: u64, backing: &str) -> Vec<u8> {
        let mut head = b"QFI\xfb\0\0\0\x03".to_vec();
        head.extend(if backing.is_empty() { 0 } else { 40_u64 }.to_be_bytes());
        head.extend(u32::try_from(backing.len()).unwrap().to_be_bytes());
        head.extend(16_u32.to_be_bytes());
        head.extend(size.to_be_bytes());
        head.extend([0; 8]);
        head.extend(backing.as_bytes());
        head
    }

    #[test]
    fn the_head_of_a_qcow2_image_tells_size_and_parent() {
        let read = |bytes: Vec<u8>| qcow2_head(&mut Cursor::new(bytes)).unwrap();
        assert_eq!(read(head(4 << 30, "")), Some((4 << 30, None)));
        let parent = "../100/base-100-disk-0.raw";
        assert_eq!(read(head(1024, parent)), Some((1024, Some(parent.to_owned()))));
        assert_eq!(read(head(1024, &"x".repeat(1024))), None);
        let mut cut = head(1024, parent);
        cut.pop();
        assert_eq!(read(cut), None);
        assert_eq!(read(b"QFI\xfb".to_vec()), None);
        assert_eq!(read(vec![0; 512]), None);
    }

    #[test]
    fn an_image_must_be_what_its_name_says() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, [0; 700]).unwrap();
        assert_eq!(read(&path, ImageFormat::Raw).unwrap().size, 1024);
        let why =
            |format| read(&path, format).unwrap_err().to_string().split(": ").last().unwrap().to_owned();
        assert_eq!(why(ImageFormat::Qcow2), "its head is not that of one");
        assert_eq!(why(ImageFormat::Subvol), "it is no folder");
        assert_eq!(read(dir.path(), ImageFormat::Subvol).unwrap().size, 0);
        assert!(read(dir.path(), ImageFormat::Raw).is_err());
        assert!(read(&dir.path().join("gone"), ImageFormat::Raw).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_fail_badly(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), magic: bool) {
            if magic && bytes.len() >= 8 {
                bytes[..8].copy_from_slice(b"QFI\xfb\0\0\0\x03");
            }
            prop_assert!(qcow2_head(&mut Cursor::new(bytes)).is_ok());
        }
    }
}
