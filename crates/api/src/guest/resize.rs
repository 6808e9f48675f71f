//! Disks that grow, of guests that run and of those that do not (api.md 3.1).
//!
//! The image grows first, then what is in it where that is ours, and the configuration says so last: what was cut short
//! can be repeated.

use super::update::{LOCK_WAIT, check_digest};
use crate::context::check_lock;
use crate::nodes::qemu::power::root_only;
use crate::task::{self, Task};
use crate::{ApiError, Context, Params, Refusal, lifecycle};
use config::format::Format;
use config::property::{self, Properties};
use config::schema::Property;
use config::{GuestConfig, options, pending};
use model::{GuestKind, Vmid, VolumeId};
use qemu::monitor::Monitor;
use serde_json::{Value, json};
use std::time::Duration;
use storage::format_size;

/// How long QEMU may take to grow an image.
const MONITOR: Duration = Duration::from_secs(60);

pub(crate) const SIZE: Property = Property::string("size")
    .pattern(r"\+?\d+(\.\d+)?[KMGT]?", |text| parse_size(text).is_some())
    .describe("The new size, or by how much it grows with a '+' before it; in bytes, or with K, M, G or T behind it.");

/// Whether it is added, and how much it is, in bytes.
fn parse_size(text: &str) -> Option<(bool, u64)> {
    let (adds, text) = text.strip_prefix('+').map_or((false, text), |rest| (true, rest));
    let unit = ["K", "M", "G", "T"].into_iter().zip([10, 20, 30, 40]);
    let (number, shift) =
        unit.filter_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift))).next().unwrap_or((text, 0));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    if !plain(whole) || !plain(part) {
        return None;
    }
    let bytes = number.parse::<f64>().ok()? * (1_u64 << shift) as f64;
    // What a signed number of bytes holds.
    (bytes < 9.2e18).then_some((adds, bytes as u64))
}

/// A disk that is to grow.
struct Disk {
    key: String,
    parts: Properties,
    volume: VolumeId,
    size: u64,
}

/// Makes a disk of a guest larger, in a task.
pub(crate) fn resize(kind: GuestKind, context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    root_only(context, params, &["skiplock"])?;
    let vmid = params.vmid();
    let found = |config: &GuestConfig| {
        check_digest(config, params.text("digest"))?;
        check_lock(config, params.flag("skiplock", false))?;
        disk(context, config, vmid, params)
    };
    // Said at once, without a task.
    found(&context.read(kind, vmid)?)?;
    task::run(context, "resize", &vmid.to_string(), |task| {
        let lock = context.store.lock(kind, vmid, LOCK_WAIT, &mut |line| task.say(line))?;
        let mut config = context.read(kind, vmid)?;
        let Disk { key, mut parts, volume, size } = found(&config)?;
        let asked = params.text("size").unwrap_or_default();
        let line = format!("update {} {vmid}: resize --disk {key} --size {asked}", kind.label());
        context.journal(&format!("<{}> {line}", context.user), Some(vmid));
        let size = match kind {
            GuestKind::Qemu => machine(context, vmid, &key, &volume, size)?,
            GuestKind::Lxc => container(context, task, vmid, &volume, size)?,
        };
        let refused = |error: property::PropertyError| ApiError::parameter(&key, &error.to_string());
        parts.set("size", &format_size(size)).map_err(refused)?;
        config.main.set(&key, parts.print());
        let digest = config.digest.clone();
        context.store.write(&lock, &config, Some(&digest))?;
        Ok(())
    })
}

