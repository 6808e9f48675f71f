use super::{Build, CommandError, LookupError, Slot, Value, props::Props};
use model::VolumeId;
use std::path::{Path, PathBuf};

/// What a disk hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bus {
    Ide,
    Scsi,
    Virtio,
    Sata,
}

/// The buses in the order in which Proxmox VE walks through drives, with how many drives each may have.
const BUSES: [(Bus, &str, u32); 4] =
    [(Bus::Ide, "ide", 4), (Bus::Scsi, "scsi", 31), (Bus::Virtio, "virtio", 16), (Bus::Sata, "sata", 6)];

/// Limits, by Proxmox VE's name and QEMU's. Those in MB are multiplied.
const THROTTLES: &[(&str, &str, u64)] = &[
    ("mbps", "bps-total", 1 << 20),
    ("mbps_rd", "bps-read", 1 << 20),
    ("mbps_wr", "bps-write", 1 << 20),
    ("mbps_max", "bps-total-max", 1 << 20),
    ("mbps_rd_max", "bps-read-max", 1 << 20),
    ("mbps_wr_max", "bps-write-max", 1 << 20),
    ("bps", "bps-total", 1),
    ("bps_rd", "bps-read", 1),
    ("bps_wr", "bps-write", 1),
    ("bps_max", "bps-total-max", 1),
    ("bps_rd_max", "bps-read-max", 1),
    ("bps_wr_max", "bps-write-max", 1),
    ("bps_max_length", "bps-total-max-length", 1),
    ("bps_rd_max_length", "bps-read-max-length", 1),
    ("bps_wr_max_length", "bps-write-max-length", 1),
    ("iops", "iops-total", 1),
    ("iops_rd", "iops-read", 1),
    ("iops_wr", "iops-write", 1),
    ("iops_max", "iops-total-max", 1),
    ("iops_rd_max", "iops-read-max", 1),
    ("iops_wr_max", "iops-write-max", 1),
    ("iops_max_length", "iops-total-max-length", 1),
    ("iops_rd_max_length", "iops-read-max-length", 1),
    ("iops_wr_max_length", "iops-write-max-length", 1),
];

/// A disk or CD drive.
#[derive(Debug)]
pub(super) struct Drive {
    /// `scsi0`.
    pub(super) name: String,
    pub(super) cdrom: bool,
    bus: Bus,
    index: u32,
    props: Props,
}

/// All drives of a configuration in Proxmox VE's order.
pub(super) fn drives(main: &config::Section) -> Result<Vec<Drive>, CommandError> {
    let mut found = Vec::new();
    for (bus, prefix, count) in BUSES {
        for (index, text) in main.indexed(prefix).filter(|(index, _)| *index < count) {
            let name = format!("{prefix}{index}");
            let props = Props::parse(&name, text)?;
            let cdrom = props.get("media") == Some("cdrom") || props.get("file") == Some("cdrom");
            found.push(Drive { name, cdrom, bus, index, props });
        }
    }
    Ok(found)
}

