//! A Linux guest with a real guest agent: Debian's kernel and an initramfs of busybox and `qemu-ga`, made on the spot.
//!
//! Nothing in it hears the power button, so that only the agent can bring it down. What it says on its serial console
//! is kept in a file, and a line that it gets there starts an agent that has ended again.

use crate::guest::{Guest, Kind};
use crate::host::Host;
use crate::wait;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

/// In the order in which they need each other.
const MODULES: &[&str] = &[
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "virtio_console",
];

const AGENT: &str = "/usr/sbin/qemu-ga";

/// What the guest says before it starts its agent.
const BOOTED: &str = "guest: starting its agent";
/// What the guest says once its agent has ended.
const ENDED: &str = "guest: its agent has ended";
/// What the guest says when its agent runs `shutdown`, with the arguments behind it.
pub const SHUTDOWN: &str = "guest: shutdown ";

fn init() -> String {
    let modules: String =
        MODULES.iter().map(|name| format!("[ ! -e /{name}.ko ] || insmod /{name}.ko\n")).collect();
    format!(
        r#"#!/bin/sh
export PATH=/bin:/sbin
mkdir -p /proc /sys /dev /run /tmp /var/run
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
{modules}port=
while [ -z "$port" ]; do
    for name in /sys/class/virtio-ports/*/name; do
        if [ -e "$name" ] && [ "$(cat "$name")" = org.qemu.guest_agent.0 ]; then
            port=${{name%/name}}
            port=/dev/${{port##*/}}
        fi
    done
    [ -n "$port" ] || sleep 0.1
done
while :; do
    echo '{BOOTED}'
    qemu-ga -m virtio-serial -p "$port" -t /run
    echo '{ENDED}'
    read -r line </dev/console
done
"#
    )
}

fn shutdown() -> String {
    format!("#!/bin/sh\necho \"{SHUTDOWN}$*\" >/dev/console\nexec busybox poweroff -f\n")
}

/// The folder with `vmlinuz` and the modules: `E2E_LINUX`, else `linux` in one of the folders above this program, where
/// `cargo xtask test` puts it.
#[must_use]
pub fn kernel() -> Option<PathBuf> {
    let folder = std::env::var_os("E2E_LINUX").map(PathBuf::from).or_else(|| {
        let me = std::env::current_exe().ok()?;
        me.ancestors().skip(1).map(|folder| folder.join("linux")).find(|path| path.join("vmlinuz").is_file())
    })?;
    folder.join("vmlinuz").is_file().then_some(folder)
}

/// A Linux guest and its console.
#[derive(Debug)]
pub struct LinuxGuest<'h> {
    /// The guest.
    pub guest: Guest<'h>,
    log: PathBuf,
    socket: PathBuf,
}

impl<'h> LinuxGuest<'h> {
    /// Makes a guest with the recording hook.
    ///
    /// # Panics
    /// If there is no kernel, or the guest cannot be made.
    #[track_caller]
    pub fn make(host: &'h Host) -> Self {
        let kernel = kernel().expect("a test of the agent needs the kernel");
        let vmid = host.next_vmid();
        let [initrd, log, socket] =
            ["initrd", "console", "serial"].map(|name| host.scratch().join(format!("{vmid}.{name}")));
        write_initramfs(&initrd, &kernel).expect("an initramfs can be written");
        let args = format!(
            "-kernel {} -initrd {} -append 'console=ttyS0 quiet panic=1' \
             -chardev socket,id=console,path={},server=on,wait=off,logfile={} -serial chardev:console",
            kernel.join("vmlinuz").display(),
            initrd.display(),
            socket.display(),
            log.display()
        );
        let id = vmid.to_string();
        let mut words =
            vec!["create", &id, "--name", "linux", "--memory", "256", "--kvm", "0", "--vga", "none"];
        words.extend(["--agent", "1", "--args", &args, "--hookscript", "local:snippets/recorder"]);
        host.qm(words).ok();
        Self { guest: host.adopt(Kind::Vm, vmid), log, socket }
    }

