//! What is taken in `pre-start` is given back in `post-stop`, whatever happened between.
//!
//! How each thing was before is on file before it is taken, so that the death of the script, of the guest or of whoever called
//! leaves nothing unknown: `post-stop` gives back what the file names, in reverse. Where no `post-stop` came, as at Proxmox VE
//! after a start that failed, the next `pre-start` gives it back first. The file is in `/run`, and goes with the host's power
//! as the state of devices does.

use crate::{Call, Phase, Result, log};
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Something that a guest has for as long as it runs.
pub trait Resource {
    /// Its name among all that the script holds: the same in all phases.
    fn name(&self) -> String;

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
/// other phases.
///
/// # Errors
/// In `pre-start` where one cannot be had: those before it have been given back. In `post-stop` where one could not be given
/// back: it stays on file.
pub fn hold(call: &Call, resources: &[&dyn Resource]) -> Result<()> {
    let folder = call.at("run/hookscript").join(&call.script);
    hold_in(call, &folder, resources)
}

/// As [`hold`], with the file in another folder: where the things outlive the host's power, so must the file.
///
/// # Errors
/// As [`hold`].
pub fn hold_in(call: &Call, folder: &Path, resources: &[&dyn Resource]) -> Result<()> {
    let path = folder.join(format!("{}.json", call.vmid));
    match call.phase {
        Phase::PreStart => {
            let mut held = Held::read(path)?;
            if !held.things.is_empty() {
                log::notice("an earlier run was not given the end of: gives back what it held");
                held.give_back(resources)?;
            }
            held.take(resources)
        }
        Phase::PostStop => Held::read(path)?.give_back(resources),
        _ => Ok(()),
    }
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

    fn take(&mut self, resources: &[&dyn Resource]) -> Result<()> {
        for resource in resources {
            let name = resource.name();
            let taken = resource.look().and_then(|was| {
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
    }

    impl Resource for Setting<'_> {
        fn name(&self) -> String {
            self.name.to_owned()
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
            Setting { name: "one", value: &one, breaks: false },
            Setting { name: "two", value: &two, breaks: false },
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
        let setting = Setting { name: "one", value: &one, breaks: false };
        for phase in [Phase::PreStart, Phase::PreStart, Phase::PostStop] {
            hold(&call(root.path(), phase), &[&setting]).unwrap();
        }
        assert_eq!(*one.borrow(), "a");
    }

    #[test]
    fn one_that_cannot_be_had_leaves_nothing_taken() {
        let root = tempfile::tempdir().unwrap();
        let (one, two) = (RefCell::new("a".to_owned()), RefCell::new("b".to_owned()));
        let fine = Setting { name: "one", value: &one, breaks: false };
        let breaks = Setting { name: "two", value: &two, breaks: true };
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
            Setting { name: "one", value: &one, breaks: false },
            Setting { name: "two", value: &two, breaks: false },
        ];
        hold(&call(root.path(), Phase::PreStart), &[&settings[0], &settings[1]]).unwrap();
        let error = hold(&call(root.path(), Phase::PostStop), &[&settings[0]]).unwrap_err().to_string();
        assert_eq!(error, "cannot give back two: the script does not know it any more");
        assert_eq!((one.borrow().as_str(), two.borrow().as_str()), ("a", "taken"));
        hold(&call(root.path(), Phase::PostStop), &[&settings[0], &settings[1]]).unwrap();
        assert_eq!(*two.borrow(), "b");
    }
}
