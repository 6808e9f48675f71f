//! New disk images and container volumes.

use crate::activate::make_folder;
use crate::content::names;
use crate::definition::{Preallocation, Storage};
use crate::format::{ImageFormat, image_format};
use crate::qemu_img::qemu_img;
use crate::{StorageError, StorageKind, Storages};
use model::{ContentType, StorageId, Vmid, VolumeId};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// As many volumes as a guest can have in a storage under names made for it.
const MAX_VOLUMES: u32 = 1024;

/// What to make.
#[derive(Debug, Clone, Copy)]
pub struct AllocRequest<'a> {
    /// The guest it is for.
    pub vmid: Vmid,
    /// The format; where none is asked for, the one that the name says, or else the storage's.
    pub format: Option<ImageFormat>,
    /// The file name; where none is asked for, `vm-<vmid>-disk-<n>` with the lowest number that is free.
    pub name: Option<&'a str>,
    /// The size in bytes; images are made in whole KiB. A folder takes none.
    pub size: u64,
}

/// A volume that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocated {
    /// Its id.
    pub volume: VolumeId,
    /// Its file or folder.
    pub path: PathBuf,
    /// Its format.
    pub format: ImageFormat,
    /// Its size in bytes, for `size=` in a configuration ([`config::text::format_size`]).
    pub size: u64,
    /// What to show of the work, whole lines.
    pub output: String,
}

impl Storages {
    /// Makes a volume for a guest, in an enabled storage that is made ready for it. Two calls at once, in whatever
    /// processes, never get the same name. A call that fails leaves nothing behind; one that is killed may leave an
    /// unfinished image, which can be freed like any other.
    ///
    /// # Errors
    /// As [`Storages::activate`]; the variants of [`StorageError`] about names, formats and sizes;
    /// [`StorageError::NoProgram`] where `qemu-img` is needed and missing.
    pub fn alloc(&self, id: &StorageId, request: &AllocRequest<'_>) -> Result<Allocated, StorageError> {
        let format = self.get(id).and_then(|storage| plan(storage, request))?;
        let storage = self.activate(id)?;
        let claim = {
            let _lock = self.lock(id)?;
            Claim::take(storage, request, format)?
        };
        let size = if format == ImageFormat::Subvol { 0 } else { request.size.next_multiple_of(1024) };
        let output = claim.fill(storage.preallocation, size)?;
        let name = format!("{}/{}", request.vmid, claim.name);
        let volume = VolumeId::new(id.clone(), &name).ok_or(StorageError::FileName(name))?;
        let path = claim.keep();
        Ok(Allocated { volume, path, format, size, output })
    }
}

/// Settles the format, and checks all that needs no disk.
fn plan(storage: &Storage, request: &AllocRequest<'_>) -> Result<ImageFormat, StorageError> {
    if !storage.kind.is_folder() || storage.kind == StorageKind::Btrfs {
        return Err(storage.unsupported("making a volume"));
    }
    let named = request.name.map(|name| image_format(name).map(|format| (name, format))).transpose()?;
    let format = request.format.or(named.map(|(_, format)| format)).unwrap_or(storage.default_format);
    let prefix = if format == ImageFormat::Subvol { "subvol" } else { "vm" };
    if let Some((name, extension)) = named {
        if extension != format {
            return Err(StorageError::WrongExtension {
                name: name.to_owned(),
                extension: extension.as_str(),
                format: format.as_str(),
            });
        }
        if !name.starts_with(&format!("{prefix}-{}-", request.vmid)) {
            return Err(StorageError::WrongOwner { name: name.to_owned(), prefix, vmid: request.vmid });
        }
    }
    if format == ImageFormat::Subvol && request.size != 0 {
        return Err(StorageError::SubvolQuota);
    }
    if request.size.checked_next_multiple_of(1024).is_none_or(|size| i64::try_from(size).is_err()) {
        return Err(StorageError::Size(request.size.to_string()));
    }
    Ok(format)
}

/// A name that is taken: an empty file or folder, which is removed again unless it is kept.
struct Claim {
    folder: PathBuf,
    name: String,
    path: PathBuf,
    format: ImageFormat,
    kept: bool,
}

impl Claim {
    fn take(
        storage: &Storage,
        request: &AllocRequest<'_>,
        format: ImageFormat,
    ) -> Result<Self, StorageError> {
        let folder = storage.folder(ContentType::Images)?.join(request.vmid.to_string());
        make_folder(&folder)?;
        let claim = |name: String| Self {
            path: folder.join(&name),
            folder: folder.clone(),
            name,
            format,
            kept: false,
        };
        let result = match request.name {
            Some(name) => {
                let claim = claim(name.to_owned());
                match claim.make() {
                    Ok(()) => Ok(claim),
                    Err(error) => Err(claim.refused(error)),
                }
            }
            None => next_name(storage, request.vmid, format, &folder, claim),
        };
        if result.is_err() {
            // It stays where it is not empty.
            drop(fs::remove_dir(&folder));
        }
        result
    }

