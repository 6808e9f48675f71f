//! `test` and `[` by their words.

use super::ir::Rel;
use super::machine::{Machine, Ways, value};
use super::state::State;
use super::value::{Status, Value};

impl Machine {
    /// Evaluates the words between the brackets.
    pub(crate) fn test(&mut self, line: usize, words: &[Value], state: State) -> Ways {
        let words: Vec<Value> = match words.last().and_then(Value::known) {
            Some(last) if last == "]" => words[..words.len() - 1].to_vec(),
            _ => words.to_vec(),
        };
        let asked: Vec<String> = words.iter().map(Value::shown).collect();
        self.trail.push(asked.join(" "));
        let truth = self.truth_of_words(line, &words, &state);
        let mut state = state;
        let last = Status::from_truth(truth);
        state.last = last;
        if truth.is_none() {
            return value(state, Value::Status(Status::Either));
        }
        self.ended(line, state, last)
    }

    fn truth_of_words(&mut self, line: usize, words: &[Value], state: &State) -> Option<bool> {
        let operator = |at: usize| words.get(at).and_then(Value::known);
        if let Some(at) = (1..words.len()).find(|at| operator(*at).as_deref() == Some("-o")) {
            let (a, b) = (
                self.truth_of_words(line, &words[..at], state),
                self.truth_of_words(line, &words[at + 1..], state),
            );
            return match (a, b) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            };
        }
        if let Some(at) = (1..words.len()).find(|at| operator(*at).as_deref() == Some("-a")) {
            let (a, b) = (
                self.truth_of_words(line, &words[..at], state),
                self.truth_of_words(line, &words[at + 1..], state),
            );
            return match (a, b) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
        }
        if operator(0).as_deref() == Some("!") && words.len() > 1 {
            return self.truth_of_words(line, &words[1..], state).map(|truth| !truth);
        }
        match words {
            [] => Some(false),
            [one] => self.truth(one),
            [test, of] => match test.known()?.as_str() {
                "-z" => super::texts::emptiness(&of.pieces()),
                "-n" => super::texts::emptiness(&of.pieces()).map(|empty| !empty),
                _ => None,
            },
            [a, test, b] => {
                let how = match test.known()?.as_str() {
                    "=" | "==" => Rel::Equal,
                    "!=" => Rel::Differs,
                    "-eq" => Rel::Equal,
                    "-ne" => Rel::Differs,
                    "-lt" => Rel::Less,
                    "-le" => Rel::LessOrEqual,
                    "-gt" => Rel::Greater,
                    "-ge" => Rel::GreaterOrEqual,
                    _ => return None,
                };
                self.compare(line, state, how, a, b)
            }
            _ => None,
        }
    }
}
