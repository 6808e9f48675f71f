//! The world of a life: a root that is laid out, with a guest, a script, and hardware to be found.

use super::job::{Job, What};
use super::sandbox::{PLACE, World};
use super::scenery::{self, LAID};
use super::{Life, kernel, tools};
use ::config::GuestConfig;
use hooks::conf::HooksConf;
use keeper::simulation::{self, Plan};
use model::{GuestKind, Layout, NodeName, Vmid};
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use store::ConfigStore;

/// The node's name.
const NODE: &str = "pve1";

/// What looks like a secret, and is none.
const SECRETS: [&str; 4] =
    ["etc/shadow", "root/.ssh/id_ed25519", "etc/pve/priv/authkey.key", "etc/pve/priv/token.cfg"];

/// Values of the kernel's tree that scripts read and write.
const VALUES: [(&str, &str); 16] = [
    ("bus/pci/devices/0000:01:00.0/vendor", "0x10de"),
    ("bus/pci/devices/0000:01:00.0/device", "0x2204"),
    ("bus/pci/devices/0000:01:00.0/class", "0x030000"),
    ("bus/pci/devices/0000:01:00.0/power/control", "auto"),
    ("bus/pci/devices/0000:01:00.1/vendor", "0x10de"),
    ("bus/pci/devices/0000:01:00.1/device", "0x1aef"),
    ("bus/pci/devices/0000:01:00.1/class", "0x040300"),
    ("bus/pci/devices/0000:02:00.0/vendor", "0x8086"),
    ("bus/pci/devices/0000:02:00.0/device", "0x1533"),
    ("bus/pci/devices/0000:02:00.0/class", "0x020000"),
    ("bus/usb/devices/1-1/idVendor", "046d"),
    ("bus/usb/devices/1-1/idProduct", "c52b"),
    ("devices/system/cpu/online", "0-3"),
    ("devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave"),
    ("devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave"),
    ("kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0"),
];

/// A world that is laid out.
pub(super) struct Laid {
    pub(super) layout: Layout,
    pub(super) store: ConfigStore,
    pub(super) kind: GuestKind,
    /// The guest, and the second one where there are two.
    pub(super) vmids: Vec<Vmid>,
    /// The script's file.
    pub(super) script: PathBuf,
    /// What looks like a secret, and is none.
    pub(super) secrets: Vec<PathBuf>,
    /// The parameters that were given one by one.
    pub(super) params: Vec<(String, String)>,
    /// Whether it is all the life's own.
    pub(super) own: bool,
    /// Whether something else is called in the script's place at first.
    pub(super) replaced: bool,
}

