use super::{Build, CommandError, Facts, FirmwareKind, Slot, Value, props::Props};

/// The machine that a guest runs on.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    /// QEMU's name of it, without Proxmox VE's own revision.
    pub(super) name: String,
    /// PCI express.
    pub(super) q35: bool,
    /// The version whose hardware it has.
    version: (u32, u32),
    viommu: Option<String>,
    address_width: Option<u64>,
    sleep: [Option<bool>; 2],
}

impl Machine {
    pub(super) fn read(
        main: &config::Section,
        windows: Option<u32>,
        facts: &Facts<'_>,
    ) -> Result<Self, CommandError> {
        let props = Props::of(main, "machine")?;
        let configured = props.get("type").unwrap_or("pc");
        let bare = configured.split_once('+').map_or(configured, |(bare, _)| bare);
        let mut name = bare.strip_suffix(".pxe").unwrap_or(bare).to_owned();
        if name.starts_with("virt") {
            return Err(CommandError::unsupported(
                "machine",
                format!("'{name}' is a machine of another architecture"),
            ));
        }
        let q35 = name == "q35" || name.starts_with("pc-q35");
        let version = name.rsplit('-').next().and_then(|text| {
            let (major, minor) = text.split_once('.')?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        });
        // Windows takes a board of another version for another computer, so one that names no version and was made
        // before versions were written down stays with the version of then.
        let of_old =
            windows.is_some() && !main.get("meta").is_some_and(|meta| meta.contains("creation-qemu="));
        let version = match version {
            Some(version) => version,
            None if of_old => {
                name = format!("pc-{}-5.1", if q35 { "q35" } else { "i440fx" });
                (5, 1)
            }
            None => (facts.version.major, facts.version.minor),
        };
        if !facts.version.at_least(version.0, version.1) {
            return Err(CommandError::MachineTooNew {
                installed: facts.version.to_string(),
                machine: name,
                node: facts.node.to_string(),
            });
        }
        Ok(Self {
            name,
            q35,
            version,
            viommu: props.get("viommu").map(str::to_owned),
            address_width: props.number("aw-bits"),
            sleep: [props.flag("enable-s3"), props.flag("enable-s4")],
        })
    }

    pub(super) fn at_least(&self, major: u32, minor: u32) -> bool {
        self.version >= (major, minor)
    }
}

