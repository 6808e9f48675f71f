//! What a shell makes of a parameter: `${name:-word}` and its like.

use super::ir::{Expansion, Node, Target};
use super::machine::{Flow, Machine, Way, Ways, value};
use super::state::State;
use super::texts;
use super::value::{Status, Value};

impl Machine {
    pub(super) fn expand(
        &mut self,
        line: usize,
        of: &Node,
        about: &str,
        how: &Expansion,
        state: State,
    ) -> Ways {
        let asks = matches!(
            how,
            Expansion::Default(_) | Expansion::Assign(_) | Expansion::Alternative(_) | Expansion::Demand
        );
        let ways = if asks {
            self.quietly(std::slice::from_ref(of), state, &mut |_, state, values| {
                value(state, values[0].clone())
            })
        } else {
            self.eval(of, state)
        };
        self.on_each(ways, |machine, state, found| {
            let missing = match &found {
                Value::Unset => Some(true),
                Value::Unknown(_) => None,
                other => texts::emptiness(&other.pieces()),
            };
            match how {
                Expansion::Default(word) => match missing {
                    Some(false) => value(state, found),
                    Some(true) => machine.eval(word, state),
                    None => {
                        let shown = format!("${about} {}", found.shown());
                        let ways = machine.eval(word, state);
                        machine.on_each(ways, |_, state, word| {
                            value(state, Value::unknown(format!("{shown} {}", word.shown())))
                        })
                    }
                },
                Expansion::Assign(word) => match missing {
                    Some(false) => value(state, found),
                    _ => {
                        let ways = machine.eval(word, state);
                        machine.on_each(ways, |machine, mut state, word| {
                            let result = if missing == Some(true) {
                                word
                            } else {
                                Value::unknown(format!("${about}"))
                            };
                            machine.assign(&Target::Name(about.to_owned()), &mut state, result.clone());
                            value(state, result)
                        })
                    }
                },
                Expansion::Alternative(word) => match missing {
                    Some(true) => value(state, Value::text("")),
                    Some(false) => machine.eval(word, state),
                    None => value(state, Value::unknown(format!("${about}"))),
                },
                Expansion::Demand => match missing {
                    Some(true) => vec![Way { state, flow: Flow::Exit(Status::Failure, line) }],
                    _ => value(state, found),
                },
                _ => machine.reshaped(found, about, how, state),
            }
        })
    }

    fn reshaped(&mut self, found: Value, about: &str, how: &Expansion, state: State) -> Ways {
        let nodes: Vec<Node> = match how {
            Expansion::Replace { from, to, .. } => vec![(**from).clone(), (**to).clone()],
            Expansion::CutFront { pattern, .. } | Expansion::CutBack { pattern, .. } => {
                vec![(**pattern).clone()]
            }
            _ => Vec::new(),
        };
        self.values(&nodes, state, &mut |_, state, words| {
            let result = match &found {
                Value::List(list) => {
                    Value::list(list.iter().map(|item| texts::reshape(item, how, &words, about)).collect())
                }
                one => texts::reshape(one, how, &words, about),
            };
            value(state, result)
        })
    }
}
