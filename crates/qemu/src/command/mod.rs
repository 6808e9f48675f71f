//! From a configuration to QEMU's command line: a pure function.
//!
//! Devices sit where Proxmox VE puts them and carry its names, so a guest that comes from there finds the same hardware.
//! What differs is how QEMU is kept: it stays a child of the keeper, which holds a monitor of its own; network
//! interfaces come as open descriptors; and nothing is read from Proxmox VE's package.

mod args;
mod boot;
mod cpu;
mod display;
mod drive;
mod error;
mod facts;
mod identity;
mod keys;
mod machine;
pub(crate) mod memory;
mod net;
mod option;
mod passthrough;
mod ports;
mod print;
mod props;
mod slot;

pub use error::CommandError;
pub use facts::{Begin, Facts, Firmware, FirmwareKind, Image, Lookup, LookupError, PciFunction, Version};
pub use net::Tap;
pub use ports::AgentOption;

use boot::BootOrder;
use config::{GuestConfig, Section};
use display::Vga;
use machine::Machine;
use model::Vmid;
use option::Value;
use slot::{Buses, Slot};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

/// What is run, and what goes with it.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandLine {
    /// The program.
    pub program: PathBuf,
    /// Its arguments, without the program's own name.
    pub args: Vec<OsString>,
    /// Where QEMU writes its pid.
    pub pidfile: PathBuf,
    /// What QEMU makes and may leave: sockets, the pid file. To be removed before a start and after the end.
    pub files: Vec<PathBuf>,
    /// Files to copy before the start: from, to. The copies are in `files` too.
    pub copies: Vec<(PathBuf, PathBuf)>,
    /// The network interfaces that QEMU gets as descriptors.
    pub networks: Vec<Tap>,
    /// The number that the listening socket of the keeper's monitor has in QEMU.
    pub monitor_fd: i32,
    /// The number that the folder of [`model::Layout::run_qemu`] has in QEMU, opened with `O_PATH`, where paths of sockets
    /// are too long.
    pub run_dir_fd: Option<i32>,
    /// PCI devices to give to [`crate::vfio::bind`] before the start.
    pub pci_devices: Vec<String>,
    /// What to tell the monitor once it answers; a failure is a warning.
    pub setup: Vec<MonitorCommand>,
    /// Limits for the guest's cgroup.
    pub limits: Limits,
    /// What the user should know, in lines of the task.
    pub warnings: Vec<String>,
}

/// A command of QEMU's monitor.
#[derive(Debug, Clone, PartialEq)]
pub struct MonitorCommand {
    /// Its name.
    pub name: &'static str,
    /// Its arguments, an object.
    pub arguments: serde_json::Value,
}

/// How much of the host's CPUs a guest may have.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// How many CPUs' time; none for all.
    pub cpu_limit: Option<f64>,
    /// Its weight against other guests; none for the default.
    pub cpu_units: Option<u32>,
}

/// Makes the command line of a virtual machine from the configuration that is in force.
///
/// # Errors
/// Every option that cannot be read or honoured is refused by its name; nothing is left out silently. The exceptions are
/// in [`CommandLine::warnings`].
pub fn command_line(
    config: &GuestConfig,
    vmid: Vmid,
    facts: &Facts<'_>,
) -> Result<CommandLine, CommandError> {
    command_line_of(&config.main, vmid, facts)
}

/// As [`command_line`], for another section, such as a snapshot's.
///
/// # Errors
/// As [`command_line`].
pub fn command_line_of(main: &Section, vmid: Vmid, facts: &Facts<'_>) -> Result<CommandLine, CommandError> {
    let mut build = Build::new(main, vmid, facts)?;
    build.all()?;
    build.finish()
}

