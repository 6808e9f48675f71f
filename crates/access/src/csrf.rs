//! The token against requests that a foreign web page makes: `HEXTIME:base64`, an HMAC over time and user (api.md 2.1).

use crate::{Denied, keys, ticket};
use base64ct::{Base64, Encoding};
use model::{Layout, UserId};
use ring::hmac::{HMAC_SHA256, Key, sign, verify};
use ring::rand::{SecureRandom, SystemRandom};
use std::{fs, io};
use store::AccessLock;

/// Makes a token for a user.
pub(crate) fn make(key: &Key, user: &UserId, time: u64) -> String {
    let signature = sign(key, format!("{time:08X}:{user}").as_bytes());
    format!("{time:08X}:{}", Base64::encode_string(signature.as_ref()))
}

/// Whether a token is this user's, and valid now.
pub(crate) fn is_good(key: &Key, user: &UserId, token: &str, now: u64) -> bool {
    let Some((hex, signature)) = token.split_once(':') else { return false };
    let Ok(signature) = Base64::decode_vec(signature) else { return false };
    ticket::time_of(hex).is_some_and(|time| ticket::is_valid(time, now))
        && verify(key, format!("{hex}:{user}").as_bytes(), &signature).is_ok()
}

/// The key of a file's bytes.
pub(crate) fn key(bytes: &[u8]) -> Key {
    Key::new(HMAC_SHA256, bytes)
}

/// Makes the key where there is none.
pub(crate) fn ensure(layout: &Layout) -> Result<(), Denied> {
    let path = layout.csrf_key();
    let is_there = || match fs::metadata(&path) {
        Ok(meta) => Ok(meta.len() > 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(keys::unreadable("look at", &path, &source)),
    };
    if is_there()? {
        return Ok(());
    }
    let _lock = AccessLock::take(layout)?;
    if is_there()? {
        return Ok(());
    }
    let mut bytes = [0; 32];
    let random = SystemRandom::new().fill(&mut bytes);
    random.map_err(|_| Denied::Unreadable("cannot make a key: no random bytes".to_owned()))?;
    keys::write(&path, format!("{}\n", Base64::encode_string(&bytes)).as_bytes(), 0o600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_one_user_and_for_two_hours() {
        let (key, other) = (key(b"secret"), super::key(b"another"));
        let (ann, bob): (UserId, UserId) = ("ann@pve".parse().unwrap(), "bob@pve".parse().unwrap());
        let token = make(&key, &ann, 0x6500_0000);
        assert!(is_good(&key, &ann, &token, 0x6500_0000));
        assert!(!is_good(&key, &bob, &token, 0x6500_0000));
        assert!(!is_good(&other, &ann, &token, 0x6500_0000));
        assert!(!is_good(&key, &ann, &token, 0x6500_0000 + 7200));
        assert!(!is_good(&key, &ann, &token.replacen('0', "1", 1), 0x6500_0000));
        for bad in ["", ":", "65000000:", "65000000:%"] {
            assert!(!is_good(&key, &ann, bad, 0x6500_0000), "{bad}");
        }
    }
}
