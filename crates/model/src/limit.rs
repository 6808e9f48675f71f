//! How long a hookscript may run, and whose word that is.

use crate::Vmid;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

/// How long a hookscript may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// How long.
    pub after: Duration,
    /// Who says so.
    pub by: LimitBy,
}

/// Whose word a limit is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitBy {
    /// `timeout` in the script's own text.
    Script,
    /// `timeout` of the guest in `hooks.conf`.
    Guest,
    /// `timeout` of the host in `hooks.conf`.
    Host,
    /// That of all scripts which say none, while the host comes up or goes down.
    Round,
    /// What the guest has for its end while the host goes down.
    Down,
    /// Nobody noted it.
    #[default]
    Unknown,
}

impl LimitBy {
    /// Whether nobody noted it.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::Unknown
    }

    /// Where it is set, for a guest on a host whose `hooks.conf` is this file.
    #[must_use]
    pub fn place(self, vmid: Vmid, conf: &Path) -> String {
        let conf = conf.display();
        match self {
            Self::Script => "'timeout' in the script".to_owned(),
            Self::Guest => format!("'timeout' of [guest {vmid}] in '{conf}'"),
            Self::Host => format!("'timeout' of [host] in '{conf}'"),
            Self::Round => format!("for scripts without a 'timeout' of their own or in '{conf}' while the host comes up or goes down"),
            Self::Down => "'down' of the guest's option 'startup', else 180 s, for all of its end while the host goes down".to_owned(),
            Self::Unknown => "set when the script was called".to_owned(),
        }
    }
}
