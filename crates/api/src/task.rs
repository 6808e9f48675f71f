//! Tasks that this process carries out itself: all but those of the lifecycle, which a keeper does (api.md 4.4).

use crate::{ApiError, Context};
use model::{Stream, Upid};
use record::TaskLog;
use record::journal::{task_began, task_ended};
use record::tasks::status_line;
use serde_json::Value;
use std::cell::RefCell;

/// A task that runs: what it prints goes to its log and to the caller's standard output.
pub(crate) struct Task<'c, 'o> {
    context: &'c Context<'o>,
    log: RefCell<TaskLog>,
}

impl Task<'_, '_> {
    /// Its id.
    pub(crate) fn upid(&self) -> Upid {
        self.log.borrow().upid().clone()
    }

    /// Prints a line.
    pub(crate) fn say(&self, line: &str) {
        self.write(format!("{line}\n").as_bytes());
    }

    /// Prints bytes as they are.
    pub(crate) fn write(&self, bytes: &[u8]) {
        // A full disk must not stop the work that the task does.
        let _ = self.log.borrow_mut().write(bytes);
        self.context.write(Stream::Stdout, bytes);
    }
}

/// Carries a task out and returns its UPID.
///
/// # Errors
///
/// What `work` failed with, which is also the task's status; or that there can be no task.
pub(crate) fn run(
    context: &Context<'_>,
    kind: &str,
    id: &str,
    work: impl FnOnce(&Task<'_, '_>) -> Result<(), ApiError>,
) -> Result<Value, ApiError> {
    let log = TaskLog::create(context.store.layout(), context.node(), kind, id, &context.user)?;
    let upid = log.upid().clone();
    let task = Task { context, log: RefCell::new(log) };
    let began = task_began(context.identifier(), &upid);
    let done = work(&task);
    let status = done.as_ref().map_or_else(|error| status_line(&error.told()), |()| "OK".to_owned());
    let ended = task.log.into_inner().end(&status);
    context.record([began, task_ended(context.identifier(), &upid, &status)]);
    match done {
        Ok(()) => ended.map(|_| Value::from(upid.to_string())).map_err(ApiError::from),
        Err(error) => Err(ApiError::Task { upid: Some(Box::new(upid)), status: error.told() }),
    }
}
