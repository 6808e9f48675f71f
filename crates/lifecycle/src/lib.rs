//! The story of a guest's life: which phase runs when.
//!
//! ```text
//!            start
//!              │ admitted, run begin on record
//!              ▼
//!          pre-start ── refused ─────────────────────────────────────────────► over
//!              │ ok       └─ cut short ─┐
//!              ▼                        ▼
//!           launch ── fails ──► start failed ──► release ──► post-stop ──────► over
//!              │ ready
//!              ▼
//!          post-start
//!              ▼
//!    ┌────► running ── the agent answers ──► agent-up ──► running
//!    │         ├────── guest ends by itself, crashes, is killed ──┐
//!    │         │ stop, shutdown, reboot asked                     │
//!    │         ▼                                                  │
//!    │      pre-stop                                              │
//!    │         ▼                                                  ▼
//!    └─────── end ── gone ──────────────────────────────► release, post-stop ──► over
//!   not obeyed in time
//! ```
//!
//! [`live`] tells it, over a [`Host`] that does the things: the keeper with real processes, the exhaustive test with
//! made-up ones. [`resume`] goes on where a keeper died, from the record that it left.
//! The crate touches no file, process or clock.

pub mod boot;

mod admission;
mod calls;
mod host;
mod mend;
mod recovery;
mod story;

pub use admission::{Denied, GuestFacts, admit_start};
pub use host::{Called, Ended, Happening, HookEnd, Host, Launched, Readiness, StopRequest, Unrecorded};
pub use mend::{Evidence, Line, mend};
pub use recovery::resume;
pub use story::{Life, live};
