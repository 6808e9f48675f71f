//! One stream of records per run.
//!
//! Written: the [`ledger`] (the truth, one file per run), the [`journal`] (systemd's, or a file where there is
//! none) and the [`tasks`] with their logs. Read: the [`history`] of a guest's runs, all [`events`] as they
//! happen, and the [`log`] of what hookscripts printed. [`lines`] turns a hookscript's bytes into records and bounds them.

mod clock;
mod crc32;
mod error;
pub mod events;
mod files;
pub mod history;
pub mod instance;
pub mod journal;
pub mod ledger;
pub mod lines;
pub mod log;
pub mod recall;
pub mod tasks;

pub use error::FileError;
pub use journal::{Entry, Journal};
pub use ledger::{Ledger, Stamped};
pub use tasks::TaskLog;