    /// What the guest has said so far.
    #[must_use]
    pub fn console(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until the guest has said that its agent has ended.
    #[track_caller]
    pub fn wait_agent_ended(&self) {
        wait::until("the guest to say that its agent has ended", || {
            self.console().contains(ENDED).then_some(())
        });
    }

    /// Starts the agent again.
    ///
    /// # Panics
    /// If nobody listens on the guest's console.
    #[track_caller]
    pub fn start_agent(&self) {
        let mut console = UnixStream::connect(&self.socket).expect("the guest has a console");
        console.write_all(b"go on\n").expect("the guest's console takes a line");
        wait::until("the guest to start its agent again", || {
            (self.console().matches(BOOTED).count() == 2).then_some(())
        });
    }
}

/// Writes an initramfs: an archive that cpio(1) calls `newc`, in which folders come before what is in them.
fn write_initramfs(path: &Path, kernel: &Path) -> io::Result<()> {
    let mut archive = Archive(Vec::new());
    for folder in ["bin", "sbin", "dev"] {
        archive.folder(folder);
    }
    archive.file("bin/busybox", &fs::read("/bin/busybox")?);
    for applet in [
        "sh", "mkdir", "mount", "insmod", "cat", "echo", "sleep", "killall", "poweroff", "true", "head",
        "uname",
    ] {
        archive.link(&format!("bin/{applet}"), "busybox");
    }
    archive.file("bin/qemu-ga", &fs::read(AGENT)?);
    for library in libraries(AGENT)? {
        archive.file_with_folders(&library, &fs::read(&library)?);
    }
    for name in MODULES {
        // Not there: built into this kernel.
        if let Ok(module) = fs::read(kernel.join(format!("{name}.ko"))) {
            archive.file(&format!("{name}.ko"), &module);
        }
    }
    archive.file_with_folders(Path::new("/etc/os-release"), b"ID=hookvisor-test\nNAME=\"Test guest\"\n");
    archive.file("long", &[b'x'; 1 << 19]);
    archive.file("sbin/shutdown", shutdown().as_bytes());
    archive.file("init", init().as_bytes());
    archive.console();
    archive.entry("TRAILER!!!", 0, b"", (0, 0));
    fs::write(path, archive.0)
}

/// The libraries of a program, and its loader, as ldd(1) tells them.
fn libraries(program: &str) -> io::Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let paths = text.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    Ok(paths.map(PathBuf::from).collect())
}

struct Archive(Vec<u8>);

impl Archive {
    fn entry(&mut self, name: &str, mode: u32, content: &[u8], device: (u32, u32)) {
        let length = u32::try_from(content.len()).expect("a file of an initramfs is small");
        let name_length = u32::try_from(name.len() + 1).expect("a name is short");
        let number = u32::try_from(self.0.len()).expect("an initramfs is small") + 1;
        let fields = [number, mode, 0, 0, 1, 0, length, 0, 0, device.0, device.1, name_length, 0]
            .map(|n| format!("{n:08X}"));
        self.0.extend_from_slice(format!("070701{}{name}\0", fields.concat()).as_bytes());
        self.pad();
        self.0.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn folder(&mut self, name: &str) {
        self.entry(name, 0o040_755, b"", (0, 0));
    }

    fn file(&mut self, name: &str, content: &[u8]) {
        self.entry(name, 0o100_755, content, (0, 0));
    }

    fn link(&mut self, name: &str, to: &str) {
        self.entry(name, 0o120_777, to.as_bytes(), (0, 0));
    }

    /// The kernel opens it for `/init` before anything is mounted.
    fn console(&mut self) {
        self.entry("dev/console", 0o020_600, b"", (5, 1));
    }

    fn file_with_folders(&mut self, path: &Path, content: &[u8]) {
        let name = path.to_string_lossy().trim_start_matches('/').to_owned();
        // A folder that comes twice is the same folder.
        for (at, _) in name.match_indices('/') {
            self.folder(&name[..at]);
        }
        self.file(&name, content);
    }
}
