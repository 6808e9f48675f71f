//! All that happens, in order, as it happens: the records of all ledgers in one stream, which can be gone on with later.

mod cursor;
mod stream;
mod tail;
mod watch;

pub use cursor::Cursor;
pub use stream::{Filter, events};

use crate::{FileError, Stamped};
use model::{RunId, Vmid};

/// What is told of the stream. Each has the id of the place after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Something happened.
    Record {
        /// The place after it.
        id: Cursor,
        /// The guest.
        vmid: Vmid,
        /// The run.
        run: RunId,
        /// Its line in the ledger of the run, from 1.
        line: u64,
        /// What, and when.
        stamped: Box<Stamped>,
    },
    /// Something is missing.
    Gap {
        /// The place after it.
        id: Cursor,
        /// The guest, where that is known.
        vmid: Option<Vmid>,
        /// The run and its line that is there and cannot be read.
        place: Option<(RunId, u64)>,
        /// What, in words.
        what: String,
    },
    /// There is no more for now. It is told at first and then from time to time, so that who listens can see whether somebody
    /// still listens to it.
    Idle {
        /// The place.
        id: Cursor,
    },
}

impl Heard {
    /// The place after it.
    #[must_use]
    pub fn id(&self) -> &Cursor {
        match self {
            Self::Record { id, .. } | Self::Gap { id, .. } | Self::Idle { id } => id,
        }
    }
}

/// The stream cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct EventsError(#[from] pub FileError);
