use super::TaskError;
use super::files::{self, Locked};
use crate::{FileError, clock, files as small};
use model::{Layout, NodeName, ProcessId, Upid, UserId};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The log of a task that runs. It is the caller's to bound what is written to it.
#[derive(Debug)]
pub struct TaskLog {
    layout: Layout,
    upid: Upid,
    /// None where it could not be made.
    file: Option<File>,
}

impl TaskLog {
    /// Begins a task in this process: claims a UPID by making its log, and puts it on the list of active tasks.
    /// Where another task has that UPID, which holds seconds, the next second is taken.
    ///
    /// # Errors
    /// Where the parts make no UPID, or a file cannot be written: then there is no such task.
    pub fn create(
        layout: &Layout,
        node: &NodeName,
        kind: &str,
        id: &str,
        user: &UserId,
    ) -> Result<Self, TaskError> {
        let lock = files::lock(layout)?;
        let (upid, file) = claim(&lock, layout, new_upid(node, kind, id, user)?)?;
        if let Err(error) = lock.add(&upid) {
            let _ = fs::remove_file(layout.task_log(&upid));
            return Err(error.into());
        }
        Ok(Self { layout: layout.clone(), upid, file: Some(file) })
    }

    /// As [`TaskLog::create`] for work that must be done even where nothing can be written, as a stop: the task
    /// then has a UPID and no log, and the error is handed out beside it.
    ///
    /// # Errors
    /// Where the parts make no UPID.
    pub fn create_anyway(
        layout: &Layout,
        node: &NodeName,
        kind: &str,
        id: &str,
        user: &UserId,
    ) -> Result<(Self, Option<TaskError>), TaskError> {
        match Self::create(layout, node, kind, id, user) {
            Ok(log) => Ok((log, None)),
            Err(TaskError::Invalid(error)) => Err(error.into()),
            Err(error) => {
                let upid = new_upid(node, kind, id, user)?;
                Ok((Self { layout: layout.clone(), upid, file: None }, Some(error)))
            }
        }
    }

    /// Goes on with a task that another process began.
    ///
    /// # Errors
    /// [`TaskError::NotFound`] where it has no log.
    pub fn adopt(layout: &Layout, upid: &Upid) -> Result<Self, TaskError> {
        let path = layout.task_log(upid);
        match options().open(&path) {
            Ok(file) => Ok(Self { layout: layout.clone(), upid: upid.clone(), file: Some(file) }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(TaskError::NotFound(upid.clone())),
            Err(error) => Err(FileError::at("open", &path)(error).into()),
        }
    }

    /// Its UPID.
    #[must_use]
    pub fn upid(&self) -> &Upid {
        &self.upid
    }

    /// Appends what the task, or a program within it, prints.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }

    /// Ends the task with `OK`, `WARNINGS: <n>` or an error's text: writes the log's last line, then index and
    /// list. Returns the status as it was written, on one line. A task that has ended keeps its first status.
    ///
    /// # Errors
    /// Where one of them could not be written; the others are.
    pub fn end(mut self, status: &str) -> Result<String, TaskError> {
        let status = status_line(status);
        let path = self.layout.task_log(&self.upid);
        let ended = clock::epoch_seconds().max(self.upid.start_time);
        let layout = self.layout.clone();
        let lock = files::lock(&layout);
        if let Some(before) = lock.as_ref().ok().and_then(|lock| lock.status(&self.upid)) {
            return Ok(before);
        }
        // The log first: who finds the task ended finds its last line.
        let written = self.write_end(&status).map_err(FileError::at("write", &path));
        lock?.end(&self.upid, ended, &status)?;
        written?;
        Ok(status)
    }

    /// The last line stands alone even where the output before it has no line end. An empty line goes before it
    /// where it is no `OK`, as in tasks of the command line (oracle.md 2.5).
    fn write_end(&mut self, status: &str) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let fresh = if small::ends_a_line(&*file)? { "" } else { "\n" };
        let line = match status {
            "OK" => format!("{fresh}{OK}\n"),
            _ if is_warnings(status) => format!("{fresh}\n{PREFIX}{status}\n"),
            _ => format!("{fresh}\n{ERROR}{status}\n"),
        };
        file.write_all(line.as_bytes())
    }
}

