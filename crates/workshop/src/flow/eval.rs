//! One step after the other.

use super::event::What;
use super::ir::{Calc, Node, Op, Rel, Target};
use super::machine::{Flow, Machine, Way, Ways, status, value};
use super::state::State;
use super::texts;
use super::value::{Status, Value, equal};
use crate::script::Language;
use std::rc::Rc;

impl Machine {
    /// All the ways that a step may come out.
    pub(crate) fn eval(&mut self, node: &Node, state: State) -> Ways {
        self.steps += 1;
        if self.spent() {
            return Vec::new();
        }
        let line = node.line;
        match &node.op {
            Op::Text(text) => value(state, Value::text(text.clone())),
            Op::Int(number) => value(state, Value::Int(*number)),
            Op::Bool(truth) => value(state, Value::Bool(*truth)),
            Op::Nothing => value(state, Value::Nothing),
            Op::Outside(name) => value(state, Value::Outside(name.as_str().into())),
            Op::Func(func) => value(state, Value::Func(func.clone())),
            Op::Class(class) => value(state, Value::Class(class.clone())),
            Op::Var(name) => self.variable(line, name, state),
            Op::LastStatus => {
                let last = Value::Status(state.last);
                value(state, last)
            }
            Op::Unknown(about, nodes) => self.values(nodes, state, &mut |machine, state, values| {
                let said: Vec<String> = values.iter().map(Value::shown).collect();
                let about = format!("{about} {}", said.join(" "));
                machine.trail.push(about.clone());
                value(state, Value::unknown(about))
            }),
            Op::Concat(nodes) => self.values(nodes, state, &mut |_, state, values| {
                let pieces = values.iter().flat_map(Value::pieces).collect();
                value(state, Value::Text(pieces))
            }),
            Op::List(nodes) => {
                self.values(nodes, state, &mut |_, state, values| value(state, Value::list(values)))
            }
            Op::Map(pairs) => {
                let nodes: Vec<Node> =
                    pairs.iter().flat_map(|(key, value)| [key.clone(), value.clone()]).collect();
                self.values(&nodes, state, &mut |_, state, values| {
                    let pairs = values.chunks(2).filter(|pair| pair.len() == 2);
                    value(
                        state,
                        Value::Map(Rc::new(pairs.map(|pair| (pair[0].clone(), pair[1].clone())).collect())),
                    )
                })
            }
            Op::Spread(list) => self.eval(list, state),
            Op::Length(list) => self.length(list, state),
            Op::Item(of, at) => self.item(line, of, at, state),
            Op::Field(of, name) => self.field(line, of, name, state),
            Op::Expand(of, about, how) => self.expand(line, of, about, how, state),
            Op::Calc(how, a, b) => {
                self.values(&[(**a).clone(), (**b).clone()], state, &mut |_, state, values| {
                    let result = calculate(*how, &values[0], &values[1]);
                    value(state, result)
                })
            }
            Op::Compare(how, a, b) => {
                self.asked(&[(**a).clone(), (**b).clone()], state, &mut |machine, state, values| {
                    let truth = machine.compare(line, &state, *how, &values[0], &values[1]);
                    let asked = format!("{} {}", values[0].shown(), values[1].shown());
                    machine.trail.push(asked.clone());
                    value(state, truth.map_or_else(|| Value::unknown(asked), Value::Bool))
                })
            }
            Op::Probe(test, nodes) => self.quietly(nodes, state, &mut |machine, state, values| {
                let said: Vec<String> = values.iter().map(Value::shown).collect();
                let about = format!("{test} {}", said.join(" "));
                machine.trail.push(about.clone());
                value(state, Value::unknown(about))
            }),
            Op::Empty(of) => self.quietly(std::slice::from_ref(of), state, &mut |machine, state, values| {
                machine.trail.push(values[0].shown());
                let truth = match &values[0] {
                    Value::Status(_) => Some(false),
                    Value::Unset | Value::Nothing => Some(true),
                    Value::Int(_) => Some(false),
                    Value::Unknown(_) => None,
                    text => texts::emptiness(&text.pieces()),
                };
                let shown = values[0].shown();
                value(state, truth.map_or_else(|| Value::unknown(shown), Value::Bool))
            }),
            Op::Exists(of) => self.exists(of, state),
            Op::Not(inner) => {
                self.checked += 1;
                let ways = self.eval(inner, state);
                self.checked -= 1;
                self.on_each(ways, |machine, state, result| {
                    let negated = match machine.truth(&result) {
                        Some(truth) => Value::Bool(!truth),
                        None => Value::unknown(result.shown()),
                    };
                    machine.as_status(state, negated)
                })
            }
            Op::And(a, b) => {
                let later = self.checked;
                self.fork(
                    a,
                    state,
                    &mut |machine, state, _| {
                        debug_assert_eq!(machine.checked, later);
                        machine.eval(b, state)
                    },
                    &mut |machine, state, result| machine.as_status(state, result),
                )
            }
            Op::Or(a, b) => self.fork(
                a,
                state,
                &mut |machine, state, result| machine.as_status(state, result),
                &mut |machine, state, _| machine.eval(b, state),
            ),
            Op::If(condition, yes, no) => self.fork(
                condition,
                state,
                &mut |machine, state, _| machine.eval(yes, state),
                &mut |machine, mut state, _| {
                    state.last = Status::Success;
                    machine.eval(no, state)
                },
            ),
            Op::Choose(subject, how, arms) => self.choose(line, subject, *how, arms, state),
            Op::Loop { condition, body, after, last } => {
                self.turn(line, condition, body, after.as_deref(), last.as_deref(), state)
            }
            Op::For { target, items, body } => self.for_each(target, items, body, state),
            Op::Seq(nodes) => self.sequence(nodes, state),
            Op::Assign(target, what) => {
                let ways = self.eval(what, state);
                self.on_each(ways, |machine, mut state, result| {
                    let ended = match (&what.op, machine.language) {
                        (Op::Capture(_), Language::Shell) => state.last,
                        _ => Status::Success,
                    };
                    machine.assign(target, &mut state, result.clone());
                    if machine.language != Language::Shell {
                        return value(state, result);
                    }
                    machine.ended(line, state, ended)
                })
            }
            Op::AssignAfter(target, what, was) => {
                self.values(&[(**was).clone(), (**what).clone()], state, &mut |machine, mut state, values| {
                    machine.assign(target, &mut state, values[1].clone());
                    value(state, values[0].clone())
                })
            }
            Op::Arithmetic(inner) => self.arithmetic(line, inner, state),
            Op::Command(own, words) => self.command(line, own, words, state),
            Op::Redirected(body, redirects) => self.redirected(body, redirects, state),
            Op::Pipeline(stages) => self.pipeline(line, stages, state),
            Op::Subshell(body) => {
                let copy = self.in_copy(body, state.clone());
                let state_before = state;
                self.on_each(copy, |machine, copy, _| {
                    let ended = copy.last;
                    machine.ended(line, state_before.clone().after_copy(copy, false), ended)
                })
            }
            Op::Background(body) => {
                self.background += 1;
                self.checked += 1;
                self.in_copy(body, state.clone());
                self.checked -= 1;
                self.background -= 1;
                status(state, Status::Success)
            }
            Op::Capture(body) => self.capture(body, state),
            Op::Call(callee, words, named) => self.call(line, callee, words, named, state),
            Op::Global(_) => value(state, Value::Nothing),
            Op::Break => vec![Way { state, flow: Flow::Break }],
            Op::Continue => vec![Way { state, flow: Flow::Continue }],
            Op::Return(what) => self.leaving(what.as_deref(), state, &mut |machine, state, result| {
                let result = match (&result, machine.language) {
                    (Value::Nothing, Language::Shell) => Value::Status(state.last),
                    (other, Language::Shell) => Value::Status(exit_status(other)),
                    _ => result,
                };
                vec![Way { state, flow: Flow::Return(result) }]
            }),
            Op::Exit(what) => self.leaving(what.as_deref(), state, &mut |machine, state, result| {
                let ended = match (&result, what, machine.language) {
                    (_, None, Language::Shell) => state.last,
                    (_, None, _) => Status::Success,
                    (result, Some(_), Language::Python) => match result {
                        Value::Nothing => Status::Success,
                        Value::Text(_) => Status::Failure,
                        other => exit_status(other),
                    },
                    (result, Some(_), _) => exit_status(result),
                };
                let line = machine.embedded_at.unwrap_or(line);
                vec![Way { state, flow: Flow::Exit(ended, line) }]
            }),
            Op::Raise(nodes) => {
                self.values(nodes, state, &mut |_, state, _| vec![Way { state, flow: Flow::Raise(line) }])
            }
            Op::Try { body, handlers, otherwise, lastly } => {
                self.attempt(body, handlers, otherwise.as_deref(), lastly.as_deref(), state)
            }
            Op::Opaque(why, nodes) => {
                self.cannot_judge(line, why.clone());
                self.values(nodes, state, &mut |_, mut state, _| {
                    state.open = true;
                    state.last = Status::Either;
                    value(state, Value::unknown(why))
                })
            }
        }
    }

