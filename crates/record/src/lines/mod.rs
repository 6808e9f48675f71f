//! From the bytes that a hookscript prints to records: cut at line ends, and bounded.

mod keep;
mod splitter;

pub use keep::{Budget, KEEP_BYTES, Keep, Kept};
pub use splitter::{Ending, MAX_RECORD, Record, Splitter};
