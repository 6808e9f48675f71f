//! Volumes that grow.

use crate::qemu_img::qemu_img;
use crate::{ImageFormat, StorageError, Storages, image};
use model::VolumeId;
use std::fs::OpenOptions;

impl Storages {
    /// Makes an image as large as this, in bytes, which is rounded up to whole sectors. One that is that large already stays
    /// as it is; nothing is ever cut off. What is in it is somebody else's to grow. Returns the new size.
    ///
    /// # Errors
    /// As [`Storages::existing`]; [`StorageError::Shrinks`]; [`StorageError::Unsupported`] for what is no raw or qcow2 image in
    /// a file; what the system or `qemu-img` say.
    pub fn grow(&self, volume: &VolumeId, size: u64) -> Result<u64, StorageError> {
        let storage = self.activate(volume.storage())?;
        let unsupported = || StorageError::Unsupported {
            storage: volume.storage().clone(),
            kind: storage.kind.as_str(),
            what: "resizing this volume",
        };
        if !storage.kind.is_folder() {
            return Err(unsupported());
        }
        let _lock = self.lock(volume.storage())?;
        let format = self.parse(volume)?.image_format().ok_or_else(unsupported)?;
        let path = self.existing(volume)?.path;
        let now = image::read(&path, format)?.size;
        let size = size.checked_next_multiple_of(512).unwrap_or(size);
        if size < now {
            return Err(StorageError::Shrinks);
        }
        match format {
            _ if size == now => {}
            ImageFormat::Raw => {
                let file = OpenOptions::new().write(true).open(&path);
                let grown = file.and_then(|file| file.set_len(size).and_then(|()| file.sync_all()));
                grown.map_err(StorageError::io("unable to resize image", &path))?;
            }
            ImageFormat::Qcow2 => {
                let size = size.to_string();
                let args =
                    ["resize".as_ref(), "-f".as_ref(), "qcow2".as_ref(), path.as_os_str(), size.as_ref()];
                qemu_img(args, None, "unable to resize image", &path)?;
            }
            ImageFormat::Vmdk | ImageFormat::Subvol => return Err(unsupported()),
        }
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::storages;
    use model::Layout;
    use std::fs;

    #[test]
    fn a_raw_image_grows_and_never_shrinks() {
        let root = tempfile::tempdir().unwrap();
        let all = storages(&Layout::new(root.path()), &[]);
        let folder = root.path().join("var/lib/vz/images/100");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("vm-100-disk-0.raw");
        fs::write(&path, vec![7; 4096]).unwrap();
        let volume = "local:100/vm-100-disk-0.raw".parse().unwrap();
        assert_eq!(all.grow(&volume, 8193).unwrap(), 8704);
        let bytes = fs::read(&path).unwrap();
        assert_eq!((bytes.len(), bytes[4095], bytes[4096]), (8704, 7, 0));
        assert_eq!(all.grow(&volume, 8704).unwrap(), 8704);
        let told = all.grow(&volume, 4096).unwrap_err().to_string();
        assert_eq!(
            (told.as_str(), fs::metadata(&path).unwrap().len()),
            ("shrinking disks is not supported", 8704)
        );
        assert!(all.grow(&"local:100/vm-100-disk-1.raw".parse().unwrap(), 1).is_err());
        fs::create_dir(folder.join("subvol-100-disk-0.subvol")).unwrap();
        let told =
            all.grow(&"local:100/subvol-100-disk-0.subvol".parse().unwrap(), 512).unwrap_err().to_string();
        assert_eq!(told, "storage 'local' is of type 'dir': resizing this volume is not supported");
    }
}
