//! What a script is given besides: parameters, files and mounts that it cannot do without.

use super::sandbox::{Setting, WRITABLE};
use hooks::conf::{HooksConf, Reason};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

/// The folder of what is laid into a world, beside the script.
pub(super) const LAID: &str = "laid";

/// How many files one world can be given.
const MOST: usize = 20_000;

/// What the host lends to be read, where nothing can be laid.
const LENT: [&str; 9] = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "proc", "dev"];

/// What a script is given in every life.
#[derive(Debug, Clone, Default)]
pub struct Scenery {
    /// The host's `hooks.conf`.
    pub hooks_conf: Option<PathBuf>,
    /// Parameters, each `NAME=VALUE`, before those of `hooks_conf`.
    pub params: Vec<String>,
    /// Files, each `PATH` for an empty one or `PATH=FILE` for one with the content of a file of the host; a path that ends
    /// with `/` is a folder.
    pub files: Vec<String>,
    /// A folder of the host whose content is laid into the root.
    pub tree: Option<PathBuf>,
    /// Folders on each of which something is mounted.
    pub mounts: Vec<String>,
}

/// What cannot be given to a script.
#[derive(Debug, thiserror::Error)]
pub enum SceneryError {
    /// A path of the host that cannot be read.
    #[error("cannot read '{}'", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A place where nothing can be laid.
    #[error("'{0}' cannot be laid into a life's world: {1}")]
    Place(String, &'static str),
    /// More than fits.
    #[error("'{}' is more than fits into a life's world: {what}", path.display())]
    TooMuch {
        /// What is being laid.
        path: PathBuf,
        /// The limit, in words.
        what: String,
    },
    /// A `hooks.conf` that cannot be understood.
    #[error("'{}' line {line}: {reason}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// The number of its line.
        line: usize,
        /// Why.
        reason: Reason,
    },
    /// A parameter that cannot be read.
    #[error("--param '{given}': {reason}")]
    Parameter {
        /// As it was given.
        given: String,
        /// Why.
        reason: Reason,
    },
    /// Files without a sandbox.
    #[error(
        "files, trees and mounts are laid into a sandbox, and not on this host: leave out --no-sandbox, or what is to be laid"
    )]
    NoSandbox,
}

/// What has been read, ready to be laid.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) conf: Option<HooksConf>,
    /// The parameters that were given one by one.
    pub(super) params: Vec<(String, String)>,
    /// Folders of the root that are not there otherwise.
    pub(super) tops: BTreeSet<String>,
    pub(super) mounts: Vec<String>,
    /// The modes that files and folders have.
    pub(super) modes: Vec<(PathBuf, u32)>,
}

impl Scenery {
    /// Reads all of it, and copies the files into `folder`.
    pub(super) fn read(&self, setting: &Setting, folder: &Path) -> Result<Given, SceneryError> {
        let has_files = !self.files.is_empty() || self.tree.is_some() || !self.mounts.is_empty();
        if has_files && !setting.sandbox {
            return Err(SceneryError::NoSandbox);
        }
        let limit = setting.limits.disk;
        let mut copy = Copy { to: folder.join(LAID), room: limit, limit, modes: Vec::new() };
        if let Some(tree) = &self.tree {
            copy.tree(tree)?;
        }
        for given in &self.files {
            let (place, from) =
                given.split_once('=').map_or((&given[..], None), |(place, from)| (place, Some(from)));
            copy.file(place, from.map(Path::new))?;
        }
        let mut given =
            Given { conf: self.conf()?, params: self.params(), modes: copy.modes, ..Given::default() };
        for place in &self.mounts {
            inside(place)?;
            given.mounts.push(place.clone());
            given.add_top(place);
        }
        for entry in fs::read_dir(&copy.to).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            inside(&format!("/{name}"))?;
            given.add_top(&name);
        }
        Ok(given)
    }

    /// The parameters, which have been read before.
    fn params(&self) -> Vec<(String, String)> {
        let pair =
            |given: &String| given.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.params.iter().filter_map(pair).collect()
    }

    /// The settings of the host, with the parameters that were given for every guest.
    fn conf(&self) -> Result<Option<HooksConf>, SceneryError> {
        let mut conf = match &self.hooks_conf {
            None if self.params.is_empty() => return Ok(None),
            None => HooksConf::default(),
            Some(path) => {
                let text =
                    fs::read(path).map_err(|source| SceneryError::Read { path: path.clone(), source })?;
                HooksConf::parse(&text).map_err(|(line, reason)| SceneryError::Settings {
                    path: path.clone(),
                    line,
                    reason,
                })?
            }
        };
        for given in &self.params {
            conf.set_param(given)
                .map_err(|reason| SceneryError::Parameter { given: given.clone(), reason })?;
        }
        Ok(Some(conf))
    }
}

