use super::CommandLine;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

impl CommandLine {
    /// The command as `qm showcmd` prints it: on one line that a shell takes, or with each option on its own line.
    #[must_use]
    pub fn print(&self, pretty: bool) -> OsString {
        let mut text = quote(self.program.as_os_str());
        for arg in &self.args {
            let quoted = quote(arg);
            let begins_option = arg.as_bytes().first() == Some(&b'-');
            text.extend_from_slice(if pretty && begins_option { b" \\\n  " } else { b" " });
            text.extend_from_slice(&quoted);
        }
        OsString::from_vec(text)
    }
}

/// Puts a word into single quotes where a shell would read it otherwise.
fn quote(word: &OsStr) -> Vec<u8> {
    let bytes = word.as_bytes();
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"_!%+,-./:@^".contains(b);
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return bytes.to_vec();
    }
    let mut quoted = vec![b'\''];
    for &byte in bytes {
        if byte == b'\'' {
            quoted.extend_from_slice(b"'\\''");
        } else {
            quoted.push(byte);
        }
    }
    quoted.push(b'\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_a_shell_would_read_otherwise_are_quoted() {
        let quoted = |text: &str| String::from_utf8(quote(OsStr::new(text))).unwrap();
        assert_eq!(quoted("kvm64,enforce,+sep"), "kvm64,enforce,+sep");
        assert_eq!(quoted("id=qmp"), "'id=qmp'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
