//! Finding a guest that nothing on record tells of, by what its hypervisor was called with.

use model::{GuestKind, Layout, ProcessId, Resource, Vmid};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The hypervisor of a guest that runs, whoever launched it.
pub(crate) fn find(layout: &Layout, kind: GuestKind, vmid: Vmid) -> Option<ProcessId> {
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| is_of(layout, kind, vmid, *pid)).find_map(living)
}

/// A virtual machine that runs, by its pid file alone: that costs next to nothing where there is none.
pub(crate) fn find_by_pid_file(layout: &Layout, vmid: Vmid) -> Option<ProcessId> {
    let text = fs::read_to_string(layout.run_qemu_file(vmid, "pid")).ok()?;
    let pid = text.trim().parse().ok()?;
    living(pid).filter(|_| is_of(layout, GuestKind::Qemu, vmid, pid))
}

/// What a guest may have taken that is still there, as far as its name tells.
pub(crate) fn leftovers(layout: &Layout, kind: GuestKind, vmid: Vmid) -> Vec<Resource> {
    /// As many network interfaces as a guest can have (`net0` to `net31`).
    const INTERFACES: u32 = 32;
    let named = (0..INTERFACES).map(|index| layout.interface(kind, vmid, index));
    let there = named.filter(|name| Path::new("/sys/class/net").join(name).exists());
    let mut found: Vec<Resource> = there.map(|name| Resource::Interface { name }).collect();
    if kind == GuestKind::Qemu {
        let prefix = format!("{vmid}.");
        let entries = fs::read_dir(layout.run_qemu()).into_iter().flatten().flatten();
        let own = entries.filter(|entry| entry.file_name().as_bytes().starts_with(prefix.as_bytes()));
        let paths = own.map(|entry| entry.path()).chain([layout.monitor_socket(vmid)]);
        found.extend(paths.map(|path| Resource::File { path: path.to_string_lossy().into_owned() }));
    }
    found
}

fn living(pid: u32) -> Option<ProcessId> {
    process::lookup(pid).filter(|process| process::alive(*process))
}

fn is_of(layout: &Layout, kind: GuestKind, vmid: Vmid, pid: u32) -> bool {
    let Ok(cmdline) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    let words: Vec<&[u8]> = cmdline.split(|byte| *byte == 0).collect();
    let has = |option: &str, value: &OsStr| {
        words.windows(2).any(|pair| pair[0] == option.as_bytes() && pair[1] == value.as_bytes())
    };
    match kind {
        GuestKind::Qemu => has("-pidfile", layout.run_qemu_file(vmid, "pid").as_os_str()),
        GuestKind::Lxc => {
            has("-n", OsStr::new(&vmid.to_string()))
                && has("-P", layout.lxc().as_os_str())
                && words.first().is_some_and(|program| program.ends_with(b"lxc-start"))
        }
    }
}
