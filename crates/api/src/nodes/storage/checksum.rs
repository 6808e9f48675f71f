//! The checksums that an upload can be checked with.

use ::storage::Copying;
use sha2::digest::DynDigest;

/// The algorithms' names.
pub(super) const ALGORITHMS: &[&str] = &["md5", "sha1", "sha224", "sha256", "sha384", "sha512"];

/// What is copied must have this checksum, and not be more than this.
pub(super) struct Check {
    digest: Option<Box<dyn DynDigest>>,
    wanted: String,
    copied: u64,
    /// None where nobody knows beforehand.
    expected: Option<u64>,
}

impl Check {
    /// A check of `expected` bytes, where that is known, and of their checksum where there is one: its algorithm and its text.
    pub(super) fn new(expected: Option<u64>, checksum: Option<(&str, &str)>) -> Self {
        let digest = checksum.and_then(|(algorithm, _)| hasher(algorithm));
        let wanted = checksum.map(|(_, text)| text.to_ascii_lowercase()).unwrap_or_default();
        Self { digest, wanted, copied: 0, expected }
    }
}

fn hasher(algorithm: &str) -> Option<Box<dyn DynDigest>> {
    Some(match algorithm {
        "md5" => Box::<md5::Md5>::default(),
        "sha1" => Box::<sha1::Sha1>::default(),
        "sha224" => Box::<sha2::Sha224>::default(),
        "sha256" => Box::<sha2::Sha256>::default(),
        "sha384" => Box::<sha2::Sha384>::default(),
        "sha512" => Box::<sha2::Sha512>::default(),
        _ => return None,
    })
}

impl Copying for Check {
    fn part(&mut self, bytes: &[u8]) {
        self.copied += bytes.len() as u64;
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
    }

    fn end(&mut self) -> Result<(), String> {
        if let Some(expected) = self.expected.filter(|expected| *expected != self.copied) {
            return Err(format!("file size changed: {} bytes copied of {expected}", self.copied));
        }
        let Some(digest) = self.digest.take() else { return Ok(()) };
        let got: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if got == self.wanted {
            Ok(())
        } else {
            Err(format!("checksum mismatch: got '{got}' != expect '{}'", self.wanted))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_knows_its_sum() {
        for (algorithm, sum) in [
            ("md5", "900150983cd24fb0d6963f7d28e17f72"),
            ("sha1", "A9993E364706816ABA3E25717850C26C9CD0D89D"),
            ("sha224", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"),
            ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ] {
            let mut check = Check::new(Some(3), Some((algorithm, sum)));
            check.part(b"a");
            check.part(b"bc");
            assert_eq!(check.end(), Ok(()), "{algorithm}");
            let mut wrong = Check::new(Some(3), Some((algorithm, sum)));
            wrong.part(b"abd");
            assert!(wrong.end().unwrap_err().starts_with("checksum mismatch: got '"), "{algorithm}");
        }
        assert!(ALGORITHMS.iter().all(|name| hasher(name).is_some()));
        assert!(Check::new(Some(2), None).end().is_err());
    }
}
