use super::TaskError;
use super::files;
use super::log::{ERROR, OK, PREFIX, is_warnings};
use crate::FileError;
use model::{Layout, Upid};
use serde::Serialize;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

/// A task in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its UPID.
    pub upid: Upid,
    /// When it ended, in seconds since the Unix epoch; none while it runs.
    pub ended: Option<u64>,
    /// How it ended; none while it runs.
    pub status: Option<String>,
}

/// Which tasks to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Ended ones, from the index.
    Archive,
    /// Running ones and the last ended ones.
    Active,
    /// Both.
    All,
}

/// How a task stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It runs, or its end has not been recorded.
    Running,
    /// It has ended.
    Ended {
        /// When, in seconds since the Unix epoch, where that is known.
        ended: Option<u64>,
        /// `OK`, `WARNINGS: <n>`, an error's text, or `unexpected status`.
        status: String,
    },
}

/// Lists tasks, those that began last first. Each is there once.
///
/// # Errors
/// Where a file is there but cannot be read.
pub fn list(layout: &Layout, source: Source) -> Result<Vec<Task>, TaskError> {
    let mut tasks = files::read(layout, source)?;
    // What the index says of a task's end is newer than what the list says of its run.
    tasks.sort_by_key(|task| (std::cmp::Reverse(task.upid.start_time), task.status.is_none()));
    let mut seen = HashSet::new();
    tasks.retain(|task| seen.insert(task.upid.clone()));
    Ok(tasks)
}

/// The tasks whose end has not been recorded.
///
/// # Errors
/// Where a file is there but cannot be read.
pub fn open(layout: &Layout) -> Result<Vec<Upid>, TaskError> {
    let tasks = list(layout, Source::All)?;
    Ok(tasks.into_iter().filter(|task| task.status.is_none()).map(|task| task.upid).collect())
}

/// How a task stands.
///
/// # Errors
/// [`TaskError::NotFound`] where nothing is known of it; or where a file is there but cannot be read.
pub fn state(layout: &Layout, upid: &Upid) -> Result<State, TaskError> {
    if let Some(state) = listed(layout, upid)? {
        return Ok(state);
    }
    let path = layout.task_log(upid);
    let mut file = open_log(layout, upid)?;
    // It may have been claimed just now: with the lock it is on the list.
    let lock = files::lock(layout)?;
    let state = listed(layout, upid)?;
    drop(lock);
    if let Some(state) = state {
        return Ok(state);
    }
    // Its entries have been put aside long ago.
    let last = last_line(&mut file).map_err(FileError::at("read", &path))?;
    let status = status_of(&last).unwrap_or_else(|| "unexpected status".to_owned());
    let modified = file.metadata().and_then(|meta| meta.modified()).ok();
    let ended = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    Ok(State::Ended { ended: ended.map(|time| time.as_secs()), status })
}

fn open_log(layout: &Layout, upid: &Upid) -> Result<File, TaskError> {
    let path = layout.task_log(upid);
    match File::open(&path) {
        Ok(file) => Ok(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(TaskError::NotFound(upid.clone())),
        Err(error) => Err(FileError::at("open", &path)(error).into()),
    }
}

fn listed(layout: &Layout, upid: &Upid) -> Result<Option<State>, TaskError> {
    let mut tasks = files::read(layout, Source::All)?;
    tasks.retain(|task| task.upid == *upid);
    // What says how it ended comes first.
    tasks.sort_by_key(|task| task.status.is_none());
    Ok(tasks.into_iter().next().map(|task| match task.status {
        Some(status) => State::Ended { ended: task.ended, status },
        None => State::Running,
    }))
}

/// The status in a log's last line, if it is one.
fn status_of(line: &str) -> Option<String> {
    if line == OK {
        return Some("OK".to_owned());
    }
    let error = line.strip_prefix(ERROR);
    error.or_else(|| line.strip_prefix(PREFIX).filter(|rest| is_warnings(rest))).map(str::to_owned)
}

fn last_line(file: &mut File) -> io::Result<String> {
    const TAIL: u64 = 64 * 1024;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let line = bytes.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(line).into_owned())
}

