use serde::{Deserialize, Serialize};

/// A process, told apart from any later one with the same pid by when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// The pid.
    pub pid: u32,
    /// Its start time in clock ticks since boot: field 22 of `/proc/<pid>/stat`, proc(5).
    pub start: u64,
}
