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

impl<'c, 'o> Task<'c, 'o> {
    /// What it is carried out in.
    pub(crate) fn context(&self) -> &'c Context<'o> {
        self.context
    }

    /// Its id.
    pub(crate) fn upid(&self) -> Upid {
        self.log.borrow().upid().clone()
    }

    /// Prints a line.
    pub(crate) fn say(&self, line: &str) {
        self.write(format!("{line}\n").as_bytes());
    }

    /// Prints a line on standard error.
    pub(crate) fn warn(&self, line: &str) {
        self.print(Stream::Stderr, format!("{line}\n").as_bytes());
    }

    /// Prints bytes as they are.
    pub(crate) fn write(&self, bytes: &[u8]) {
        self.print(Stream::Stdout, bytes);
    }

    fn print(&self, stream: Stream, bytes: &[u8]) {
        // A full disk must not stop the work that the task does.
        let _ = self.log.borrow_mut().write(bytes);
        self.context.write(stream, bytes);
    }
}

/// What a task ends with that somebody ended.
fn interrupted() -> ApiError {
    ApiError::Task { upid: None, status: "received interrupt".to_owned() }
}

/// Refuses to go on with a task that somebody has ended.
pub(crate) fn go_on() -> Result<(), ApiError> {
    if process::term_asked() { Err(interrupted()) } else { Ok(()) }
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
    run_counting(context, kind, id, |task| work(task).map(|()| Vec::new()))
}

/// As [`run`] for work that goes on where something fails, and returns what it warned of.
///
/// # Errors
///
/// As [`run`]; [`ApiError::Warnings`].
pub(crate) fn run_counting(
    context: &Context<'_>,
    kind: &str,
    id: &str,
    work: impl FnOnce(&Task<'_, '_>) -> Result<Vec<String>, ApiError>,
) -> Result<Value, ApiError> {
    let log = TaskLog::create(context.store.layout(), context.node(), kind, id, &context.user)?;
    let upid = log.upid().clone();
    context.began(&upid);
    process::heed_term();
    let task = Task { context, log: RefCell::new(log) };
    context.record([task_began(context.identifier(), &upid)]);
    let done = work(&task).map_err(|error| if process::term_asked() { interrupted() } else { error });
    let status = match &done {
        Ok(warnings) if warnings.is_empty() => "OK".to_owned(),
        Ok(warnings) => format!("WARNINGS: {}", warnings.len()),
        Err(error) => status_line(&error.told()),
    };
    let ended = task.log.into_inner().end(&status);
    context.record([task_ended(context.identifier(), &upid, &status)]);
    match done {
        Ok(warnings) if warnings.is_empty() => {
            ended.map(|_| Value::from(upid.to_string())).map_err(ApiError::from)
        }
        Ok(warnings) => Err(ApiError::Warnings { upid: Box::new(upid), warnings }),
        Err(error) => Err(ApiError::Task { upid: Some(Box::new(upid)), status: error.told() }),
    }
}
