//! What of a change needs the host: new volumes, sizes of volumes that are there, random addresses.

use super::fresh;
use crate::{ApiError, Context, Refusal};
use config::format::{is_drive_name, new_volume};
use config::options;
use config::property::{self, Properties};
use config::{GuestConfig, format};
use model::{ContentType, GuestKind, StorageId, Stream, Vmid, VolumeId};
use std::collections::BTreeMap;
use std::os::unix::fs::chown;
use std::path::Path;
use storage::{AllocRequest, ImageFormat, format_size};

/// Volumes that were made for a change, to be removed again if it comes to nothing.
#[derive(Debug, Default)]
pub(crate) struct Made(pub(crate) Vec<VolumeId>);

impl Made {
    /// Removes them.
    pub(crate) fn undo(&self, context: &Context<'_>) {
        let Ok(storages) = context.storages() else { return };
        for volume in self.0.iter().rev() {
            if let Err(error) = storages.free(volume) {
                context.warn(&format!("cannot remove volume '{volume}': {error}"));
            }
        }
    }
}

/// What a change is completed with.
pub(crate) struct Completion<'a, 'o> {
    pub(crate) context: &'a Context<'o>,
    pub(crate) kind: GuestKind,
    pub(crate) vmid: Vmid,
    /// Where new volumes go that name no storage.
    pub(crate) storage: Option<StorageId>,
    /// The id on the host of what is root's in the guest; 0 for virtual machines.
    pub(crate) shift: u32,
    /// Whether the guest is being made: its root file system may be a new volume, which is filled later.
    pub(crate) creating: bool,
    /// Takes lines for the user.
    pub(crate) say: &'a dyn Fn(&[u8]),
}

/// Completes the new values of an update.
pub(crate) fn complete(
    context: &Context<'_>,
    config: &GuestConfig,
    vmid: Vmid,
    set: &mut BTreeMap<String, String>,
    made: &mut Made,
) -> Result<(), ApiError> {
    let say = |bytes: &[u8]| context.write(Stream::Stdout, bytes);
    let shift = shift(config.main.flag("unprivileged", false));
    Completion { context, kind: config.kind, vmid, storage: None, shift, creating: false, say: &say }
        .all(set, made)
}

/// The id on the host of what is root's in a container.
pub(crate) fn shift(unprivileged: bool) -> u32 {
    if unprivileged { lxc::subid::FIRST } else { 0 }
}

impl Completion<'_, '_> {
    /// Makes the volumes that the values ask for and fills in what they leave open.
    pub(crate) fn all(&self, set: &mut BTreeMap<String, String>, made: &mut Made) -> Result<(), ApiError> {
        for (key, value) in set.iter_mut() {
            let fields = options::find(self.kind, key).and_then(|option| match option.format {
                Some(format::Format::Properties(fields)) => Some((option.name, fields)),
                _ => None,
            });
            let Some((name, fields)) = fields else {
                if key == "vmgenid" && value == "1" {
                    *value = self.random(fresh::uuid)?;
                }
                continue;
            };
            let mut parts =
                property::parse_at(key, value, fields).map_err(|error| refused(key, &error.to_string()))?;
            match (self.kind, name) {
                (_, "net") => self.network(key, &mut parts)?,
                (GuestKind::Qemu, "efidisk0" | "tpmstate0") => self.drive(key, &mut parts, made)?,
                (GuestKind::Qemu, _) if is_drive_name(key) => self.drive(key, &mut parts, made)?,
                (GuestKind::Lxc, "rootfs" | "mp") => self.mount(key, &mut parts, made)?,
                _ => continue,
            }
            *value = parts.print();
            if made.0.last().is_some_and(|volume| value.contains(&volume.to_string()))
                && self.kind == GuestKind::Qemu
            {
                (self.say)(format!("{key}: successfully created disk '{value}'\n").as_bytes());
            }
        }
        Ok(())
    }

    fn random(&self, make: fn() -> std::io::Result<String>) -> Result<String, ApiError> {
        make().map_err(|source| ApiError::File {
            what: "unable to read",
            path: "/dev/urandom".into(),
            source,
        })
    }

    fn network(&self, key: &str, parts: &mut Properties) -> Result<(), ApiError> {
        let address = match self.kind {
            GuestKind::Qemu => "macaddr",
            GuestKind::Lxc => "hwaddr",
        };
        if parts.get(address).is_none() {
            set(key, parts, address, &self.random(fresh::mac)?)?;
        }
        if self.kind == GuestKind::Lxc && parts.get("type").is_none() {
            set(key, parts, "type", "veth")?;
        }
        Ok(())
    }