impl Build<'_> {
    /// The devices that make the board: bridges and USB controllers, which on q35 Proxmox VE reads from a file of its own.
    pub(super) fn board(&mut self) {
        if self.machine.q35 {
            self.device(Value::new("i82801b11-bridge,id=pcidmi,bus=pcie.0,addr=0x1e"));
            for bus in 0..4 {
                let place =
                    format!("pci-bridge,id=pci.{bus},bus=pcidmi,addr=0x{0:x},chassis_nr={0}", bus + 1);
                self.device(Value::new(place));
            }
            self.device(Value::new("ich9-usb-ehci1,id=ehci,bus=pcie.0,addr=0x1d.0x7,multifunction=on"));
            self.device(Value::new("ich9-usb-ehci2,id=ehci-2,bus=pcie.0,addr=0x1a.0x7,multifunction=on"));
            for n in 0..6 {
                let (device, controller) = if n < 3 { ("1d", "ehci") } else { ("1a", "ehci-2") };
                self.device(Value::new(format!(
                    "ich9-usb-uhci{0},id=uhci-{0},bus=pcie.0,addr=0x{device}.0x{1},multifunction=on,\
                     masterbus={controller}.0,firstport={2}",
                    n + 1,
                    n % 3,
                    n % 3 * 2
                )));
            }
            for port in 1..=4 {
                self.device(Value::new(format!(
                    "pcie-root-port,id=ich9-pcie-port-{port},bus=pcie.0,addr=0x1c.0x{:x},multifunction=on,\
                     port={port},chassis={port},x-speed=16,x-width=32",
                    port - 1
                )));
            }
        } else {
            self.device(Value::new("piix3-usb-uhci,id=uhci,bus=pci.0,addr=0x1.0x2"));
        }
    }

    /// What the machine itself is told: the accelerator, clocks, what it does without.
    pub(super) fn machine_options(&mut self) -> Result<(), CommandError> {
        let main = self.main;
        let mut flags: Vec<String> = Vec::new();
        if !self.kvm {
            flags.push("accel=tcg".to_owned());
        }
        if !main.flag("acpi", true) {
            flags.push("acpi=off".to_owned());
        }
        if self.windows.is_some_and(|version| version >= 6) {
            flags.push("hpet=off".to_owned());
            if self.kvm {
                self.globals.push("kvm-pit.lost_tick_policy=discard".to_owned());
            }
        }
        if !main.flag("allow-ksm", true) {
            flags.push("mem-merge=off".to_owned());
        }
        // SeaBIOS with its output on a serial line hangs in system management mode.
        let headless = self.vga.is_none() || self.vga.is_serial();
        if !self.machine.q35 && !self.ovmf() && headless {
            flags.push("smm=off".to_owned());
        }
        for (state, enabled) in [("s3", self.machine.sleep[0]), ("s4", self.machine.sleep[1])] {
            if let Some(enabled) = enabled {
                let chip = if self.machine.q35 { "ICH9-LPC" } else { "PIIX4_PM" };
                self.globals.push(format!("{chip}.disable_{state}={}", u8::from(!enabled)));
            }
        }
        match self.machine.viommu.clone().as_deref() {
            None => {}
            Some("intel") if !self.machine.q35 => {
                return Err(CommandError::invalid("machine", "viommu=intel needs a q35 machine"));
            }
            Some("intel") => {
                if self.kvm {
                    flags.push("kernel-irqchip=split".to_owned());
                }
                let width = self.machine.address_width;
                self.device(Value::new("intel-iommu,intremap=on,caching-mode=on").set_some("aw-bits", width));
            }
            Some("virtio") if self.machine.at_least(7, 0) => self.device(Value::new("virtio-iommu-pci")),
            Some("virtio") => {
                return Err(CommandError::invalid(
                    "machine",
                    "viommu=virtio needs machine version 7.0 or later",
                ));
            }
            Some(other) => {
                return Err(CommandError::invalid(
                    "machine",
                    format!("viommu: value '{other}' is not intel or virtio"),
                ));
            }
        }
        flags.push(format!("type={}", self.machine.name));
        self.machine_flags = flags;
        Ok(())
    }

    /// The real-time clock, in the order: drift, start.
    pub(super) fn clock(&mut self) {
        let main = self.main;
        let drift = main.flag("tdf", self.windows.is_some() && main.flag("acpi", true));
        let local = main.flag("localtime", self.windows.is_some());
        let mut value = Value::empty();
        if drift {
            value = value.raw("driftfix=slew");
        }
        match main.get("startdate") {
            Some(date) if date != "now" => value = value.set("base", date),
            _ if local => value = value.raw("base=localtime"),
            _ if !drift => return,
            _ => {}
        }
        self.late.push(("-rtc", value.into()));
    }

    pub(super) fn ovmf(&self) -> bool {
        self.main.get("bios") == Some("ovmf")
    }

    /// UEFI: its code, and its variables on the guest's own disk or on a copy for this run.
    pub(super) fn firmware(&mut self) -> Result<(), CommandError> {
        let efidisk = self.main.get("efidisk0");
        match self.main.get("bios") {
            None | Some("seabios") => {
                if efidisk.is_some() {
                    self.warn("efidisk0 is not used: bios is not ovmf");
                }
                return Ok(());
            }
            Some("ovmf") => {}
            Some(other) => {
                return Err(CommandError::invalid("bios", format!("value '{other}' is not seabios or ovmf")));
            }
        }
        let props = Props::of(self.main, "efidisk0")?;
        let large = props.get("efitype") == Some("4m");
        let kind = FirmwareKind {
            large,
            secure: large && self.machine.q35,
            enrolled: props.flag("pre-enrolled-keys") == Some(true),
        };
        let firmware = self.facts.lookup.firmware(kind).ok_or_else(|| {
            let size = if kind.large { "4m" } else { "2m" };
            let what = format!("UEFI firmware of type {size} is not installed (Debian package 'ovmf')");
            CommandError::missing("bios", what)
        })?;
        self.option(
            "-drive",
            Value::new("if=pflash,unit=0,format=raw,readonly=on").path("file", &firmware.code),
        );
        let (path, format) = match efidisk {
            Some(_) => self.image(&props)?,
            None => {
                self.warn("no efidisk configured! Using temporary efivars disk.");
                let copy = self.facts.layout.run_qemu_file(self.vmid, "efivars");
                self.copies.push((firmware.vars, copy.clone()));
                (copy, "raw".to_owned())
            }
        };
        // A raw image may be larger than the flash that the code expects.
        let size = (format == "raw").then_some(firmware.vars_size);
        self.option(
            "-drive",
            Value::new("if=pflash,unit=1,id=drive-efidisk0")
                .set("format", format)
                .path("file", &path)
                .set_some("size", size),
        );
        Ok(())
    }

    /// A watchdog card.
    pub(super) fn watchdog(&mut self) -> Result<(), CommandError> {
        if self.main.get("watchdog").is_none() {
            return Ok(());
        }
        let props = Props::of(self.main, "watchdog")?;
        match props.get("model").unwrap_or("i6300esb") {
            "i6300esb" => self.device_at(Value::new("i6300esb"), Slot::Watchdog),
            "ib700" => self.device(Value::new("ib700")),
            _ => return Err(props.invalid("model", "i6300esb or ib700")),
        }
        if let Some(action) = props.get("action") {
            self.option("-watchdog-action", Value::new(action));
        }
        Ok(())
    }
}
