//! A host under systemd: a container of ours with a Debian in it, and in that hookvisor with its units and two guests.

use crate::host::NODE;
use crate::output::Output;
use crate::qmp::Monitor;
use crate::suite::{debian, packages};
use crate::{Behaviour, Guest, Host, Kind, template, tiny_vm, wait};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The virtual machine in there.
pub const VM: u32 = 100;
/// The container in there.
pub const CT: u32 = 200;

/// The older version of the package, and its file.
pub const OLD: (&str, &str) = ("0.0.1", "old.deb");
/// The newer version of the package, and its file.
pub const NEW: (&str, &str) = ("0.0.2", "new.deb");

/// Notes each call with its cause or reason, then does what the test wants in that phase.
const HOOK: &str = "#!/bin/sh
echo \"$1 $2 ${HOOKVISOR_STOP_CAUSE:-$HOOKVISOR_START_REASON}\" >>/var/log/notes
echo \"hook of $1 in $2\"
! [ -e /root/$1.$2 ] || . /root/$1.$2
";

/// systemd of Debian 12 mounts two controllers together that this kernel may have apart, and LXC then finds neither.
const CONTROLLERS: &str = "[Unit]
DefaultDependencies=no
Before=sysinit.target
ConditionPathIsMountPoint=/sys/fs/cgroup/unified
[Service]
Type=oneshot
ExecStart=-/bin/mount -o remount,rw /sys/fs/cgroup
ExecStart=-/bin/sh -c 'cd /sys/fs/cgroup; for c in cpu cpuacct; do [ -d $$c/. ] && mountpoint -q $$c && continue; rm -f $$c; mkdir $$c; mount -t cgroup -o $$c cgroup $$c; done'
[Install]
WantedBy=sysinit.target
";

/// The machine, which is up.
#[derive(Debug)]
pub struct Machine<'h> {
    host: &'h Host,
    guest: Guest<'h>,
    root: PathBuf,
    _layer: Layer,
}

/// A Debian that all machines share, with a layer of its own in memory over it.
#[derive(Debug)]
struct Layer([PathBuf; 2]);

impl Layer {
    fn mount(upper: PathBuf, root: &Path) -> Self {
        fs::create_dir(&upper).expect("a folder can be made");
        mount(&["-t", "tmpfs", "none"], &upper);
        for name in ["new", "work"] {
            fs::create_dir(upper.join(name)).expect("a folder can be made");
        }
        let (new, work) = (upper.join("new"), upper.join("work"));
        let folders = [("lowerdir", debian().expect("a Debian")), ("upperdir", new), ("workdir", work)];
        let options = folders.map(|(option, folder)| format!("{option}={}", folder.display())).join(",");
        mount(&["-t", "overlay", "none", "-o", &options], root);
        Self([root.to_owned(), upper])
    }
}

impl Drop for Layer {
    fn drop(&mut self) {
        for mounted in &self.0 {
            let _ = Command::new("umount").arg("--lazy").arg(mounted).status();
        }
    }
}

fn mount(arguments: &[&str], place: &Path) {
    let done = Command::new("mount").args(arguments).arg(place).status();
    assert!(done.is_ok_and(|status| status.success()), "{} cannot be mounted", place.display());
}

impl<'h> Machine<'h> {
    /// Boots a Debian with hookvisor and its guests, of which none runs.
    #[track_caller]
    pub fn boot(host: &'h Host) -> Self {
        let vmid = host.next_vmid();
        let id = vmid.to_string();
        let create = ["create", &id, &host.template(), "--ostype", "unmanaged", "--hostname", "pve1"];
        let options =
            ["--rootfs", "local:0", "--memory", "2048", "--unprivileged", "0", "--features", "nesting=1"];
        host.pct([&create[..], &options].concat()).ok();
        let guest = host.adopt(Kind::Container, vmid);
        let root = host.at(&format!("var/lib/vz/images/{id}/subvol-{id}-disk-0.subvol"));
        let layer = Layer::mount(host.scratch().join(format!("layer-{id}")), &root);
        furnish(&root);
        let machine = Self { host, guest, root, _layer: layer };
        machine.guest.start().ok();
        machine.wait_up();
        machine.install(OLD).ok();
        machine.run(&format!(
            "qm create {VM} --name tiny --memory 16 --kvm 0 --vga none --ide0 local:{VM}/vm-{VM}-disk-0.raw \
                --boot order=ide0 --hookscript local:snippets/hook --startup order=1,up=0 --onboot 1
             pct create {CT} local:vztmpl/busybox.tar.gz --ostype unmanaged --rootfs local:0 --memory 64 --swap 0 \
                --unprivileged 0 --hookscript local:snippets/hook --startup order=2 --onboot 1"
        ));
        machine
    }

    /// A path in the machine, as it is on this host.
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Runs lines of shell in the machine, up to the first that fails.
    #[track_caller]
    pub fn try_run(&self, lines: &str) -> Output {
        let path = "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        self.guest.exec(&["/usr/bin/env", "-i", path, "HOME=/root", "/bin/sh", "-ec", lines])
    }

    /// The same, which must go well; returns what it prints.
    #[track_caller]
    pub fn run(&self, lines: &str) -> String {
        self.try_run(lines).ok().out().trim_end().to_owned()
    }

    /// The calls that the hook noted since the last time.
    pub fn notes(&self) -> Vec<String> {
        let path = self.at("/var/log/notes");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        text.lines().map(str::to_owned).collect()
    }

