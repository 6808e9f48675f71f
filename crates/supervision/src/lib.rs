//! Who watches keepers, and where virtual machines are counted: systemd, where it runs the host, or nobody but the next
//! command.
//!
//! Under systemd a keeper is the main process of `hookvisor-keeper@<vmid>.service`, which is begun anew when it is killed, and QEMU is in
//! the scope that Proxmox VE has it in, `<vmid>.scope` in `qemu.slice`. systemd answers as soon as it has taken a request down, and so
//! nobody waits for its bookkeeping.

mod bus;

use bus::{Arguments, call};
use model::{Layout, Vmid};
use std::path::Path;
use std::time::Duration;

pub use bus::BusError;

/// How often a scope is asked for whose predecessor is just going away, and how long between.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(5);

/// What watches the keepers of a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supervision {
    /// Nothing: a keeper lives in a session of its own, and whoever asks about a guest whose keeper has died bears another.
    Session,
    /// systemd, with the units in `packaging/systemd`.
    Systemd,
}

/// What a virtual machine may have of the processors.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Share {
    /// How many processors' time; none for all.
    pub limit: Option<f64>,
    /// Its weight against others; none for the default. From 1 to 10000, as in cgroup-v2's `cpu.weight`.
    pub weight: Option<u32>,
}

impl Supervision {
    /// What watches here: systemd where it is this host's (sd_booted(3)) and the root is the host's own.
    #[must_use]
    pub fn of(layout: &Layout) -> Self {
        let systemd = layout.is_host() && Path::new("/run/systemd/system").is_dir();
        if systemd { Self::Systemd } else { Self::Session }
    }
}

/// Has systemd start a guest's keeper, unless it runs. Returns when that is in its queue.
///
/// # Errors
/// Where there is no such unit, or the host goes down.
pub fn start_keeper(vmid: Vmid) -> Result<(), BusError> {
    let mut arguments = Arguments::default();
    arguments.text(&format!("hookvisor-keeper@{vmid}.service"));
    // Nothing that is queued already gives way to it: a shutdown of the host above all.
    arguments.text("fail");
    call("StartUnit", "ss", &arguments)
}

/// Has systemd put a virtual machine's process into its scope. Returns when that is in its queue.
///
/// # Errors
/// Those of systemd.
pub fn contain(vmid: Vmid, pid: u32, name: &str, share: Share) -> Result<(), BusError> {
    let arguments = scope(vmid, pid, name, share);
    for _ in 1..TRIES {
        match call("StartTransientUnit", "ssa(sv)a(sa(sv))", &arguments) {
            // That of the virtual machine before, which systemd has not cleared away yet.
            Err(BusError::Refused(why)) if why.contains("already") => std::thread::sleep(PAUSE),
            done => return done,
        }
    }
    call("StartTransientUnit", "ssa(sv)a(sa(sv))", &arguments)
}

fn scope(vmid: Vmid, pid: u32, name: &str, share: Share) -> Arguments {
    let mut arguments = Arguments::default();
    arguments.text(&format!("{vmid}.scope"));
    arguments.text("fail");
    arguments.array(8, |properties| {
        let mut property = |key: &str, kind: &str, value: &dyn Fn(&mut Arguments)| {
            properties.record();
            properties.text(key);
            properties.signature(kind);
            value(properties);
        };
        let name = if name.is_empty() { String::new() } else { format!(" ({name})") };
        property("Description", "s", &|to| to.text(&format!("VM {vmid}{name}")));
        property("Slice", "s", &|to| to.text("qemu.slice"));
        property("PIDs", "au", &|to| to.array(4, |pids| pids.number(pid)));
        // The keeper alone ends it: a scope that is stopped waits for that.
        property("KillMode", "s", &|to| to.text("process"));
        property("SendSIGKILL", "b", &|to| to.number(0));
        property("TimeoutStopUSec", "t", &|to| to.long(u64::MAX));
        property("CollectMode", "s", &|to| to.text("inactive-or-failed"));
        if let Some(weight) = share.weight {
            property("CPUWeight", "t", &|to| to.long(weight.clamp(1, 10_000).into()));
        }
        if let Some(limit) = share.limit.filter(|limit| *limit > 0.0) {
            let limit = Duration::try_from_secs_f64(limit).unwrap_or(Duration::MAX).as_micros();
            property("CPUQuotaPerSecUSec", "t", &|to| to.long(limit.try_into().unwrap_or(u64::MAX)));
        }
    });
    arguments.array(8, |_| {});
    arguments
}