    fn leaving(
        &mut self,
        what: Option<&Node>,
        state: State,
        next: &mut dyn FnMut(&mut Self, State, Value) -> Ways,
    ) -> Ways {
        match what {
            None => next(self, state, Value::Nothing),
            Some(node) => {
                let ways = self.eval(node, state);
                self.on_each(ways, |machine, state, result| next(machine, state, result))
            }
        }
    }

    fn asked(
        &mut self,
        nodes: &[Node],
        state: State,
        next: &mut dyn FnMut(&mut Self, State, Vec<Value>) -> Ways,
    ) -> Ways {
        self.asking += 1;
        let mut points = Vec::new();
        let mut after = self.values(nodes, state, &mut |_, state, values| {
            points.push((state, values));
            Vec::new()
        });
        self.asking -= 1;
        for (state, values) in points {
            after.extend(next(self, state, values));
        }
        after
    }

    /// Evaluates steps without asking whether their variables are set.
    pub(crate) fn quietly(
        &mut self,
        nodes: &[Node],
        state: State,
        next: &mut dyn FnMut(&mut Self, State, Vec<Value>) -> Ways,
    ) -> Ways {
        self.quiet += 1;
        let mut points = Vec::new();
        let others = self.values(nodes, state, &mut |_, state, values| {
            points.push((state, values));
            Vec::new()
        });
        self.quiet -= 1;
        let mut after = others;
        for (state, values) in points {
            after.extend(next(self, state, values));
        }
        after
    }

