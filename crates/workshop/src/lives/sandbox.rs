//! The sandbox, from outside: bubblewrap with a root of its own, in which this program plays a life.
//!
//! Of the host there is what programs and interpreters need, to be read only. Everything else is in memory, of a limited
//! size, and gone afterwards. There is no network but one of its own, no other process, and whoever is root inside is
//! nobody outside.

use super::job::{Job, Limits, OneCall, What};
use super::scenery::{Given, Scenery, SceneryError};
use super::{Life, Played};
use model::GuestKind;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use tempfile::TempDir;

/// Where the program, the script and the host's own `/usr/sbin` are inside.
pub(super) const PLACE: &str = "/opt/hookvisor";

/// How much later than the life itself the sandbox is ended from outside.
const GRACE: Duration = Duration::from_secs(30);

/// How much is read of what the sandbox tells, in bytes.
const TOLD: u64 = 64 << 20;

/// The first user id, and the number of them, of which a sandbox gets one where root makes it: those of units that systemd
/// invents users for, so that nobody else has it.
const USERS: (u32, u32) = (61_184, 4_336);

/// What there is to be written to inside.
pub(super) const WRITABLE: [&str; 10] =
    ["/etc", "/run", "/var", "/tmp", "/root", "/home", "/mnt", "/srv", "/sys", "/dev/shm"];

/// Where hookvisor's own record is, which no journal takes here, and how many bytes there are for it: a file and an older one.
pub(super) const RECORD: &str = "/var/log/hookvisor";
const RECORD_SIZE: &str = "201326592";

/// What of `/etc` programs and interpreters cannot do without.
const NEEDED: [&str; 8] = [
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/perl",
    "/etc/python3",
    "/etc/terminfo",
];

/// Who calls the script.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum World {
    /// hookvisor.
    #[default]
    Hookvisor,
    /// Proxmox VE, as far as a script can tell.
    Pve,
}

/// How lives are played.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// Who calls the script.
    pub world: World,
    /// Whether it is in a sandbox; without one the script has this host, with all that it may do.
    pub sandbox: bool,
    /// Whether it has the host's network.
    pub network: bool,
    /// The guest's kind; none for that of its configuration, else a virtual machine.
    pub kind: Option<GuestKind>,
    /// The guest's configuration; the file's name is its VMID.
    pub config: Option<PathBuf>,
    /// What the script is given besides.
    pub scenery: Scenery,
    /// What a life may take.
    pub limits: Limits,
    /// The program `hookvisor`; none for the one that runs.
    pub program: Option<PathBuf>,
}