impl Laid {
    pub(super) fn out(job: &Job) -> io::Result<Self> {
        let layout = Layout::new(&job.root);
        let own = layout.is_host();
        if own {
            files(&layout)?;
            links()?;
            hardware()?;
        }
        let node: NodeName = NODE.parse().map_err(io::Error::other)?;
        store::init_root(&layout, &node).map_err(io::Error::other)?;
        for path in SECRETS.iter().filter(|_| own) {
            write(&layout.at(path), "simulated\n", 0o600)?;
        }
        let given = Path::new(PLACE).join(LAID);
        if own && given.is_dir() {
            scenery::lay(&given, &job.modes)?;
        }
        let script = layout.at("var/lib/vz/snippets").join(&job.name);
        fs::copy(&job.script, &script)?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o644 | mode(&job.script)? & 0o111))?;
        let store = ConfigStore::open(layout.clone()).map_err(io::Error::other)?;
        let vmid: Vmid = job.vmid.try_into().map_err(io::Error::other)?;
        let is_given = |path: &str| job.modes.iter().any(|(given, _)| given == Path::new(path));
        let secrets =
            SECRETS.iter().filter(|path| own && !is_given(path)).map(|path| layout.at(path)).collect();
        let mut laid = Self {
            layout,
            store,
            kind: job.kind,
            vmids: vec![vmid],
            script,
            secrets,
            params: job.params.clone(),
            own,
            replaced: matches!(job.what, What::Life(Life::HungHook)),
        };
        let (life, files) = match &job.what {
            What::Life(life) => (*life, &[][..]),
            What::Call(call) => (Life::Normal, &call.files[..]),
        };
        for (path, text) in files.iter().filter(|(path, _)| !path.contains("..")) {
            write(&laid.layout.at(path), text, 0o600)?;
        }
        if life == Life::TwoGuests {
            laid.vmids.push((job.vmid + 1).try_into().map_err(io::Error::other)?);
        }
        for vmid in laid.vmids.clone() {
            let text = configured(job, life, vmid);
            fs::write(laid.layout.guest_config(&node, job.kind, vmid), text)?;
        }
        let conf = job.hooks_conf.as_deref().unwrap_or_default();
        let mut conf = HooksConf::parse(conf.as_bytes()).map_err(|(_, reason)| io::Error::other(reason))?;
        if laid.replaced {
            laid.hang(&mut conf)?;
        }
        if conf != HooksConf::default() {
            write(&laid.layout.hooks_conf(), &conf.to_string(), 0o644)?;
        }
        if own && job.world == World::Pve {
            for vmid in &laid.vmids {
                write(&Path::new(tools::OWN).join(vmid.to_string()), "", 0o644)?;
            }
        }
        let plan = Plan { guests: [(job.vmid, life.conduct())].into() };
        simulation::lay_down(&laid.layout, &plan)?;
        if own {
            laid.network();
        }
        Ok(laid)
    }

    /// The guest's configuration as it is now.
    pub(super) fn config(&self, vmid: Vmid) -> Result<GuestConfig, String> {
        self.store.read(self.kind, vmid).map_err(|error| error.to_string())
    }

    /// Folders that are looked at for what is left, and those within that are hookvisor's own affair.
    pub(super) fn folders(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let at = |path: &&str| self.layout.at(path);
        let all = if self.own {
            ["etc", "run", "var", "tmp", "root", "home", "mnt", "srv", "dev/shm"].iter().map(at).collect()
        } else {
            vec![self.layout.root().to_owned()]
        };
        let own = [
            "run/hookvisor",
            "var/lib/hookvisor",
            "var/log/pve",
            "var/log/hookvisor",
            "run/lock/qemu-server",
            "run/lock/lxc",
            "var/lock/qemu-server",
            "var/lib/lxc",
            "etc/hookvisor",
        ];
        let mut own: Vec<PathBuf> = own.iter().map(at).collect();
        own.extend(self.replaced.then(|| self.script.clone()));
        for vmid in &self.vmids {
            let ends = ["pid", "qmp", "qga", "qga.lock"];
            own.extend(ends.map(|end| self.layout.run_qemu_file(*vmid, end)));
        }
        (all, own)
    }

    /// Puts something in the script's place that stops itself in `pre-start`, as a script does whose storage hangs. By then it
    /// has put the script back, which the calls after that one are of.
    fn hang(&self, conf: &mut HooksConf) -> io::Result<()> {
        // The limit is that of the first call alone: whoever hangs puts the real settings in place.
        let kept = self.layout.run().join("simulated-hooks.conf");
        write(&kept, &conf.to_string(), 0o600)?;
        conf.guests.values_mut().for_each(|set| set.timeout = None);
        conf.host.timeout = Some(Duration::from_secs(1));
        let settings = hooks::settings::parse(&fs::read(&self.script)?).unwrap_or_default();
        let params: Vec<String> = settings
            .params
            .iter()
            .map(|(name, value)| format!("# hookvisor: params={name}=\"{value}\"\n"))
            .collect();
        let real = self.layout.run().join("simulated-script");
        fs::copy(&self.script, &real)?;
        let text = format!(
            "#!/bin/sh\n{}cat '{}' >'{}'\nmv -f '{}' '{}'\nkill -STOP $$\n",
            params.concat(),
            kept.display(),
            self.layout.hooks_conf().display(),
            real.display(),
            self.script.display()
        );
        write(&self.script, &text, 0o755)
    }

    /// From now on the guest comes up.
    pub(super) fn let_come_up(&self) {
        // What comes of a plan that cannot be written is on the timeline.
        let _ = simulation::lay_down(&self.layout, &Plan::default());
    }

    /// The bridges that the guest's interfaces are on.
    fn network(&self) {
        ip(&["link", "set", "lo", "up"]);
        let mut bridges = vec!["vmbr0".to_owned()];
        for vmid in &self.vmids {
            let Ok(config) = self.config(*vmid) else { continue };
            let named = config.main.indexed("net").filter_map(|(_, value)| {
                value.split(',').find_map(|part| part.strip_prefix("bridge=")).map(str::to_owned)
            });
            bridges.extend(named);
        }
        bridges.sort();
        bridges.dedup();
        for bridge in bridges {
            ip(&["link", "add", &bridge, "type", "bridge"]);
            ip(&["link", "set", &bridge, "up"]);
        }
    }
}

