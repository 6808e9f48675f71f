//! The ground that real containers stand on: a root of its own, a bridge, a template of busybox.

use config::Section;
use lxc::cgroup::{Cgroups, Names};
use lxc::create::{Create, Template, create};
use lxc::end::Init;
use lxc::{
    LxcConfig, Paths, Signal, Signals, Source, Target, Tools, configuration, facts, launch, start_errors,
};
use model::{Layout, ProcessId, Vmid, VolumeId};
use std::convert::Infallible;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub(crate) const PLAIN: &str = "hostname: ct200\nmemory: 64\nrootfs: local:200/subvol-200-disk-0.subvol\n";
pub(crate) const IMAGE: &str =
    "# facts: image\nhostname: ct200\nmemory: 64\nrootfs: local:200/vm-200-disk-0.raw\n";

const INIT: &str = "#!/bin/sh
trap 'exit 0' PWR
trap 'exit 0' 39
trap 'reboot -f' INT
while :; do
  sleep 0.05 & wait $!
  [ -e /tmp/poweroff ] && rm /tmp/poweroff && exec poweroff -f
  [ -e /tmp/reboot ] && rm /tmp/reboot && exec reboot -f
done
";

pub(crate) struct Ground {
    folder: tempfile::TempDir,
    pub(crate) tools: Tools,
    bridge: Option<String>,
    disk: Option<String>,
}

pub(crate) struct Guest<'a> {
    ground: &'a Ground,
    pub(crate) vmid: Vmid,
    pub(crate) main: Section,
    pub(crate) volume: Source,
    pub(crate) paths: Paths,
    made: Option<LxcConfig>,
    running: Option<(Child, Signals, Init)>,
    /// Whether its init is known to have executed its program.
    executed: bool,
}

/// Waits until an init has ended.
pub(crate) fn await_end(init: &Init) {
    let limit = rustix::event::Timespec { tv_sec: 20, tv_nsec: 0 };
    let mut polled = [rustix::event::PollFd::new(init.pidfd(), rustix::event::PollFlags::IN)];
    assert_eq!(rustix::event::poll(&mut polled, Some(&limit)), Ok(1), "init does not end");
}

/// The golden configurations that are not refused.
pub(crate) fn goldens() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut found: Vec<(String, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "conf"))
        .filter(|path| !fs::read_to_string(path.with_extension("lxc")).unwrap().starts_with("# refused"))
        .map(|path| {
            (path.file_stem().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap())
        })
        .collect();
    found.sort();
    found
}

