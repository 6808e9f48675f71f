//! The command line: programs, their commands, and the way from words to a call of a method.
//!
//! Nothing about parameters is written here. A command names its method and which parameters stand without their
//! names; options, checks, help and completion come from the method's schema.

pub(crate) mod command;
pub(crate) mod complete;
pub(crate) mod getopt;
pub(crate) mod help;
pub(crate) mod hint;
pub(crate) mod parse;

pub(crate) use command::{Action, Answer, Command, OfPath, Program};