/// A line of a task's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its number, from 1.
    pub n: u64,
    /// Its text.
    pub t: String,
}

/// Some lines of a task's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The lines.
    pub lines: Vec<Line>,
    /// How many lines the log has.
    pub total: u64,
}

/// Reads a task's log from the line after the first `start` ones on, at most `limit` lines, 0 meaning all. An
/// empty log has the line `no content` (api.md 4.3).
///
/// # Errors
/// [`TaskError::NotFound`] where there is no log of it; or where it cannot be read.
pub fn lines(layout: &Layout, upid: &Upid, start: u64, limit: u64) -> Result<Page, TaskError> {
    let path = layout.task_log(upid);
    let file = open_log(layout, upid)?;
    let end = if limit == 0 { u64::MAX } else { start.saturating_add(limit) };
    let (mut lines, mut total) = (Vec::new(), 0);
    for line in BufReader::new(file).split(b'\n') {
        let line = line.map_err(FileError::at("read", &path))?;
        total += 1;
        if (start..end).contains(&(total - 1)) {
            lines.push(Line { n: total, t: String::from_utf8_lossy(&line).into_owned() });
        }
    }
    if total == 0 {
        lines.push(Line { n: 1, t: "no content".to_owned() });
        total = 1;
    }
    Ok(Page { lines, total })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TaskLog;
    use model::UserId;
    use std::fs;

    fn task(layout: &Layout) -> TaskLog {
        TaskLog::create(layout, &"pve1".parse().unwrap(), "vzstart", "200", &UserId::root()).unwrap()
    }

    #[test]
    fn lines_are_paged_and_numbered_without_gaps() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let mut log = task(&layout);
        let upid = log.upid().clone();
        let empty = lines(&layout, &upid, 0, 50).unwrap();
        assert_eq!(empty, Page { lines: vec![Line { n: 1, t: "no content".into() }], total: 1 });
        log.write(b"a\n\nb\xff\nlast").unwrap();
        let page = lines(&layout, &upid, 1, 2).unwrap();
        assert_eq!(page.total, 4);
        assert_eq!(page.lines, [Line { n: 2, t: String::new() }, Line { n: 3, t: "b\u{fffd}".into() }]);
        assert_eq!(lines(&layout, &upid, 0, 0).unwrap().lines.len(), 4);
        assert_eq!(lines(&layout, &upid, 9, 5).unwrap().lines, []);
    }

    #[test]
    fn a_running_task_that_prints_task_ok_still_runs() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let mut log = task(&layout);
        log.write(b"TASK OK\n").unwrap();
        assert_eq!(state(&layout, log.upid()).unwrap(), State::Running);
    }

    #[test]
    fn without_list_and_index_the_last_line_tells() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        for (text, expected) in [
            ("x\nTASK OK\n", "OK"),
            ("\nTASK ERROR: it broke \n", "it broke "),
            ("TASK WARNINGS: 2\n", "WARNINGS: 2"),
            ("TASK OKAY\n", "unexpected status"),
            ("", "unexpected status"),
        ] {
            let log = task(&layout);
            fs::write(layout.task_log(log.upid()), text).unwrap();
            fs::write(layout.tasks().join("active"), "garbage\n\n").unwrap();
            let State::Ended { status, .. } = state(&layout, log.upid()).unwrap() else {
                panic!("{text:?} runs")
            };
            assert_eq!(status, expected);
        }
    }

    #[test]
    fn an_unknown_task_is_not_found() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let upid = "UPID:pve1:00001016:00030A62:6B034184:vzstart:200:root@pam:".parse().unwrap();
        assert!(matches!(state(&layout, &upid), Err(TaskError::NotFound(_))));
        assert!(matches!(lines(&layout, &upid, 0, 0), Err(TaskError::NotFound(_))));
        assert!(list(&layout, Source::All).unwrap().is_empty());
    }
}
