//! What a script does, found by going through it as a call would, without running anything.
//!
//! A script is brought to one small language ([`ir`]), and [`machine::Machine`] goes through it with the two arguments of
//! a call. What it cannot know has both outcomes. What it finds is a [`event::Story`]: what may happen, and how it may end.

mod assign;
mod builtins;
mod calls;
mod commands;
mod copies;
mod embedded;
mod eval;
pub(crate) mod event;
mod expansion;
pub(crate) mod ir;
mod loops;
mod machine;
mod objects;
mod perl_library;
mod python_library;
mod python_texts;
mod redirects;
mod state;
mod test_words;
mod texts;
pub(crate) mod value;
mod waits;
mod ways;

pub(crate) use machine::Machine;
