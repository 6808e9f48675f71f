//! A world without guests, in which the lives of a hookscript are played (`hookvisor hooks test`): the keeper and all around
//! it are those of production, and only what keeps a guest's processes is another, the machine.
//!
//! No production root can come into it by accident. The world is one in which the first process of all, pid 1, is this very
//! program, or a root of its own that is not the host's; and in either case one in which a plan has been laid down.

mod ask;
mod stand_in;

pub use ask::{ask_down, is_up, power_off, quit};
pub use stand_in::{be_guest, is_stand_in};

use config::GuestConfig;
use model::{GuestKind, Layout, Vmid};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What the guests of a simulated world do, by their VMIDs; one that is not named does what it is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The guests.
    pub guests: BTreeMap<u32, Conduct>,
}

/// What one guest does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conduct {
    /// Whether its hypervisor ends before the guest is up.
    pub fails: bool,
    /// How many requests to shut down it does not heed.
    pub ignores: u32,
    /// The node that it is migrated from.
    pub migrated_from: Option<String>,
}

/// The number of the listening socket that a keeper passes to a stand-in.
pub const MONITOR_FD: i32 = 20;

/// Where the plan of a root's world is.
#[must_use]
pub fn plan_path(layout: &Layout) -> PathBuf {
    layout.run().join("simulation.json")
}

/// Lays down a world's plan.
///
/// # Errors
/// Where its file cannot be written.
pub fn lay_down(layout: &Layout, plan: &Plan) -> io::Result<()> {
    let text = serde_json::to_vec(plan).map_err(io::Error::other)?;
    store::replace(&plan_path(layout), &text, 0o600)
}

/// What a guest does, where its world is simulated.
pub(crate) fn conduct(layout: &Layout, vmid: Vmid) -> Option<Conduct> {
    let text = std::fs::read(plan_path(layout)).ok()?;
    if layout.is_host() && !is_own_world() {
        return None;
    }
    let plan: Plan = serde_json::from_slice(&text).ok()?;
    Some(plan.guests.get(&vmid.get()).cloned().unwrap_or_default())
}

/// Whether pid 1 is this program: so it is in the sandbox of the workshop, and nowhere else.
#[must_use]
pub fn is_own_world() -> bool {
    let mark = |path: &str| std::fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
    mark("/proc/1/exe").is_some_and(|first| Some(first) == mark("/proc/self/exe"))
}

/// The program of a guest's stand-in, and its arguments: those by which scripts find a guest's process.
///
/// # Errors
/// Where its name cannot be made.
pub fn stand_in(
    layout: &Layout,
    kind: GuestKind,
    vmid: Vmid,
    config: &GuestConfig,
    conduct: &Conduct,
) -> io::Result<(PathBuf, Vec<OsString>)> {
    let word = |text: &str| OsString::from(text);
    let number = |key: &str| config.main.number(key).unwrap_or(1).clamp(1, 64);
    let (name, mut argv) = match kind {
        GuestKind::Qemu => {
            let title = config.main.get("name").map_or_else(|| format!("VM{vmid}"), str::to_owned);
            let cpus = number("cores") * number("sockets");
            let mut argv: Vec<OsString> = vec!["/usr/bin/kvm".into(), word("-id"), vmid.to_string().into()];
            argv.extend([word("-name"), format!("{title},debug-threads=on").into(), word("-pidfile")]);
            argv.push(layout.run_qemu_file(vmid, "pid").into());
            argv.extend([word("-smp"), cpus.to_string().into()]);
            ("kvm", argv)
        }
        GuestKind::Lxc => {
            let mut argv: Vec<OsString> = vec!["/usr/bin/lxc-start".into(), word("-F"), word("-n")];
            argv.extend([vmid.to_string().into(), word("-P"), layout.lxc().into()]);
            ("lxc-start", argv)
        }
    };
    argv.extend([word(stand_in::CONDUCT), serde_json::to_string(conduct).map_err(io::Error::other)?.into()]);
    let program = layout.run().join(format!("simulated/{name}"));
    let own = std::env::current_exe()?;
    if !std::fs::read_link(&program).is_ok_and(|target| target == own) {
        std::fs::create_dir_all(program.with_file_name(""))?;
        let _ = std::fs::remove_file(&program);
        symlink(own, &program)?;
    }
    Ok((program, argv))
}

/// Launches a guest that no keeper keeps.
///
/// # Errors
/// Where its program cannot be run.
pub fn spawn(
    layout: &Layout,
    kind: GuestKind,
    vmid: Vmid,
    config: &GuestConfig,
    conduct: &Conduct,
) -> io::Result<Child> {
    let (program, mut argv) = stand_in(layout, kind, vmid, config, conduct)?;
    std::fs::create_dir_all(layout.run_guest(vmid))?;
    std::fs::create_dir_all(layout.run_qemu())?;
    let listen = [OsString::from(stand_in::LISTEN), layout.monitor_socket(vmid).into()];
    let before = argv.len() - 2;
    argv.splice(before..before, listen);
    let mut command = Command::new(program);
    if let Some((name, words)) = argv.split_first() {
        command.arg0(name).args(words);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn()
}

/// The files that a guest has while it runs.
#[must_use]
pub fn files(layout: &Layout, kind: GuestKind, vmid: Vmid) -> Vec<PathBuf> {
    match kind {
        GuestKind::Qemu => ["pid", "qmp", "qga"].map(|end| layout.run_qemu_file(vmid, end)).to_vec(),
        GuestKind::Lxc => Vec::new(),
    }
}

/// The names of a guest's network interfaces.
#[must_use]
pub fn interfaces(layout: &Layout, kind: GuestKind, vmid: Vmid, config: &GuestConfig) -> Vec<String> {
    config.main.indexed("net").map(|(index, _)| layout.interface(kind, vmid, index)).collect()
}

/// Makes a network interface, where the kernel lets this process: in a sandbox with a network of its own. A guest without
/// one is a guest all the same.
pub fn make_interface(name: &str) {
    let peer = format!("p{name}");
    ip(&["link", "add", name, "type", "veth", "peer", "name", &peer[..peer.len().min(15)]]);
    ip(&["link", "set", name, "up"]);
}

/// Takes it away.
pub fn remove_interface(name: &str) {
    ip(&["link", "del", name]);
}

fn ip(words: &[&str]) {
    if !is_own_world() {
        return;
    }
    let tool =
        ["/usr/sbin/ip", "/usr/bin/ip", "/sbin/ip"].map(Path::new).into_iter().find(|path| path.exists());
    let Some(tool) = tool else { return };
    let _ = Command::new(tool)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_simulated_only_where_a_plan_lies_and_never_on_the_host() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let vmid = |number: u32| number.try_into().unwrap();
        assert_eq!(conduct(&layout, vmid(100)), None);
        std::fs::create_dir_all(layout.run()).unwrap();
        let fails = Conduct { fails: true, ..Conduct::default() };
        lay_down(&layout, &Plan { guests: [(100, fails.clone())].into() }).unwrap();
        assert_eq!(conduct(&layout, vmid(100)), Some(fails));
        assert_eq!(conduct(&layout, vmid(101)), Some(Conduct::default()));
        std::fs::write(plan_path(&layout), "torn").unwrap();
        assert_eq!(conduct(&layout, vmid(100)), None);
        // Nobody's first process is a test.
        assert!(!is_own_world());
        assert_eq!(conduct(&Layout::new("/"), vmid(100)), None);
    }
}
