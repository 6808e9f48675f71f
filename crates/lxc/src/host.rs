//! The facts about this host that a container's configuration depends on.

use crate::cgroup::Cgroups;
use crate::configuration::{Bridge, Device, Facts, Source};
use crate::{fields, subid, tools};
use config::Section;
use model::{Layout, VolumeId};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Why the facts could not be gathered.
#[derive(Debug, thiserror::Error)]
pub enum FactsError<E: std::error::Error + 'static> {
    /// A volume that its storage does not give.
    #[error("{source}")]
    Volume {
        /// The option.
        key: String,
        /// The storage's words.
        source: E,
    },
    /// A volume id that cannot be read.
    #[error(transparent)]
    VolumeId(#[from] model::InvalidVolumeId),
    /// A volume, folder or device that is not there, or not of a kind that can be mounted.
    #[error("{key}: '{}' is no folder, image or block device", path.display())]
    Path {
        /// The option.
        key: String,
        /// Its place.
        path: PathBuf,
    },
    /// The host does not say what it has.
    #[error("cannot read the host's control groups")]
    Cgroups(#[source] io::Error),
}

/// Gathers them. `resolve` gives the path of a volume, which must be ready for use.
///
/// # Errors
/// Those of `resolve`, and [`FactsError::Path`] for what is not there.
pub fn facts<E: std::error::Error + 'static>(
    layout: &Layout,
    main: &Section,
    mut resolve: impl FnMut(&VolumeId) -> Result<PathBuf, E>,
) -> Result<Facts, FactsError<E>> {
    let mut volumes = BTreeMap::new();
    let mount_points = main.indexed("mp").map(|(index, value)| (format!("mp{index}"), value));
    let rootfs = main.get("rootfs").map(|value| ("rootfs".to_owned(), value));
    for (key, value) in rootfs.into_iter().chain(mount_points) {
        // What cannot be read is for `configuration` to refuse.
        let Ok(properties) = fields::read(&key, value) else { continue };
        let volume = properties.get("volume").unwrap_or_default();
        let path = if volume.starts_with('/') {
            PathBuf::from(volume)
        } else {
            resolve(&volume.parse()?).map_err(|source| FactsError::Volume { key: key.clone(), source })?
        };
        let source = classify(&path).ok_or_else(|| FactsError::Path { key: key.clone(), path })?;
        volumes.insert(key, source);
    }
    let mut devices = BTreeMap::new();
    for (index, value) in main.indexed("dev") {
        if let Ok(properties) = fields::read(&format!("dev{index}"), value)
            && let Some(path) = properties.get("path")
            && let Some(device) = device(Path::new(path))
        {
            devices.insert(path.to_owned(), device);
        }
    }
    Ok(Facts {
        layout: layout.clone(),
        volumes,
        bridges: bridges(),
        devices,
        cgroups: Cgroups::probe().map_err(FactsError::Cgroups)?,
        cpus: cpus(&fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default()),
        id_map: !main.flag("unprivileged", false) || subid::ready(),
        apparmor: fs::read("/sys/module/apparmor/parameters/enabled")
            .is_ok_and(|text| text.starts_with(b"Y"))
            && tools::find("apparmor_parser").is_some(),
        includes: PathBuf::from("/usr/share/lxc/config"),
    })
}

fn classify(path: &Path) -> Option<Source> {
    let kind = fs::metadata(path).ok()?.file_type();
    let path = path.to_owned();
    if kind.is_dir() {
        Some(Source::Folder(path))
    } else if kind.is_file() {
        Some(Source::Image(path))
    } else if kind.is_block_device() {
        Some(Source::Device(path))
    } else {
        None
    }
}

fn device(path: &Path) -> Option<Device> {
    let metadata = fs::metadata(path).ok()?;
    let kind = metadata.file_type();
    let number = metadata.rdev();
    let known = kind.is_block_device() || kind.is_char_device();
    known.then(|| Device {
        block: kind.is_block_device(),
        major: rustix::fs::major(number),
        minor: rustix::fs::minor(number),
    })
}

fn bridges() -> BTreeMap<String, Bridge> {
    let entries = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let bridge = entry.path().join("bridge");
            let vlans = bridge.is_dir().then(|| fs::read_to_string(bridge.join("vlan_filtering")))?;
            let vlan_aware = vlans.is_ok_and(|text| text.trim() == "1");
            Some((entry.file_name().into_string().ok()?, Bridge { vlan_aware }))
        })
        .collect()
}

/// Reads a list of processors, `0-3,8`.
fn cpus(text: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) {
            found.extend(first..=last);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_processors_has_ranges() {
        assert_eq!(cpus("0-2,5,7-8\n"), [0, 1, 2, 5, 7, 8]);
        assert_eq!(cpus(""), [0; 0]);
    }

    #[test]
    fn a_device_is_known_by_its_numbers() {
        assert_eq!(device(Path::new("/dev/null")), Some(Device { block: false, major: 1, minor: 3 }));
        assert_eq!(device(Path::new("/etc")), None);
    }
}