    /// A truth as the shell has it.
    pub(crate) fn as_status(&mut self, state: State, result: Value) -> Ways {
        if self.language != Language::Shell {
            return value(state, result);
        }
        let ended = Status::from_truth(self.truth(&result));
        match result {
            Value::Unknown(_) => {
                let mut state = state;
                state.last = ended;
                value(state, result)
            }
            _ => status(state, ended),
        }
    }

    /// The end of a command: with `set -e` a failure that nobody checks ends the script.
    pub(crate) fn ended(&mut self, line: usize, mut state: State, ended: Status) -> Ways {
        state.last = ended;
        state.last_event = None;
        if ended == Status::Failure && state.errexit && self.checked == 0 {
            let line = self.embedded_at.unwrap_or(line);
            return vec![Way { state, flow: Flow::Exit(Status::Failure, line) }];
        }
        value(state, Value::Status(ended))
    }

    fn sequence(&mut self, nodes: &[Node], state: State) -> Ways {
        let mut ways = value(state, Value::Nothing);
        for node in nodes {
            ways = self.on_each(ways, |machine, state, _| {
                let ways = machine.eval(node, state);
                match machine.language {
                    Language::Shell => machine.on_each(ways, |machine, state, result| match result {
                        Value::Bool(_) | Value::Unknown(_) => {
                            let ended = Status::from_truth(machine.truth(&result));
                            machine.ended(node.line, state, ended)
                        }
                        _ => value(state, result),
                    }),
                    _ => ways,
                }
            });
        }
        ways
    }

    fn variable(&mut self, line: usize, name: &str, mut state: State) -> Ways {
        match state.get(name) {
            Some(Value::Unset) | None => {}
            Some(found) => {
                let found = found.clone();
                return value(state, found);
            }
        }
        if self.language == Language::Shell {
            if texts::is_special(name) {
                return value(state, Value::unknown(format!("${name}")));
            }
            if Self::is_in_environment(name) || state.open {
                return value(state, Value::unknown(format!("${name}")));
            }
            if self.quiet == 0 && !name.starts_with("fn:") {
                let fails = state.nounset;
                self.happen(
                    line,
                    &state,
                    What::Unset { name: name.to_owned(), fails, asked: self.asking > 0 },
                );
                if fails {
                    state.last = Status::Failure;
                    let line = self.embedded_at.unwrap_or(line);
                    return vec![Way { state, flow: Flow::Exit(Status::Failure, line) }];
                }
            }
            return value(state, Value::Unset);
        }
        let result = self.unknown_name(name, &state);
        value(state, result)
    }

