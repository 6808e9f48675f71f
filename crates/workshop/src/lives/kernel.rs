//! What the kernel does when somebody writes to its tree: drivers come and go.
//!
//! It is told of a write when that is over, and so a moment later than the kernel would.

use rustix::fs::inotify;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The devices, with the drivers that are theirs.
const DEVICES: [(&str, &str); 3] =
    [("0000:01:00.0", "nvidia"), ("0000:01:00.1", "snd_hda_intel"), ("0000:02:00.0", "igb")];

/// The driver that any device can have, where its `driver_override` says so.
const ANY: &str = "vfio-pci";

/// What `driver_override` holds where nothing is set.
const NONE: &str = "(null)";

const PCI: &str = "/sys/bus/pci";

/// Makes drivers, binds each device to its own, and follows what is written to them from now on.
pub(super) fn serve() -> io::Result<()> {
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC)?;
    let mut places = BTreeMap::new();
    let mut follow = |path: PathBuf, text: &str| -> io::Result<()> {
        fs::create_dir_all(path.with_file_name(""))?;
        fs::write(&path, text)?;
        places.insert(inotify::add_watch(&watch, &path, inotify::WatchFlags::CLOSE_WRITE)?, path);
        Ok(())
    };
    for driver in DEVICES.map(|(_, driver)| driver).into_iter().chain([ANY]) {
        for name in ["bind", "unbind", "new_id", "remove_id"] {
            follow(driver_folder(driver).join(name), "")?;
        }
    }
    for name in ["drivers_probe", "rescan"] {
        follow(Path::new(PCI).join(name), "")?;
    }
    for (device, driver) in DEVICES {
        follow(device_folder(device).join("driver_override"), &format!("{NONE}\n"))?;
        bind(device, driver);
    }
    std::thread::Builder::new().stack_size(256 << 10).spawn(move || {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&watch, &mut buffer);
        while let Ok(event) = reader.next() {
            if let Some(path) = places.get(&event.wd()) {
                written(path);
            }
        }
    })?;
    Ok(())
}

fn device_folder(device: &str) -> PathBuf {
    Path::new(PCI).join("devices").join(device)
}

fn driver_folder(driver: &str) -> PathBuf {
    Path::new(PCI).join("drivers").join(driver)
}

fn written(path: &Path) {
    let text = fs::read_to_string(path).unwrap_or_default();
    let word = text.trim();
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name == "driver_override" {
        if word.is_empty() {
            let _ = fs::write(path, format!("{NONE}\n"));
        }
        return;
    }
    // What has been taken is no longer there; that is a write, too.
    if text.is_empty() {
        return;
    }
    let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
    if let Some((device, own)) = DEVICES.iter().find(|(device, _)| *device == word) {
        let set = fs::read_to_string(device_folder(device).join("driver_override")).unwrap_or_default();
        let wanted = Some(set.trim()).filter(|set| *set != NONE).unwrap_or(own);
        match name {
            "bind" if wanted == folder => bind(device, folder),
            "unbind" => unbind(device, folder),
            "drivers_probe" => bind(device, wanted),
            _ => {}
        }
    }
    let _ = fs::write(path, "");
}

/// A device that has a driver keeps it; one that is unknown is none.
fn bind(device: &str, driver: &str) {
    let (folder, own) = (driver_folder(driver), device_folder(device));
    if folder.is_dir() && symlink(&folder, own.join("driver")).is_ok() {
        let _ = symlink(&own, folder.join(device));
    }
}

fn unbind(device: &str, driver: &str) {
    let (folder, link) = (driver_folder(driver), device_folder(device).join("driver"));
    if fs::read_link(&link).is_ok_and(|bound| bound == folder) {
        let _ = fs::remove_file(link);
        let _ = fs::remove_file(folder.join(device));
    }
}