impl Given {
    fn add_top(&mut self, place: &str) {
        let top = place.trim_start_matches('/').split('/').next().unwrap_or_default();
        let top = format!("/{top}");
        if !WRITABLE.contains(&&top[..]) && top != "/dev" {
            self.tops.insert(top);
        }
    }
}

/// The path within the root of a place that can be laid into.
fn inside(place: &str) -> Result<PathBuf, SceneryError> {
    let refuse = |why| SceneryError::Place(place.to_owned(), why);
    let path = Path::new(place).strip_prefix("/").map_err(|_| refuse("its path does not begin with '/'"))?;
    if path.as_os_str().is_empty() || !path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(refuse("its path is no plain one"));
    }
    let lent = LENT.iter().any(|lent| path.starts_with(lent)) && !path.starts_with("dev/shm");
    if lent || path.starts_with("opt/hookvisor") {
        return Err(refuse("the host lends what is there, to be read only"));
    }
    Ok(path.to_owned())
}

/// Copies files, of a limited number and size.
struct Copy {
    to: PathBuf,
    room: u64,
    limit: u64,
    modes: Vec<(PathBuf, u32)>,
}

impl Copy {
    fn file(&mut self, place: &str, from: Option<&Path>) -> Result<(), SceneryError> {
        let to = self.to.join(inside(place)?);
        let made = |path: &Path, source| SceneryError::Read { path: path.to_owned(), source };
        let folder = if place.ends_with('/') { &to } else { to.parent().unwrap_or(&to) };
        fs::create_dir_all(folder).map_err(|source| made(folder, source))?;
        for folder in folder.ancestors().take_while(|folder| folder.starts_with(&self.to)) {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
                .map_err(|source| made(folder, source))?;
        }
        match from {
            Some(from) => self.one(from, &to),
            None if place.ends_with('/') => Ok(()),
            None => fs::write(&to, "").map_err(|source| made(&to, source)),
        }
    }

    fn tree(&mut self, tree: &Path) -> Result<(), SceneryError> {
        let mut open = vec![(tree.to_owned(), self.to.clone())];
        while let Some((from, to)) = open.pop() {
            let failed = |source| SceneryError::Read { path: from.clone(), source };
            fs::create_dir_all(&to).map_err(failed)?;
            for entry in fs::read_dir(&from).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let (path, to) = (entry.path(), to.join(entry.file_name()));
                let kind = entry.file_type().map_err(failed)?;
                if kind.is_dir() {
                    open.push((path, to));
                } else if kind.is_symlink() {
                    fs::read_link(&path).and_then(|target| symlink(target, to)).map_err(failed)?;
                } else {
                    self.one(&path, &to)?;
                }
            }
            if from != tree {
                let mode = fs::metadata(&from).map_err(failed)?.permissions().mode();
                self.has_mode(&to, mode).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn one(&mut self, from: &Path, to: &Path) -> Result<(), SceneryError> {
        let failed = |source| SceneryError::Read { path: from.to_owned(), source };
        let meta = fs::metadata(from).map_err(failed)?;
        if !meta.is_file() {
            return Err(SceneryError::Place(from.display().to_string(), "it is neither a file nor a folder"));
        }
        let too_much = |what| SceneryError::TooMuch { path: from.to_owned(), what };
        self.room =
            self.room.checked_sub(meta.len()).ok_or_else(|| too_much(format!("{} MiB", self.limit >> 20)))?;
        if self.modes.len() >= MOST {
            return Err(too_much(format!("{MOST} files")));
        }
        fs::copy(from, to).map_err(failed)?;
        self.has_mode(to, meta.permissions().mode()).map_err(failed)
    }

    /// Keeps a mode for the world, and lets the sandbox's user read until then.
    fn has_mode(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        let within = path.strip_prefix(&self.to).map_err(io::Error::other)?;
        self.modes.push((within.to_owned(), mode & 0o7777));
        fs::set_permissions(
            path,
            fs::Permissions::from_mode(mode & 0o777 | if path.is_dir() { 0o755 } else { 0o644 }),
        )
    }
}

/// Lays what lies in a folder into the root, with the modes that it has for the script.
pub(super) fn lay(folder: &Path, modes: &[(PathBuf, u32)]) -> io::Result<()> {
    let root = Path::new("/");
    let mut open = vec![PathBuf::new()];
    while let Some(within) = open.pop() {
        for entry in fs::read_dir(folder.join(&within))? {
            let entry = entry?;
            let (from, within) = (entry.path(), within.join(entry.file_name()));
            let (kind, to) = (entry.file_type()?, root.join(&within));
            if kind.is_dir() {
                fs::create_dir_all(&to)?;
                open.push(within);
            } else if kind.is_symlink() {
                symlink(fs::read_link(from)?, to)?;
            } else {
                fs::write(to, fs::read(from)?)?;
            }
        }
    }
    modes
        .iter()
        .rev()
        .try_for_each(|(path, mode)| fs::set_permissions(root.join(path), fs::Permissions::from_mode(*mode)))
}
