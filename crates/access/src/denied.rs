use std::time::Duration;

/// Why somebody is not who they say. The texts are Proxmox VE's (api.md 1.3); what exactly was wrong is in the journal alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// A user's name and password.
    #[error("authentication failure")]
    LogIn,
    /// A ticket that is forged or too old.
    #[error("permission denied - invalid PVE ticket")]
    Ticket,
    /// A token against forged requests that is missing, forged or too old.
    #[error("Permission denied - invalid csrf token")]
    Csrf,
    /// An API token, or a user who may no longer do anything.
    #[error("Authentication failed!")]
    Authentication,
    /// Users or keys cannot be read; the text says which file.
    #[error("{0}")]
    Unreadable(String),
}

impl Denied {
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Unreadable(_) => 500,
            _ => 401,
        }
    }

    /// How long the answer has to wait, so that guessing takes time. Whoever answers waits without keeping others waiting.
    #[must_use]
    pub fn delay(&self) -> Duration {
        match self {
            Self::Unreadable(_) => Duration::ZERO,
            _ => Duration::from_secs(3),
        }
    }
}

impl From<store::StoreError> for Denied {
    fn from(error: store::StoreError) -> Self {
        match std::error::Error::source(&error) {
            Some(cause) => Self::Unreadable(format!("{error}: {cause}")),
            None => Self::Unreadable(error.to_string()),
        }
    }
}
