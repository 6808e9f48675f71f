//! What is on a disk when the power goes: QEMU logs each write and each flush beside the disk (its driver
//! `blklogwrites`, in the format of Linux's `dm-log-writes`), and the disk is made anew from as much of it as survives.

use crate::scratch::Folder;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// What survives of that which the machine has written and not flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cache {
    /// Nothing: the disk's own cache is lost.
    Lost,
    /// All of it, in its order, but for what was still in the machine's memory.
    Kept,
}

const SECTOR: usize = 512;
const MAGIC: u64 = 0x006a_7366_7773_6872;
const FLUSH: u64 = 1;
const DISCARD: u64 = 4;
const KNOWN: u64 = 0b111;

/// A write or a flush.
struct Entry {
    sector: u64,
    flush: bool,
    data: Vec<u8>,
}

/// Makes a disk on top of another one.
pub(crate) fn overlay(base: &Path, format: &str, disk: &Path) {
    // What stands in the image is looked for beside the image.
    let base = base.canonicalize().expect("a disk that is there");
    let made = Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2", "-F", format, "-b"])
        .args([&base, disk])
        .status();
    assert!(made.is_ok_and(|status| status.success()), "{} cannot be made", disk.display());
}

/// Makes the disk as it is after the power has gone.
pub(crate) fn after(base: &Path, log: &Path, cache: Cache, disk: &Path) {
    overlay(base, "qcow2", disk);
    let log = std::fs::read(log).expect("the log of writes can be read");
    let mut entries = entries(&log);
    let durable = entries.iter().rposition(|entry| entry.flush).map_or(0, |last| last + 1);
    if cache == Cache::Lost {
        entries.truncate(durable);
    }
    let mut sectors: BTreeMap<u64, [u8; SECTOR]> = BTreeMap::new();
    for entry in entries {
        for (sector, data) in (entry.sector..).zip(entry.data.chunks_exact(SECTOR)) {
            sectors.insert(sector, data.try_into().expect("a sector"));
        }
    }
    write(disk, sectors);
}

/// Writes sectors into an image, those that follow each other at once.
fn write(disk: &Path, sectors: BTreeMap<u64, [u8; SECTOR]>) {
    let mut extents: Vec<(u64, Vec<u8>)> = Vec::new();
    for (sector, data) in sectors {
        match extents.last_mut() {
            Some((first, extent)) if *first + (extent.len() / SECTOR) as u64 == sector => extent.extend(data),
            _ => extents.push((sector, data.to_vec())),
        }
    }
    let folder = Folder::new();
    let mut commands = String::new();
    for (number, (sector, extent)) in extents.iter().enumerate() {
        let path = folder.path().join(number.to_string());
        std::fs::write(&path, extent).expect("an extent can be written");
        let at = sector * SECTOR as u64;
        commands.push_str(&format!("write -q -s {} {at} {}\n", path.display(), extent.len()));
    }
    let io = Command::new("qemu-io")
        .args(["-f", "qcow2", "-t", "unsafe"])
        .arg(disk)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut io = io.expect("qemu-io can be started");
    let mut stdin = io.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || stdin.write_all(commands.as_bytes()));
    let output = io.wait_with_output().expect("qemu-io ends");
    writer.join().expect("a thread").expect("qemu-io reads its commands");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && words.is_empty(), "qemu-io: {words}");
}

/// The log's entries, in the order in which they were begun. One whose writing the end of QEMU has cut short leaves a gap,
/// which is passed over.
fn entries(log: &[u8]) -> Vec<Entry> {
    let number = |at: usize| {
        log.get(at..at + 8).map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().expect("8 bytes")))
    };
    assert!(matches!(number(0), 0 | MAGIC), "no log of writes");
    let mut entries = Vec::new();
    let mut at = SECTOR;
    while at + SECTOR <= log.len() {
        let [sector, count, flags, mark] = [0, 8, 16, 24].map(|offset| number(at + offset));
        let is_entry = flags & !KNOWN == 0
            && (flags != 0 || count != 0)
            && mark == 0
            && log[at + 32..at + SECTOR].iter().all(|byte| *byte == 0);
        at += SECTOR;
        let written = if flags & DISCARD == 0 { usize::try_from(count).ok() } else { Some(0) };
        let end = written.and_then(|count| count.checked_mul(SECTOR)?.checked_add(at));
        if let Some(end) = end.filter(|end| is_entry && *end <= log.len()) {
            entries.push(Entry { sector, flush: flags & FLUSH != 0, data: log[at..end].to_vec() });
            at = end;
        }
    }
    entries
}
