use super::LogRecord;
use crate::FileError;
use crate::instance::InstanceError;
use crate::journal::{InvalidNamespace, socket};
use model::Layout;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Records cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The name in `HOOKVISOR_JOURNAL` is none.
    #[error(transparent)]
    Namespace(#[from] InvalidNamespace),
    /// The root's id cannot be read.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is a journal, but not the program that reads it.
    #[error("cannot run journalctl (package systemd)")]
    Missing(#[source] io::Error),
    /// The program that reads the journal failed.
    #[error("journalctl: {0}")]
    Journalctl(String),
}

/// The records that journalctl(1) finds.
pub(super) struct Journalctl {
    /// None when it is over, or there is no journal.
    child: Option<(Child, BufReader<ChildStdout>)>,
}

impl Journalctl {
    pub(super) fn none() -> Self {
        Self { child: None }
    }

    pub(super) fn spawn(
        layout: &Layout,
        namespace: Option<&str>,
        fields: &[(&'static str, String)],
        last: Option<usize>,
    ) -> Result<Self, LogError> {
        Self::run(Command::new("journalctl"), layout, namespace, fields, last)
    }

    /// The last records and those to come. None where there is no journal: journalctl would wait for ever.
    pub(super) fn follow(
        layout: &Layout,
        namespace: Option<&str>,
        fields: &[(&'static str, String)],
        last: usize,
    ) -> Result<Self, LogError> {
        if !socket(namespace).exists() {
            return Ok(Self::none());
        }
        let mut command = Command::new("journalctl");
        command.arg("--follow");
        Self::run(command, layout, namespace, fields, Some(last))
    }

    fn run(
        mut command: Command,
        layout: &Layout,
        namespace: Option<&str>,
        fields: &[(&'static str, String)],
        last: Option<usize>,
    ) -> Result<Self, LogError> {
        command.args(["--quiet", "--no-pager", "--output=json", "--all"]);
        command.args(namespace.map(|name| format!("--namespace={name}")));
        command.args(last.map(|count| format!("--lines={count}")));
        command.args(fields.iter().map(|(name, value)| format!("{name}={value}")));
        if let Ok(owner) = fs::metadata(layout.state()) {
            command.arg(format!("_UID={}", owner.uid()));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).env("LC_ALL", "C");
        match command.spawn() {
            Ok(mut child) => {
                let lines = child.stdout.take().map(BufReader::new);
                Ok(Self { child: lines.map(|lines| (child, lines)) })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !socket(namespace).exists() => {
                Ok(Self::none())
            }
            Err(error) => Err(LogError::Missing(error)),
        }
    }

    /// How journalctl ended.
    fn end(mut child: Child) -> Result<(), LogError> {
        // It says little: what is a pipe full is never reached before it has closed its output.
        let mut said = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            let _ = stderr.read_to_string(&mut said);
        }
        let status = child.wait().map_err(|error| LogError::Journalctl(error.to_string()))?;
        let said = said.trim();
        // Without journal files it complains even when it is to be quiet.
        if status.success() || said.is_empty() || said.starts_with("No journal files were found") {
            Ok(())
        } else {
            Err(LogError::Journalctl(said.to_owned()))
        }
    }
}

impl Iterator for Journalctl {
    type Item = Result<LogRecord, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        loop {
            let (_, lines) = self.child.as_mut()?;
            line.clear();
            match lines.read_until(b'\n', &mut line) {
                Ok(0) => {
                    let (child, _) = self.child.take()?;
                    return Self::end(child).err().map(Err);
                }
                Ok(_) => {
                    if let Some(record) = LogRecord::parse(&line) {
                        return Some(Ok(record));
                    }
                }
                Err(error) => return Some(Err(LogError::Journalctl(error.to_string()))),
            }
        }
    }
}

impl Drop for Journalctl {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Whether a record has all these fields with these values.
pub(super) fn has_fields(record: &LogRecord, fields: &[(&'static str, String)]) -> bool {
    fields.iter().all(|(name, value)| {
        let values = record.fields.get(*name);
        values.is_some_and(|values| values.iter().any(|found| found == value.as_bytes()))
    })
}

/// The records in the file and in those that were put aside; lines that are none are passed over.
pub(super) struct RecordFile {
    read: VecDeque<LogRecord>,
    files: VecDeque<(PathBuf, BufReader<File>)>,
    fields: Vec<(&'static str, String)>,
}

impl RecordFile {
    pub(super) fn none() -> Self {
        Self::read_already(VecDeque::new())
    }

    pub(super) fn read_already(read: VecDeque<LogRecord>) -> Self {
        Self { read, files: VecDeque::new(), fields: Vec::new() }
    }

    pub(super) fn open(path: PathBuf, fields: Vec<(&'static str, String)>) -> Result<Self, FileError> {
        let open = |path: PathBuf| match File::open(&path) {
            Ok(file) => Ok(Some((path, BufReader::new(file)))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(FileError::at("open", &path)(error)),
        };
        let files = aside(&path).into_iter().chain([path]).map(open);
        let files = files.filter_map(Result::transpose).collect::<Result<_, _>>()?;
        Ok(Self { read: VecDeque::new(), files, fields })
    }

    fn line(&mut self, line: &mut Vec<u8>) -> Result<usize, FileError> {
        let Some((path, file)) = self.files.front_mut() else { return Ok(0) };
        line.clear();
        file.read_until(b'\n', line).map_err(FileError::at("read", Path::new(path)))
    }
}

/// The files beside this one with its name and an ending, in which it was put aside: by itself, being full, or by whoever keeps
/// the folder in order. The one that was written to last comes last.
fn aside(path: &Path) -> Vec<PathBuf> {
    let name = format!("{}.", path.file_name().unwrap_or_default().to_string_lossy());
    let folder = path.parent().unwrap_or(Path::new("/"));
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let own = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&name));
    let mut files: Vec<_> = own
        .filter_map(|entry| {
            let meta = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            Some(((meta.mtime(), meta.mtime_nsec()), entry.path()))
        })
        .collect();
    files.sort();
    files.into_iter().map(|(_, path)| path).collect()
}

impl Iterator for RecordFile {
    type Item = Result<LogRecord, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(record) = self.read.pop_front() {
            return Some(Ok(record));
        }
        let mut line = Vec::new();
        while !self.files.is_empty() {
            match self.line(&mut line) {
                Ok(0) => {
                    self.files.pop_front();
                }
                Ok(_) => {
                    if let Some(record) =
                        LogRecord::parse(&line).filter(|record| has_fields(record, &self.fields))
                    {
                        return Some(Ok(record));
                    }
                }
                Err(error) => {
                    self.files.clear();
                    return Some(Err(error.into()));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn files_before_come_first_and_other_roots_records_are_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("records.jsonl");
        let write = |path: &Path, root: &str, message: &str| {
            let mut file = File::options().append(true).create(true).open(path).unwrap();
            let line = format!(r#"{{"__REALTIME_TIMESTAMP":"1","ROOT":"{root}","MESSAGE":"{message}"}}"#);
            writeln!(file, "{line}\n{}", &line[..20]).unwrap();
        };
        // As the doctor has it moved, and as it moves itself.
        for (name, message) in [("records.jsonl.2026-11-23", "earliest"), ("records.jsonl.1", "early")] {
            write(&dir.path().join(name), "a", message);
        }
        write(&path, "a", "late");
        write(&path, "b", "another root's");
        write(&dir.path().join("records.jsonl-other"), "a", "none of it");
        let at = |name: &str, seconds: u64| {
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            File::options().append(true).open(dir.path().join(name)).unwrap().set_modified(time).unwrap();
        };
        at("records.jsonl.2026-11-23", 1);
        at("records.jsonl.1", 2);
        let records = RecordFile::open(path, vec![("ROOT", "a".into())]).unwrap();
        let messages: Vec<_> = records.map(|record| record.unwrap().message().to_vec()).collect();
        assert_eq!(messages, [b"earliest".to_vec(), b"early".to_vec(), b"late".to_vec()]);
    }
}