/// Why nothing was played.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A file that cannot be read.
    #[error("cannot read '{}'", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The script's name is none that a snippet can have.
    #[error("'{0}' cannot be the name of a snippet")]
    Name(String),
    /// The configuration's name is no VMID.
    #[error("'{}': the file's name must be a VMID with the ending .conf, as in 100.conf", .0.display())]
    Vmid(PathBuf),
    /// Something that a life's world cannot have.
    #[error(transparent)]
    Scenery(#[from] SceneryError),
    /// No bubblewrap.
    #[error("there is no sandbox: 'bwrap' is not installed (Debian package bubblewrap)")]
    NoBubblewrap,
    /// Its own files cannot be made.
    #[error("cannot make the sandbox's files")]
    Make(#[source] io::Error),
    /// It did not come up, or did not tell.
    #[error("the sandbox failed: {0}")]
    Failed(String),
}

/// Calls a script once in a sandbox, with exactly this environment; there is a guest with the configuration that `setting`
/// names, which runs where the phase is one in which it does.
///
/// # Errors
/// As [`super::test()`].
pub fn call(script: &Path, setting: &Setting, call: OneCall) -> Result<Played, SandboxError> {
    let mut scene = Scene::new(script, setting)?;
    scene.job.vmid = call.vmid;
    scene.run(What::Call(call))
}

/// Where a script is inside.
pub(super) fn place_of(script: &Path) -> String {
    format!("/var/lib/vz/snippets/{}", script.file_name().unwrap_or_default().to_string_lossy())
}

/// A script with all that its sandboxes need.
pub(super) struct Scene {
    folder: TempDir,
    program: PathBuf,
    setting: Setting,
    scenery: Given,
    job: Job,
}

impl Scene {
    pub(super) fn new(script: &Path, setting: &Setting) -> Result<Self, SandboxError> {
        let read = |path: &Path| {
            let failed = |source| SandboxError::Read { path: path.to_owned(), source };
            let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
            Ok::<_, SandboxError>((fs::read(path).map_err(failed)?, mode))
        };
        let (bytes, mode) = read(script)?;
        let name = script.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c)) {
            return Err(SandboxError::Name(name));
        }
        let config = match &setting.config {
            Some(path) => Some(String::from_utf8_lossy(&read(path)?.0).into_owned()),
            None => None,
        };
        let kind = setting.kind.unwrap_or_else(|| config.as_deref().map_or(GuestKind::Qemu, kind_of));
        let vmid = match &setting.config {
            Some(path) => path
                .file_name()
                .and_then(|name| name.to_str()?.strip_suffix(".conf")?.parse::<model::Vmid>().ok())
                .ok_or_else(|| SandboxError::Vmid(path.clone()))?
                .get(),
            None if kind == GuestKind::Lxc => 200,
            None => 100,
        };
        if setting.sandbox && !["/usr/bin/bwrap", "/bin/bwrap"].iter().any(|path| Path::new(path).is_file()) {
            return Err(SandboxError::NoBubblewrap);
        }
        let made = || -> io::Result<(TempDir, PathBuf)> {
            let folder = tempfile::Builder::new().prefix("hookvisor-lives-").tempdir()?;
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
            for name in ["bin", "sbin"] {
                fs::create_dir(folder.path().join(name))?;
            }
            let copy = folder.path().join("script");
            fs::write(&copy, &bytes)?;
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o444 | mode & 0o111))?;
            let own = setting.program.clone().map_or_else(std::env::current_exe, Ok)?;
            let place = folder.path().join("hookvisor");
            let program = if is_open_to_all(&own) {
                fs::write(&place, b"")?;
                own
            } else {
                fs::copy(&own, &place)?;
                fs::set_permissions(&place, fs::Permissions::from_mode(0o755))?;
                place
            };
            Ok((folder, program))
        };
        let (folder, program) = made().map_err(SandboxError::Make)?;
        let scenery = setting.scenery.read(setting, folder.path())?;
        let (root, script) = if setting.sandbox {
            ("/".into(), Path::new(PLACE).join("script"))
        } else {
            (folder.path().join("root"), folder.path().join("script"))
        };
        let job = Job {
            what: What::Life(Life::Normal),
            world: setting.world,
            root,
            script,
            name,
            kind,
            vmid,
            config,
            limits: setting.limits,
            hooks_conf: scenery.conf.as_ref().map(ToString::to_string),
            params: scenery.params.clone(),
            modes: scenery.modes.clone(),
        };
        Ok(Self { folder, program, setting: setting.clone(), scenery, job })
    }

    pub(super) fn play(&self, life: Life) -> Result<Played, SandboxError> {
        self.run(What::Life(life))
    }

    fn run(&self, what: What) -> Result<Played, SandboxError> {
        let job = Job { what, ..self.job.clone() };
        let failed = |error: io::Error| SandboxError::Failed(error.to_string());
        if !self.setting.sandbox {
            let _ = fs::remove_dir_all(&job.root);
            fs::create_dir_all(&job.root).map_err(failed)?;
        }
        let text = serde_json::to_vec(&job).map_err(|error| SandboxError::Failed(error.to_string()))?;
        let mut child = self
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that does not read it tells why.
            let _ = stdin.write_all(&text);
        }
        let (sender, told) = mpsc::channel();
        let readers = (child.stdout.take(), child.stderr.take());
        std::thread::spawn(move || {
            let (out, err) = readers;
            let errors = std::thread::spawn(move || drain(err));
            let out = drain(out);
            let _ = sender.send((out, errors.join().unwrap_or_default()));
        });
        let limit = Duration::from_secs(job.limits.seconds) + GRACE;
        let heard = told.recv_timeout(limit);
        let _ = child.kill();
        let status = child.wait().map_err(failed)?;
        let Ok((out, err)) = heard else {
            return Err(SandboxError::Failed(format!("it did not end within {} s", limit.as_secs())));
        };
        serde_json::from_slice(&out).map_err(|_| {
            let err = String::from_utf8_lossy(&err).trim().to_owned();
            SandboxError::Failed(if err.is_empty() { status.to_string() } else { err })
        })
    }

    fn command(&self) -> Command {
        let path = "/usr/sbin:/usr/bin:/sbin:/bin";
        if !self.setting.sandbox {
            let mut command = Command::new(&self.program);
            command.arg("lives").env("HOOKVISOR_ROOT", &self.job.root).env("PATH", path);
            return command;
        }
        let mut command = Command::new("bwrap");
        command.args(self.words()).env_clear().env("PATH", path);
        as_stranger(&mut command);
        command
    }

    /// What bubblewrap is told.
    fn words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        let mut add = |some: &[&str]| words.extend(some.iter().map(OsString::from));
        add(&["--unshare-all", "--uid", "0", "--gid", "0", "--cap-add", "ALL", "--hostname", "pve1"]);
        add(&["--die-with-parent", "--as-pid-1", "--new-session", "--clearenv"]);
        add(&["--setenv", "PATH", "/sbin:/bin:/usr/sbin:/usr/bin", "--setenv", "HOME", "/root"]);
        if self.setting.network {
            add(&["--share-net"]);
        }
        words.extend(programs());
        let mut add = |some: &[&str]| words.extend(some.iter().map(OsString::from));
        add(&["--proc", "/proc", "--dev", "/dev"]);
        let size = self.setting.limits.disk.to_string();
        // Folders of programs of which some are this world's own.
        let mut linked = vec!["sbin"];
        linked.extend(is_proxmox().then_some("bin"));
        for place in WRITABLE {
            add(&["--size", &size, "--tmpfs", place]);
        }
        for place in self.scenery.tops.iter().chain(&self.scenery.mounts) {
            add(&["--size", &size, "--tmpfs", place]);
        }
        // What hookvisor has on record of a script that prints is no doing of the script's.
        add(&["--size", RECORD_SIZE, "--tmpfs", RECORD]);
        for path in NEEDED {
            add(&["--ro-bind-try", path, path]);
        }
        if self.setting.network {
            for path in ["/etc/resolv.conf", "/etc/ssl/certs", "/etc/ca-certificates"] {
                add(&["--ro-bind-try", path, path]);
            }
        }
        add(&["--ro-bind", &self.folder.path().to_string_lossy(), PLACE]);
        let program = self.program.to_string_lossy().into_owned();
        let inside = format!("{PLACE}/hookvisor");
        add(&["--ro-bind", &program, &inside]);
        // Where a script names a program by its path it is that of the world, too.
        for tool in super::tools::NAMES {
            let place = format!("/usr/bin/{tool}");
            if fs::symlink_metadata(&place).is_ok_and(|meta| meta.is_file()) {
                add(&["--ro-bind", &program, &place]);
            }
        }
        for name in linked {
            let place = format!("/usr/{name}");
            add(&["--ro-bind", &place, &format!("{PLACE}/{name}"), "--size", &size, "--tmpfs", &place]);
        }
        add(&["--remount-ro", "/", "--remount-ro", "/dev", "--chdir", "/", "--", &inside, "lives"]);
        words
    }
}

