//! `/var/lib/hookvisor/approvals`: which hookscripts others than root may set, by what they are, and where they did.
//!
//! `approved SHA-256 VOLUME` is root's word that this very file may be run for guests of others. `bound VMID VOLUME` is
//! written before somebody else than root sets that script for that guest: from then on it needs root's approval at each
//! call, until root sets the same script itself. A line that is not understood makes the whole file one that says no.

use crate::conf::HooksConf;
use crate::digest::{Digest, inspect};
use crate::{Problem, script, trust};
use model::{Layout, Vmid, VolumeId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use storage::Storages;

/// All that the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approvals {
    /// The approved scripts, and what each was then.
    pub approved: BTreeMap<VolumeId, Digest>,
    /// The guests whose script needs approval.
    pub bound: BTreeSet<(Vmid, VolumeId)>,
}

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalsError {
    /// The system refused.
    #[error("cannot {action} '{}'", path.display())]
    Io {
        /// What was to be done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A line of no known form.
    #[error("'{}' line {line} is not understood: {text}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
        /// The line.
        text: String,
    },
}

impl Approvals {
    /// Reads the file; nothing is approved where there is none.
    ///
    /// # Errors
    /// It cannot be read, or a line is not understood.
    pub fn load(layout: &Layout) -> Result<Self, ApprovalsError> {
        let path = layout.approvals();
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text).map_err(|(line, text)| ApprovalsError::Line {
                path,
                line,
                text: text.to_owned(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ApprovalsError::Io { action: "read", path, source }),
        }
    }

    /// Reads the text of the file; the first line that is not understood, with its number, otherwise.
    fn parse(text: &str) -> Result<Self, (usize, &str)> {
        let mut all = Self::default();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            // A volume's name may hold blanks.
            let mut words = line.splitn(3, ' ');
            let (word, key, volume) = (words.next(), words.next(), words.next());
            let volume = volume.and_then(|volume| volume.parse::<VolumeId>().ok());
            let read = match (word, key, volume) {
                (Some("approved"), Some(digest), Some(volume)) => digest.parse().ok().map(|digest| {
                    all.approved.insert(volume, digest);
                }),
                (Some("bound"), Some(vmid), Some(volume)) => vmid.parse().ok().map(|vmid| {
                    all.bound.insert((vmid, volume));
                }),
                _ => None,
            };
            read.ok_or((number, line))?;
        }
        Ok(all)
    }

    fn print(&self) -> String {
        let mut text = String::new();
        for (volume, digest) in &self.approved {
            let _ = writeln!(text, "approved {digest} {volume}");
        }
        for (vmid, volume) in &self.bound {
            let _ = writeln!(text, "bound {vmid} {volume}");
        }
        text
    }

    /// Changes the file, alone, and in one step. Nothing is written where nothing changes.
    ///
    /// # Errors
    /// It cannot be read, understood or written; what was there stays.
    pub fn change<T>(layout: &Layout, change: impl FnOnce(&mut Self) -> T) -> Result<T, ApprovalsError> {
        let (path, folder) = (layout.approvals(), layout.state());
        let failed = |action, source| ApprovalsError::Io { action, path: path.clone(), source };
        let guard = File::open(&folder).map_err(|source| failed("lock", source))?;
        guard.lock().map_err(|source| failed("lock", source))?;
        let mut all = Self::load(layout)?;
        let before = all.clone();
        let result = change(&mut all);
        if all != before {
            let text = all.print();
            store::replace(&path, text.as_bytes(), 0o600).map_err(|source| failed("write", source))?;
        }
        Ok(result)
    }

    /// Refuses a script that is not, or no longer, the approved one.
    fn check(&self, volume: &VolumeId, digest: Digest) -> Result<(), Problem> {
        match self.approved.get(volume) {
            Some(approved) if *approved == digest => Ok(()),
            Some(_) => Err(Problem::Changed(volume.to_string())),
            None => Err(Problem::Unapproved(volume.to_string())),
        }
    }
}

/// What a script is that could be approved: found, executable, and nobody but root may change it. May hang as long as the
/// storage does.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn examine(layout: &Layout, storages: &Storages, volume: &VolumeId) -> Result<Digest, Problem> {
    let path = script::locate(storages, volume)?;
    digest_of_trusted(layout, volume, &path)
}

/// Refuses a script that somebody else than root may not set.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn check_settable(layout: &Layout, storages: &Storages, volume: &VolumeId) -> Result<(), Problem> {
    load(layout, volume)?.check(volume, examine(layout, storages, volume)?)
}

/// Refuses to call a script of a guest that somebody else than root set it for, unless it is what root approved.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn check_call(layout: &Layout, vmid: Vmid, volume: &VolumeId, path: &Path) -> Result<(), Problem> {
    let all = load(layout, volume)?;
    if !all.bound.contains(&(vmid, volume.clone())) {
        return Ok(());
    }
    all.check(volume, digest_of_trusted(layout, volume, path)?)
}

