//! What is taken in `pre-start` is given back in `post-stop`, whatever happened between.
//!
//! How each thing was before is on file before it is taken, so that the death of the script, of the guest or of whoever called
//! leaves nothing unknown: `post-stop` gives back what the file names, in reverse. Where no `post-stop` came, as at Proxmox VE
//! after a start that failed, the next `pre-start` gives it back first. The file is in `/run`, and goes with the host's power
//! as the state of devices does.

use crate::{Call, Phase, Result, log, wait};
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the calls of other guests may keep this one from its turn.
const TURN: Duration = Duration::from_secs(300);

/// What it means that another guest holds a thing of the same name by the same script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Nothing: each guest has one of its own.
    Separate,
    /// It is one thing for all. It is taken for each, and brought back to how it was before the first when the last has gone.
    Shared,
    /// One guest can have it at a time: a second is refused.
    Exclusive,
}

/// Something that a guest has for as long as it runs.
pub trait Resource {
    /// Its name among all that the script holds: the same in all phases.
    fn name(&self) -> String;

    /// Whether guests share it.
    fn sharing(&self) -> Sharing {
        Sharing::Separate
    }

    /// How it is now: all that [`Resource::give_back`] has to know.
    ///
    /// # Errors
    /// Where it cannot be had: nothing has been changed then.
    fn look(&self) -> Result<Value>;

    /// Takes it.
    ///
    /// # Errors
    /// Where that fails; it is given back then, as far as it was taken.
    fn take(&self, was: &Value) -> Result<()>;

    /// Brings it back to how it was. May be called for what was taken in part, not at all, or given back already.
    ///
    /// # Errors
    /// Where that fails; the others are given back all the same.
    fn give_back(&self, was: &Value) -> Result<()>;
}

/// Does what the phase asks for: takes all in their order in `pre-start`, gives all back in reverse in `post-stop`, nothing in
/// other phases. The calls for several guests take turns.
///
/// # Errors
/// In `pre-start` where one cannot be had: those before it have been given back. In `post-stop` where one could not be given
/// back: it stays on file.
pub fn hold(call: &Call, resources: &[&dyn Resource]) -> Result<()> {
    hold_in(call, &folder(call), resources)
}

/// As [`hold`], for what there is only when the guest runs: takes in `post-start`.
///
/// # Errors
/// As [`hold`]; what cannot be had in `post-start` is a warning to whoever calls.
pub fn hold_running(call: &Call, resources: &[&dyn Resource]) -> Result<()> {
    hold_from(call, Phase::PostStart, &folder(call), resources)
}

/// As [`hold`], with the file in another folder: where the things outlive the host's power, so must the file.
///
/// # Errors
/// As [`hold`].
pub fn hold_in(call: &Call, folder: &Path, resources: &[&dyn Resource]) -> Result<()> {
    hold_from(call, Phase::PreStart, folder, resources)
}

/// The names of what the guest holds by this script: settings may have changed since it was taken.
///
/// # Errors
/// Where the file cannot be read.
pub fn held(call: &Call) -> Result<Vec<String>> {
    let held = Held::read(folder(call).join(format!("{}.json", call.vmid)))?;
    Ok(held.things.into_iter().map(|(name, _)| name).collect())
}

fn folder(call: &Call) -> PathBuf {
    call.at("run/hookscript").join(&call.script)
}

fn hold_from(call: &Call, from: Phase, folder: &Path, resources: &[&dyn Resource]) -> Result<()> {
    let path = folder.join(format!("{}.json", call.vmid));
    let begins = call.phase == from || call.phase == Phase::PreStart;
    if !begins && (call.phase != Phase::PostStop || !path.exists()) {
        return Ok(());
    }
    let _turn = turn(folder)?;
    let mut held = Held::read(path)?;
    if begins && !held.things.is_empty() {
        log::notice("an earlier run was not given the end of: gives back what it held");
    }
    held.give_back(resources)?;
    if call.phase == from { held.take(resources) } else { Ok(()) }
}

/// Waits for its turn among the calls for other guests, and has it until the file is closed.
fn turn(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    fs::create_dir_all(folder).map_err(crate::error::at("make", folder))?;
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
    let file = file.map_err(crate::error::at("open", &path))?;
    let what = format!("'{}', which another call of the script holds", path.display());
    wait::until(&what, TURN, Duration::from_millis(20), || match file.try_lock() {
        Ok(()) => Ok(Some(())),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(crate::error::at("lock", &path)(error)),
    })?;
    Ok(file)
}

/// What is held, with how it was, in the order of taking.
struct Held {
    path: PathBuf,
    things: Vec<(String, Value)>,
}

