//! What hookscripts printed and what hookvisor did, read back from wherever [`crate::journal`] put it: the
//! systemd journal, by journalctl(1), and the file.

mod follow;
mod parse;
mod source;

pub use follow::follow;
pub use parse::LogRecord;
pub use source::LogError;

use crate::{instance, journal};
use model::{Layout, Phase, RunId, Vmid};
use source::{Journalctl, RecordFile};
use std::collections::VecDeque;
use std::iter::Peekable;

/// The field that names the root whose record it is: one journal may serve several.
pub(crate) const ROOT_FIELD: &str = "HOOKVISOR_ROOT_ID";

/// Which records to read.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Those about this guest.
    pub vmid: Option<Vmid>,
    /// Those about this phase.
    pub phase: Option<Phase>,
    /// Those of this run.
    pub run: Option<RunId>,
    /// So many, the last ones.
    pub last: Option<usize>,
}

impl Filter {
    /// The fields that a record must have.
    fn fields(&self, root_id: String) -> Vec<(&'static str, String)> {
        let mut fields = vec![(ROOT_FIELD, root_id)];
        fields.extend(self.vmid.map(|vmid| ("GUEST_VMID", vmid.to_string())));
        fields.extend(self.phase.map(|phase| ("HOOK_PHASE", phase.to_string())));
        fields.extend(self.run.as_ref().map(|run| ("RUN_ID", run.to_string())));
        fields
    }
}

/// Reads the records of a root that match, in the order of their times. Only those count that the root's owner
/// wrote: everybody may write to the journal.
///
/// # Errors
/// Where a source is there but cannot be read.
pub fn read(layout: &Layout, filter: &Filter) -> Result<Records, LogError> {
    let Some(root_id) = instance::existing_root_id(layout)? else { return Ok(Records::none()) };
    let fields = filter.fields(root_id);
    let namespace = journal::namespace()?;
    let file = RecordFile::open(layout.fallback_record(), fields.clone())?;
    let journal = Journalctl::spawn(layout, namespace.as_deref(), &fields, filter.last)?;
    let records = Records { journal: journal.peekable(), file: file.peekable() };
    match filter.last {
        None => Ok(records),
        Some(count) => records.last(count),
    }
}

/// Records in the order of their times.
pub struct Records {
    journal: Peekable<Journalctl>,
    file: Peekable<RecordFile>,
}

impl Records {
    fn none() -> Self {
        Self { journal: Journalctl::none().peekable(), file: RecordFile::none().peekable() }
    }

    fn last(self, count: usize) -> Result<Self, LogError> {
        let mut last = VecDeque::new();
        for record in self {
            last.push_back(record?);
            if last.len() > count {
                last.pop_front();
            }
        }
        Ok(Self { file: RecordFile::read_already(last).peekable(), ..Self::none() })
    }
}

impl Iterator for Records {
    type Item = Result<LogRecord, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        match (self.journal.peek(), self.file.peek()) {
            (Some(Ok(one)), Some(Ok(other))) if other.time_usec < one.time_usec => self.file.next(),
            (Some(_), _) => self.journal.next(),
            (None, _) => self.file.next(),
        }
    }
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").finish_non_exhaustive()
    }
}
