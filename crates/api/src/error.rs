//! Why a call failed, and the one table that says how each reason is told: its text, its HTTP status and its exit code.

use crate::refusal::Refusal;
use config::schema::Errors;
use model::Upid;
use std::path::PathBuf;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Some parameters were not accepted.
    #[error("Parameter verification failed.")]
    Parameters(Errors),
    /// The caller may not do this.
    #[error("Permission check failed{}", in_brackets(.0))]
    Denied(String),
    /// Nobody has logged in, and the method needs somebody.
    #[error("No ticket")]
    NoTicket,
    /// There is no such method.
    #[error("Method '{verb} {path}' not implemented")]
    NotImplemented {
        /// The verb.
        verb: &'static str,
        /// The path that was asked for.
        path: String,
    },
    /// Somebody is not who they say.
    #[error(transparent)]
    LogIn(#[from] access::Denied),
    /// The state of a guest or storage does not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A task ended with an error. Its log has the same text.
    #[error("{status}")]
    Task {
        /// The task.
        upid: Option<Box<Upid>>,
        /// The error as the task's status has it.
        status: String,
    },
    /// A task is over and did what it was for, but not for all guests. Its log has a line for each of the others.
    #[error("finished with warnings: {}{}", .warnings.len(), first(.warnings))]
    Warnings {
        /// The task.
        upid: Box<Upid>,
        /// What they say.
        warnings: Vec<String>,
    },
    /// A configuration could not be read, locked or written.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// A storage or volume.
    #[error(transparent)]
    Storage(#[from] storage::StorageError),
    /// The keeper could not be reached or started.
    #[error(transparent)]
    Keeper(#[from] keeper::client::ClientError),
    /// The guest agent.
    #[error(transparent)]
    Agent(#[from] qemu::agent::AgentError),
    /// A container's root file system could not be made.
    #[error(transparent)]
    Create(#[from] lxc::create::CreateError),
    /// What root approved cannot be read or written.
    #[error(transparent)]
    Approvals(#[from] hooks::approvals::ApprovalsError),
    /// The record could not be read.
    #[error(transparent)]
    Log(#[from] record::log::LogError),
    /// A guest's history could not be read.
    #[error(transparent)]
    History(#[from] record::FileError),
    /// A task could not be begun or ended.
    #[error(transparent)]
    TaskLog(#[from] record::tasks::TaskError),
    /// A file of the host.
    #[error("{what} '{}'", path.display())]
    File {
        /// What was done.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// How a failure is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// The HTTP status.
    pub status: u16,
    /// The command's exit code.
    pub exit: u8,
}

impl ApiError {
    /// One parameter that was not accepted.
    #[must_use]
    pub fn parameter(name: &str, text: &str) -> Self {
        let mut errors = Errors::default();
        errors.add(name, text);
        Self::Parameters(errors)
    }

    /// The table: HTTP status and exit code of every kind of failure.
    #[must_use]
    pub fn manner(&self) -> Manner {
        let (status, exit) = match self {
            Self::Parameters(_) => (400, 255),
            Self::NoTicket => (401, 255),
            Self::LogIn(denied) => (denied.status(), 255),
            Self::Denied(_) => (403, 255),
            Self::NotImplemented { .. } => (501, 255),
            Self::Refused(_)
            | Self::Task { .. }
            | Self::Warnings { .. }
            | Self::Store(_)
            | Self::Storage(_)
            | Self::Keeper(_)
            | Self::TaskLog(_)
            | Self::Agent(_)
            | Self::Create(_)
            | Self::Log(_)
            | Self::Approvals(_)
            | Self::History(_)
            | Self::File { .. } => (500, 255),
        };
        Manner { status, exit }
    }

    /// The text with its causes, which Proxmox VE's texts do not have.
    #[must_use]
    pub fn told(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let words = error.to_string();
            if !text.ends_with(&words) {
                text = format!("{}: {words}", text.trim_end());
            }
            cause = error.source();
        }
        text
    }

    /// What a command prints: the code where it is not 500, the text, and a line for each parameter.
    #[must_use]
    pub fn printed(&self) -> String {
        let Manner { status, .. } = self.manner();
        let told = self.told();
        let mut text = if status == 500 { told } else { format!("{status} {told}") };
        if !text.ends_with('\n') {
            text.push('\n');
        }
        if let Self::Parameters(errors) = self {
            text.push_str(&errors.to_string());
        }
        text
    }
}

/// What was missing, where that is told.
/// The first of some warnings, behind their number: `systemctl status` has one line for it all.
fn first(warnings: &[String]) -> String {
    warnings.first().map(|line| format!(", the first: {}", line.trim_end())).unwrap_or_default()
}

fn in_brackets(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" ({text})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_errors_print_a_line_each_and_keep_the_line_ends_of_their_texts() {
        let mut errors = Errors::default();
        errors.add("hookscript", "script 'local:snippets/x' does not exist\n");
        errors.add("delete", "unknown option 'nonsense'");
        let error = ApiError::Parameters(errors);
        assert_eq!(
            error.printed(),
            "400 Parameter verification failed.\ndelete: unknown option 'nonsense'\n\
             hookscript: script 'local:snippets/x' does not exist\n\n"
        );
    }

    #[test]
    fn causes_are_told_once() {
        let source = std::io::Error::from(std::io::ErrorKind::NotFound);
        let error = ApiError::File { what: "unable to read", path: "/x".into(), source };
        assert_eq!(error.printed(), "unable to read '/x': entity not found\n");
    }

    #[test]
    fn a_plain_failure_prints_its_text_alone() {
        let error = ApiError::Task { upid: None, status: "VM 100 already running".into() };
        assert_eq!(error.printed(), "VM 100 already running\n");
    }
}