fn ip(words: &[&str]) {
    let _ = Command::new("ip")
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

fn mode(path: &Path) -> io::Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode())
}

fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// What a small Debian has in `/etc`, `/run` and `/var`.
fn files(layout: &Layout) -> io::Result<()> {
    for folder in ["run/lock", "run/mount", "var/tmp", "var/log", "var/cache", "var/lib", "root", "home"] {
        fs::create_dir_all(layout.at(folder))?;
    }
    fs::set_permissions("/tmp", fs::Permissions::from_mode(0o1777))?;
    for (link, target) in [("var/run", "/run"), ("var/lock", "/run/lock"), ("etc/mtab", "/proc/self/mounts")]
    {
        symlink(target, layout.at(link))?;
    }
    let texts = [
        (
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
        ),
        ("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
        ("etc/hostname", "pve1\n"),
        ("etc/hosts", "127.0.0.1 localhost\n192.0.2.1 pve1\n"),
        ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
        ("etc/os-release", "PRETTY_NAME=\"A simulated Debian\"\nID=debian\n"),
    ];
    texts.iter().try_for_each(|(path, text)| write(&layout.at(path), text, 0o644))
}

/// The programs of this world before those of the host.
fn links() -> io::Result<()> {
    let (place, sbin) = (Path::new(PLACE), Path::new("/usr/sbin"));
    let program = place.join("hookvisor");
    let own = ["hookvisor", "qm", "pct", "pvesh", "pvesm"];
    for name in own.iter().chain(&tools::NAMES) {
        symlink(&program, sbin.join(name))?;
    }
    // On a host that is a Proxmox VE, without the program by which that is seen.
    for (from, to) in [("sbin", sbin), ("bin", Path::new("/usr/bin"))] {
        for entry in fs::read_dir(place.join(from))?.flatten().filter(|entry| entry.file_name() != "pmxcfs") {
            let name = to.join(entry.file_name());
            if fs::symlink_metadata(&name).is_err()
                && !tools::NAMES.iter().any(|tool| entry.file_name() == *tool)
            {
                symlink(entry.path(), name)?;
            }
        }
    }
    if fs::read_dir(place.join("bin"))?.next().is_some() {
        for name in tools::NAMES {
            symlink(&program, Path::new("/usr/bin").join(name))?;
        }
    }
    Ok(())
}

/// Devices and values below `/sys`.
fn hardware() -> io::Result<()> {
    let sys = Path::new("/sys");
    for (path, value) in VALUES {
        write(&sys.join(path), &format!("{value}\n"), 0o644)?;
    }
    for (number, devices) in [(1, &["0000:01:00.0", "0000:01:00.1"][..]), (2, &["0000:02:00.0"])] {
        let group = sys.join(format!("kernel/iommu_groups/{number}"));
        fs::create_dir_all(group.join("devices"))?;
        for device in devices {
            let folder = sys.join("bus/pci/devices").join(device);
            symlink(&group, folder.join("iommu_group"))?;
            symlink(&folder, group.join("devices").join(device))?;
        }
    }
    kernel::serve()
}

/// The text of a guest's configuration, with the script in it.
fn configured(job: &Job, life: Life, vmid: Vmid) -> String {
    let usual = match job.kind {
        GuestKind::Qemu => format!(
            "agent: 1\nboot: order=scsi0\ncores: 2\nmemory: 2048\nname: web\nnet0: virtio=BC:24:11:00:00:{:02X},bridge=vmbr0\nostype: l26\nscsi0: local:{vmid}/vm-{vmid}-disk-0.raw,size=4G\nscsihw: virtio-scsi-pci\n",
            vmid.get() % 256
        ),
        GuestKind::Lxc => format!(
            "arch: amd64\ncores: 1\nhostname: web\nmemory: 512\nnet0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:{:02X},ip=dhcp,type=veth\nostype: debian\nrootfs: local:{vmid}/vm-{vmid}-disk-0.raw,size=4G\nswap: 512\nunprivileged: 1\n",
            vmid.get() % 256
        ),
    };
    let text = job.config.as_deref().unwrap_or(&usual);
    let mut main = true;
    let kept = text.lines().filter(|line| {
        main &= !line.starts_with('[');
        !(main
            && (line.starts_with("hookscript:")
                || line.starts_with("lock:")
                || line.starts_with("template:")))
    });
    let mut lines = vec![format!("hookscript: local:snippets/{}", job.name)];
    if life == Life::Refused {
        lines.push("lock: backup".to_owned());
    }
    lines.extend(kept.map(str::to_owned));
    lines.join("\n") + "\n"
}
