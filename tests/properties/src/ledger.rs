//! Ledgers: a record that is accepted is the one that was written, and damage has a place.

use model::Event;
use record::ledger::{Reader, Stamped, decode, encode};

/// A file, and the same bytes as what a line says after its checksum.
pub(crate) fn files(bytes: &[u8]) {
    let read = |reader: Reader<&[u8]>| -> Vec<_> { reader.map(|item| item.expect("memory")).collect() };
    let all = read(Reader::new(bytes));
    let lines = crate::line_count(bytes) as u64;
    for item in &all {
        match item {
            Ok(stamped) => reads_back(stamped),
            Err(damage) => {
                assert!((1..=lines).contains(&damage.line));
                assert!(damage.to_string().starts_with(&format!("line {}: ", damage.line)));
            }
        }
    }
    let without = read(Reader::new(bytes).without_output());
    assert_eq!(facts(&without), facts(&all));
    if !bytes.contains(&b'\n') {
        sealed(bytes);
    }
}

/// A line with the right checksum.
fn sealed(rest: &[u8]) {
    let line = line(1, rest);
    let Ok(stamped) = decode(&line) else { return };
    reads_back(&stamped);
    for cut in [1, 2, line.len() / 2] {
        assert!(decode(&line[..line.len() - cut]).is_err(), "a torn line is accepted");
    }
    let mut changed = line.clone();
    let at = 24 + usize::from(rest[0]) % rest.len();
    changed[at] ^= 1;
    assert!(decode(&changed).is_err(), "a changed line is accepted");
    let other = record::ledger::VERSION + 1;
    assert_eq!(decode(&self::line(other, rest)), Err(record::ledger::Fault::Version(other)));
}

fn line(version: u32, rest: &[u8]) -> Vec<u8> {
    let head = format!("{{\"v\":{version},\"crc\":\"{:08x}\",", crc32(rest));
    [head.as_bytes(), rest].concat()
}

fn reads_back(stamped: &Stamped) {
    let line = encode(stamped.time_ms, stamped.boot_ms, &stamped.event).expect("an event is JSON");
    assert_eq!(decode(&line).as_ref(), Ok(stamped));
    assert!(!line.contains(&b'\n'));
}

/// What recovery and history go by.
fn facts<D>(items: &[Result<Stamped, D>]) -> Vec<&Stamped> {
    let events = items.iter().flatten();
    events.filter(|stamped| !matches!(stamped.event, Event::Output { .. })).collect()
}

/// CRC-32 bit by bit, as the standard defines it.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
