//! The ways that a step may come out, and how many of them are kept.

use super::state::State;
use super::value::{Status, Value};
use std::collections::BTreeSet;

/// How many ways are followed side by side.
pub(crate) const WAYS: usize = 8;

/// A way through the script, up to here.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub(crate) state: State,
    pub(crate) flow: Flow,
}

/// How a step came out.
#[derive(Debug, Clone)]
pub(crate) enum Flow {
    Value(Value),
    Break,
    Continue,
    Return(Value),
    Exit(Status, usize),
    Raise(usize),
}

pub(crate) type Ways = Vec<Way>;

pub(crate) fn value(state: State, value: Value) -> Ways {
    vec![Way { state, flow: Flow::Value(value) }]
}

pub(crate) fn status(mut state: State, status: Status) -> Ways {
    state.last = status;
    state.last_event = None;
    value(state, Value::Status(status))
}

/// Joins ways where there are too many.
pub(crate) fn tidy(ways: Ways) -> Ways {
    if ways.len() <= WAYS {
        return ways;
    }
    let mut tidied: Ways = Vec::new();
    let mut seen: BTreeSet<(Status, usize)> = BTreeSet::new();
    for way in ways {
        match way.flow {
            Flow::Exit(status, line) => {
                if seen.insert((status, line)) {
                    tidied.push(Way { state: way.state, flow: Flow::Exit(status, line) });
                }
            }
            flow => {
                let like = |other: &Way| {
                    std::mem::discriminant(&other.flow) == std::mem::discriminant(&flow)
                        && other.state.depth() == way.state.depth()
                };
                match tidied.iter().position(like) {
                    Some(at) => {
                        let other = tidied.swap_remove(at);
                        tidied.push(joined(other, Way { state: way.state, flow }));
                    }
                    None => tidied.push(Way { state: way.state, flow }),
                }
            }
        }
    }
    tidied
}

fn joined(a: Way, b: Way) -> Way {
    let flow = match (a.flow, b.flow) {
        (Flow::Value(a), Flow::Value(b)) => Flow::Value(super::value::join(&a, &b)),
        (Flow::Return(a), Flow::Return(b)) => Flow::Return(super::value::join(&a, &b)),
        (flow, _) => flow,
    };
    Way { state: a.state.join(&b.state), flow }
}
