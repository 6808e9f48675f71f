//! What the program inside the sandbox is asked to do.

use super::Life;
use super::sandbox::World;
use model::{GuestKind, Phase};
use serde::{Deserialize, Serialize};

/// What one life may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Seconds.
    pub seconds: u64,
    /// Processes, those of the world itself among them.
    pub processes: u64,
    /// Bytes of memory: of each process, and of all together.
    pub memory: u64,
    /// Bytes in each of the file systems that can be written to.
    pub disk: u64,
}

impl Limits {
    /// How long it may take, in words.
    pub(crate) fn time(&self) -> String {
        format!("{} s", self.seconds)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { seconds: 60, processes: 128, memory: 1 << 30, disk: 64 << 20 }
    }
}

/// One call of a script by itself, as for a replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneCall {
    /// The guest, the first argument.
    pub vmid: u32,
    /// The second argument.
    pub phase: Phase,
    /// The whole environment; [`sandbox::call`](super::sandbox::call) adds nothing to it.
    pub env: Vec<(String, String)>,
    /// Files that are there besides, by their absolute paths, such as the one that `HOOKVISOR_CONTEXT` names.
    pub files: Vec<(String, String)>,
}

/// All of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) what: What,
    pub(super) world: World,
    /// The root: `/`, but without a sandbox.
    pub(super) root: std::path::PathBuf,
    /// Where the script is, and its name among the snippets.
    pub(super) script: std::path::PathBuf,
    pub(super) name: String,
    pub(super) kind: GuestKind,
    pub(super) vmid: u32,
    /// The text of the guest's configuration.
    pub(super) config: Option<String>,
    pub(super) limits: Limits,
    /// The text of the host's `hooks.conf`.
    pub(super) hooks_conf: Option<String>,
    /// The parameters that were given one by one.
    pub(super) params: Vec<(String, String)>,
    /// The modes of what is laid into the root.
    pub(super) modes: Vec<(std::path::PathBuf, u32)>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum What {
    Life(Life),
    Call(OneCall),
}