/// What bubblewrap is told of the host's programs and libraries.
pub(crate) fn programs() -> Vec<OsString> {
    let mut words: Vec<OsString> = ["--ro-bind", "/usr", "/usr"].map(OsString::from).to_vec();
    for name in ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"] {
        let (option, from) = match fs::read_link(name) {
            Ok(target) => ("--symlink", target.into_os_string()),
            Err(_) => ("--ro-bind-try", name.into()),
        };
        words.extend([option.into(), from, name.into()]);
    }
    words
}

/// Where root makes a sandbox it is somebody else's, who has nothing.
pub(crate) fn as_stranger(command: &mut Command) {
    if rustix::process::geteuid().is_root() {
        let user = USERS.0 + std::process::id() % USERS.1;
        command.uid(user).gid(user);
    }
}

/// Whether this host is a Proxmox VE, whose own `qm` and cluster file system are none of the world's.
fn is_proxmox() -> bool {
    Path::new("/usr/bin/pmxcfs").exists()
}

fn drain(from: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        let _ = from.take(TOLD).read_to_end(&mut bytes);
    }
    bytes
}

/// Whether anybody may execute it, and may come to it.
fn is_open_to_all(path: &Path) -> bool {
    path.ancestors().all(|path| fs::metadata(path).is_ok_and(|meta| meta.mode() & 0o001 != 0))
        && fs::metadata(path).is_ok_and(|meta| meta.mode() & 0o004 != 0)
}

/// The kind of guest that a configuration is of, by what only one kind has.
fn kind_of(text: &str) -> GuestKind {
    let key = |line: &str| matches!(line.split(':').next(), Some("rootfs" | "hostname"));
    if text.lines().any(key) { GuestKind::Lxc } else { GuestKind::Qemu }
}
