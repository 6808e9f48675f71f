use crate::settings::SettingsError;
use model::{Outcome, Script};
use serde::{Deserialize, Serialize};

/// Why a hookscript could not be run. The texts are Proxmox VE's (lifecycle.md 1.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "problem", content = "about", rename_all = "kebab-case")]
pub enum Problem {
    /// The storage does not exist, or does not understand the volume's name.
    #[error("{0}")]
    Storage(String),
    /// The text is no volume id.
    #[error("unable to parse volume ID '{0}'")]
    VolumeId(String),
    /// The volume is of another content type.
    #[error("'{0}' is not in the snippets directory")]
    NotASnippet(String),
    /// There is no regular file, also behind a symbolic link.
    #[error("script '{0}' does not exist")]
    NotFound(String),
    /// The file may not be executed.
    #[error("script '{0}' is not executable")]
    NotExecutable(String),
    /// Others than root may change it; the text names what.
    #[error("{0}")]
    Untrusted(String),
    /// Somebody else than root set it, and root has not approved it.
    #[error("script '{0}' is not approved")]
    Unapproved(String),
    /// It is not the file that root approved.
    #[error("script '{0}' has changed since it was approved")]
    Changed(String),
    /// Whether it is approved cannot be found out.
    #[error("cannot tell whether script '{script}' is approved: {cause}")]
    Approvals {
        /// The script.
        script: String,
        /// Why not.
        cause: String,
    },
    /// The settings in its text cannot be read.
    #[error("settings in script '{script}' {error}")]
    Settings {
        /// The script.
        script: String,
        /// The line and why.
        error: String,
    },
    /// `hooks.conf` cannot be read or trusted.
    #[error("{0}")]
    Conf(String),
    /// The kernel refused to execute it.
    #[error("{0}")]
    Exec(String),
    /// Its begin could not be put on record, so it was not run.
    #[error("cannot record its begin: {0}")]
    Unrecorded(String),
}

impl Problem {
    /// The one of a script whose settings cannot be read.
    #[must_use]
    pub fn settings(script: &Script, error: &SettingsError) -> Self {
        Self::Settings { script: script.to_string(), error: error.to_string() }
    }

    /// What there is to do about it, for whoever reads of it; none where the text says all.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::VolumeId(_) | Self::NotASnippet(_) => {
                "a hookscript is a volume '<storage>:snippets/<name>'".to_owned()
            }
            Self::NotFound(script) => {
                let (storage, _) = script.split_once(':')?;
                format!("'pvesm list {storage} --content snippets' tells which scripts there are")
            }
            Self::NotExecutable(script) => {
                format!("'chmod +x \"$(pvesm path {script})\"' makes it executable")
            }
            Self::Unapproved(script) | Self::Changed(script) => {
                format!("'hookvisor hooks approve {script}' approves it as it is now")
            }
            _ => return None,
        })
    }

    /// The outcome that goes on record.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Storage(_) | Self::NotFound(_) => Outcome::NotFound,
            Self::VolumeId(_) | Self::NotASnippet(_) => Outcome::NotASnippet,
            Self::NotExecutable(_) => Outcome::NotExecutable,
            Self::Unapproved(_)
            | Self::Changed(_)
            | Self::Approvals { .. }
            | Self::Untrusted(_)
            | Self::Settings { .. }
            | Self::Conf(_) => Outcome::Refused,
            Self::Exec(_) | Self::Unrecorded(_) => Outcome::CannotSpawn,
        }
    }
}