fn run(program: &str, arguments: &[&str]) -> bool {
    let status = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

impl Ground {
    pub(crate) fn lay() -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("needs root".to_owned());
        }
        let tools = Tools::find().map_err(|error| error.to_string())?;
        let busybox = Path::new("/bin/busybox");
        if !busybox.exists() || !run("busybox", &["true"]) {
            return Err("needs the package busybox-static".to_owned());
        }
        if let Some(missing) = lxc::subid::missing(Path::new("/etc")).first() {
            return Err(missing.to_string());
        }
        let folder =
            tempfile::Builder::new().prefix("hookvisor lxc ").tempdir().map_err(|error| error.to_string())?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let base = folder.path().join("base");
        for path in ["bin", "sbin", "dev", "etc", "proc", "sys", "tmp", "root", "run", "mnt"] {
            fs::create_dir_all(base.join(path)).unwrap();
        }
        fs::copy(busybox, base.join("bin/busybox")).unwrap();
        for name in ["sh", "sleep", "rm", "poweroff", "reboot", "touch", "cat", "stat", "grep"] {
            symlink("busybox", base.join("bin").join(name)).unwrap();
        }
        for (path, text, mode) in [
            ("sbin/init", INIT, 0o755),
            ("bin/my prog", INIT, 0o755),
            ("etc/shadow", "root:*:19000::::::\n", 0o640),
        ] {
            fs::write(base.join(path), text).unwrap();
            fs::set_permissions(base.join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        std::os::unix::fs::chown(base.join("etc/shadow"), Some(0), Some(42)).unwrap();
        let bridge = format!("hvt{}", std::process::id());
        let bridge = run("ip", &["link", "add", &bridge, "type", "bridge"]).then_some(bridge);
        if let Some(bridge) = &bridge {
            // Not every kernel can.
            let _ = fs::write(format!("/sys/class/net/{bridge}/bridge/vlan_filtering"), "1");
        }
        let image = folder.path().join("disk.raw");
        fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
        let formatted = run("mkfs.ext4", &["-q", image.to_str().unwrap()]);
        let disk = Command::new("losetup").args(["--find", "--show"]).arg(&image).output().ok();
        let disk = disk.filter(|disk| formatted && disk.status.success());
        let disk = disk.map(|disk| String::from_utf8_lossy(&disk.stdout).trim().to_owned());
        Ok(Self { folder, tools, bridge, disk })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn base(&self) -> &'static Path {
        // Leaked once a run, so that requests can borrow it for as long as they like.
        Box::leak(self.folder.path().join("base").into_boxed_path())
    }

    /// Why a configuration cannot run on this host.
    pub(crate) fn cannot(&self, raw: &str) -> Option<&'static str> {
        let cgroups = Cgroups::probe().unwrap();
        let unified = cgroups.controller("memory") == Some(lxc::cgroup::Version::V2);
        let first = raw.lines().next().unwrap_or_default();
        if first.starts_with("# facts:") && first.contains("v2") && !unified {
            return Some("needs control groups of version 2");
        }
        if !first.contains("v2") && unified && raw.contains("cgroup2") {
            return Some("needs control groups of version 1");
        }
        if raw.contains("bridge=") && self.bridge.is_none() {
            return Some("cannot make a bridge");
        }
        if raw.contains("lxc.idmap: u 0 200000 65536") {
            let allowed =
                fs::read_to_string("/etc/subuid").is_ok_and(|text| text.contains("root:200000:65536"));
            if !allowed && Path::new("/usr/bin/newuidmap").exists() {
                return Some("root may not map the ids 200000 to 265535");
            }
        }
        let bridge = self.bridge.as_deref().unwrap_or("lo");
        if raw.contains("tag=")
            && !Path::new(&format!("/sys/class/net/{bridge}/bridge/vlan_filtering")).exists()
        {
            return Some("this kernel's bridges do not filter VLANs");
        }
        if raw.contains("rate=") && !police(bridge) {
            return Some("this kernel cannot police traffic");
        }
        if (raw.contains("/dev/sdb1") || raw.contains("/dev/sdc")) && self.disk.is_none() {
            return Some("cannot make a loop device");
        }
        if raw.contains("fuse=1") && !Path::new("/dev/fuse").exists() {
            return Some("this kernel has no FUSE");
        }
        None
    }

    /// A container with the root file system of busybox.
    pub(crate) fn guest(&self, vmid: Vmid, raw: &str) -> Guest<'_> {
        let guest = self.empty_guest(vmid, raw, raw.starts_with("# facts: image"));
        let request = Create {
            vmid,
            main: &guest.main,
            template: Template::Folder(self.base()),
            volume: &guest.volume,
            password: None,
            ssh_keys: None,
            ignore_unpack_errors: false,
        };
        create(&request, &self.tools, &mut |_| {}).unwrap();
        // A map of its own has its own first id.
        if guest.main.lxc.iter().any(|(_, value)| value == "u 0 200000 65536") {
            run("chown", &["-R", "-h", "200000:200000", guest.path().to_str().unwrap()]);
        }
        guest
    }

    /// A container with an empty volume.
    pub(crate) fn empty_guest(&self, vmid: Vmid, raw: &str, image: bool) -> Guest<'_> {
        let disk = self.disk.as_deref().unwrap_or("/dev/null");
        let raw = raw
            .replace("vmbr0", self.bridge.as_deref().unwrap_or("vmbr0"))
            .replace("vmbr1", self.bridge.as_deref().unwrap_or("vmbr1"))
            .replace("/srv/it's data", self.folder().join("it's data").to_str().unwrap())
            .replace("/dev/sdb1", disk)
            .replace("/dev/sdc", disk);
        fs::create_dir_all(self.folder().join("it's data")).unwrap();
        let layout = Layout::new(self.folder());
        fs::create_dir_all(layout.run_guest(vmid)).unwrap();
        let volumes = layout.at(format!("var/lib/vz/images/{vmid}"));
        let _ = fs::remove_dir_all(&volumes);
        fs::create_dir_all(&volumes).unwrap();
        let make_image = |name: &str, format: bool| {
            let path = volumes.join(name);
            fs::File::create(&path).unwrap().set_len(16 << 20).unwrap();
            assert!(!format || run("mkfs.ext4", &["-q", path.to_str().unwrap()]));
            path
        };
        let volume = if image {
            Source::Image(make_image("rootfs.raw", false))
        } else {
            let path = volumes.join("rootfs");
            fs::create_dir(&path).unwrap();
            Source::Folder(path)
        };
        make_image("mp.raw", true);
        let main = crate::parse::parse(&raw);
        Guest {
            ground: self,
            vmid,
            main,
            volume,
            paths: Paths::new(&layout, vmid),
            made: None,
            running: None,
            executed: false,
        }
    }
}