impl Build<'_> {
    /// The file and format behind a property string with `file` and `format`.
    pub(super) fn image(&self, props: &Props) -> Result<(PathBuf, String), CommandError> {
        let (path, format, _) = self.located(props)?;
        Ok((path, format))
    }

    fn located(&self, props: &Props) -> Result<(PathBuf, String, bool), CommandError> {
        let file = props.get("file").ok_or_else(|| CommandError::invalid(props.key(), "missing 'file'"))?;
        let stated = props.get("format").map(str::to_owned);
        if file == "cdrom" {
            return Ok((PathBuf::from("/dev/cdrom"), "raw".to_owned(), true));
        }
        if file.starts_with('/') {
            let format = stated.unwrap_or_else(|| format_by_name(file).to_owned());
            return Ok((PathBuf::from(file), format, true));
        }
        let volume = |source: LookupError| CommandError::Volume { key: props.key().to_owned(), source };
        let id: VolumeId = file.parse().map_err(|error| volume(Box::new(error)))?;
        let image = self.facts.lookup.volume(&id).map_err(volume)?;
        Ok((image.path, stated.or(image.format).unwrap_or_else(|| "raw".to_owned()), image.direct))
    }

    pub(super) fn drive(&mut self, drive: &Drive) -> Result<(), CommandError> {
        let (name, props) = (&drive.name, &drive.props);
        let iothread = props.flag("iothread") == Some(true);
        let threaded = match drive.bus {
            Bus::Virtio => iothread,
            Bus::Scsi => iothread && self.single_scsi(),
            Bus::Ide | Bus::Sata => false,
        };
        if iothread && !threaded {
            self.warn("iothread is only valid with virtio disk or virtio-scsi-single controller, ignoring");
        }
        if drive.bus == Bus::Scsi {
            self.scsi_controller(drive.index, threaded, props)?;
        }
        if drive.bus == Bus::Virtio && threaded {
            self.option("-object", Value::new(format!("iothread,id=iothread-{name}")));
        }
        if drive.bus == Bus::Sata && !std::mem::replace(&mut self.has_ahci, true) {
            self.device_at(Value::new("ahci,id=ahci0,multifunction=on"), Slot::Ahci);
        }
        let backend = self.drive_backend(drive)?;
        self.devices.push(("-drive", backend.into()));
        let device = self.drive_device(drive, threaded)?;
        self.device(device);
        Ok(())
    }

    fn drive_backend(&self, drive: &Drive) -> Result<Value, CommandError> {
        let (name, props) = (&drive.name, &drive.props);
        let file = match props.get("file") {
            Some("none") => None,
            _ => Some(self.located(props)?),
        };
        let mut value = Value::empty();
        if let Some((path, _, _)) = &file {
            value = value.path("file", path);
        }
        value = value.raw("if=none").set("id", format_args!("drive-{name}"));
        if drive.cdrom {
            value = value.raw("media=cdrom");
        }
        for key in ["rerror", "werror", "discard"] {
            value = value.set_some(key, props.get(key));
        }
        if props.flag("snapshot") == Some(true) {
            value = value.raw("snapshot=on");
        }
        if props.flag("ro") == Some(true) {
            value = value.raw("readonly=on");
        }
        for (key, qemu, factor) in THROTTLES {
            // A limit may be a fraction of a MB.
            let Some(text) = props.get(key) else { continue };
            let limit: f64 = text.parse().map_err(|_| props.invalid(key, "a number"))?;
            value = value.set(&format!("throttling.{qemu}"), (limit * *factor as f64) as u64);
        }
        value = value.set_some("format", file.as_ref().map(|(_, format, _)| format));
        let cache = props.get("cache").or(match &file {
            // A CD is read through the host's cache; so is what cannot be opened without it.
            Some((_, _, true)) if !drive.cdrom => Some("none"),
            _ => None,
        });
        value = value.set_some("cache", cache).set("aio", self.aio(props, cache)?);
        if !drive.cdrom {
            let zeroes = match (props.flag("detect_zeroes"), props.get("discard")) {
                (Some(false), _) => "off",
                (_, Some("on")) => "unmap",
                _ => "on",
            };
            value = value.set("detect-zeroes", zeroes);
        }
        Ok(value)
    }

    fn aio(&self, props: &Props, cache: Option<&str>) -> Result<&'static str, CommandError> {
        match props.get("aio") {
            None if self.facts.io_uring && self.machine.at_least(6, 0) => Ok("io_uring"),
            None | Some("threads") => Ok("threads"),
            Some("io_uring") if self.facts.io_uring => Ok("io_uring"),
            Some("io_uring") => {
                Err(CommandError::missing(props.key(), "aio=io_uring: the kernel does not offer io_uring"))
            }
            Some("native") if matches!(cache, Some("none" | "directsync")) => Ok("native"),
            Some("native") => {
                Err(CommandError::invalid(props.key(), "aio=native needs cache=none or cache=directsync"))
            }
            Some(_) => Err(props.invalid("aio", "native, threads or io_uring")),
        }
    }

    fn drive_device(&mut self, drive: &Drive, threaded: bool) -> Result<Value, CommandError> {
        let (name, props) = (&drive.name, &drive.props);
        let kind = if drive.cdrom { "cd" } else { "hd" };
        let index = drive.index;
        let tail = |value: Value| value.set("drive", format_args!("drive-{name}")).set("id", name);
        let mut value = match drive.bus {
            Bus::Virtio => {
                let value = tail(Value::new("virtio-blk-pci"));
                let value = self.buses.put(value, Slot::Virtio(index));
                value.set_some("iothread", threaded.then(|| format!("iothread-{name}")))
            }
            Bus::Scsi => {
                let block = props.flag("scsiblock") == Some(true) && !drive.cdrom;
                let value = Value::new(format!("scsi-{}", if block { "block" } else { kind }));
                let (bus, target) = self.scsi_place(index);
                tail(value.set("bus", bus).raw(&target))
            }
            Bus::Ide => {
                let (mut channel, mut unit) = (index / 2, index % 2);
                if self.machine.q35 {
                    // One drive a channel there; even numbers are where they were before that was known.
                    channel += 2 * unit;
                    unit = 0;
                }
                tail(Value::new(format!("ide-{kind},bus=ide.{channel},unit={unit}")))
            }
            Bus::Sata => tail(Value::new(format!("ide-{kind},bus=ahci0.{index}"))),
        };
        if let Some(model) = props.get("model").filter(|_| !drive.cdrom) {
            value = value.set("model", percent_decoded(model));
        }
        if props.flag("ssd") == Some(true) && !drive.cdrom {
            value = value.raw("rotation_rate=1");
        }
        value = value.set_some("wwn", props.get("wwn"));
        value = value.set_some("bootindex", self.boot.index(name));
        value = value.set_some("serial", props.get("serial").map(percent_decoded));
        for key in ["vendor", "product"] {
            value = value.set_some(key, props.get(key));
        }
        Ok(value)
    }

    fn scsihw(&self) -> &str {
        self.main.get("scsihw").unwrap_or("lsi")
    }

    fn single_scsi(&self) -> bool {
        self.scsihw() == "virtio-scsi-single"
    }

    /// How many disks a controller takes.
    fn scsi_width(&self) -> u32 {
        match self.scsihw() {
            "virtio-scsi-single" => 1,
            hardware if hardware.starts_with("lsi") => 7,
            _ => 256,
        }
    }

    fn scsi_place(&self, index: u32) -> (String, String) {
        let (controller, unit) = (index / self.scsi_width(), index % self.scsi_width());
        if self.single_scsi() {
            return (format!("virtioscsi{controller}.0"), format!("channel=0,scsi-id=0,lun={index}"));
        }
        let target = match self.scsihw() {
            "virtio-scsi-pci" | "megasas" => format!("channel=0,scsi-id=0,lun={index}"),
            _ => format!("scsi-id={unit}"),
        };
        (format!("scsihw{controller}.0"), target)
    }

    /// The controller that a disk needs, once.
    fn scsi_controller(&mut self, index: u32, threaded: bool, props: &Props) -> Result<(), CommandError> {
        let device = match self.scsihw() {
            "virtio-scsi-pci" | "virtio-scsi-single" => "virtio-scsi-pci",
            known @ ("lsi" | "lsi53c810" | "megasas" | "pvscsi") => known,
            other => {
                let why = format!("value '{other}' is no SCSI controller");
                return Err(CommandError::invalid("scsihw", why));
            }
        }
        .to_owned();
        let number = index / self.scsi_width();
        let queues = props.number("queues");
        if queues.is_some() && !self.single_scsi() {
            self.warn("queues is only valid with virtio-scsi-single controller, ignoring");
        }
        if !self.single_scsi() {
            if self.scsi_controllers.insert(number) {
                self.device_at(Value::new(format!("{device},id=scsihw{number}")), Slot::ScsiHw(number));
            }
            return Ok(());
        }
        let thread = threaded.then(|| format!("iothread-virtioscsi{number}"));
        if let Some(thread) = &thread {
            self.option("-object", Value::new(format!("iothread,id={thread}")));
        }
        let value = Value::new(format!("{device},id=virtioscsi{number}"));
        let value = self.buses.put(value, Slot::VirtioScsi(number));
        self.device(value.set_some("iothread", thread).set_some("num_queues", queues));
        Ok(())
    }
}

fn format_by_name(path: &str) -> &'static str {
    match Path::new(path).extension().and_then(std::ffi::OsStr::to_str) {
        Some("qcow2") => "qcow2",
        Some("vmdk") => "vmdk",
        _ => "raw",
    }
}

fn percent_decoded(text: &str) -> String {
    config::text::percent_decode(text.as_bytes())
}
