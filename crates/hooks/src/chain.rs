//! Which hookscripts a phase calls, and in which order.
//!
//! They are layers around the guest: the drop-ins by name from the outside in, innermost the guest's own hookscript. `pre-*`
//! goes inwards and `post-*` outwards, so that what took first gives back last.

use crate::Problem;
use crate::trust;
use model::{DropIn, Layout, Outcome, Phase, Script, Vmid, VolumeId};
use rustix::fs::{Access, access};
use std::io;
use std::path::{Path, PathBuf};

/// Ends of names that editors and package managers leave behind.
const LEFT_OVER: [&str; 10] =
    ["~", ".bak", ".disabled", ".orig", ".rej", ".rpmnew", ".rpmorig", ".rpmsave", ".swp", ".ucf-dist"];

/// The drop-in folders cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the folder '{path}': {source}")]
pub struct ChainError {
    /// The folder.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// What the drop-in folders hold for a guest.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The drop-ins from the outside in.
    pub drop_ins: Vec<DropIn>,
    /// What looks as if it was meant to be one.
    pub skipped: Vec<Skipped>,
}

/// Something in a drop-in folder that is not called; it displays a warning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("warning: '{path}' is skipped: {why}")]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub why: Why,
}

/// Why something in a drop-in folder is not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// It may not be executed.
    #[error("it is not executable")]
    NotExecutable,
    /// It is a folder, and not that of a guest.
    #[error("it is a folder that no VMID names")]
    Folder,
    /// It is a folder in the folder of a guest.
    #[error("it is a folder")]
    FolderOfGuest,
    /// It stands where the guest's folder should be.
    #[error("it should be the folder of the guest's hookscripts")]
    NoFolder,
    /// It is a device, a FIFO or a socket.
    #[error("it is no regular file")]
    NotRegular,
    /// Records could not name it.
    #[error("its name is no plain text")]
    Name,
    /// Its name is taken for folders of guests.
    #[error("its name is a number, as only folders of guests have")]
    Number,
}

