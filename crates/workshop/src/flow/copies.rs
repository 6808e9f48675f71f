//! Copies of the shell: subshells, pipelines, and what is taken from a command's output.

use super::ir::{Node, Op};
use super::machine::{Flow, Machine, Way, Ways, value};
use super::state::State;
use super::value::{Status, Value};

impl Machine {
    /// A copy of this shell: what leaves it, leaves no more.
    pub(crate) fn in_copy(&mut self, body: &Node, state: State) -> Ways {
        let ways = self.eval(body, state);
        ways.into_iter()
            .map(|way| {
                let mut state = way.state;
                match way.flow {
                    Flow::Exit(status, _) | Flow::Return(Value::Status(status)) => state.last = status,
                    Flow::Raise(_) => state.last = Status::Failure,
                    Flow::Value(Value::Bool(truth)) => state.last = Status::from_truth(Some(truth)),
                    Flow::Value(Value::Unknown(_)) => state.last = Status::Either,
                    _ => {}
                }
                let last = Value::Status(state.last);
                Way { state, flow: Flow::Value(last) }
            })
            .collect()
    }

    pub(crate) fn pipeline(&mut self, line: usize, stages: &[Node], state: State) -> Ways {
        let mut after = state.clone();
        let mut ended = Status::Either;
        for (index, stage) in stages.iter().enumerate() {
            let last = index + 1 == stages.len();
            let mut copy = state.clone();
            copy.held[0] &= last;
            self.checked += usize::from(!last);
            let ways = self.in_copy(stage, copy);
            self.checked -= usize::from(!last);
            let mut all = None;
            for way in ways {
                after = after.after_copy(way.state.clone(), false);
                let one = way.state.last;
                all = Some(match all {
                    None => one,
                    Some(other) if other == one => one,
                    Some(_) => Status::Either,
                });
            }
            ended = all.unwrap_or(Status::Either);
        }
        after.held = state.held;
        after.guards.clone_from(&state.guards);
        self.ended(line, after, ended)
    }

    pub(crate) fn capture(&mut self, body: &Node, state: State) -> Ways {
        let from = self.trail.len();
        let mut copy = state.clone();
        copy.held[0] = false;
        let errexit = std::mem::replace(&mut copy.errexit, false);
        let _ = errexit;
        let ways = self.in_copy(body, copy);
        let about = self.trail.get(from..).map(|asked| asked.join(" ")).unwrap_or_default();
        let result = self.output(body, &state).unwrap_or_else(|| Value::unknown(format!("$({about})")));
        let mut last: Option<Status> = None;
        for way in &ways {
            last = Some(match last {
                None => way.state.last,
                Some(other) if other == way.state.last => other,
                Some(_) => Status::Either,
            });
        }
        if ways.is_empty() {
            return Vec::new();
        }
        let mut state = state;
        state.last = last.unwrap_or(Status::Either);
        value(state, result)
    }

    /// What a command prints, where that can be told.
    fn output(&mut self, body: &Node, state: &State) -> Option<Value> {
        match &body.op {
            Op::Seq(nodes) if nodes.len() == 1 => self.output(&nodes[0], state),
            Op::Command(_, words) if matches!(words.first().map(|word| &word.op), Some(Op::Text(name)) if name == "echo" || name == "printf") =>
            {
                let from = if matches!(&words[0].op, Op::Text(name) if name == "printf") && words.len() > 2 {
                    2
                } else {
                    1
                };
                let events = self.events.len();
                let ways = self.values(&words[from..], state.clone(), &mut |_, state, values| {
                    value(state, Value::list(values))
                });
                self.events.truncate(events);
                let [Way { flow: Flow::Value(list), .. }] = &ways[..] else { return None };
                Some(Value::Text(list.pieces()))
            }
            Op::Pipeline(stages) if stages.len() == 2 => {
                let printed = self.output(&stages[0], state)?;
                let Op::Command(_, words) = &stages[1].op else { return None };
                let words: Option<Vec<&str>> = words
                    .iter()
                    .map(|word| match &word.op {
                        Op::Text(text) => Some(text.as_str()),
                        _ => None,
                    })
                    .collect();
                let text = printed.known();
                match (&words?[..], text) {
                    (["tr", from, to], Some(text)) if from.len() == 1 && to.len() == 1 => {
                        Some(Value::text(text.replace(from, to)))
                    }
                    (["sed", "s/-/_/g" | "s/-/_/"], Some(text)) => Some(Value::text(text.replace('-', "_"))),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}
