//! What a hookscript is and how one is run.
//!
//! A hookscript is an executable volume `<storage>:snippets/<name>`. It is located and checked ([`locate`]) at the moment of
//! its call, in the forked child, because the storage may hang; then the child becomes the script. Its outputs are two
//! FIFOs ([`Outputs`]) that the script's side holds open for reading too, so that a keeper's death neither ends the script
//! nor loses what it prints.

mod call;
mod outputs;
mod problem;
mod script;
mod words;

pub use call::{Begin, Call, Running, Started};
pub use outputs::{Outputs, Read, Reader};
pub use problem::Problem;
pub use script::{check, locate};
pub use words::{command_line, error_text, failure};