/// A command line in the making.
struct Build<'a> {
    main: &'a Section,
    vmid: Vmid,
    facts: &'a Facts<'a>,
    name: String,
    kvm: bool,
    /// The version of Windows that the guest runs, by its kernel: 5 is XP, 6 Vista, 7, 8, 10.
    windows: Option<u32>,
    machine: Machine,
    vga: Vga,
    boot: BootOrder,
    sockets: u64,
    cores: u64,
    buses: Buses,
    scsi_controllers: BTreeSet<u32>,
    has_ahci: bool,
    /// How many of the devices belong to the board.
    board_end: usize,
    /// Settings, then devices with what is behind them, then what comes last.
    options: Vec<OsString>,
    devices: Vec<(&'static str, OsString)>,
    late: Vec<(&'static str, OsString)>,
    machine_flags: Vec<String>,
    globals: Vec<String>,
    next_fd: i32,
    monitor_fd: i32,
    run_dir_fd: Option<i32>,
    pidfile: PathBuf,
    files: Vec<PathBuf>,
    copies: Vec<(PathBuf, PathBuf)>,
    networks: Vec<Tap>,
    pci_devices: Vec<String>,
    setup: Vec<MonitorCommand>,
    warnings: Vec<String>,
}

impl<'a> Build<'a> {
    fn new(main: &'a Section, vmid: Vmid, facts: &'a Facts<'a>) -> Result<Self, CommandError> {
        let windows = windows_version(main.get("ostype").unwrap_or("other"));
        let mut build = Self {
            main,
            vmid,
            facts,
            name: main.get("name").map_or_else(|| format!("vm{vmid}"), str::to_owned),
            kvm: main.flag("kvm", facts.kvm_default),
            windows,
            machine: Machine::read(main, windows, facts)?,
            vga: Vga::read(main, windows)?,
            boot: BootOrder::default(),
            sockets: 1,
            cores: 1,
            buses: Buses::default(),
            scsi_controllers: BTreeSet::new(),
            has_ahci: false,
            board_end: 0,
            options: Vec::with_capacity(96),
            devices: Vec::with_capacity(32),
            late: Vec::new(),
            machine_flags: Vec::new(),
            globals: Vec::new(),
            next_fd: facts.first_fd + 1,
            monitor_fd: facts.first_fd,
            run_dir_fd: None,
            pidfile: PathBuf::new(),
            files: Vec::new(),
            copies: Vec::new(),
            networks: Vec::new(),
            pci_devices: Vec::new(),
            setup: Vec::new(),
            warnings: Vec::new(),
        };
        build.sockets = build.positive("sockets", build.positive("smp", 1)?)?;
        build.cores = build.positive("cores", 1)?;
        Ok(build)
    }

    fn all(&mut self) -> Result<(), CommandError> {
        for key in self.main.options.keys() {
            match keys::judge(key) {
                keys::Verdict::Known => {}
                keys::Verdict::Refused(why) => return Err(CommandError::unsupported(key, why)),
                keys::Verdict::Unknown => self.warn(&format!("option '{key}' is not known, ignoring")),
            }
        }
        let arch = self.main.get("arch").unwrap_or(self.facts.arch);
        if arch != "x86_64" {
            return Err(CommandError::unsupported("arch", format!("guests of architecture '{arch}'")));
        }
        if self.kvm && (!self.facts.kvm || self.facts.arch != arch) {
            return Err(CommandError::NoKvm);
        }
        let drives = drive::drives(self.main)?;
        self.boot = BootOrder::read(self.main, &drives)?;

        let name = Value::new(self.name.replace(',', ",,")).raw("debug-threads=on");
        self.option("-name", name);
        self.flag("-no-shutdown");
        self.monitors()?;
        self.pidfile = self.run_file("pid");
        self.files.push(self.pidfile.clone());
        self.options.push("-pidfile".into());
        self.options.push(self.pidfile.clone().into());
        self.smbios()?;
        self.firmware()?;
        self.topology()?;
        self.flag("-nodefaults");
        let splash = Value::new("menu=on,strict=on,reboot-timeout=1000");
        let splash = match self.facts.splash {
            Some(path) => splash.path("splash", path),
            None => splash,
        };
        self.option("-boot", splash);
        if !self.main.flag("reboot", true) {
            self.flag("-no-reboot");
        }
        self.generation();
        self.board();
        self.board_end = self.devices.len();
        self.usb()?;
        self.pci()?;
        self.display()?;
        self.processor()?;
        if self.main.flag("freeze", false) || self.facts.begin != Begin::Cold {
            self.flag("-S");
        }
        self.memory()?;
        self.ports()?;
        self.audio()?;
        self.agent()?;
        self.random()?;
        self.balloon()?;
        self.watchdog()?;
        for drive in &drives {
            self.drive(drive)?;
        }
        for (index, text) in self.main.indexed("net") {
            self.network(index, text)?;
        }
        self.shared_memory()?;
        self.clock();
        self.machine_options()
    }

    fn finish(mut self) -> Result<CommandLine, CommandError> {
        let limits = self.limits()?;
        let more = args::split(self.main.get("args").unwrap_or_default())?;
        let mut args = std::mem::take(&mut self.options);
        // A q35 machine's further bridge hangs on one of its board, which is among the devices; QEMU sorts that out only
        // for a bus that it has seen.
        let bridges: Vec<(&'static str, OsString)> =
            self.buses.bridges(self.machine.q35).map(|bridge| ("-device", bridge.into())).collect();
        let at = if self.machine.q35 { self.board_end } else { 0 };
        self.devices.splice(at..at, bridges);
        for (name, value) in self.devices.drain(..).chain(self.late.drain(..)) {
            args.extend([name.into(), value]);
        }
        args.extend(["-machine".into(), self.machine_flags.join(",").into()]);
        for global in &self.globals {
            args.extend(["-global".into(), global.into()]);
        }
        if let Begin::Incoming(from) = &self.facts.begin {
            args.extend(["-incoming".into(), from.into()]);
        }
        args.extend(more.into_iter().map(OsString::from));
        let mut program = self.facts.program.to_owned();
        if let Some(cpus) = self.main.get("affinity") {
            if !cpus.bytes().all(|b| b.is_ascii_digit() || b == b',' || b == b'-') {
                return Err(CommandError::invalid("affinity", format!("value '{cpus}' is no list of CPUs")));
            }
            let prefix = ["--cpu-list".into(), "--all-tasks".into(), cpus.into(), program.into_os_string()];
            args.splice(0..0, prefix);
            program = PathBuf::from("/usr/bin/taskset");
        }
        self.files.extend(self.copies.iter().map(|(_, to)| to.clone()));
        Ok(CommandLine {
            program,
            args,
            pidfile: self.pidfile,
            files: self.files,
            copies: self.copies,
            networks: self.networks,
            monitor_fd: self.monitor_fd,
            run_dir_fd: self.run_dir_fd,
            pci_devices: self.pci_devices,
            setup: self.setup,
            limits,
            warnings: self.warnings,
        })
    }

    fn limits(&self) -> Result<Limits, CommandError> {
        let cpu_limit = match self.main.get("cpulimit").map(|text| (text, text.parse::<f64>())) {
            None => None,
            Some((_, Ok(limit))) if (0.0..=128.0).contains(&limit) => {
                Some(limit).filter(|limit| *limit > 0.0)
            }
            Some((text, _)) => {
                return Err(CommandError::invalid("cpulimit", format!("value '{text}' is not 0 to 128")));
            }
        };
        let cpu_units = self.whole("cpuunits")?.map(|units| units.clamp(1, 262_144) as u32);
        Ok(Limits { cpu_limit, cpu_units })
    }

    /// Adds an option with its value.
    fn option(&mut self, name: &str, value: Value) {
        self.options.push(name.into());
        self.options.push(value.into());
    }

    /// Adds an option without a value.
    fn flag(&mut self, name: &str) {
        self.options.push(name.into());
    }

    fn device(&mut self, value: Value) {
        self.devices.push(("-device", value.into()));
    }

    fn device_at(&mut self, value: Value, slot: Slot) {
        let value = self.buses.put(value, slot);
        self.device(value);
    }

    fn warn(&mut self, text: &str) {
        self.warnings.push(text.to_owned());
    }

    fn next_fd(&mut self) -> i32 {
        self.next_fd += 1;
        self.next_fd - 1
    }

    /// A whole number of an option.
    fn whole(&self, key: &str) -> Result<Option<u64>, CommandError> {
        let number = |text: &str| {
            text.parse()
                .map_err(|_| CommandError::invalid(key, format!("value '{text}' is not a whole number")))
        };
        self.main.get(key).map(number).transpose()
    }

    /// A whole number above 0.
    fn positive(&self, key: &str, default: u64) -> Result<u64, CommandError> {
        match self.whole(key)? {
            None => Ok(default),
            Some(0) => Err(CommandError::invalid(key, "value '0' is too small")),
            Some(number) => Ok(number),
        }
    }
}

fn windows_version(ostype: &str) -> Option<u32> {
    Some(match ostype {
        "w2k" | "wxp" | "w2k3" => 5,
        "wvista" | "w2k8" => 6,
        "win7" => 7,
        "win8" => 8,
        "win10" | "win11" => 10,
        _ => return None,
    })
}
