//! A container's configuration as LXC's: a pure function of Proxmox VE's file and of facts about the host.
//!
//! Everything is mounted inside the mount namespace of lxc-start (`lxc.monitor.unshare`), by one `pre-start` hook of
//! LXC's, so that nothing stays mounted whatever dies. An option that cannot be honoured is refused by name.

mod devices;
mod error;
mod facts;
mod limits;
mod mounts;
mod network;
mod raw;
mod security;
mod text;

pub use error::ConfigurationError;
pub use facts::{Bridge, Device, Facts, Source};
pub(crate) use network::{Address, address};

use crate::Paths;
use crate::cgroup::Names;
use crate::signals;
use config::Section;
use model::Vmid;
use mounts::Stage;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use text::Text;

/// What LXC gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LxcConfig {
    /// The configuration file.
    pub text: String,
    /// Where it goes.
    pub paths: Paths,
    /// The seccomp rules, where they are the container's own.
    pub seccomp: Option<String>,
    /// The names of the network interfaces on the host's side.
    pub interfaces: Vec<String>,
    /// The names of its control groups.
    pub cgroups: Names,
    /// The signal that asks init to power off, where a raw setting names one.
    pub halt_signal: Option<i32>,
    /// The signal that asks init to reboot, where a raw setting names one.
    pub reboot_signal: Option<i32>,
    /// What is honoured only in part, for the start's log.
    pub warnings: Vec<String>,
}

/// Makes LXC's configuration of a container's section.
///
/// # Errors
/// The first option that is invalid, needs something that the host lacks, or cannot be honoured.
pub fn configuration(main: &Section, vmid: Vmid, facts: &Facts) -> Result<LxcConfig, ConfigurationError> {
    let paths = Paths::new(&facts.layout, vmid);
    for path in [&paths.folder, &paths.signals] {
        text::utf8("HOOKVISOR_ROOT", path)?;
    }
    let mut made = Made {
        text: Text(String::new()),
        stage: Stage::new(&paths),
        warnings: Vec::new(),
        interfaces: Vec::new(),
        unprivileged: main.flag("unprivileged", false),
        section: main,
        vmid,
        facts,
        paths: &paths,
    };
    let names = Names::new(&facts.layout, vmid);
    made.identity(&names)?;
    let seccomp = made.security()?;
    made.limits()?;
    made.mounts()?;
    made.devices()?;
    made.networks()?;
    made.hooks()?;
    let signals = made.raw()?;
    let Made { text, warnings, interfaces, .. } = made;
    Ok(LxcConfig {
        text: text.0,
        seccomp,
        interfaces,
        cgroups: names,
        halt_signal: signals.halt,
        reboot_signal: signals.reboot,
        warnings,
        paths,
    })
}

/// What the parts of the translation share.
struct Made<'a> {
    text: Text,
    stage: Stage,
    warnings: Vec<String>,
    interfaces: Vec<String>,
    unprivileged: bool,
    section: &'a Section,
    vmid: Vmid,
    facts: &'a Facts,
    paths: &'a Paths,
}

impl Made<'_> {
    fn identity(&mut self, names: &Names) -> Result<(), ConfigurationError> {
        let section = self.section;
        let text = &mut self.text;
        text.set("lxc.cgroup.relative", "0")?;
        text.set("lxc.cgroup.dir.monitor", &names.monitor)?;
        text.set("lxc.cgroup.dir.container", &names.payload)?;
        text.set("lxc.cgroup.dir.container.inner", "ns")?;
        text.set("lxc.arch", section.get("arch").unwrap_or("amd64"))?;
        let include = |name: &str| self.facts.includes.join(name).to_string_lossy().into_owned();
        text.set("lxc.include", include("common.conf"))?;
        if self.unprivileged {
            text.set("lxc.include", include("userns.conf"))?;
        }
        text.set("lxc.monitor.unshare", "1")?;
        let console = section.flag("console", true);
        text.set("lxc.tty.max", if console { section.get("tty").unwrap_or("2") } else { "0" })?;
        if !console {
            text.set("lxc.console.path", "none")?;
        }
        text.set("lxc.environment", "TERM=linux")?;
        let hostname = section.get("hostname").map_or_else(|| format!("CT{}", self.vmid), str::to_owned);
        text.set("lxc.uts.name", hostname)?;
        if let Some(command) = section.get("entrypoint").filter(|command| *command != "/sbin/init") {
            if command.contains(['"', '\'', '\\']) {
                return Err(ConfigurationError::Unsupported {
                    key: "entrypoint".to_owned(),
                    why: "LXC splits it at blanks and knows no quotes; use a script in the container",
                });
            }
            text.set("lxc.init.cmd", command)?;
        }
        // The API takes a list that NUL separates; files hold it as raw settings.
        for variable in
            section.get("env").into_iter().flat_map(|env| env.split('\0')).filter(|v| !v.is_empty())
        {
            text.set("lxc.environment", variable)?;
        }
        Ok(())
    }

    fn hooks(&mut self) -> Result<(), ConfigurationError> {
        if let Some(line) = self.stage.hook(self.paths) {
            self.text.set("lxc.hook.pre-start", line)?;
        }
        for (key, value) in signals::hooks(self.paths) {
            self.text.set(key, value)?;
        }
        Ok(())
    }
}

impl LxcConfig {
    /// Writes the files, each at once.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write(&self) -> io::Result<()> {
        fs::create_dir_all(&self.paths.rootfs)?;
        // LXC needs to pass through as the container's root; what is inside is mounted in its own namespace.
        for folder in [&self.paths.lxc, &self.paths.folder, &self.paths.rootfs] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        }
        if let Some(rules) = &self.seccomp {
            replace(&self.paths.seccomp, rules)?;
        }
        replace(&self.paths.config, &self.text)
    }
}

/// Each start writes these anew, so they need not outlast a loss of power.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new: PathBuf = path.with_added_extension("new");
    fs::File::create(&new)?.write_all(text.as_bytes())?;
    fs::rename(new, path)
}
