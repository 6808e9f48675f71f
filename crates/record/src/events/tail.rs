use crate::FileError;
use crate::ledger::{self, Fault, Stamped};
use model::{Event, RunId, Vmid};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A ledger that is read on as it grows.
pub(super) struct Tail {
    pub(super) vmid: Vmid,
    /// None until its first record is there.
    pub(super) run: Option<RunId>,
    path: PathBuf,
    file: BufReader<File>,
    identity: (u64, u64),
    /// A line that has begun.
    part: Vec<u8>,
    line: u64,
}

/// A line of a ledger.
pub(super) struct Line {
    pub(super) run: RunId,
    pub(super) number: u64,
    pub(super) record: Result<Stamped, Fault>,
}

impl Tail {
    /// Opens a ledger; none where it is not there.
    pub(super) fn open(path: &Path, vmid: Vmid) -> Result<Option<Self>, FileError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FileError::at("open", path)(error)),
        };
        let meta = file.metadata().map_err(FileError::at("read", path))?;
        let identity = (meta.dev(), meta.ino());
        let file = BufReader::with_capacity(64 * 1024, file);
        Ok(Some(Self { vmid, run: None, path: path.to_owned(), file, identity, part: Vec::new(), line: 0 }))
    }

    /// Whether another file, or none, is at its path now.
    pub(super) fn is_replaced(&self) -> bool {
        self.path.metadata().map_or(true, |meta| (meta.dev(), meta.ino()) != self.identity)
    }

    /// The next whole line; none where there is none yet.
    pub(super) fn next(&mut self) -> Result<Option<Line>, FileError> {
        loop {
            let failed = FileError::at("read", &self.path);
            self.file.read_until(b'\n', &mut self.part).map_err(failed)?;
            if !self.part.ends_with(b"\n") {
                return Ok(None);
            }
            self.line += 1;
            let mut bytes = std::mem::take(&mut self.part);
            bytes.pop();
            if bytes.is_empty() {
                continue;
            }
            let record = ledger::decode(&bytes);
            if let Ok(Stamped { event: Event::RunBegin { run, .. }, .. }) = &record {
                self.run.get_or_insert_with(|| run.clone());
            }
            // Nothing can be told of a run that does not say which it is.
            let Some(run) = self.run.clone() else { continue };
            return Ok(Some(Line { run, number: self.line, record }));
        }
    }
}