    fn drive(&self, key: &str, parts: &mut Properties, made: &mut Made) -> Result<(), ApiError> {
        if parts.get("import-from").is_some() {
            return Err(refused(key, "importing from another volume is not supported"));
        }
        let file = parts.get("file").unwrap_or_default().to_owned();
        let cdrom = parts.get("media") == Some("cdrom");
        if let Some((storage, gib)) = new_volume(&file).filter(|_| !cdrom) {
            if !is_drive_name(key) {
                return Err(refused(key, "a new volume of firmware state is not supported"));
            }
            let format = parts.get("format").map(str::to_owned);
            let volume = self.image(key, storage, gib, format.as_deref(), made)?;
            set(key, parts, "file", &volume.to_string())?;
            parts.remove("format");
            set(key, parts, "size", &format_size(bytes(gib)))?;
            return Ok(());
        }
        if let (Ok(volume), None) = (file.parse::<VolumeId>(), parts.get("size")) {
            let (_, info) = self.context.storages()?.info(&volume)?;
            set(key, parts, "size", &format_size(info.size))?;
        }
        Ok(())
    }

    fn image(
        &self,
        key: &str,
        storage: Option<&str>,
        gib: f64,
        format: Option<&str>,
        made: &mut Made,
    ) -> Result<VolumeId, ApiError> {
        let storage = self.target(key, storage)?;
        let storages = self.context.storages()?;
        if !storages.get(&storage)?.allows(ContentType::Images) {
            return Err(Refusal::StorageContent { storage, content: "vm images" }.into());
        }
        let format = format
            .map(|name| name.parse::<ImageFormat>().map_err(|error| refused(key, &error.to_string())))
            .transpose()?;
        let request = AllocRequest { vmid: self.vmid, format, name: None, size: bytes(gib) };
        let allocated = storages.alloc(&storage, &request)?;
        made.0.push(allocated.volume.clone());
        (self.say)(allocated.output.as_bytes());
        Ok(allocated.volume)
    }

    fn mount(&self, key: &str, parts: &mut Properties, made: &mut Made) -> Result<(), ApiError> {
        let volume = parts.get("volume").unwrap_or_default().to_owned();
        let Some((storage, gib)) = new_volume(&volume) else {
            if let (Ok(volume), None) = (volume.parse::<VolumeId>(), parts.get("size")) {
                let (_, info) = self.context.storages()?.info(&volume)?;
                set(key, parts, "size", &format_size(info.size))?;
            }
            return Ok(());
        };
        if key == "rootfs" && !self.creating {
            return Err(refused(key, "the volume of the root file system cannot be replaced by a new one"));
        }
        let storage = self.target(key, storage)?;
        let storages = self.context.storages()?;
        if !storages.get(&storage)?.allows(ContentType::Rootdir) {
            return Err(Refusal::StorageContent { storage, content: "container directories" }.into());
        }
        let (format, size) =
            if gib > 0.0 { (ImageFormat::Raw, bytes(gib)) } else { (ImageFormat::Subvol, 0) };
        let request = AllocRequest { vmid: self.vmid, format: Some(format), name: None, size };
        let allocated = storages.alloc(&storage, &request)?;
        made.0.push(allocated.volume.clone());
        (self.say)(allocated.output.as_bytes());
        match format {
            _ if key == "rootfs" => {}
            ImageFormat::Raw => self.make_file_system(&allocated.path)?,
            _ => chown(&allocated.path, Some(self.shift), Some(self.shift)).map_err(|source| {
                ApiError::File { what: "cannot change the owner of", path: allocated.path.clone(), source }
            })?,
        }
        set(key, parts, "volume", &allocated.volume.to_string())?;
        set(key, parts, "size", &format_size(size))?;
        Ok(())
    }

    fn make_file_system(&self, image: &Path) -> Result<(), ApiError> {
        let file =
            |source| ApiError::File { what: "cannot make a file system in", path: image.into(), source };
        let made = std::process::Command::new("mkfs.ext4")
            .args(["-O", "mmp", "-F", "-q", "-E"])
            .arg(format!("root_owner={0}:{0}", self.shift))
            .arg(image)
            .output()
            .map_err(file)?;
        if made.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&made.stderr).trim().to_owned();
        Err(file(std::io::Error::other(text)))
    }

    fn target(&self, key: &str, named: Option<&str>) -> Result<StorageId, ApiError> {
        let named = match (named, &self.storage) {
            (Some(name), _) => name.parse(),
            (None, Some(storage)) => Ok(storage.clone()),
            (None, None) => "local".parse(),
        };
        named.map_err(|error: model::InvalidId| refused(key, &error.to_string()))
    }
}

/// A size in GiB as bytes, in whole KiB.
fn bytes(gib: f64) -> u64 {
    // A text of digits: not negative, and far below what a u64 holds.
    let kib = (gib * 1024.0 * 1024.0).round();
    kib as u64 * 1024
}

fn set(key: &str, parts: &mut Properties, name: &str, value: &str) -> Result<(), ApiError> {
    parts.set(name, value).map_err(|error| refused(key, &error.to_string()))
}

fn refused(key: &str, text: &str) -> ApiError {
    ApiError::parameter(key, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gibibytes_become_whole_kibibytes() {
        assert_eq!(bytes(4.0), 4 << 30);
        assert_eq!(bytes(0.001), 1049 * 1024);
        assert_eq!(bytes(0.0), 0);
    }
}
