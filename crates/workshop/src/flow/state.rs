//! Where a script stands: its variables, its options, where its outputs go.

use super::value::{Status, Value, join};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

/// A point that a run of the script can come to.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(super) frames: Vec<Rc<HashMap<String, Value>>>,
    /// On what this point depends that is not known.
    pub(crate) guards: Vec<Rc<Guard>>,
    /// `set -e`
    pub(crate) errexit: bool,
    /// `set -u`
    pub(crate) nounset: bool,
    /// Whether standard output and error are still those that the script was given.
    pub(crate) held: [bool; 2],
    /// `$?`
    pub(crate) last: Status,
    /// The event that this is the end of, where it is a program's.
    pub(crate) last_event: Option<usize>,
    /// Whether something that cannot be seen may have set any variable.
    pub(crate) open: bool,
    /// Whether an alarm ends the script.
    pub(crate) alarmed: bool,
}

/// A condition that depends on the host.
#[derive(Debug)]
pub(crate) struct Guard {
    /// What was asked, as far as it can be told.
    pub(crate) asked: String,
    /// Whether the other way left the script or the function.
    pub(crate) early: bool,
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            frames: vec![Rc::default()],
            guards: Vec::new(),
            errexit: false,
            nounset: false,
            held: [true; 2],
            last: Status::Success,
            last_event: None,
            open: false,
            alarmed: false,
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.frames.iter().rev().find_map(|frame| frame.get(name))
    }

    /// Assigns where the variable is visible, else in the whole script.
    pub(crate) fn set(&mut self, name: &str, value: Value) {
        let at = self.frames.iter().rposition(|frame| frame.contains_key(name)).unwrap_or(0);
        Rc::make_mut(&mut self.frames[at]).insert(name.to_owned(), value);
    }

    pub(crate) fn set_global(&mut self, name: &str, value: Value) {
        Rc::make_mut(&mut self.frames[0]).insert(name.to_owned(), value);
    }

    /// Assigns in the function that runs.
    pub(crate) fn set_own(&mut self, name: &str, value: Value) {
        if let Some(frame) = self.frames.last_mut() {
            Rc::make_mut(frame).insert(name.to_owned(), value);
        }
    }

    pub(crate) fn unset(&mut self, name: &str) {
        self.set(name, Value::Unset);
    }

    pub(crate) fn enter(&mut self) {
        self.frames.push(Rc::default());
    }

    pub(crate) fn leave(&mut self) {
        self.frames.pop();
    }

    pub(crate) fn depth(&self) -> usize {
        self.frames.len()
    }

    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.frames.iter().flat_map(|frame| frame.keys().cloned()).collect()
    }

    /// Takes over what a copy of this shell cannot have changed: all but its own doings.
    pub(crate) fn after_copy(self, mut copy: Self, captured: bool) -> Self {
        // Where the copy may have assigned, an author sees nothing of it; a shell with `lastpipe` does.
        if !captured {
            let names = copy.names();
            for name in names {
                if self.get(&name).is_none() && name != "@" {
                    copy.set(&name, Value::unknown(format!("${name}")));
                }
            }
            let mut after = self.clone();
            for name in copy.names() {
                if self.get(&name).is_none() {
                    after.set_global(&name, Value::unknown(format!("${name}")));
                }
            }
            after.last = copy.last;
            return after;
        }
        Self { last: copy.last, ..self }
    }

    /// One state for two ways to come here.
    pub(crate) fn join(mut self, other: &Self) -> Self {
        let depth = self.frames.len().min(other.frames.len());
        self.frames.truncate(depth);
        for at in 0..depth {
            if Rc::ptr_eq(&self.frames[at], &other.frames[at]) {
                continue;
            }
            let theirs = &other.frames[at];
            let ours = Rc::make_mut(&mut self.frames[at]);
            for (name, value) in ours.iter_mut() {
                *value = join(value, theirs.get(name).unwrap_or(&Value::Unset));
            }
            for (name, value) in theirs.iter() {
                if !ours.contains_key(name) {
                    ours.insert(name.clone(), join(&Value::Unset, value));
                }
            }
        }
        let shared = self.guards.iter().zip(&other.guards).take_while(|(a, b)| Rc::ptr_eq(a, b)).count();
        self.guards.truncate(shared);
        self.errexit &= other.errexit;
        self.nounset &= other.nounset;
        self.held = [self.held[0] && other.held[0], self.held[1] && other.held[1]];
        if self.last != other.last {
            self.last = Status::Either;
        }
        if self.last_event != other.last_event {
            self.last_event = None;
        }
        self.open |= other.open;
        self.alarmed |= other.alarmed;
        self
    }

    /// Forgets the variables that differ from those of an earlier point: more turns of a loop change them further.
    pub(crate) fn widen(&mut self, earlier: &Self) {
        for at in 0..self.frames.len().min(earlier.frames.len()) {
            if Rc::ptr_eq(&self.frames[at], &earlier.frames[at]) {
                continue;
            }
            let before = earlier.frames[at].clone();
            for (name, value) in Rc::make_mut(&mut self.frames[at]).iter_mut() {
                let was = before.get(name).unwrap_or(&Value::Unset);
                let same = super::value::equal(was, value) == Some(true) && !matches!(was, Value::Unset);
                let fixed = matches!(value, Value::Func(_) | Value::Class(_) | Value::Outside(_));
                if !same && !fixed {
                    *value = Value::unknown(format!("${name} {}", value.shown()));
                }
            }
        }
    }
}