/// Finds the disk, and how large it is to be.
fn disk(context: &Context<'_>, config: &GuestConfig, vmid: Vmid, params: &Params) -> Result<Disk, ApiError> {
    let kind = config.kind;
    let refused = |text: String| ApiError::from(Refusal::Storage(text));
    let key = params.text("disk").unwrap_or_default().to_owned();
    let value = config.main.get(&key).ok_or_else(|| refused(format!("disk '{key}' does not exist")))?;
    let Some(Format::Properties(fields)) = options::find(kind, &key).and_then(|option| option.format) else {
        return Err(refused(format!("disk '{key}' does not exist")));
    };
    let parts = property::parse_at(&key, value, fields)
        .map_err(|error| ApiError::parameter(&key, &error.to_string()))?;
    let name = if kind == GuestKind::Qemu { "file" } else { "volume" };
    let volume = parts.get(name).and_then(|volume| volume.parse::<VolumeId>().ok());
    if parts.get("media") == Some("cdrom") {
        return Err(refused("you can't resize a cdrom".to_owned()));
    }
    let volume = volume.ok_or_else(|| refused(format!("disk '{key}' has no associated volume")))?;
    if !pending::bears_number(&volume, vmid) {
        return Err(refused(format!("can't resize volume '{volume}': it belongs to another guest")));
    }
    let named = |section: &config::Section| {
        section.get(&key).is_some_and(|value| value.contains(&volume.to_string()))
    };
    if config.snapshots.values().any(named) {
        return Err(refused(format!("can't resize volume: {key} if snapshot exists")));
    }
    let storages = context.storages()?;
    storages.activate(volume.storage())?;
    let (_, info) = storages.info(&volume)?;
    let (adds, size) = parse_size(params.text("size").unwrap_or_default()).unwrap_or_default();
    let size = if adds { info.size.saturating_add(size) } else { size };
    let size = size.checked_next_multiple_of(512).unwrap_or(size);
    if size < info.size {
        return Err(storage::StorageError::Shrinks.into());
    }
    Ok(Disk { key, parts, volume, size })
}

/// QEMU itself grows what it has open; the guest sees it at once.
fn machine(
    context: &Context<'_>,
    vmid: Vmid,
    key: &str,
    volume: &VolumeId,
    size: u64,
) -> Result<u64, ApiError> {
    if !lifecycle::is_running(context, vmid) {
        return Ok(context.storages()?.grow(volume, size)?);
    }
    let failed = |error: qemu::monitor::MonitorError| {
        Refusal::Storage(format!("VM {vmid} qmp command 'block_resize' failed - {error}"))
    };
    let path = context.store.layout().run_qemu_file(vmid, "qmp");
    let mut monitor = Monitor::connect(&path).map_err(failed)?;
    monitor.call("qmp_capabilities", None, MONITOR).ok();
    let arguments = json!({ "device": format!("drive-{key}"), "size": size });
    monitor.call("block_resize", Some(&arguments), MONITOR).map_err(failed)?;
    Ok(size)
}

/// The file system grows with its volume.
fn container(
    context: &Context<'_>,
    task: &Task<'_, '_>,
    vmid: Vmid,
    volume: &VolumeId,
    size: u64,
) -> Result<u64, ApiError> {
    let storages = context.storages()?;
    let size = storages.grow(volume, size)?;
    let path = storages.path(volume)?.path;
    let mounted = lifecycle::is_running(context, vmid);
    // The volume is larger whatever comes of it, and a repetition makes the file system follow.
    if let Err(error) = lxc::grow::file_system(&path, mounted, &mut |line| task.say(line)) {
        task.warn(&format!("Failed to update the container's filesystem: {error}"));
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_absolute_or_added() {
        for (text, want) in [
            ("1024", Some((false, 1024))),
            ("+1G", Some((true, 1 << 30))),
            ("1.5M", Some((false, 3 << 19))),
            ("2T", Some((false, 2 << 40))),
            ("32K", Some((false, 32 << 10))),
            ("", None),
            ("-1G", None),
            ("+", None),
            ("1g", None),
            ("1.G", None),
            ("1GB", None),
            ("99999999999999T", None),
        ] {
            assert_eq!(parse_size(text), want, "{text}");
        }
    }
}