    /// Makes the empty file or folder, unless there is one of the name.
    fn make(&self) -> io::Result<()> {
        match self.format {
            ImageFormat::Subvol => DirBuilder::new().mode(0o755).create(&self.path),
            _ => OpenOptions::new().write(true).create_new(true).mode(0o640).open(&self.path).map(drop),
        }
    }

    /// Gives up a claim that was not taken; what is there is not ours.
    fn refused(mut self, error: io::Error) -> StorageError {
        self.kept = true;
        match (error.kind(), self.format) {
            (io::ErrorKind::AlreadyExists, _) => StorageError::Exists(self.path.clone()),
            (_, ImageFormat::Subvol) => StorageError::io("unable to create subvol", &self.path)(error),
            _ => StorageError::io("unable to create image", &self.path)(error),
        }
    }

    /// Turns the empty file into an image; returns what to show of it.
    fn fill(&self, preallocation: Option<Preallocation>, size: u64) -> Result<String, StorageError> {
        const ACTION: &str = "unable to create image";
        let preallocation = match (self.format, preallocation) {
            (ImageFormat::Subvol, _) => {
                sync(&self.path, &self.folder)?;
                return Ok(String::new());
            }
            (ImageFormat::Raw, Some(Preallocation::Falloc | Preallocation::Full))
            | (ImageFormat::Qcow2, Some(_)) => preallocation,
            (ImageFormat::Raw, _) => Some(Preallocation::Off),
            (ImageFormat::Qcow2, None) => Some(Preallocation::Metadata),
            (ImageFormat::Vmdk, _) => None,
        };
        let output = if self.format == ImageFormat::Raw && preallocation == Some(Preallocation::Off) {
            let file = OpenOptions::new().write(true).open(&self.path);
            file.and_then(|file| file.set_len(size)).map_err(StorageError::io(ACTION, &self.path))?;
            format!("Formatting '{}', fmt=raw size={size} preallocation=off\n", self.path.display())
        } else {
            let mut args = vec!["create".to_owned()];
            if let Some(preallocation) = preallocation {
                args.extend(["-o".to_owned(), format!("preallocation={}", preallocation.as_str())]);
            }
            args.extend(["-f".to_owned(), self.format.as_str().to_owned()]);
            let mut args: Vec<std::ffi::OsString> = args.into_iter().map(Into::into).collect();
            args.extend([self.path.as_os_str().to_owned(), format!("{}K", size / 1024).into()]);
            String::from_utf8_lossy(&qemu_img(args, None, ACTION, &self.path)?).into_owned()
        };
        sync(&self.path, &self.folder)?;
        Ok(output)
    }

    fn keep(mut self) -> PathBuf {
        self.kept = true;
        std::mem::take(&mut self.path)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        // The error that led here is the one to report.
        match self.format {
            ImageFormat::Subvol => drop(fs::remove_dir(&self.path)),
            _ => drop(fs::remove_file(&self.path)),
        }
        drop(fs::remove_dir(&self.folder));
    }
}

/// Claims the lowest number that no image or folder of the guest has, of whatever format.
fn next_name(
    storage: &Storage,
    vmid: Vmid,
    format: ImageFormat,
    folder: &Path,
    claim: impl Fn(String) -> Claim,
) -> Result<Claim, StorageError> {
    let taken: Vec<u32> = names(folder)?.iter().filter_map(|name| disk_number(name, vmid)).collect();
    let prefix = if format == ImageFormat::Subvol { "subvol" } else { "vm" };
    for number in (0..MAX_VOLUMES).filter(|number| !taken.contains(number)) {
        let claim = claim(format!("{prefix}-{vmid}-disk-{number}.{}", format.as_str()));
        match claim.make() {
            Ok(()) => return Ok(claim),
            Err(error) => match claim.refused(error) {
                // Taken a moment ago, on another host.
                StorageError::Exists(_) => {}
                error => return Err(error),
            },
        }
    }
    Err(StorageError::NoFreeName { vmid, storage: storage.id.clone() })
}

