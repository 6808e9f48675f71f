//! The workshop: for those who write hookscripts.
//!
//! [`new`](new()) makes a script from a template. [`check`](check()) reads a script and says what is wrong with it; each
//! [`Finding`] says how it was found. [`replay`] makes a call of the history again.
//! [`lives`] plays whole lives of a guest with a script in a sandbox.

mod check;
mod finding;
mod flow;
mod interpreter;
pub mod lives;
mod mask;
mod new;
mod perl;
mod printed;
mod python;
pub mod replay;
mod rule;
mod rules;
mod script;
mod shell;
mod shellcheck;
mod syntax;

pub use check::{CheckError, check};
pub use finding::{Finding, How, Level, Report, Unjudged};
pub use mask::{Mask, holds_secret};
pub use new::{NewError, Template, new};
pub use rule::Rule;
pub use rules::{Remedy, Unrunnable, unrunnable};
