//! A script, and what `hookvisor hooks test` says of it.

use e2e::host;
use e2e::output::{Output, run};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

/// A script in a folder of its own.
pub(crate) struct Script {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl Script {
    pub(crate) fn new(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("a script can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode can be set");
        Self { folder, path }
    }

    /// A shell script with something to do in each phase.
    pub(crate) fn shell(text: &str) -> Self {
        Self::new("hook.sh", format!("#!/bin/bash\n{text}\n"))
    }

    /// What the command prints.
    pub(crate) fn output(&self, words: &[&str]) -> Output {
        let mut command = Command::new(host::binary());
        run(command.args(["hooks", "test"]).arg(&self.path).args(words).env_remove("HOOKVISOR_ROOT"))
    }

    /// Plays one life, as hookvisor or otherwise.
    #[track_caller]
    pub(crate) fn life(&self, life: &str, words: &[&str]) -> Life {
        let words = [&["--life", life, "--output-format", "json"], words].concat();
        let output = self.output(&words);
        let reports: Value =
            serde_json::from_str(&output.out()).unwrap_or_else(|_| panic!("{}", output.describe()));
        Life(reports[0]["lives"][0].clone())
    }
}

/// A life that was played.
pub(crate) struct Life(pub(crate) Value);

impl Life {
    fn list<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.0[key].as_array().into_iter().flatten()
    }

    /// The calls of the first guest, or of all.
    pub(crate) fn phases(&self, vmid: u64) -> String {
        let own = self.list("calls").filter(|call| call["vmid"] == vmid);
        own.filter_map(|call| call["phase"].as_str()).collect::<Vec<_>>().join(" ")
    }

    /// The lines that the script printed.
    pub(crate) fn lines(&self) -> Vec<String> {
        let lines = self.list("timeline").filter(|entry| entry["kind"] == "out");
        lines.filter_map(|entry| entry["text"].as_str().map(str::to_owned)).collect()
    }

    /// What is wrong with the script in this life.
    pub(crate) fn failures(&self) -> Vec<String> {
        let failed = self.list("verdicts").filter(|verdict| verdict["standing"] == "failed");
        failed.filter_map(|verdict| verdict["what"].as_str().map(str::to_owned)).collect()
    }

    #[track_caller]
    pub(crate) fn is_fine(&self) {
        assert!(self.0["passed"] == true && self.failures().is_empty(), "{:#}", self.0);
    }

    #[track_caller]
    pub(crate) fn fails(&self, text: &str) {
        assert!(self.0["passed"] == false, "{:#}", self.0);
        assert!(self.failures().iter().any(|what| what.contains(text)), "{text}: {:#}", self.0);
    }

    #[track_caller]
    pub(crate) fn prints(&self, text: &str) {
        assert!(self.lines().iter().any(|line| line == text), "{text}: {:#}", self.0);
    }

    /// Whether something on the timeline has this text.
    #[track_caller]
    pub(crate) fn shows(&self, text: &str) {
        let found =
            self.list("timeline").any(|entry| entry["text"].as_str().is_some_and(|line| line.contains(text)));
        assert!(found, "{text}: {:#}", self.0);
    }
}
