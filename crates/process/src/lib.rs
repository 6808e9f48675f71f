//! Processes: forked, executed, born clean, and told apart from later ones with the same pid.
//!
//! This is the one crate that forks. What runs between a fork and its exec is ordinary Rust, which is sound because
//! only single-threaded processes call [`fork`]; [`birth`] alone is safe to call from a process with threads.

mod birth;
mod clock;
mod exec;
mod fork;
mod id;
mod info;
mod own;
mod term;

pub use birth::{Birth, birth};
pub use clock::local_second;
pub use exec::{Program, exec};
pub use fork::{Child, Ended, fork};
pub use id::{
    alive, boot_millis, current, descendants, descends_from, has_ended, is_stopped, lookup, open, parent,
    send, with_environment,
};
pub use info::exit_of;
pub use own::{
    become_default, group_members, own_program, place_fd, reset_limits, reset_signals, set_session,
};
pub use term::{Term, heed_term, term_asked};
