use crate::crc32::crc32;
use model::Event;
use serde::{Deserialize, Serialize};
use std::io;

/// The version of the format that is written.
pub const VERSION: u32 = 1;

/// An event and when it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamped {
    /// In milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// In milliseconds since the host booted, time asleep included.
    pub boot_ms: u64,
    /// What happened.
    pub event: Event,
}

/// Why a line of a ledger is no record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Its writing was cut short.
    #[error("the record is torn")]
    Torn,
    /// Its bytes are not those that were written.
    #[error("the checksum does not match")]
    Checksum,
    /// It is of another version of the format than this program reads.
    #[error("the record is of version {0}, this program reads {VERSION}")]
    Version(u32),
    /// It is whole, but what it says is not understood.
    #[error("the record cannot be understood: {0}")]
    Unreadable(String),
}

const BEGIN: &[u8] = b"{\"v\":1,\"crc\":\"";
const CRC_LEN: usize = 8;
const AFTER_CRC: &[u8] = b"\",";

/// Makes a line, without its end.
///
/// # Errors
/// Where the event has no JSON.
pub fn encode(time_ms: u64, boot_ms: u64, event: &Event) -> io::Result<Vec<u8>> {
    let event = serde_json::to_vec(event)?;
    let mut rest = format!("\"time\":{time_ms},\"boot\":{boot_ms},").into_bytes();
    rest.extend_from_slice(event.strip_prefix(b"{").unwrap_or(&event));
    let mut line = BEGIN.to_vec();
    line.extend_from_slice(format!("{:08x}", crc32(&rest)).as_bytes());
    line.extend_from_slice(AFTER_CRC);
    line.append(&mut rest);
    Ok(line)
}

/// Reads a line, without its end.
///
/// # Errors
/// Why it is no record.
pub fn decode(line: &[u8]) -> Result<Stamped, Fault> {
    #[derive(Deserialize)]
    struct Stamp {
        time: u64,
        boot: u64,
    }

    let Some((crc, rest)) = open(line) else {
        return Err(version(line).map_or(Fault::Torn, Fault::Version));
    };
    if crc != crc32(rest) {
        return Err(if line.ends_with(b"}") { Fault::Checksum } else { Fault::Torn });
    }
    let unreadable = |error: serde_json::Error| Fault::Unreadable(error.to_string());
    let Stamp { time, boot } = serde_json::from_slice(line).map_err(unreadable)?;
    let event = serde_json::from_slice(line).map_err(unreadable)?;
    Ok(Stamped { time_ms: time, boot_ms: boot, event })
}

/// Whether a line is a record of output, told from its beginning alone.
pub(super) fn is_output(line: &[u8]) -> bool {
    let number = |rest: &[u8]| rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let skip = |rest: &[u8], key: &[u8]| {
        let rest = rest.strip_prefix(key)?;
        Some(number(rest) + key.len())
    };
    let Some((_, rest)) = open(line) else { return false };
    let Some(time) = skip(rest, b"\"time\":") else { return false };
    let Some(boot) = skip(&rest[time..], b",\"boot\":") else { return false };
    rest[time + boot..].starts_with(b",\"event\":\"output\",")
}

/// The checksum and the bytes that it is of.
fn open(line: &[u8]) -> Option<(u32, &[u8])> {
    let (crc, rest) = line.strip_prefix(BEGIN)?.split_at_checked(CRC_LEN)?;
    if !crc.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let crc = u32::from_str_radix(std::str::from_utf8(crc).ok()?, 16).ok()?;
    Some((crc, rest.strip_prefix(AFTER_CRC)?))
}

/// The version that a line claims, where it is not ours.
fn version(line: &[u8]) -> Option<u32> {
    let rest = line.strip_prefix(b"{\"v\":")?;
    let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let number = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    (number != VERSION && rest[end] == b',').then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Phase, Stream, Text};
    use proptest::prelude::*;

    fn output(bytes: &[u8]) -> Event {
        Event::Output {
            phase: Some(Phase::PreStart),
            stream: Stream::Stdout,
            text: Text::from(bytes),
            more: false,
        }
    }

    #[test]
    fn a_line_reads_as_the_format_says() {
        let line = encode(5, 7, &Event::Released).unwrap();
        assert_eq!(
            String::from_utf8(line).unwrap(),
            r#"{"v":1,"crc":"c4c13296","time":5,"boot":7,"event":"released"}"#
        );
    }

    #[test]
    fn output_is_told_without_parsing() {
        assert!(is_output(&encode(5, 7, &output(b"x")).unwrap()));
        assert!(!is_output(&encode(5, 7, &Event::Note { text: ",\"event\":\"output\",".into() }).unwrap()));
    }

    #[test]
    fn what_is_wrong_with_a_line_is_told() {
        let good = encode(5, 7, &Event::Released).unwrap();
        let newer = String::from_utf8(good.clone()).unwrap().replace("\"v\":1", "\"v\":2");
        assert_eq!(decode(newer.as_bytes()), Err(Fault::Version(2)));
        assert_eq!(decode(&good[..good.len() - 1]), Err(Fault::Torn));
        let changed = String::from_utf8(good).unwrap().replace("boot\":7", "boot\":8");
        assert_eq!(decode(changed.as_bytes()), Err(Fault::Checksum));
        let rest = br#""time":5,"boot":7,"event":"from-the-future"}"#;
        let unknown = [format!(r#"{{"v":1,"crc":"{:08x}","#, crc32(rest)).as_bytes(), rest].concat();
        assert!(matches!(decode(&unknown), Err(Fault::Unreadable(_))));
    }

    proptest! {
        #[test]
        fn every_output_reads_back_as_written(bytes: Vec<u8>, time in 0..u64::MAX, boot in 0..u64::MAX) {
            let event = output(&bytes);
            let line = encode(time, boot, &event).unwrap();
            prop_assert!(!line.contains(&b'\n'));
            prop_assert_eq!(decode(&line), Ok(Stamped { time_ms: time, boot_ms: boot, event }));
        }

        #[test]
        fn a_changed_byte_is_noticed(at in any::<prop::sample::Index>(), to: u8) {
            let good = encode(1_795_374_719_000, 123_456, &output(b"some text")).unwrap();
            let mut bad = good.clone();
            let at = at.index(bad.len());
            bad[at] = to;
            prop_assert!(bad == good || decode(&bad).is_err());
        }

        #[test]
        fn no_line_makes_it_panic(line: Vec<u8>) {
            let _ = (decode(&line), is_output(&line));
        }
    }
}
