//! Ids and nouns of hookvisor.
//!
//! Every id is a newtype that only its `FromStr` can make, so nothing unvalidated exists past the parser.
//! The crate touches no file, process or clock.

mod event;
mod guest;
mod ids;
mod layout;
mod limit;
mod phase;
mod process_id;
mod script;
mod stop;
mod upid;
mod version;
mod volume;

pub use event::{Boot, CalledWith, Event, Left, Resource, Stream, Text};
pub use guest::GuestKind;
pub use ids::{InvalidId, NodeName, RunId, UserId, Vmid};
pub use layout::Layout;
pub use limit::{Limit, LimitBy};
pub use phase::{Outcome, Phase};
pub use process_id::ProcessId;
pub use script::{DropIn, Script};
pub use stop::{StartReason, StopCause};
pub use upid::Upid;
pub use version::version;
pub use volume::{ContentType, InvalidVolumeId, StorageId, VolumeId};