    /// What the hook does in that phase from now on, beside its note.
    pub fn on(&self, guest: u32, phase: &str, lines: &str) {
        fs::write(self.at(&format!("/root/{guest}.{phase}")), lines).expect("a file can be written");
    }

    /// The main process of a guest's keeper, in the machine's numbers.
    #[track_caller]
    pub fn keeper(&self, guest: u32) -> u32 {
        let pid = self.run(&format!("systemctl show -p MainPID --value hookvisor-keeper@{guest}"));
        pid.parse().unwrap_or_else(|_| panic!("'{pid}' is no pid"))
    }

    /// Waits until the host is up, with all that belongs to its boot.
    #[track_caller]
    pub fn wait_up(&self) {
        let mut last = String::new();
        let up = wait::until_quietly(|| {
            let output = self.try_run("systemctl is-system-running || true");
            last = output.describe();
            (output.out().trim() == "running").then_some(())
        });
        if up.is_none() {
            let failed = self
                .try_run("systemctl --failed; systemctl list-jobs; journalctl -b --no-pager | tail -n 60");
            panic!("the machine does not come up: {last}\n{}", failed.describe());
        }
    }

    /// Reboots the machine and waits until it is up again.
    #[track_caller]
    pub fn reboot(&self) {
        self.run("touch /run/before; systemctl reboot --no-block");
        wait::until("the machine's next boot", || {
            self.try_run("! [ -e /run/before ] && systemctl is-active basic.target")
                .out()
                .contains("active")
                .then_some(())
        });
        self.wait_up();
    }

    /// Switches the machine off and waits until it is.
    #[track_caller]
    pub fn power_off(&self) {
        self.run("systemctl poweroff --no-block");
        self.guest.wait_status("stopped");
    }

    /// Waits until the hook has noted something.
    #[track_caller]
    pub fn wait_noted(&self, line: &str) {
        wait::until(&format!("'{line}' among the notes"), || {
            let text = fs::read_to_string(self.at("/var/log/notes")).unwrap_or_default();
            text.lines().any(|noted| noted == line).then_some(())
        });
    }

    /// Waits until both guests would hear that they shall shut down.
    #[track_caller]
    pub fn wait_guests_booted(&self) {
        let id = self.guest.id();
        let path = format!("/nodes/{NODE}/lxc/{id}/status/current");
        let status = self.host.run("pvesh", ["get", &path, "--output-format", "json"]).ok();
        let status: serde_json::Value = serde_json::from_str(&status.out()).expect("a status is JSON");
        let pid = status["pid"]
            .as_u64()
            .or_else(|| status["pid"].as_str()?.parse().ok())
            .expect("a machine that runs has a pid");
        let socket = PathBuf::from(format!("/proc/{pid}/root/run/qemu-server/{VM}.qmp"));
        let mut monitor = Monitor::connect(&socket);
        wait::until("the power button to be enabled", || {
            monitor.port(0x602).filter(|enabled| *enabled == 0x100)
        });
        wait::until("the init's traps", || {
            self.try_run(&format!("pct exec {CT} -- cat /run/up")).status.success().then_some(())
        });
    }

    /// Installs, upgrades or downgrades to this version, with systemd at work.
    #[track_caller]
    pub fn install(&self, (_, file): (&str, &str)) -> Output {
        fs::copy(packages().join(file), self.at(file)).expect("the package can be copied");
        let output = self.try_run(&format!("dpkg --force-unsafe-io --install /{file}"));
        fs::remove_file(self.at(file)).expect("a file can be removed");
        output
    }

    /// Unpacks the tarball as the page about installing says.
    #[track_caller]
    pub fn unpack_tarball(&self) {
        let is_tarball = |path: &PathBuf| path.to_string_lossy().ends_with("-linux.tar.xz");
        let files = fs::read_dir(packages()).expect("a folder").flatten().map(|entry| entry.path());
        let tarball = files.into_iter().find(is_tarball).expect("a tarball");
        fs::copy(tarball, self.at("/root/hookvisor-0-linux.tar.xz")).expect("the tarball can be copied");
        self.run("cd /root; tar --extract --file hookvisor-*-linux.tar.xz --strip-components=1 --directory /usr/local; hookvisor init --fix");
    }
}

/// Puts there what the guests are made of, and what the machine itself needs in a container.
fn furnish(root: &Path) {
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
        fs::write(path, text).expect("a file can be written");
    };
    // The package names the node after it.
    write("etc/hostname", "pve1\n");
    write("etc/systemd/system/controllers.service", CONTROLLERS);
    // It outlasts a reboot.
    write("etc/systemd/journald.conf.d/persistent.conf", "[Journal]\nStorage=persistent\n");
    let wants = root.join("etc/systemd/system/sysinit.target.wants");
    fs::create_dir_all(&wants).expect("a folder can be made");
    symlink("/etc/systemd/system/controllers.service", wants.join("controllers.service"))
        .expect("a link can be made");
    write("var/lib/vz/snippets/hook", HOOK);
    fs::set_permissions(root.join("var/lib/vz/snippets/hook"), fs::Permissions::from_mode(0o755))
        .expect("a mode can be set");
    write("var/lib/vz/template/cache/.keep", "");
    template::write(&root.join("var/lib/vz/template/cache/busybox.tar.gz"));
    let images = root.join(format!("var/lib/vz/images/{VM}"));
    fs::create_dir_all(&images).expect("a folder can be made");
    tiny_vm::write_image(&images.join(format!("vm-{VM}-disk-0.raw")), &Behaviour::Obeys)
        .expect("an image can be written");
}
