//! Proxmox VE's file grammars and option tables.
//!
//! Guest configurations, property strings, `storage.cfg`, `user.cfg`, and the schema dialect in which options and parameters are
//! described. The crate is pure: it touches no file, process or clock.

pub mod domains_cfg;
pub mod format;
pub mod guest;
pub mod listen;
pub mod options;
pub mod pending;
pub mod property;
pub mod schema;
pub mod secrets;
pub mod sections;
pub mod settings;
pub mod storage_cfg;
pub mod text;
pub mod user_cfg;
pub mod volumes;

pub use guest::{GuestConfig, Section, Warning, parse, print};

/// SHA-1 of a raw file in lower-case hexadecimal: the digest by which clients see that a file changed.
#[must_use]
pub fn digest(raw: &[u8]) -> String {
    sha1_smol::Sha1::from(raw).digest().to_string()
}
