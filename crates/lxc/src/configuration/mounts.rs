//! The root file system and the mount points.

use super::text::utf8;
use super::{ConfigurationError, Made, Source};
use crate::Paths;
use crate::fields;
use crate::quote::{fstab, shell};
use config::property::Properties;
use std::path::{Path, PathBuf};

/// What the `pre-start` hook of LXC mounts and makes, one command after the other.
pub(super) struct Stage {
    folder: PathBuf,
    commands: Vec<String>,
    used: bool,
}

impl Stage {
    pub(super) fn new(paths: &Paths) -> Self {
        Self { folder: paths.stage.clone(), commands: Vec::new(), used: false }
    }

    pub(super) fn run(&mut self, command: String) {
        self.commands.push(command);
    }

    /// The place below the stage that has this name.
    pub(super) fn at(&mut self, name: &str) -> PathBuf {
        self.used = true;
        self.folder.join(name)
    }

    /// The hook's line: what the programs say goes into a file for the error of the start.
    pub(super) fn hook(&self, paths: &Paths) -> Option<String> {
        if self.commands.is_empty() {
            return None;
        }
        let folder = shell(&self.folder);
        let stage = format!(
            "mkdir -p {folder} && mount -t tmpfs -o mode=755,nosuid,noexec,size=1m hookvisor {folder} && "
        );
        let stage = if self.used { stage } else { String::new() };
        Some(format!("2>>{}; {stage}{} && :", shell(&paths.hook_errors), self.commands.join(" && ")))
    }
}

impl Made<'_> {
    pub(super) fn mounts(&mut self) -> Result<(), ConfigurationError> {
        self.rootfs()?;
        let section = self.section;
        for (index, value) in section.indexed("mp") {
            self.mount_point(&format!("mp{index}"), value)?;
        }
        Ok(())
    }

    fn rootfs(&mut self) -> Result<(), ConfigurationError> {
        let key = "rootfs";
        let missing = || ConfigurationError::Missing { key: key.to_owned() };
        let value = self.section.get(key).ok_or_else(missing)?;
        let properties = read(key, value)?;
        let source = self.source(key, &properties)?;
        let mut options = options(key, &properties, &source)?;
        self.check(key, &properties)?;
        let idmapped = self.idmap(key, &properties)?;
        let at = match &source {
            Source::Folder(folder) => folder.clone(),
            Source::Image(path) | Source::Device(path) => {
                let command = mount(path, &self.paths.rootfs, &source, &options);
                self.stage.run(command);
                options.clear();
                self.paths.rootfs.clone()
            }
        };
        self.text.set("lxc.rootfs.path", format!("dir:{}", utf8(key, &at)?))?;
        if properties.flag("ro", false) && !options.contains(&"ro".to_owned()) {
            options.push("ro".to_owned());
        }
        if idmapped {
            options.push("idmap=container".to_owned());
        }
        if options.is_empty() { Ok(()) } else { self.text.set("lxc.rootfs.options", options.join(",")) }
    }

    fn mount_point(&mut self, key: &str, value: &str) -> Result<(), ConfigurationError> {
        let properties = read(key, value)?;
        let source = self.source(key, &properties)?;
        let target =
            properties.get("mp").ok_or_else(|| ConfigurationError::Missing { key: format!("{key}.mp") })?;
        let relative = target.trim_start_matches('/');
        if relative.is_empty()
            || Path::new(relative).components().any(|part| !matches!(part, std::path::Component::Normal(_)))
        {
            return Err(ConfigurationError::Value {
                key: format!("{key}.mp"),
                value: target.to_owned(),
                expected: "an absolute path without '.' and '..'",
            });
        }
        self.check(key, &properties)?;
        let idmapped = self.idmap(key, &properties)?;
        let options = options(key, &properties, &source)?;
        let (Source::Folder(path) | Source::Image(path) | Source::Device(path)) = &source;
        utf8(key, path)?;
        // Staged first: there real root mounts, with every option, and an unprivileged container may bind what it sees.
        let at = self.stage.at(key);
        self.stage.run(format!("mkdir {}", shell(&at)));
        self.stage.run(mount(path, &at, &source, &options));
        let at = fstab(utf8(key, &at)?);
        let mapped = if idmapped { ",idmap=container" } else { "" };
        self.text.set("lxc.mount.entry", format!("{at} {} none bind,create=dir{mapped} 0 0", fstab(relative)))
    }

    fn source(&self, key: &str, properties: &Properties) -> Result<Source, ConfigurationError> {
        let volume = properties.get("volume").unwrap_or_default();
        let unresolved = || ConfigurationError::Unresolved { key: key.to_owned(), volume: volume.to_owned() };
        self.facts.volumes.get(key).cloned().ok_or_else(unresolved)
    }

    fn check(&mut self, key: &str, properties: &Properties) -> Result<(), ConfigurationError> {
        if !properties.flag("acl", true) {
            self.warnings.push(format!(
                "{key}: acl=0 has no effect, current kernels always have access control lists"
            ));
        }
        match (properties.flag("quota", false), self.unprivileged) {
            (false, _) => Ok(()),
            (true, true) => Err(ConfigurationError::Quota),
            (true, false) => Err(ConfigurationError::Unsupported {
                key: format!("{key}.quota"),
                why: "disk quotas inside containers are not supported",
            }),
        }
    }

    /// Whether the container's ids are the file system's own.
    fn idmap(&self, key: &str, properties: &Properties) -> Result<bool, ConfigurationError> {
        match properties.get("idmap") {
            None => Ok(false),
            Some("passthrough") => Ok(self.unprivileged),
            Some(_) => Err(ConfigurationError::Unsupported {
                key: format!("{key}.idmap"),
                why: "only 'passthrough' is supported",
            }),
        }
    }
}

fn read(key: &str, value: &str) -> Result<Properties, ConfigurationError> {
    fields::read(key, value).map_err(|source| ConfigurationError::Property { key: key.to_owned(), source })
}

/// The options of mount(8). Those of a whole file system mean nothing for a folder of a larger one.
fn options(key: &str, properties: &Properties, source: &Source) -> Result<Vec<String>, ConfigurationError> {
    let folder = matches!(source, Source::Folder(_));
    let mut options = Vec::new();
    for option in
        properties.get("mountoptions").unwrap_or_default().split(';').filter(|option| !option.is_empty())
    {
        match option {
            "noatime" | "nodev" | "noexec" | "nosuid" => options.push(option.to_owned()),
            "discard" | "lazytime" if folder => {}
            "discard" | "lazytime" => options.push(option.to_owned()),
            _ => {
                return Err(ConfigurationError::Value {
                    key: format!("{key}.mountoptions"),
                    value: option.to_owned(),
                    expected: "discard, lazytime, noatime, nodev, noexec or nosuid",
                });
            }
        }
    }
    if !folder && properties.flag("acl", false) {
        options.push("acl".to_owned());
    }
    if properties.flag("ro", false) {
        options.push("ro".to_owned());
    }
    Ok(options)
}

fn mount(path: &Path, at: &Path, source: &Source, options: &[String]) -> String {
    let how = match source {
        Source::Folder(_) => "bind",
        // The loop device is released with its last mount, that is with the namespace.
        Source::Image(_) => "loop",
        Source::Device(_) => "",
    };
    let all: Vec<&str> =
        [how].into_iter().filter(|how| !how.is_empty()).chain(options.iter().map(String::as_str)).collect();
    let with = if all.is_empty() { String::new() } else { format!("-o {} ", all.join(",")) };
    format!("mount {with}{} {}", shell(path), shell(at))
}
