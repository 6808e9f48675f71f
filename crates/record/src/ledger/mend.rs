//! Putting a mended ledger in the place of a damaged one, which is kept.

use super::line::{self, Stamped};
use super::read::Damage;
use crate::{FileError, clock, files};
use model::Event;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A line of a ledger as it stands in the file.
#[derive(Debug)]
pub struct RawLine {
    bytes: Vec<u8>,
    /// The record that it is.
    pub record: Result<Stamped, Damage>,
}

impl RawLine {
    /// A line for something that is put on record now.
    ///
    /// # Errors
    /// Where it has no JSON.
    pub fn new(event: Event) -> io::Result<Self> {
        let (time_ms, boot_ms) = (clock::epoch_millis(), clock::boot_millis());
        let bytes = line::encode(time_ms, boot_ms, &event)?;
        Ok(Self { bytes, record: Ok(Stamped { time_ms, boot_ms, event }) })
    }
}

/// All lines of a ledger but empty ones.
///
/// # Errors
/// Where the file cannot be read.
pub fn raw_lines(path: &Path) -> Result<Vec<RawLine>, FileError> {
    let bytes = fs::read(path).map_err(FileError::at("read", path))?;
    let lines = (1..).zip(bytes.split(|byte| *byte == b'\n')).filter(|(_, line)| !line.is_empty());
    let raw = |(number, line): (u64, &[u8])| RawLine {
        bytes: line.to_vec(),
        record: line::decode(line).map_err(|fault| Damage { line: number, fault }),
    };
    Ok(lines.map(raw).collect())
}

/// Puts these lines in the place of a ledger, whatever is there, and that to `aside`. All of it is on disk on return. A crash
/// in between leaves the old ledger, or both.
///
/// # Errors
/// Whatever the file system says; the ledger is then as it was.
pub fn replace<'a>(
    path: &Path,
    aside: &Path,
    lines: impl IntoIterator<Item = &'a RawLine>,
) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    files::create_dirs(folder)?;
    files::create_dirs(aside.parent().unwrap_or(Path::new("/")))?;
    let new = path.with_extension("mended");
    let _ = fs::remove_file(&new);
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&new)?;
    for line in lines {
        file.write_all(&line.bytes)?;
        file.write_all(b"\n")?;
    }
    file.sync_all()?;
    match fs::hard_link(path, aside) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        // No file at all, or no links on this file system.
        Err(_) => fs::rename(path, aside)?,
    }
    fs::rename(&new, path)?;
    files::sync_dir(folder)
}

/// Cuts off what follows the last record of a ledger. It is gone from the disk on return.
///
/// # Errors
/// Whatever the file system says.
pub fn cut_tail(path: &Path) -> io::Result<()> {
    let bytes = fs::read(path)?;
    let mut end = bytes.len();
    for line in bytes.split_inclusive(|byte| *byte == b'\n').rev() {
        if line::decode(line.strip_suffix(b"\n").unwrap_or(line)).is_ok() {
            break;
        }
        end -= line.len();
    }
    let file = File::options().write(true).open(path)?;
    file.set_len(u64::try_from(end).unwrap_or(u64::MAX))?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ledger;
    use crate::ledger::read;

    #[test]
    fn good_lines_stay_and_what_was_there_is_kept_aside() {
        let dir = tempfile::tempdir().unwrap();
        let (path, aside) = (dir.path().join("100.jsonl"), dir.path().join("old/damaged"));
        let ledger = Ledger::create(&path).unwrap();
        ledger.append(&Event::Released).unwrap();
        fs::write(&path, [&fs::read(&path).unwrap()[..], b"nonsense\n\n"].concat()).unwrap();
        ledger.append(&Event::Restart).unwrap();
        let before = fs::read(&path).unwrap();

        let lines = raw_lines(&path).unwrap();
        assert_eq!(lines.iter().map(|line| line.record.is_ok()).collect::<Vec<_>>(), [true, false, true]);
        let note = RawLine::new(Event::Note { text: "mended".into() }).unwrap();
        replace(&path, &aside, [&lines[0], &note, &lines[2]]).unwrap();
        let contents = read(&path).unwrap();
        let events: Vec<_> = contents.events.into_iter().map(|stamped| stamped.event).collect();
        assert_eq!(events, [Event::Released, Event::Note { text: "mended".into() }, Event::Restart]);
        assert_eq!((contents.damage.len(), fs::read(&aside).unwrap()), (0, before));
    }

    #[test]
    fn what_follows_the_last_record_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("100.jsonl");
        let ledger = Ledger::create(&path).unwrap();
        fs::write(&path, "nonsense\n").unwrap();
        ledger.append(&Event::Released).unwrap();
        let whole = fs::read(&path).unwrap();
        for tail in [&b""[..], b"\n", b"{\"v\":1,", b"\0\0\0\0", b"\0\0\n\0\n\n"] {
            fs::write(&path, [&whole[..], tail].concat()).unwrap();
            cut_tail(&path).unwrap();
            assert_eq!(fs::read(&path).unwrap(), whole, "{tail:?}");
        }
        fs::write(&path, "nonsense\n\0").unwrap();
        cut_tail(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn whatever_stands_in_its_place_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let (path, aside) = (dir.path().join("100.jsonl"), dir.path().join("aside"));
        fs::create_dir(&path).unwrap();
        assert!(raw_lines(&path).is_err());
        let line = RawLine::new(Event::Released).unwrap();
        replace(&path, &aside, [&line]).unwrap();
        assert!(aside.is_dir() && read(&path).unwrap().events.len() == 1);
        // And where there was nothing.
        let other = dir.path().join("new/101.jsonl");
        replace(&other, &dir.path().join("none"), [&line]).unwrap();
        assert_eq!(read(&other).unwrap().events.len(), 1);
    }
}