/// The number in `vm-<vmid>-disk-<n>` and its kin.
fn disk_number(name: &str, vmid: Vmid) -> Option<u32> {
    let rest =
        ["vm-", "base-", "subvol-", "basevol-"].into_iter().find_map(|prefix| name.strip_prefix(prefix))?;
    let rest = rest.strip_prefix(&format!("{vmid}-disk-"))?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// Puts a new file and its name on the disk, so that a configuration never names what a crash takes away.
fn sync(path: &Path, folder: &Path) -> Result<(), StorageError> {
    for path in [path, folder] {
        File::open(path)
            .and_then(|file| file.sync_all())
            .map_err(StorageError::io("unable to write to disk", path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::storages;
    use model::Layout;
    use std::os::unix::fs::PermissionsExt;

    fn request(format: Option<ImageFormat>, name: Option<&str>, size: u64) -> AllocRequest<'_> {
        AllocRequest { vmid: 100.try_into().unwrap(), format, name, size }
    }

    fn local(root: &Path) -> (Storages, StorageId) {
        (storages(&Layout::new(root), &[]), "local".parse().unwrap())
    }

    #[test]
    fn numbers_are_the_lowest_that_no_format_has() {
        let root = tempfile::tempdir().unwrap();
        let (all, local) = local(root.path());
        let images = root.path().join("var/lib/vz/images/100");
        fs::create_dir_all(&images).unwrap();
        for name in
            ["base-100-disk-0.qcow2", "vm-100-disk-2.vmdk", "vm-101-disk-1.raw", "vm-100-cloudinit.qcow2"]
        {
            fs::write(images.join(name), "").unwrap();
        }
        let alloc = |format, size| all.alloc(&local, &request(format, None, size)).unwrap();
        let first = alloc(None, 4 << 20);
        assert_eq!(first.volume.to_string(), "local:100/vm-100-disk-1.raw");
        assert_eq!((first.size, fs::metadata(&first.path).unwrap().len()), (4 << 20, 4 << 20));
        assert_eq!(fs::metadata(&first.path).unwrap().permissions().mode() & 0o777, 0o640 & !umask());
        let folder = alloc(Some(ImageFormat::Subvol), 0);
        assert_eq!(folder.volume.to_string(), "local:100/subvol-100-disk-3.subvol");
        assert!(folder.path.is_dir());
        assert_eq!(alloc(None, 1).size, 1024);
    }

    fn umask() -> u32 {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("Umask:")).unwrap();
        u32::from_str_radix(line.trim(), 8).unwrap()
    }

    #[test]
    fn a_name_that_does_not_fit_changes_nothing() {
        let root = tempfile::tempdir().unwrap();
        let (all, local) = local(root.path());
        for (request, text) in [
            (request(None, Some("vm-100-disk-0"), 1), "unable to parse volume filename 'vm-100-disk-0'"),
            (
                request(None, Some("../101/vm-101-x.raw"), 1),
                "unable to parse volume filename '../101/vm-101-x.raw'",
            ),
            (
                request(Some(ImageFormat::Qcow2), Some("vm-100-disk-0.raw"), 1),
                "illegal name 'vm-100-disk-0.raw' - wrong extension for format ('raw != 'qcow2')",
            ),
            (
                request(None, Some("vm-101-disk-0.raw"), 1),
                "illegal name 'vm-101-disk-0.raw' - should be 'vm-100-*'",
            ),
            (
                request(None, Some("vm-100-disk-0.subvol"), 0),
                "illegal name 'vm-100-disk-0.subvol' - should be 'subvol-100-*'",
            ),
            (request(Some(ImageFormat::Subvol), None, 1), "storage does not support subvol quotas"),
            (request(None, None, u64::MAX), "unable to parse size '18446744073709551615'"),
        ] {
            assert_eq!(all.alloc(&local, &request).unwrap_err().to_string(), text);
        }
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_there_stays_and_what_fails_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let (all, local) = local(root.path());
        let taken = all.alloc(&local, &request(None, Some("vm-100-disk-7.raw"), 1024)).unwrap();
        fs::write(&taken.path, "precious").unwrap();
        let error =
            all.alloc(&local, &request(None, Some("vm-100-disk-7.raw"), 1024)).unwrap_err().to_string();
        assert_eq!(error, format!("disk image '{}' already exists", taken.path.display()));
        assert_eq!(fs::read(&taken.path).unwrap(), b"precious");

        // More than any file system takes.
        let vmid = 101.try_into().unwrap();
        let huge = AllocRequest { vmid, format: None, name: None, size: i64::MAX as u64 - 1023 };
        let error = all.alloc(&local, &huge).unwrap_err().to_string();
        assert!(
            error.starts_with("unable to create image '") && error.contains("/101/vm-101-disk-0.raw'"),
            "{error}"
        );
        assert!(!root.path().join("var/lib/vz/images/101").exists());
    }

    #[test]
    fn allocations_at_once_get_a_name_each() {
        let root = tempfile::tempdir().unwrap();
        let (all, local) = local(root.path());
        let mut names: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|n| {
                    let (all, local) = (all.clone(), local.clone());
                    let format = if n % 2 == 0 { ImageFormat::Raw } else { ImageFormat::Subvol };
                    scope.spawn(move || {
                        let one =
                            || all.alloc(&local, &request(Some(format), None, 0)).unwrap().volume.to_string();
                        [one(), one(), one()]
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let mut numbers: Vec<u32> = names
            .iter()
            .filter_map(|name| disk_number(name.split_once('/')?.1, 100.try_into().ok()?))
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..24).collect::<Vec<_>>());
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 24);
    }

    #[test]
    fn other_types_of_storages_make_none() {
        let all = storages(&Layout::new("/nonexistent"), &[("lvm", "vg", &[("vgname", "vg0")])]);
        let error = all.alloc(&"vg".parse().unwrap(), &request(None, None, 1)).unwrap_err().to_string();
        assert_eq!(error, "storage 'vg' is of type 'lvm': making a volume is not supported");
    }
}
