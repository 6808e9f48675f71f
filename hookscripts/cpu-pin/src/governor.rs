//! The governor of a CPU's frequency (the kernel's admin-guide/pm/cpufreq).

use hookscript::serde_json::Value;
use hookscript::{Resource, Result, Sharing};
use std::fs;
use std::path::{Path, PathBuf};

/// The governor of one CPU, and the one that it shall have.
pub(crate) struct Governor {
    folder: PathBuf,
    cpu: u32,
    wanted: String,
}

impl Governor {
    pub(crate) fn of(sysfs: &Path, cpu: u32, wanted: &str) -> Self {
        let folder = sysfs.join(format!("devices/system/cpu/cpu{cpu}/cpufreq"));
        Self { folder, cpu, wanted: wanted.to_owned() }
    }

    fn file(&self) -> PathBuf {
        self.folder.join("scaling_governor")
    }

    fn set(&self, governor: &str) -> Result<()> {
        let path = self.file();
        // What is not there is not made: this is no folder of files.
        let open = fs::OpenOptions::new().write(true).truncate(true).open(&path);
        open.and_then(|mut file| std::io::Write::write_all(&mut file, governor.as_bytes()))
            .map_err(|error| format!("cannot write '{governor}' to '{}': {error}", path.display()).into())
    }
}

impl Resource for Governor {
    fn name(&self) -> String {
        format!("the governor of CPU {}", self.cpu)
    }

    fn sharing(&self) -> Sharing {
        Sharing::Shared
    }

    fn look(&self) -> Result<Value> {
        let Ok(now) = fs::read_to_string(self.file()) else {
            return Err("it has none: no driver scales its frequency".into());
        };
        let known = fs::read_to_string(self.folder.join("scaling_available_governors")).unwrap_or_default();
        if !known.is_empty() && !known.split_whitespace().any(|one| one == self.wanted) {
            return Err(
                format!("'{}' is none of those that it can have: {}", self.wanted, known.trim()).into()
            );
        }
        Ok(now.trim().into())
    }

    fn take(&self, _: &Value) -> Result<()> {
        self.set(&self.wanted)
    }

    fn give_back(&self, was: &Value) -> Result<()> {
        let was = was.as_str().unwrap_or_default();
        match fs::read_to_string(self.file()) {
            Ok(now) if now.trim() != was => self.set(was),
            // A CPU that was taken off meanwhile has none, and comes back with the kernel's own.
            _ => Ok(()),
        }
    }
}
