//! One call of systemd's manager by D-Bus, on the socket that `systemctl` uses, without a bus between the two.
//!
//! Two methods with fixed arguments are all that is needed, so the arguments are written here, as the D-Bus specification has
//! them ("Message Protocol"), and of an answer only its kind and its text are read.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Where systemd itself listens, for root alone.
const SOCKET: &str = "/run/systemd/private";

/// How long systemd may take to answer. It answers before it begins with what it is asked for.
const PATIENCE: Duration = Duration::from_secs(10);

/// No message of systemd's is longer.
const LONGEST: usize = 1 << 20;

const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// systemd cannot be talked to.
    #[error("cannot talk to systemd at '{SOCKET}'")]
    Io(#[from] io::Error),
    /// It refuses.
    #[error("{0}")]
    Refused(String),
}

/// Arguments as they go over the wire, in the machine's own order of bytes.
#[derive(Debug, Default)]
pub(crate) struct Arguments(Vec<u8>);

impl Arguments {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    /// A number of 32 bits, `u`; also a boolean, `b`.
    pub(crate) fn number(&mut self, number: u32) {
        self.align(4);
        self.0.extend(number.to_ne_bytes());
    }

    /// A number of 64 bits, `t`.
    pub(crate) fn long(&mut self, number: u64) {
        self.align(8);
        self.0.extend(number.to_ne_bytes());
    }

    /// A text, `s`; also the path of an object, `o`.
    pub(crate) fn text(&mut self, text: &str) {
        self.number(u32::try_from(text.len()).unwrap_or(u32::MAX));
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    /// The type of what follows, as in front of each variant, `g`.
    pub(crate) fn signature(&mut self, signature: &str) {
        self.0.push(u8::try_from(signature.len()).unwrap_or(u8::MAX));
        self.0.extend(signature.as_bytes());
        self.0.push(0);
    }

    /// An array, whose elements begin at multiples of `to` bytes.
    pub(crate) fn array(&mut self, to: usize, elements: impl FnOnce(&mut Self)) {
        self.number(0);
        let length = self.0.len() - 4;
        self.align(to);
        let begin = self.0.len();
        elements(self);
        let written = u32::try_from(self.0.len() - begin).unwrap_or(u32::MAX);
        self.0[length..length + 4].copy_from_slice(&written.to_ne_bytes());
    }

    /// The begin of a struct.
    pub(crate) fn record(&mut self) {
        self.align(8);
    }
}

/// Calls a method of the manager and waits for its answer.
pub(crate) fn call(method: &str, signature: &str, arguments: &Arguments) -> Result<(), BusError> {
    let stream = UnixStream::connect(SOCKET)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut writer = &stream;
    let mut reader = BufReader::new(&stream);
    // The user's number, 0, in the digits of its digits. The kernel vouches for it.
    writer.write_all(b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n")?;
    let mut welcome = String::new();
    reader.by_ref().take(4096).read_line(&mut welcome)?;
    if !welcome.starts_with("OK ") {
        return Err(BusError::Refused(format!("systemd says '{}'", welcome.trim_end())));
    }
    writer.write_all(&message(method, signature, arguments))?;
    loop {
        let (kind, text) = answer(&mut reader)?;
        match kind {
            METHOD_RETURN => return Ok(()),
            ERROR => return Err(BusError::Refused(text)),
            // Signals, which whoever is connected gets.
            _ => {}
        }
    }
}

fn message(method: &str, signature: &str, arguments: &Arguments) -> Vec<u8> {
    const MANAGER: &str = "org.freedesktop.systemd1";
    const METHOD_CALL: u8 = 1;
    const VERSION: u8 = 1;
    let order = if cfg!(target_endian = "little") { b'l' } else { b'B' };
    let mut head = Arguments(vec![order, METHOD_CALL, 0, VERSION]);
    head.number(u32::try_from(arguments.0.len()).unwrap_or(u32::MAX));
    // This is message 1.
    head.number(1);
    head.array(8, |fields| {
        let of_manager = format!("{MANAGER}.Manager");
        let texts = [
            (1, "o", "/org/freedesktop/systemd1"),
            (2, "s", of_manager.as_str()),
            (3, "s", method),
            (6, "s", MANAGER),
        ];
        for (code, kind, text) in texts {
            fields.record();
            fields.0.push(code);
            fields.signature(kind);
            fields.text(text);
        }
        fields.record();
        fields.0.push(8);
        fields.signature("g");
        fields.signature(signature);
    });
    head.align(8);
    head.0.extend(&arguments.0);
    head.0
}

/// Reads a message: its kind, and its text where that is an error's.
fn answer(reader: &mut impl Read) -> io::Result<(u8, String)> {
    let mut head = [0; 16];
    reader.read_exact(&mut head)?;
    let number = |at: usize| {
        let bytes = [head[at], head[at + 1], head[at + 2], head[at + 3]];
        usize::try_from(u32::from_ne_bytes(bytes)).unwrap_or(usize::MAX)
    };
    let (body, fields) = (number(4), number(12));
    if body > LONGEST || fields > LONGEST {
        return Err(io::Error::other("a message is too long"));
    }
    let fields = fields.next_multiple_of(8);
    let mut rest = vec![0; fields + body];
    reader.read_exact(&mut rest)?;
    // The first argument of an error is its text: a length, and that many bytes.
    let text = rest.get(fields + 4..).unwrap_or_default();
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok((head[1], if head[1] == ERROR { String::from_utf8_lossy(text).into_owned() } else { String::new() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `busctl --verbose` and the specification's own example have it.
    #[test]
    fn a_call_is_laid_out_as_the_specification_has_it() {
        let mut arguments = Arguments::default();
        arguments.text("a.service");
        arguments.text("fail");
        assert_eq!(arguments.0.len(), 4 + 10 + 2 + 4 + 5);
        let message = message("StartUnit", "ss", &arguments);
        assert_eq!(
            &message[..4],
            if cfg!(target_endian = "little") { b"l\x01\0\x01" } else { b"B\x01\0\x01" }
        );
        assert_eq!((message.len() - arguments.0.len()) % 8, 0);
        assert!(message.ends_with(b"\x04\0\0\0fail\0") || message.ends_with(b"\0\0\0\x04fail\0"));
    }

    #[test]
    fn an_array_counts_its_elements_and_not_the_gap_before_them() {
        let mut arguments = Arguments::default();
        arguments.array(8, |inner| inner.long(7));
        let mut expected = 8_u32.to_ne_bytes().to_vec();
        expected.extend([0; 4]);
        expected.extend(7_u64.to_ne_bytes());
        assert_eq!(arguments.0, expected);
    }

    #[test]
    fn an_errors_text_is_read_and_a_torn_message_is_an_error() {
        let mut arguments = Arguments::default();
        arguments.text("Unit a.service not found.");
        let mut sent = message("X", "s", &arguments);
        sent[1] = ERROR;
        assert_eq!(answer(&mut &sent[..]).unwrap(), (ERROR, "Unit a.service not found.".to_owned()));
        assert!(answer(&mut &sent[..sent.len() - 1]).is_err());
    }
}
