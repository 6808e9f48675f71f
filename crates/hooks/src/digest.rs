//! What a script is, by its bytes.

use crate::settings::{self, BYTES, Settings, SettingsError};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The SHA-256 of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// A text that is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no SHA-256: that is 64 hexadecimal digits in lower case")]
pub struct InvalidDigest(pub String);

impl Digest {
    /// That of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::str::FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let invalid = || InvalidDigest(text.to_owned());
        let plain = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !plain {
            return Err(invalid());
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| invalid())?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// What the file of a script has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// The SHA-256 of all its bytes.
    pub digest: Digest,
    /// The settings in its text.
    pub settings: Result<Settings, SettingsError>,
    /// Whether it is a text at all: a compiled program has no settings, whatever it takes.
    pub text: bool,
}

impl Inspected {
    /// The parameters that it names; none where nobody can tell which it takes.
    #[must_use]
    pub fn params(&self) -> Option<BTreeSet<String>> {
        let settings = self.settings.as_ref().ok().filter(|_| self.text)?;
        Some(settings.params.iter().map(|(name, _)| name.clone()).collect())
    }
}

/// Reads the file of a script once, from its beginning to its end. May hang as long as the storage does.
///
/// # Errors
/// Those of opening and reading it.
pub fn inspect(path: &Path) -> io::Result<Inspected> {
    let mut file = File::open(path)?;
    let mut sha = Sha256::new();
    // One byte more than may have settings tells whether that is all of it.
    let mut head = Vec::with_capacity(BYTES + 1);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let bytes = &buffer[..count];
        sha.update(bytes);
        head.extend_from_slice(&bytes[..count.min(BYTES + 1 - head.len())]);
    }
    let text = !head.contains(&0);
    Ok(Inspected { digest: Digest(sha.finalize().into()), settings: settings::parse(&head), text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn digests_are_those_of_the_standard() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        // FIPS 180-4's examples: nothing, "abc", a million times "a".
        for (bytes, digest) in [
            (Vec::new(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (b"abc".to_vec(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (vec![b'a'; 1_000_000], "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
        ] {
            fs::write(&path, bytes).unwrap();
            let found = inspect(&path).unwrap().digest;
            assert_eq!(found.to_string(), digest);
            assert_eq!(digest.parse(), Ok(found));
        }
        for bad in ["", "E3b0", &"g".repeat(64), &"é".repeat(32), &"A".repeat(64)] {
            assert_eq!(bad.parse::<Digest>(), Err(InvalidDigest(bad.to_owned())));
        }
    }

    #[test]
    fn settings_come_with_it_however_long_the_file_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let mut text = b"#!/bin/sh\n# hookvisor: timeout=2s\n".to_vec();
        text.resize(300_000, b'x');
        fs::write(&path, text).unwrap();
        assert_eq!(
            inspect(&path).unwrap().settings.unwrap().timeout,
            Some(std::time::Duration::from_secs(2))
        );
        // A line that goes on behind the head is none of it.
        let setting = "\n# hookvisor: timeout=3";
        fs::write(&path, format!("{}{setting}0s\n", "x".repeat(BYTES - setting.len()))).unwrap();
        assert_eq!(inspect(&path).unwrap().settings, Ok(Settings::default()));
        fs::write(&path, "#!/bin/sh\n\n# hookvisor: x=1\n").unwrap();
        assert_eq!(inspect(&path).unwrap().settings.unwrap_err().line, 3);
        assert!(inspect(&folder.path().join("none")).is_err());
        fs::write(&path, "# hookvisor: params=a=1,b=2\n").unwrap();
        assert_eq!(inspect(&path).unwrap().params(), Some(["a", "b"].map(str::to_owned).into()));
        fs::write(&path, "\x7fELF\0").unwrap();
        assert_eq!(inspect(&path).unwrap().params(), None);
    }
}