fn load(layout: &Layout, volume: &VolumeId) -> Result<Approvals, Problem> {
    Approvals::load(layout).map_err(|error| {
        let cause = match std::error::Error::source(&error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        Problem::Approvals { script: volume.to_string(), cause }
    })
}

fn digest_of_trusted(layout: &Layout, volume: &VolumeId, path: &Path) -> Result<Digest, Problem> {
    let unknown = |cause: String| Problem::Approvals { script: volume.to_string(), cause };
    let conf = HooksConf::load(layout).map_err(|error| unknown(error.to_string()))?;
    if !conf.trusted.contains(volume.storage()) {
        trust::check(layout, path).map_err(|untrusted| Problem::Untrusted(untrusted.to_string()))?;
    }
    let read = |error: io::Error| unknown(format!("cannot read '{}': {error}", path.display()));
    Ok(inspect(path).map_err(read)?.digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt;

    fn volume(text: &str) -> VolumeId {
        text.parse().unwrap()
    }

    struct Root {
        _folder: tempfile::TempDir,
        layout: Layout,
        path: PathBuf,
        storages: Storages,
    }

    fn root() -> Root {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        store::init_root(&layout, &"pve1".parse().unwrap()).unwrap();
        let path = layout.at("var/lib/vz/snippets/x.sh");
        fs::write(&path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let store = store::ConfigStore::open(layout.clone()).unwrap();
        let storages = Storages::load(&store).unwrap();
        Root { _folder: folder, layout, path, storages }
    }

    #[test]
    fn only_what_was_approved_may_be_set_and_called() {
        let Root { layout, path, storages, .. } = &root();
        let (script, vmid) = (volume("local:snippets/x.sh"), "100".parse::<Vmid>().unwrap());
        let settable = || check_settable(layout, storages, &script).map_err(|problem| problem.to_string());
        let callable = || check_call(layout, vmid, &script, path).map_err(|problem| problem.to_string());
        assert_eq!(settable(), Err("script 'local:snippets/x.sh' is not approved".to_owned()));
        // Root sets what it likes.
        assert_eq!(callable(), Ok(()));
        Approvals::change(layout, |all| all.bound.insert((vmid, script.clone()))).unwrap();
        assert_eq!(callable(), Err("script 'local:snippets/x.sh' is not approved".to_owned()));
        let digest = examine(layout, storages, &script).unwrap();
        Approvals::change(layout, |all| all.approved.insert(script.clone(), digest)).unwrap();
        assert_eq!((settable(), callable()), (Ok(()), Ok(())));
        fs::write(path, "#!/bin/sh\nrm -rf /\n").unwrap();
        let changed = Err("script 'local:snippets/x.sh' has changed since it was approved".to_owned());
        assert_eq!((settable(), callable()), (changed.clone(), changed));
        assert_eq!(fs::metadata(layout.approvals()).unwrap().permissions().mode() & 0o7777, 0o600);
    }

    #[test]
    fn what_others_may_write_is_refused_unless_its_storage_is_trusted() {
        let Root { layout, path, storages, .. } = &root();
        let script = volume("local:snippets/x.sh");
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
        let refused = examine(layout, storages, &script).unwrap_err().to_string();
        assert!(refused.contains("everybody may write to it"), "{refused}");
        fs::set_permissions(layout.at("etc/hookvisor"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(layout.hooks_conf(), "[storage local]\ntrust = yes\n").unwrap();
        fs::set_permissions(layout.hooks_conf(), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(examine(layout, storages, &script).is_ok());
    }

    #[test]
    fn a_file_that_is_not_understood_says_no() {
        let Root { layout, path, .. } = &root();
        let script = volume("local:snippets/x.sh");
        fs::write(layout.approvals(), "bound 100 local:snippets/x.sh\nwhat\n").unwrap();
        let problem = check_call(layout, "100".parse().unwrap(), &script, path).unwrap_err();
        assert_eq!(problem.outcome(), model::Outcome::Refused);
        assert!(problem.to_string().ends_with("approvals' line 2 is not understood: what"), "{problem}");
        assert!(Approvals::change(layout, |_| ()).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            names in proptest::collection::vec(("[a-z]{2,4}:snippets/[a-z ]{1,6}x", 100..200_u32), 0..6),
        ) {
            let mut all = Approvals::default();
            for (name, vmid) in names {
                all.approved.insert(volume(&name), "ab".repeat(32).parse().unwrap());
                all.bound.insert((Vmid::try_from(vmid).unwrap(), volume(&name)));
            }
            let text = all.print();
            prop_assert_eq!(Approvals::parse(&text), Ok(all));
        }
    }
}