pub(super) const PREFIX: &str = "TASK ";
pub(super) const OK: &str = "TASK OK";
pub(super) const ERROR: &str = "TASK ERROR: ";

/// Whether a status is `WARNINGS: <n>`.
pub(super) fn is_warnings(status: &str) -> bool {
    let count = status.strip_prefix("WARNINGS: ");
    count.is_some_and(|count| !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit()))
}

/// An error's text as a task's status: without its last line end, the others as blanks (oracle.md 2.2).
#[must_use]
pub fn status_line(text: &str) -> String {
    text.strip_suffix('\n').unwrap_or(text).replace('\n', " ")
}

fn new_upid(node: &NodeName, kind: &str, id: &str, user: &UserId) -> Result<Upid, TaskError> {
    let upid = Upid {
        node: node.clone(),
        process: this_process(),
        start_time: clock::epoch_seconds(),
        kind: kind.to_owned(),
        id: id.to_owned(),
        user: user.clone(),
    };
    // Only a text that reads back can be the name of a file below the folder.
    Ok(upid.to_string().parse()?)
}

/// Makes the log of the task, or of the same a few seconds later.
fn claim(_: &Locked<'_>, layout: &Layout, mut upid: Upid) -> Result<(Upid, File), TaskError> {
    loop {
        let path = layout.task_log(&upid);
        let folder = path.parent().unwrap_or(Path::new("/"));
        small::create_dirs(folder).map_err(FileError::at("create", folder))?;
        match options().create_new(true).open(&path) {
            Ok(file) => return Ok((upid, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => upid.start_time += 1,
            Err(error) => return Err(FileError::at("create", &path)(error).into()),
        }
    }
}

/// Reading is for the look at the last byte.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).append(true).mode(0o640);
    options
}

/// This process, with its start time from field 22 of `/proc/self/stat` (proc(5)).
fn this_process() -> ProcessId {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let start = after_name.split(' ').nth(19).and_then(|field| field.parse().ok()).unwrap_or(0);
    ProcessId { pid: std::process::id(), start }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::{Source, State, read};

    fn begin(layout: &Layout) -> TaskLog {
        TaskLog::create(layout, &"pve1".parse().unwrap(), "qmstart", "100", &UserId::root()).unwrap()
    }

    fn root() -> (tempfile::TempDir, Layout) {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        (dir, layout)
    }

    #[test]
    fn a_task_is_written_as_proxmox_writes_it() {
        let (_dir, layout) = root();
        let mut log = begin(&layout);
        let upid = log.upid().clone();
        let list = |name: &str| fs::read_to_string(layout.tasks().join(name)).unwrap_or_default();
        assert_eq!((list("active"), list("index")), (format!("{upid} 0\n"), String::new()));
        assert_eq!(read::state(&layout, &upid).unwrap(), State::Running);

        log.write(b"out 100 pre-start\n").unwrap();
        let error = "hookscript error for 100 on pre-start: exit code 3\n\n";
        let status = log.end(error).unwrap();
        assert_eq!(status, "hookscript error for 100 on pre-start: exit code 3 ");
        let text = fs::read_to_string(layout.task_log(&upid)).unwrap();
        assert_eq!(text, format!("out 100 pre-start\n\nTASK ERROR: {status}\n"));

        let State::Ended { ended: Some(ended), status: read } = read::state(&layout, &upid).unwrap() else {
            panic!("not ended")
        };
        assert_eq!(read, status);
        assert_eq!(list("active"), format!("{upid} 1 {ended:08X} {status}\n"));
        assert_eq!(list("index"), format!("{upid} {ended:08X} {status}\n"));
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(layout.task_log(&upid)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o640);
    }

    #[test]
    fn tasks_of_one_second_get_upids_of_their_own() {
        let (_dir, layout) = root();
        let logs: Vec<TaskLog> = (0..4).map(|_| begin(&layout)).collect();
        let mut times: Vec<u64> = logs.iter().map(|log| log.upid().start_time).collect();
        times.dedup();
        assert_eq!(times.len(), 4);
        assert_eq!(read::open(&layout).unwrap().len(), 4);
    }

    #[test]
    fn the_last_line_stands_alone_after_output_without_a_line_end() {
        let (_dir, layout) = root();
        let mut log = begin(&layout);
        let upid = log.upid().clone();
        log.write(b"no line end").unwrap();
        log.end("OK").unwrap();
        assert_eq!(fs::read_to_string(layout.task_log(&upid)).unwrap(), "no line end\nTASK OK\n");
    }

    #[test]
    fn the_list_holds_the_running_and_25_ended_tasks() {
        let (_dir, layout) = root();
        let running = begin(&layout);
        for _ in 0..40 {
            begin(&layout).end("OK").unwrap();
        }
        let active = read::list(&layout, Source::Active).unwrap();
        assert_eq!(active.len(), 26);
        assert!(active.iter().any(|task| task.upid == *running.upid() && task.status.is_none()));
        assert!(active.windows(2).all(|pair| pair[0].upid.start_time >= pair[1].upid.start_time));
        assert_eq!(read::list(&layout, Source::Archive).unwrap().len(), 40);
        assert_eq!(read::list(&layout, Source::All).unwrap().len(), 41);
    }

    #[test]
    fn a_full_index_is_put_aside_and_still_read() {
        let (_dir, layout) = root();
        let long = "x".repeat(30_000);
        for _ in 0..3 {
            begin(&layout).end(&long).unwrap();
        }
        assert!(layout.tasks().join("index.1").exists());
        assert_eq!(read::list(&layout, Source::Archive).unwrap().len(), 3);
    }

    #[test]
    fn a_task_is_ended_once_however_often_that_is_said() {
        let (_dir, layout) = root();
        let upid = begin(&layout).upid().clone();
        for status in ["OK", "interrupted"] {
            assert_eq!(TaskLog::adopt(&layout, &upid).unwrap().end(status).unwrap(), "OK");
        }
        assert_eq!(fs::read_to_string(layout.task_log(&upid)).unwrap(), "TASK OK\n");
        assert!(
            matches!(read::state(&layout, &upid).unwrap(), State::Ended { status, .. } if status == "OK")
        );
        assert_eq!(read::list(&layout, Source::Archive).unwrap().len(), 1);
    }

    #[test]
    fn a_stop_gets_a_task_though_nothing_can_be_written() {
        let (dir, _) = root();
        fs::write(dir.path().join("file"), "").unwrap();
        let layout = Layout::new(dir.path().join("file"));
        let node = "pve1".parse().unwrap();
        assert!(TaskLog::create(&layout, &node, "qmstop", "100", &UserId::root()).is_err());
        let (mut log, error) =
            TaskLog::create_anyway(&layout, &node, "qmstop", "100", &UserId::root()).unwrap();
        assert!(matches!(error, Some(TaskError::File(_))));
        log.write(b"x").unwrap();
        assert!(log.end("OK").is_err());
    }

    #[test]
    fn an_id_cannot_lead_out_of_the_folder() {
        let (_dir, layout) = root();
        let node = "pve1".parse().unwrap();
        for id in ["../x", "a b", "a:b"] {
            let error = TaskLog::create(&layout, &node, "qmstart", id, &UserId::root()).unwrap_err();
            assert!(matches!(error, TaskError::Invalid(_)), "{id}");
        }
    }
}
