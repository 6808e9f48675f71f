//! Who may do what: users, tokens, tickets, and the evaluation of access control lists (api.md 2).
//!
//! [`Access`] answers who somebody is: by password, ticket or API token. [`Rights`] says what that user or token may do where.
//! Passwords of the realm `pam` are checked by a helper process ([`pam_helper`]), those of the realm `pve` against
//! `priv/shadow.cfg`.

mod csrf;
mod denied;
mod keys;
mod log_in;
mod open;
mod pam;
pub mod password;
mod pem;
mod rights;
pub mod roles;
mod ticket;

pub use denied::Denied;
pub use log_in::Session;
pub use open::Access;
pub use pam::helper::main as pam_helper;
pub use rights::Rights;

/// Whether this program can ask PAM for users of the realm `pam`: a static one loads no library.
pub const PAM: bool = !cfg!(target_feature = "crt-static");
