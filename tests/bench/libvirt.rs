//! libvirt with a no-op hook, started by hand and taken away again.

use crate::floor;
use e2e::Host;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const HOOK: &str = "/etc/libvirt/hooks/qemu";
const GUEST: &str = "hookvisor-bench";

/// The daemons, and the guest defined with them.
pub(crate) struct Libvirt {
    daemons: Vec<Child>,
    hook_is_ours: bool,
    folder: PathBuf,
}

impl Libvirt {
    /// Starts it; says why where that cannot be.
    pub(crate) fn start(host: &Host) -> Result<Self, String> {
        for program in ["/usr/sbin/libvirtd", "/usr/sbin/virtlogd", "/usr/bin/virsh"] {
            if !Path::new(program).exists() {
                return Err(format!("{program} is not there"));
            }
        }
        if Path::new("/run/libvirt/libvirt-sock").exists() && virsh(&["version"]).is_ok() {
            return Err("a libvirtd of this machine's own is running, which a bench leaves alone".to_owned());
        }
        let mut libvirt =
            Self { daemons: Vec::new(), hook_is_ours: false, folder: host.scratch().join("libvirt") };
        fs::create_dir_all(&libvirt.folder).map_err(|error| error.to_string())?;
        if !Path::new(HOOK).exists() {
            let made = fs::create_dir_all("/etc/libvirt/hooks")
                .and_then(|()| fs::write(HOOK, crate::machine::NO_OP))
                .and_then(|()| fs::set_permissions(HOOK, fs::Permissions::from_mode(0o755)));
            made.map_err(|error| format!("{HOOK}: {error}"))?;
            libvirt.hook_is_ours = true;
        }
        for program in ["/usr/sbin/virtlogd", "/usr/sbin/libvirtd"] {
            let quiet = Command::new(program)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            libvirt.daemons.push(quiet.map_err(|error| format!("{program}: {error}"))?);
        }
        let began = std::time::Instant::now();
        while let Err(message) = virsh(&["version"]) {
            if began.elapsed() > Duration::from_secs(20) {
                return Err(message);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let xml = libvirt.folder.join("guest.xml");
        let text = format!(
            "<domain type='qemu'><name>{GUEST}</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>\
             <os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>\
             <devices><emulator>/usr/bin/qemu-system-x86_64</emulator><memballoon model='none'/></devices></domain>"
        );
        fs::write(&xml, text).map_err(|error| error.to_string())?;
        virsh(&["define", &xml.to_string_lossy()])?;
        libvirt.start_guest();
        libvirt.destroy_guest();
        Ok(libvirt)
    }

    /// `virsh start`.
    pub(crate) fn start_guest(&self) -> Duration {
        floor::command(Command::new("virsh").args(["-q", "start", GUEST]))
    }

    /// `virsh destroy`.
    pub(crate) fn destroy_guest(&self) -> Duration {
        floor::command(Command::new("virsh").args(["-q", "destroy", GUEST]))
    }
}

impl Drop for Libvirt {
    fn drop(&mut self) {
        let _ = virsh(&["undefine", GUEST]);
        for daemon in self.daemons.iter_mut().rev() {
            e2e::proc::signal(daemon.id(), rustix::process::Signal::TERM);
            let _ = daemon.wait();
        }
        if self.hook_is_ours {
            let _ = fs::remove_file(HOOK);
        }
    }
}

fn virsh(args: &[&str]) -> Result<(), String> {
    let output = Command::new("virsh").args(["-q", "-c", "qemu:///system"]).args(args).output();
    let output = output.map_err(|error| format!("virsh: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(format!("virsh {}: {}", args[0], text.lines().next().unwrap_or("failed")))
}
