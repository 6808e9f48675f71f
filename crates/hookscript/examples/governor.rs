//! Take and give back: the CPUs run at their full speed for as long as the guest runs.

use hookscript::serde_json::Value;
use hookscript::{Resource, Result, hold, run};
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

struct Governor(PathBuf);

impl Resource for Governor {
    fn name(&self) -> String {
        self.0.display().to_string()
    }

    fn look(&self) -> Result<Value> {
        Ok(fs::read_to_string(&self.0)?.trim().into())
    }

    fn take(&self, _was: &Value) -> Result<()> {
        Ok(fs::write(&self.0, "performance")?)
    }

    fn give_back(&self, was: &Value) -> Result<()> {
        Ok(fs::write(&self.0, was.as_str().unwrap_or_default())?)
    }
}

fn main() -> ExitCode {
    run(|call| {
        let cpus = fs::read_dir("/sys/devices/system/cpu")?.flatten();
        let files = cpus.map(|cpu| cpu.path().join("cpufreq/scaling_governor")).filter(|file| file.exists());
        let governors: Vec<Governor> = files.map(Governor).collect();
        let all: Vec<&dyn Resource> = governors.iter().map(|one| one as &dyn Resource).collect();
        hold(call, &all)
    })
}
