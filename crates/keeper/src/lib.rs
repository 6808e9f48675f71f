//! The keeper: one small process for each live guest.
//!
//! It is born by a start, runs the phases, owns the guest's process, serves a control socket, and leaves when the run is
//! over. What it does and when is told by `lifecycle`; [`keep`] does it with real processes. Others reach it through
//! [`client`].

mod adopt;
mod agent_up;
mod born;
mod call;
mod callers;
mod clients;
mod conversation;
mod delay;
mod environment;
mod hook;
mod host;
mod keep;
mod keeper;
mod leave;
mod limits;
mod machine;
mod mend;
mod next;
mod orphans;
mod protocol;
mod requests;
mod status;
mod stream;
mod tasks;
mod tree;
mod turn;

pub mod client;
pub mod ends;
pub mod simulation;

pub use born::{be_watched, keep_watched};
pub use keep::keep;
pub use machine::show_command;
pub use protocol::{GuestState, MachineAction, Request, RunningGuest, StartRequest};
