//! Who may do what: users, tokens, tickets, and the evaluation of access control lists (api.md 2).

mod rights;
pub mod roles;

pub use rights::Rights;
