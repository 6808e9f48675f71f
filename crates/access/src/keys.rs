//! The key that signs tickets: made at first use, replaced once a day (api.md 2.1).
//!
//! The tickets of the key before stay valid for as long as a ticket is. A root that comes from Proxmox VE has an RSA key,
//! which is used until its day is over; ours are Ed25519.

use crate::{Denied, pem, ticket};
use model::Layout;
use ring::rand::SystemRandom;
use ring::signature::{
    ED25519, Ed25519KeyPair, KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
    UnparsedPublicKey,
};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{fs, io};
use store::{AccessLock, StoreError, replace};

/// How long a key signs.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What stands before an Ed25519 public key in its file, RFC 8410.
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A key that signs, and checks what it signed.
#[derive(Debug)]
pub(crate) enum TicketKey {
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl TicketKey {
    /// Reads the file's text.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match pem::decode(text)? {
            ("PRIVATE KEY", der) => Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der)
                .map(Self::Ed25519)
                .or_else(|_| RsaKeyPair::from_pkcs8(&der).map(Self::Rsa))
                .ok(),
            ("RSA PRIVATE KEY", der) => RsaKeyPair::from_der(&der).map(Self::Rsa).ok(),
            _ => None,
        }
    }

    pub(crate) fn sign(&self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Ed25519(key) => Some(key.sign(text.as_bytes()).as_ref().to_vec()),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).ok()?;
                Some(signature)
            }
        }
    }

    pub(crate) fn has_signed(&self, text: &str, signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => check_ed25519(key.public_key().as_ref(), text, signature),
            Self::Rsa(key) => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public().as_ref())
                .verify(text.as_bytes(), signature)
                .is_ok(),
        }
    }
}

fn check_ed25519(public: &[u8], text: &str, signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(text.as_bytes(), signature).is_ok()
}

/// Whether the key before the present one has signed this, while its tickets are valid.
pub(crate) fn old_has_signed(layout: &Layout, text: &str, signature: &[u8]) -> bool {
    let path = old(layout);
    let fresh = age(&path).is_some_and(|age| age < ticket::LIFETIME);
    let der = || pem::decode(&fs::read_to_string(&path).ok()?).map(|(_, der)| der);
    fresh
        && der().is_some_and(|der| {
            der.strip_prefix(&ED25519_SPKI).is_some_and(|key| check_ed25519(key, text, signature))
        })
}

fn old(layout: &Layout) -> PathBuf {
    layout.ticket_public_key().with_extension("pub.old")
}

fn age(path: &Path) -> Option<Duration> {
    let changed = fs::metadata(path).ok()?.modified().ok()?;
    // One from the future is as good as new.
    Some(SystemTime::now().duration_since(changed).unwrap_or_default())
}

/// Makes the key where there is none, and a new one where its day is over.
pub(crate) fn renew(layout: &Layout) -> Result<(), Denied> {
    let path = layout.ticket_key();
    if age(&path).is_some_and(|age| age < DAY) {
        return Ok(());
    }
    let _lock = AccessLock::take(layout)?;
    match age(&path) {
        Some(age) if age < DAY => return Ok(()),
        None => {}
        // The one before stays known; where that cannot be had, its tickets end early.
        Some(_) => match fs::read(layout.ticket_public_key()) {
            Ok(public) => write(&old(layout), &public, 0o640)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(unreadable("read", &layout.ticket_public_key(), &source)),
        },
    }
    let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
    let made = made.map_err(|_| Denied::Unreadable("cannot make a key: no random bytes".to_owned()))?;
    let pair = Ed25519KeyPair::from_pkcs8(made.as_ref());
    let pair = pair.map_err(|_| Denied::Unreadable("cannot make a key".to_owned()))?;
    write(&path, pem::encode("PRIVATE KEY", made.as_ref()).as_bytes(), 0o600)?;
    let public = [&ED25519_SPKI[..], pair.public_key().as_ref()].concat();
    write(&layout.ticket_public_key(), pem::encode("PUBLIC KEY", &public).as_bytes(), 0o640)
}

pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Denied> {
    replace(path, bytes, mode).map_err(|source| unreadable("write", path, &source))
}

pub(crate) fn unreadable(action: &'static str, path: &Path, source: &io::Error) -> Denied {
    Denied::from(StoreError::Io {
        action,
        path: path.to_owned(),
        source: io::Error::other(source.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `openssl genrsa -traditional 2048` for this test alone.
    const RSA: &str = include_str!("../tests/rsa.pem");

    #[test]
    fn a_key_of_proxmox_ve_signs_too() {
        let key = TicketKey::parse(RSA).unwrap();
        let signature = key.sign("PVE:root@pam:65000000").unwrap();
        assert_eq!(signature.len(), 256);
        assert!(key.has_signed("PVE:root@pam:65000000", &signature));
        assert!(!key.has_signed("PVE:root@pam:65000001", &signature));
        assert!(TicketKey::parse("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n").is_none());
    }
}