impl Held {
    fn read(path: PathBuf) -> Result<Self> {
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self { path, things: Vec::new() });
            }
            bytes => bytes.map_err(crate::error::at("read", &path))?,
        };
        let list: Vec<Value> =
            serde_json::from_slice(&bytes).map_err(crate::error::at("understand", &path))?;
        let thing = |one: Value| Some((one["name"].as_str()?.to_owned(), one["was"].clone()));
        Ok(Self { path, things: list.into_iter().filter_map(thing).collect() })
    }

    /// How a thing was before any guest took it.
    fn before(&self, resource: &dyn Resource) -> Result<Value> {
        let others = match resource.sharing() {
            Sharing::Separate => Vec::new(),
            _ => self.others(&resource.name()),
        };
        match (resource.sharing(), others.into_iter().next()) {
            (Sharing::Exclusive, Some((holder, _))) => {
                let (guest, path) = (holder.file_stem().unwrap_or_default(), holder.display());
                Err(format!("guest {} has it, as '{path}' says", guest.to_string_lossy()).into())
            }
            (Sharing::Shared, Some((_, was))) => Ok(was),
            _ => resource.look(),
        }
    }

    /// Who else holds a thing of that name, with how it was before.
    fn others(&self, name: &str) -> Vec<(PathBuf, Value)> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let paths = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let others =
            paths.filter(|path| *path != self.path && path.extension().is_some_and(|end| end == "json"));
        let holding = |path: PathBuf| {
            let held = Self::read(path).ok()?;
            let (_, was) = held.things.into_iter().find(|(held, _)| held == name)?;
            Some((held.path, was))
        };
        others.filter_map(holding).collect()
    }

    fn take(&mut self, resources: &[&dyn Resource]) -> Result<()> {
        for resource in resources {
            let name = resource.name();
            let taken = self.before(*resource).and_then(|was| {
                self.things.push((name.clone(), was.clone()));
                self.write()?;
                resource.take(&was)
            });
            if let Err(error) = taken {
                if let Err(more) = self.give_back(resources) {
                    log::error(more);
                }
                return Err(format!("{name}: {error}").into());
            }
        }
        Ok(())
    }

    fn give_back(&mut self, resources: &[&dyn Resource]) -> Result<()> {
        let mut failed = Vec::new();
        let mut left = Vec::new();
        while let Some((name, was)) = self.things.pop() {
            let resource = resources.iter().find(|resource| resource.name() == name);
            let given = match resource {
                Some(resource) if resource.sharing() == Sharing::Shared => {
                    match self.others(&name).is_empty() {
                        true => resource.give_back(&was),
                        false => Ok(()),
                    }
                }
                Some(resource) => resource.give_back(&was),
                None => Err("the script does not know it any more".into()),
            };
            if let Err(error) = given {
                failed.push(format!("{name}: {error}"));
                left.insert(0, (name, was));
            }
            // What is given back twice does no harm, so it does none where this cannot be written.
            let rest = Self { path: self.path.clone(), things: [&self.things[..], &left[..]].concat() };
            if let Err(error) = rest.write() {
                log::warning(error);
            }
        }
        self.things = left;
        if failed.is_empty() { Ok(()) } else { Err(format!("cannot give back {}", failed.join("; ")).into()) }
    }

    /// Writes the file in one step, on disk; takes it away where nothing is held.
    fn write(&self) -> Result<()> {
        let path = &self.path;
        if self.things.is_empty() {
            return match fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(crate::error::at("remove", path)(error))
                }
                _ => Ok(()),
            };
        }
        let list: Vec<Value> =
            self.things.iter().map(|(name, was)| json!({"name": name, "was": was})).collect();
        let beside = path.with_extension("new");
        let written = fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).and_then(|()| {
            let mut options = OpenOptions::new();
            let mut file: File = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            file.write_all(&serde_json::to_vec(&list)?)?;
            file.sync_all()?;
            fs::rename(&beside, path)
        });
        written.map_err(crate::error::at("write", path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// A value in a file.
    struct Setting<'a> {
        name: &'static str,
        value: &'a RefCell<String>,
        breaks: bool,
        sharing: Sharing,
    }

    impl Resource for Setting<'_> {
        fn name(&self) -> String {
            self.name.to_owned()
        }
        fn sharing(&self) -> Sharing {
            self.sharing
        }
        fn look(&self) -> Result<Value> {
            Ok(self.value.borrow().clone().into())
        }
        fn take(&self, _: &Value) -> Result<()> {
            *self.value.borrow_mut() = "taken".to_owned();
            if self.breaks { Err("it breaks".into()) } else { Ok(()) }
        }
        fn give_back(&self, was: &Value) -> Result<()> {
            was.as_str().unwrap().clone_into(&mut self.value.borrow_mut());
            Ok(())
        }
    }

    fn call(root: &Path, phase: Phase) -> Call {
        Call { vmid: 100, phase, root: root.to_owned(), context: None, script: "test".to_owned() }
    }

    #[test]
    fn what_is_taken_is_given_back() {
        let root = tempfile::tempdir().unwrap();
        let (one, two) = (RefCell::new("a".to_owned()), RefCell::new("b".to_owned()));
        let settings = [
            Setting { name: "one", value: &one, breaks: false, sharing: Sharing::Separate },
            Setting { name: "two", value: &two, breaks: false, sharing: Sharing::Separate },
        ];
        let all: Vec<&dyn Resource> = settings.iter().map(|setting| setting as &dyn Resource).collect();
        let file = root.path().join("run/hookscript/test/100.json");
        for phase in Phase::ALL {
            hold(&call(root.path(), phase), &all).unwrap();
            let held = phase != Phase::PostStop;
            assert_eq!(
                (one.borrow().as_str(), two.borrow().as_str()),
                if held { ("taken", "taken") } else { ("a", "b") }
            );
            assert_eq!(file.exists(), held, "{phase}");
        }
    }

    #[test]
    fn a_run_that_got_no_end_is_given_back_by_the_next() {
        let root = tempfile::tempdir().unwrap();
        let one = RefCell::new("a".to_owned());
        let setting = Setting { name: "one", value: &one, breaks: false, sharing: Sharing::Separate };
        for phase in [Phase::PreStart, Phase::PreStart, Phase::PostStop] {
            hold(&call(root.path(), phase), &[&setting]).unwrap();
        }
        assert_eq!(*one.borrow(), "a");
    }

    #[test]
    fn one_that_cannot_be_had_leaves_nothing_taken() {
        let root = tempfile::tempdir().unwrap();
        let (one, two) = (RefCell::new("a".to_owned()), RefCell::new("b".to_owned()));
        let fine = Setting { name: "one", value: &one, breaks: false, sharing: Sharing::Separate };
        let breaks = Setting { name: "two", value: &two, breaks: true, sharing: Sharing::Separate };
        let error = hold(&call(root.path(), Phase::PreStart), &[&fine, &breaks]).unwrap_err();
        assert_eq!(error.to_string(), "two: it breaks");
        assert_eq!((one.borrow().as_str(), two.borrow().as_str()), ("a", "b"));
        assert!(!root.path().join("run/hookscript/test/100.json").exists());
    }

    #[test]
    fn what_the_script_does_not_know_any_more_stays_on_file() {
        let root = tempfile::tempdir().unwrap();
        let (one, two) = (RefCell::new("a".to_owned()), RefCell::new("b".to_owned()));
        let settings = [
            Setting { name: "one", value: &one, breaks: false, sharing: Sharing::Separate },
            Setting { name: "two", value: &two, breaks: false, sharing: Sharing::Separate },
        ];
        hold(&call(root.path(), Phase::PreStart), &[&settings[0], &settings[1]]).unwrap();
        let error = hold(&call(root.path(), Phase::PostStop), &[&settings[0]]).unwrap_err().to_string();
        assert_eq!(error, "cannot give back two: the script does not know it any more");
        assert_eq!((one.borrow().as_str(), two.borrow().as_str()), ("a", "taken"));
        hold(&call(root.path(), Phase::PostStop), &[&settings[0], &settings[1]]).unwrap();
        assert_eq!(*two.borrow(), "b");
    }

    #[test]
    fn what_guests_share_is_brought_back_by_the_last() {
        let root = tempfile::tempdir().unwrap();
        let one = RefCell::new("a".to_owned());
        let setting = Setting { name: "one", value: &one, breaks: false, sharing: Sharing::Shared };
        let act = |vmid, phase| hold(&Call { vmid, ..call(root.path(), phase) }, &[&setting]).unwrap();
        for (first, second) in [(100, 101), (101, 100)] {
            act(100, Phase::PreStart);
            act(101, Phase::PreStart);
            act(first, Phase::PostStop);
            assert_eq!(*one.borrow(), "taken");
            act(second, Phase::PostStop);
            assert_eq!(*one.borrow(), "a");
        }
    }

    #[test]
    fn what_one_guest_has_another_cannot_have() {
        let root = tempfile::tempdir().unwrap();
        let one = RefCell::new("a".to_owned());
        let setting = Setting { name: "one", value: &one, breaks: false, sharing: Sharing::Exclusive };
        let act = |vmid, phase| hold(&Call { vmid, ..call(root.path(), phase) }, &[&setting]);
        act(100, Phase::PreStart).unwrap();
        let error = act(101, Phase::PreStart).unwrap_err().to_string();
        assert!(error.starts_with("one: guest 100 has it, as '"), "{error}");
        act(101, Phase::PostStop).unwrap();
        assert_eq!(*one.borrow(), "taken");
        act(100, Phase::PostStop).unwrap();
        act(101, Phase::PreStart).unwrap();
    }

    #[test]
    fn what_there_is_while_the_guest_runs_is_taken_once_it_does() {
        let root = tempfile::tempdir().unwrap();
        let one = RefCell::new("a".to_owned());
        let setting = Setting { name: "one", value: &one, breaks: false, sharing: Sharing::Separate };
        for (phase, now) in Phase::ALL.into_iter().zip(["a", "taken", "taken", "taken", "a"]) {
            hold_running(&call(root.path(), phase), &[&setting]).unwrap();
            assert_eq!(*one.borrow(), now, "{phase}");
        }
    }
}