/// Lists the drop-ins for a guest. Folders that are not there hold none.
///
/// Links are not followed and nothing is executed: whether a drop-in can be called is found out in the child that becomes it
/// ([`locate`]), because what a link leads to may hang.
///
/// # Errors
/// A folder that is there and cannot be read.
pub fn find(layout: &Layout, vmid: Vmid) -> Result<Found, ChainError> {
    let mut found = Found::default();
    found.list(&layout.hooks_d(), None, vmid)?;
    found.list(&layout.guest_hooks_d(vmid), Some(vmid), vmid)?;
    found.drop_ins.sort();
    found.skipped.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

impl Found {
    fn list(&mut self, folder: &Path, guest: Option<Vmid>, vmid: Vmid) -> Result<(), ChainError> {
        let failed = |source| ChainError { path: folder.to_owned(), source };
        let entries = match folder.read_dir() {
            Ok(entries) => entries,
            // A file in place of a guest's folder has been seen in the folder above.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory && guest.is_some() => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(failed(source)),
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let file_name = entry.file_name();
            let name = file_name.to_string_lossy();
            if is_ignored(&name) {
                continue;
            }
            let kind = entry.file_type().map_err(failed)?;
            let folder_of_guest = guest.is_none() && name.parse::<Vmid>().is_ok();
            let drop_in = file_name.to_str().and_then(|name| DropIn::new(guest, name));
            let why = match drop_in {
                _ if folder_of_guest && (kind.is_dir() || kind.is_symlink() || *name != vmid.to_string()) => {
                    continue;
                }
                _ if folder_of_guest => Why::NoFolder,
                _ if kind.is_dir() && guest.is_some() => Why::FolderOfGuest,
                _ if kind.is_dir() => Why::Folder,
                Some(drop_in) if kind.is_file() || kind.is_symlink() => {
                    self.drop_ins.push(drop_in);
                    continue;
                }
                Some(_) => Why::NotRegular,
                None if name.bytes().all(|byte| byte.is_ascii_digit()) => Why::Number,
                None => Why::Name,
            };
            self.skipped.push(Skipped { path: entry.path(), why });
        }
        Ok(())
    }
}

/// Whether a file of this name is never meant to be called.
fn is_ignored(name: &str) -> bool {
    name.starts_with(['.', '#'])
        || name == "README"
        || name.starts_with("README.")
        || name.contains(".dpkg-")
        || LEFT_OVER.iter().any(|end| name.ends_with(end))
}

/// The scripts that a phase calls, in the order of their calls; `own` is the one that the guest's configuration names.
#[must_use]
pub fn order(phase: Phase, drop_ins: &[DropIn], own: Option<&VolumeId>) -> Vec<Script> {
    let inwards = drop_ins.iter().cloned().map(Script::DropIn).chain(own.cloned().map(Script::Volume));
    match phase {
        Phase::PreStart | Phase::PreStop => inwards.collect(),
        Phase::PostStart | Phase::AgentUp | Phase::PostStop => {
            let mut outwards: Vec<Script> = inwards.collect();
            outwards.reverse();
            outwards
        }
    }
}

/// The scripts that `post-stop` calls: as [`order`], and every drop-in that had a `pre-start` in this run and is gone since,
/// so that its missing `post-stop` is on record.
///
/// `pre_starts` are the calls of `pre-start` in this run with their outcomes, in their order.
#[must_use]
pub fn post_stop(found: &[DropIn], own: Option<&VolumeId>, pre_starts: &[(Script, Outcome)]) -> Vec<Script> {
    let mut drop_ins = found.to_vec();
    for (script, outcome) in pre_starts {
        if let Script::DropIn(drop_in) = script
            && !outcome.is_refusal()
            && !drop_ins.contains(drop_in)
        {
            drop_ins.push(drop_in.clone());
        }
    }
    drop_ins.sort();
    order(Phase::PostStop, &drop_ins, own)
}

/// Finds the file of a drop-in and checks it: a regular file, that nobody but root can change, executable. May hang as long
/// as what a link leads to does.
///
/// # Errors
/// The first thing that is wrong with it. [`skipped`] tells which of them is no more than worth a warning.
pub fn locate(layout: &Layout, drop_in: &DropIn) -> Result<PathBuf, Problem> {
    let path = layout.drop_in(drop_in);
    if !path.metadata().is_ok_and(|file| file.is_file()) {
        return Err(Problem::NotFound(drop_in.to_string()));
    }
    trust::check(layout, &path).map_err(|untrusted| Problem::Untrusted(untrusted.to_string()))?;
    access(&path, Access::EXEC_OK).map_err(|_| Problem::NotExecutable(drop_in.to_string()))?;
    Ok(path)
}

/// The warning for a script that is passed over because of a problem; none where the problem is its outcome. A drop-in
/// without execute permission is switched off, as run-parts(8) has it; any other one that cannot be called was meant to be.
#[must_use]
pub fn skipped(layout: &Layout, script: &Script, problem: &Problem) -> Option<Skipped> {
    match (script, problem) {
        (Script::DropIn(drop_in), Problem::NotExecutable(_)) => {
            Some(Skipped { path: layout.drop_in(drop_in), why: Why::NotExecutable })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    struct Root {
        folder: tempfile::TempDir,
        layout: Layout,
        vmid: Vmid,
    }

    impl Root {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let root = Self { layout: Layout::new(folder.path()), folder, vmid: "100".parse().unwrap() };
            let guest = root.layout.guest_hooks_d(root.vmid);
            fs::create_dir_all(&guest).unwrap();
            for path in
                [&root.layout.at("etc"), &root.layout.at("etc/hookvisor"), &root.layout.hooks_d(), &guest]
            {
                fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
            }
            root
        }

        fn put(&self, name: &str, mode: u32) -> PathBuf {
            let path = self.layout.hooks_d().join(name);
            fs::write(&path, "#!/bin/sh\n").unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            path
        }

        fn found(&self) -> Found {
            find(&self.layout, self.vmid).unwrap()
        }
    }

    fn texts(scripts: &[Script]) -> Vec<String> {
        scripts.iter().map(Script::to_string).collect()
    }

    #[test]
    fn drop_ins_go_by_name_around_the_guests_own() {
        let root = Root::new();
        for name in ["50-host", "90-last", "100/10-guest", "100/50-host", "B", "a.sh"] {
            root.put(name, 0o755);
        }
        let found = root.found();
        let own: VolumeId = "local:snippets/own.sh".parse().unwrap();
        let inwards = [
            "hooks.d/100/10-guest",
            "hooks.d/50-host",
            "hooks.d/100/50-host",
            "hooks.d/90-last",
            "hooks.d/B",
            "hooks.d/a.sh",
            "local:snippets/own.sh",
        ];
        let outwards: Vec<&str> = inwards.iter().rev().copied().collect();
        assert_eq!(texts(&order(Phase::PreStart, &found.drop_ins, Some(&own))), inwards);
        assert_eq!(texts(&order(Phase::PreStop, &found.drop_ins, Some(&own))), inwards);
        assert_eq!(texts(&order(Phase::PostStart, &found.drop_ins, Some(&own))), outwards);
        assert_eq!(texts(&post_stop(&found.drop_ins, Some(&own), &[])), outwards);
        assert_eq!(found.skipped, []);
    }

    #[test]
    fn no_folder_holds_none_and_one_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let vmid = "100".parse().unwrap();
        assert_eq!(find(&layout, vmid).unwrap(), Found::default());
        fs::create_dir_all(layout.at("etc/hookvisor")).unwrap();
        fs::write(layout.hooks_d(), "").unwrap();
        assert!(find(&layout, vmid).unwrap_err().to_string().starts_with("cannot read the folder '"));
    }

    #[test]
    fn left_overs_are_passed_over_in_silence_and_what_looks_meant_with_a_warning() {
        let root = Root::new();
        for name in [
            ".hidden",
            "#10-x#",
            "README",
            "README.md",
            "x~",
            "x.bak",
            "x.dpkg-old",
            "x.sh.dpkg-new",
            "x.disabled",
            "x.rpmnew",
        ] {
            root.put(name, 0o755);
        }
        fs::create_dir(root.layout.hooks_d().join("101")).unwrap();
        fs::write(root.layout.hooks_d().join("102"), "").unwrap();
        assert_eq!(root.found(), Found::default());

        let hooks_d = root.layout.hooks_d();
        fs::create_dir(hooks_d.join("scripts")).unwrap();
        fs::create_dir(hooks_d.join("100/more")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, hooks_d.join("fifo"), rustix::fs::Mode::RUSR).unwrap();
        root.put("line\nbreak", 0o755);
        root.put("42", 0o755);
        let Found { drop_ins, skipped } = root.found();
        assert_eq!(drop_ins, []);
        let warnings: Vec<String> = skipped.iter().map(|skipped| skipped.to_string()).collect();
        let at =
            |name: &str, why: &str| format!("warning: '{}' is skipped: {why}", hooks_d.join(name).display());
        assert_eq!(
            warnings,
            [
                at("100/more", "it is a folder"),
                at("42", "its name is a number, as only folders of guests have"),
                at("fifo", "it is no regular file"),
                at("line\nbreak", "its name is no plain text"),
                at("scripts", "it is a folder that no VMID names"),
            ]
        );
    }

    #[test]
    fn a_file_in_place_of_the_guests_folder_is_told() {
        let root = Root::new();
        fs::remove_dir(root.layout.guest_hooks_d(root.vmid)).unwrap();
        root.put("100", 0o755);
        root.put("10-x", 0o755);
        let Found { drop_ins, skipped } = root.found();
        assert_eq!((drop_ins.len(), skipped.len(), skipped[0].why), (1, 1, Why::NoFolder));
    }

    #[test]
    fn a_drop_in_is_checked_where_it_leads() {
        let root = Root::new();
        let drop_in = |name| DropIn::new(None, name).unwrap();
        let locate = |name| locate(&root.layout, &drop_in(name));
        let good = root.put("10-good", 0o755);
        assert_eq!(locate("10-good").unwrap(), good);
        symlink(&good, root.layout.hooks_d().join("20-link")).unwrap();
        assert_eq!(locate("20-link").unwrap(), root.layout.hooks_d().join("20-link"));
        symlink("/nowhere", root.layout.hooks_d().join("30-dangling")).unwrap();
        assert_eq!(locate("30-dangling"), Err(Problem::NotFound("hooks.d/30-dangling".to_owned())));
        symlink(root.folder.path(), root.layout.hooks_d().join("40-folder")).unwrap();
        assert_eq!(locate("40-folder"), Err(Problem::NotFound("hooks.d/40-folder".to_owned())));
        root.put("50-off", 0o644);
        let problem = locate("50-off").unwrap_err();
        assert_eq!(problem, Problem::NotExecutable("hooks.d/50-off".to_owned()));
        let warning =
            skipped(&root.layout, &Script::DropIn(drop_in("50-off")), &problem).unwrap().to_string();
        assert!(warning.ends_with("50-off' is skipped: it is not executable"), "{warning}");
        root.put("60-open", 0o777);
        let Err(Problem::Untrusted(text)) = locate("60-open") else { panic!("others may change it") };
        assert!(text.contains("60-open' is refused: everybody may write to it (mode 0777)"), "{text}");
        // They are all listed: each says by itself what is wrong with it, when it is called.
        assert_eq!(root.found().drop_ins.len(), 6);
        let own = Script::Volume("local:snippets/x".parse().unwrap());
        assert_eq!(skipped(&root.layout, &own, &problem), None);
    }

    #[test]
    fn a_drop_in_that_is_gone_is_missed_by_post_stop_where_it_took_part() {
        let script = |text: &str| text.parse::<Script>().unwrap();
        let ran = [
            (script("hooks.d/10-a"), Outcome::Ok),
            (script("hooks.d/20-b"), Outcome::Unknown),
            (script("hooks.d/30-c"), Outcome::Exit(1)),
        ];
        // 10-a is gone since; 30-c refused and has nothing to give back.
        let now = [DropIn::new(None, "20-b").unwrap(), DropIn::new(None, "40-d").unwrap()];
        assert_eq!(texts(&post_stop(&now, None, &ran)), ["hooks.d/40-d", "hooks.d/20-b", "hooks.d/10-a"]);
    }
}
