//! Passwords of the realm `pve`, as `priv/shadow.cfg` has them: crypt(5) with SHA-256, and SHA-512 where another made it.

use ring::rand::{SecureRandom, SystemRandom};
use sha_crypt::{PasswordHasher, PasswordVerifier, ShaCrypt};

/// The hash of no password, for users who have none: whether there is a user must not show in the time it takes.
const NOBODYS: &str = "$5$3a1b9d8c7e6f5042$/MC/sJYPeQ/cSYqBKk/iQkxUvninynytutVxIpjSbw9";

/// Hashes a password. None where there are no random bytes.
#[must_use]
pub fn hash(password: &str) -> Option<String> {
    let mut salt = [0; 12];
    SystemRandom::new().fill(&mut salt).ok()?;
    let hash = ShaCrypt::SHA256.hash_password_with_salt(password.as_bytes(), &salt).ok()?;
    Some(hash.to_string())
}

/// Whether a password has this hash; without a hash it has not, after the same time.
#[must_use]
pub fn matches(password: &str, hash: Option<&str>) -> bool {
    let good = ShaCrypt::SHA256.verify_password(password.as_bytes(), hash.unwrap_or(NOBODYS)).is_ok();
    good && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_that_crypt_makes() {
        let made = hash("correct horse").unwrap();
        assert!(made.starts_with("$5$"), "{made}");
        assert!(matches("correct horse", Some(&made)) && !matches("battery staple", Some(&made)));
        assert_ne!(hash("correct horse"), Some(made));
        // The examples of the specification of crypt(5)'s SHA methods.
        let sha256 = "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5";
        let sha512 = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";
        for hash in [sha256, sha512] {
            assert!(matches("Hello world!", Some(hash)) && !matches("Hello world", Some(hash)), "{hash}");
        }
        for bad in ["", "x", "$1$a$b", "$5$rounds=1$x$y"] {
            assert!(!matches("x", Some(bad)), "{bad}");
        }
        assert!(!matches("", None));
    }
}