fn police(bridge: &str) -> bool {
    let filter =
        "filter add dev BR parent ffff: protocol all prio 50 basic police rate 1000bps burst 10000b drop";
    let filter: Vec<String> = filter.replace("BR", bridge).split(' ').map(str::to_owned).collect();
    let filter: Vec<&str> = filter.iter().map(String::as_str).collect();
    let able =
        run("tc", &["qdisc", "add", "dev", bridge, "handle", "ffff:", "ingress"]) && run("tc", &filter);
    run("tc", &["qdisc", "del", "dev", bridge, "ingress"]);
    able
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Some(bridge) = &self.bridge {
            run("ip", &["link", "delete", bridge]);
        }
        if let Some(disk) = &self.disk {
            run("losetup", &["--detach", disk]);
        }
    }
}

impl Guest<'_> {
    fn path(&self) -> &PathBuf {
        let (Source::Folder(path) | Source::Image(path) | Source::Device(path)) = &self.volume;
        path
    }

    pub(crate) fn volume(&self) -> Source {
        self.volume.clone()
    }

    fn launch(&mut self) -> (Child, Signals, (ProcessId, OwnedFd)) {
        let layout = Layout::new(self.ground.folder());
        let root = self.path().clone();
        let mount_point = root.parent().unwrap().join("mp.raw");
        let resolve = |volume: &VolumeId| -> Result<PathBuf, Infallible> {
            Ok(if volume.name().contains("disk-1") { mount_point.clone() } else { root.clone() })
        };
        let facts = facts(&layout, &self.main, resolve).unwrap();
        let made = configuration(&self.main, self.vmid, &facts).unwrap();
        made.write().unwrap();
        let signals = Signals::create(&self.paths).unwrap();
        for file in [&self.paths.log, &self.paths.hook_errors] {
            let _ = fs::remove_file(file);
        }
        let launch = launch(&self.ground.tools, &self.paths, self.vmid, false);
        // As the keeper does: init could not trap what the caller of these tests ignores, as a background job does.
        let child = Command::new("/usr/bin/env")
            .arg("--default-signal")
            .arg(&launch.program)
            .args(&launch.argv[1..])
            .env_clear()
            .envs(launch.env.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        self.made = Some(made);
        let id = process::lookup(child.id()).unwrap();
        (child, signals, (id, process::open(id).unwrap()))
    }

    /// Waits for a report, or for the end of lxc-start.
    fn next(&self, child: &mut Child, signals: &mut Signals) -> Option<Signal> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(signal) = signals.read().unwrap().into_iter().next() {
                return Some(signal);
            }
            if child.try_wait().unwrap().is_some() {
                return signals.read().unwrap().into_iter().next();
            }
            assert!(Instant::now() < deadline, "no report: {:?}", start_errors(&self.paths));
            let fd = signals.fd();
            let mut polled = [rustix::event::PollFd::from_borrowed_fd(fd, rustix::event::PollFlags::IN)];
            let wait = rustix::event::Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
            rustix::event::poll(&mut polled, Some(&wait)).unwrap();
        }
    }

    pub(crate) fn start(&mut self) {
        let monitor = self.start_early();
        let executed = self.init().await_exec(&monitor, Duration::from_secs(20));
        assert!(executed, "{:#?}", start_errors(&self.paths));
        self.executed = true;
    }

    /// Starts it and is back as soon as LXC has reported it.
    pub(crate) fn start_early(&mut self) -> (ProcessId, OwnedFd) {
        let (mut child, mut signals, monitor) = self.launch();
        let signal = self.next(&mut child, &mut signals);
        let Some(Signal::Started { init_pid }) = signal else {
            let text = &self.made().text;
            panic!("{signal:?}: {:#?}\n{text}", start_errors(&self.paths));
        };
        let init = Init::open(init_pid).expect("an init");
        assert_eq!(
            lxc::end::find_init(process::lookup(child.id()).unwrap()).map(|init| init.process),
            Some(init.process)
        );
        self.running = Some((child, signals, init));
        self.executed = false;
        monitor
    }

    /// Waits until init listens to a signal: before that it is lost on it, as on every process with pid 1.
    pub(crate) fn await_init(&self, signal: i32) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let status = fs::read_to_string(format!("/proc/{}/status", self.init().process.pid)).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            if u64::from_str_radix(caught.trim(), 16).unwrap() & (1 << (signal - 1)) != 0 {
                return;
            }
            assert!(Instant::now() < deadline, "init does not listen:\n{status}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn start_fails(&mut self) -> Signal {
        let (mut child, mut signals, monitor) = self.launch();
        let mut last = self.next(&mut child, &mut signals).expect("a report");
        if let Signal::Started { init_pid } = last {
            let init = Init::open(init_pid);
            assert!(
                !init.is_some_and(|init| init.await_exec(&monitor, Duration::from_secs(20))),
                "it was executed"
            );
            last = self.next(&mut child, &mut signals).expect("a second report");
        }
        assert!(!child.wait().unwrap().success());
        let (cgroups, names) = self.cgroups();
        cgroups.remove(&names, Duration::from_secs(10)).unwrap();
        last
    }

    pub(crate) fn init(&self) -> &Init {
        &self.running.as_ref().expect("it runs").2
    }

    pub(crate) fn made(&self) -> &LxcConfig {
        self.made.as_ref().expect("it was launched")
    }

    pub(crate) fn cgroups(&self) -> (Cgroups, Names) {
        (Cgroups::probe().unwrap(), Names::new(&Layout::new(self.ground.folder()), self.vmid))
    }

    pub(crate) fn inside(&self, command: &[&str]) -> Output {
        let argv = lxc::attach(&self.ground.tools, &self.paths, self.vmid, &lxc::Attach::default(), command);
        Command::new(&argv[0]).args(&argv[1..]).stdin(Stdio::null()).output().unwrap()
    }

    /// Kills lxc-start; returns the init that it leaves to the kernel.
    pub(crate) fn kill_monitor(&mut self) -> Init {
        let (mut child, _, init) = self.running.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
        init
    }

    /// Waits for the end and checks that nothing is left.
    pub(crate) fn finish(&mut self) -> Target {
        let (mut child, mut signals, init) = self.running.take().expect("it runs");
        let monitor = process::open(process::lookup(child.id()).unwrap());
        let ended = monitor.is_none_or(|monitor| {
            lxc::end::await_monitor(monitor, &init, self.executed, Duration::from_secs(20))
        });
        assert!(ended, "lxc-start does not end: {:?}", start_errors(&self.paths));
        let status = child.wait().unwrap();
        let signal = signals.read().unwrap().pop();
        let (cgroups, names) = self.cgroups();
        let groups = cgroups.remove(&names, Duration::from_secs(10)).unwrap();
        assert!(groups == 0 || !status.success(), "LXC left control groups");
        lxc::end::remove_interfaces(&self.made().interfaces);
        assert!(!process::alive(init.process));
        self.assert_nothing_left();
        match signal {
            Some(Signal::Stopped { target }) => target,
            // Killed, as it had not noticed the end of its init.
            None if !status.success() => Target::Stop,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn assert_nothing_left(&self) {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let lxc = self.paths.lxc.to_string_lossy().replace(' ', "\\040");
        assert!(!mounts.contains(&lxc), "{mounts}");
        for name in self.made.iter().flat_map(|made| &made.interfaces) {
            assert!(!Path::new("/sys/class/net").join(name).exists(), "{name}");
        }
        // The kernel releases a loop device when the last namespace that mounts it is gone, a moment after the last process.
        let deadline = Instant::now() + Duration::from_secs(5);
        let volumes = self.path().parent().unwrap().to_string_lossy().into_owned();
        loop {
            let loops = Command::new("losetup")
                .args(["--all", "--noheadings", "--output", "BACK-FILE"])
                .output()
                .unwrap();
            let loops = String::from_utf8_lossy(&loops.stdout).into_owned();
            if !loops.contains(&format!("{volumes}/")) {
                break;
            }
            assert!(Instant::now() < deadline, "{loops}");
            std::thread::yield_now();
        }
        let (cgroups, names) = self.cgroups();
        assert!(cgroups.groups(&names).is_empty());
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        if let Some((mut child, _, init)) = self.running.take() {
            init.kill();
            let _ = child.wait();
        }
    }
}