    pub(crate) fn compare(
        &mut self,
        line: usize,
        state: &State,
        how: Rel,
        a: &Value,
        b: &Value,
    ) -> Option<bool> {
        if matches!(how, Rel::Equal | Rel::Differs) {
            for (subject, word) in [(a, b), (b, a)] {
                if let Some(word) = word.known() {
                    self.compared(line, state, subject, &[word]);
                }
            }
        }
        match how {
            Rel::Equal => equal(a, b),
            Rel::Differs => equal(a, b).map(|same| !same),
            Rel::Glob => {
                let (words, truth) = texts::glob(a, &b.pieces());
                self.compared(line, state, a, &words);
                truth
            }
            Rel::Regex => {
                let (words, truth) = texts::regex(a, b);
                self.compared(line, state, a, &words);
                truth
            }
            Rel::In => {
                let items: Vec<Value> = match b {
                    Value::List(list) => list.to_vec(),
                    Value::Map(map) => map.iter().map(|(key, _)| key.clone()).collect(),
                    Value::Text(_) => {
                        let (a, b) = (a.known()?, b.known()?);
                        return Some(b.contains(&a));
                    }
                    _ => return None,
                };
                let words: Vec<String> = items.iter().filter_map(Value::known).collect();
                self.compared(line, state, a, &words);
                let mut all = Some(false);
                for item in &items {
                    match equal(a, item) {
                        Some(true) => return Some(true),
                        Some(false) => {}
                        None => all = None,
                    }
                }
                all
            }
            Rel::Less | Rel::LessOrEqual | Rel::Greater | Rel::GreaterOrEqual => {
                let (a, b) = (a.int()?, b.int()?);
                Some(match how {
                    Rel::Less => a < b,
                    Rel::LessOrEqual => a <= b,
                    Rel::Greater => a > b,
                    _ => a >= b,
                })
            }
        }
    }

    fn arithmetic(&mut self, line: usize, inner: &Node, state: State) -> Ways {
        let ways = self.eval(inner, state);
        self.on_each(ways, |machine, state, result| {
            let ended = match &result {
                Value::Bool(truth) => Status::from_truth(Some(*truth)),
                Value::Unset => Status::Failure,
                other => other.int().map_or(Status::Either, |number| Status::from_truth(Some(number != 0))),
            };
            let counts = matches!(inner.op, Op::AssignAfter(..) | Op::Assign(..));
            if ended == Status::Failure && counts && state.errexit && machine.checked == 0 {
                let text = match &inner.op {
                    Op::AssignAfter(Target::Name(name), ..) | Op::Assign(Target::Name(name), _) => {
                        name.clone()
                    }
                    _ => String::new(),
                };
                machine.happen(line, &state, What::Zero { text });
            }
            if let (Status::Either, Value::Unknown(about)) = (ended, &result) {
                let mut state = state;
                state.last = Status::Either;
                return value(state, Value::Unknown(about.clone()));
            }
            machine.ended(line, state, ended)
        })
    }
}

/// How the process ends that exits with this value.
pub(crate) fn exit_status(code: &Value) -> Status {
    match code {
        Value::Status(status) => *status,
        Value::Bool(truth) => Status::of(i64::from(*truth)),
        Value::Nothing => Status::Success,
        Value::Unset => Status::Either,
        other => other.int().map_or(Status::Either, Status::of),
    }
}

fn calculate(how: Calc, a: &Value, b: &Value) -> Value {
    if let (Calc::Add, Value::List(a), Value::List(b)) = (how, a, b) {
        return Value::list(a.iter().chain(b.iter()).cloned().collect());
    }
    if let (Calc::Add, Value::Text(_), Value::Text(_)) = (how, a, b) {
        return Value::Text(a.pieces().into_iter().chain(b.pieces()).collect());
    }
    let number = |value: &Value| match value {
        Value::Unset => Some(0),
        other => other.int(),
    };
    let result = match (number(a), number(b)) {
        (Some(a), Some(b)) => match how {
            Calc::Add => a.checked_add(b),
            Calc::Subtract => a.checked_sub(b),
            Calc::Multiply => a.checked_mul(b),
            Calc::Divide => a.checked_div(b),
            Calc::Remainder => a.checked_rem(b),
        },
        _ => None,
    };
    result.map_or_else(|| Value::unknown(format!("{} {}", a.shown(), b.shown())), Value::Int)
}
