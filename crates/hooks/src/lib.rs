//! What a hookscript is and how one is run.
//!
//! A hookscript is an executable volume `<storage>:snippets/<name>`. It is located and checked ([`locate`]) at the moment of
//! its call, in the forked child, because the storage may hang; then the child becomes the script. Its outputs are two
//! FIFOs ([`Outputs`]) that the script's side holds open for reading too, so that a keeper's death neither ends the script
//! nor loses what it prints.
//!
//! A phase may call several ([`chain`]). What a script says about itself in its own text are its [`settings`], what the
//! host's administrator says about it stands in `hooks.conf` ([`conf`]), and what it is told beside its two arguments is
//! its [`context`].

pub mod approvals;
mod call;
pub mod chain;
pub mod conf;
pub mod context;
pub mod digest;
pub mod kept;
mod outputs;
mod problem;
pub mod progress;
mod script;
pub mod settings;
pub mod trust;
mod value;
mod words;

pub use call::{Begin, Call, Locate, Located, NotCalled, Prepare, Prepared, Running, Started};
pub use outputs::{Outputs, Read, Reader};
pub use problem::Problem;
pub use script::{check, locate};
pub use trust::{Untrusted, untrusted};
pub use value::ValueError;
pub use words::{command_line, error_text, failure};
