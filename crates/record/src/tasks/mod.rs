//! Tasks as Proxmox VE has them: a UPID, a log, the list of active tasks and the index of ended ones
//! (api.md 4.1, 4.2).
//!
//! Whether a task runs is read from its log, the list and the index, never from its process: one keeper carries
//! out many tasks, and another one takes over when it dies.

mod files;
mod log;
mod read;

pub use log::{TaskLog, status_line};
pub use read::{Line, Page, Source, State, Task, lines, list, open, state};

use crate::FileError;
use model::{InvalidId, Upid};

/// Something about a task cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// Its parts make no UPID.
    #[error(transparent)]
    Invalid(#[from] InvalidId),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no log of that task.
    #[error("no such task")]
    NotFound(Upid),
}
