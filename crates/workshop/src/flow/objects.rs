//! Lists, maps and objects.

use super::ir::{Node, Op, Target};
use super::machine::{Machine, Ways, value};
use super::state::State;
use super::value::{Value, equal};
use super::waits::method;
use crate::script::Language;
use std::rc::Rc;

impl Machine {
    pub(crate) fn length(&mut self, list: &Node, state: State) -> Ways {
        self.quietly(std::slice::from_ref(list), state, &mut |_, state, values| {
            let length = match &values[0] {
                Value::List(list) => i64::try_from(list.len()).ok(),
                Value::Map(map) => i64::try_from(map.len()).ok(),
                Value::Unset | Value::Nothing => Some(0),
                Value::Text(_) => values[0].known().and_then(|text| i64::try_from(text.chars().count()).ok()),
                _ => None,
            };
            let shown = values[0].shown();
            value(state, length.map_or_else(|| Value::unknown(format!("the length of {shown}")), Value::Int))
        })
    }

    pub(crate) fn item(&mut self, line: usize, of: &Node, at: &Node, state: State) -> Ways {
        self.values(&[of.clone(), at.clone()], state, &mut |machine, state, values| {
            let [of, at] = &values[..] else { return value(state, Value::unknown("an item")) };
            let found = match of {
                Value::List(list) => match at.int() {
                    Some(at) => {
                        let at = if at < 0 { at + i64::try_from(list.len()).unwrap_or(0) } else { at };
                        let found = usize::try_from(at).ok().and_then(|at| list.get(at)).cloned();
                        match found {
                            Some(found) => found,
                            None if machine.language == Language::Python => return raised(state, line),
                            None => return machine.no_item(line, state),
                        }
                    }
                    None => Value::unknown(of.shown()),
                },
                Value::Map(map) => {
                    let words: Vec<String> = map.iter().filter_map(|(key, _)| key.known()).collect();
                    machine.compared(line, &state, at, &words);
                    match lookup(map, at) {
                        Found::Yes(found) => found,
                        Found::No if machine.language == Language::Python => return raised(state, line),
                        Found::No => return machine.no_item(line, state),
                        Found::Perhaps => Value::unknown(at.shown()),
                    }
                }
                Value::Text(_) if machine.language == Language::Shell && at.int() == Some(0) => of.clone(),
                Value::Class(class) if class.enumeration => match at.known() {
                    Some(name) => machine.of_class(class, &name).unwrap_or_else(|| Value::unknown(&name)),
                    None => Value::unknown(at.shown()),
                },
                Value::Unset => return machine.no_item(line, state),
                other => Value::unknown(format!("{} {}", other.shown(), at.shown())),
            };
            value(state, found)
        })
    }

    /// What is not there: nothing, and with `set -u` the end.
    fn no_item(&mut self, line: usize, state: State) -> Ways {
        if self.language == Language::Shell && state.nounset && self.quiet == 0 {
            self.happen(
                line,
                &state,
                super::event::What::Unset { name: "a positional argument".into(), fails: true, asked: false },
            );
            let line = self.embedded_at.unwrap_or(line);
            return vec![super::machine::Way {
                state,
                flow: super::machine::Flow::Exit(super::value::Status::Failure, line),
            }];
        }
        value(state, if self.language == Language::Shell { Value::Unset } else { Value::Nothing })
    }

    pub(crate) fn exists(&mut self, of: &Node, state: State) -> Ways {
        let line = of.line;
        match &of.op {
            Op::Item(list, at) => {
                let nodes = [(**list).clone(), (**at).clone()];
                self.quietly(&nodes, state, &mut |machine, state, values| {
                    let [list, at] = &values[..] else {
                        return value(state, Value::unknown("whether there is one"));
                    };
                    let truth = match list {
                        Value::Map(map) => {
                            let words: Vec<String> = map.iter().filter_map(|(key, _)| key.known()).collect();
                            machine.compared(line, &state, at, &words);
                            match lookup(map, at) {
                                Found::Yes(_) => Some(true),
                                Found::No => Some(false),
                                Found::Perhaps => None,
                            }
                        }
                        Value::List(list) => {
                            at.int().and_then(|at| usize::try_from(at).ok()).map(|at| at < list.len())
                        }
                        Value::Unset | Value::Nothing => Some(false),
                        _ => None,
                    };
                    let shown = at.shown();
                    machine.trail.push(shown.clone());
                    value(state, truth.map_or_else(|| Value::unknown(shown), Value::Bool))
                })
            }
            Op::Var(name) => {
                let found = state.get(name).or_else(|| state.get(&format!("fn:{name}"))).cloned();
                let truth = match found {
                    Some(Value::Unset | Value::Nothing) | None
                        if !state.open && !Self::is_in_environment(name) =>
                    {
                        Some(false)
                    }
                    Some(Value::Unknown(_)) | None => None,
                    Some(_) => Some(true),
                };
                self.trail.push(name.clone());
                let about = name.clone();
                value(state, truth.map_or_else(|| Value::unknown(about), Value::Bool))
            }
            _ => self.quietly(std::slice::from_ref(of), state, &mut |_, state, values| {
                let truth = match &values[0] {
                    Value::Unset | Value::Nothing => Some(false),
                    Value::Unknown(_) | Value::Outside(_) => None,
                    _ => Some(true),
                };
                let shown = values[0].shown();
                value(state, truth.map_or_else(|| Value::unknown(shown), Value::Bool))
            }),
        }
    }

    pub(crate) fn field(&mut self, line: usize, of: &Node, name: &str, state: State) -> Ways {
        let ways = self.eval(of, state);
        self.on_each(ways, |machine, state, of| {
            let found = machine.of_value(line, &of, name, &state);
            value(state, found)
        })
    }

    fn of_value(&mut self, _line: usize, of: &Value, name: &str, state: &State) -> Value {
        match of {
            Value::Outside(module) => {
                let whole = format!("{module}.{name}");
                state.get(&whole).cloned().unwrap_or_else(|| Value::Outside(whole.into()))
            }
            Value::Object(number, class) => match state.get(&format!("object {number}.{name}")) {
                Some(found) => found.clone(),
                None => match method(&class.body, name) {
                    Some(func) => Value::Bound(func.clone(), Rc::new(of.clone())),
                    None => self.of_class(class, name).unwrap_or_else(|| Value::unknown(name)),
                },
            },
            Value::Class(class) => match method(&class.body, name) {
                Some(func) => Value::Func(func.clone()),
                None => self.of_class(class, name).unwrap_or_else(|| Value::unknown(name)),
            },
            // The member of an enumeration stands for its value.
            Value::Text(_) if name == "value" || name == "name" => of.clone(),
            Value::Text(_) if name == "parent" || name == "stem" || name == "suffix" => {
                Value::unknown(of.shown())
            }
            other => Value::unknown(format!("{} {name}", other.shown())),
        }
    }

    /// What a class assigns to a name.
    fn of_class(&mut self, class: &super::ir::Class, name: &str) -> Option<Value> {
        class.body.iter().find_map(|node| match &node.op {
            Op::Assign(Target::Name(own) | Target::Local(own), what) if own == name => match &what.op {
                Op::Text(text) => Some(Value::text(text.clone())),
                Op::Int(number) => Some(Value::Int(*number)),
                _ => Some(Value::unknown(name)),
            },
            _ => None,
        })
    }

    pub(crate) fn assign_field(&mut self, of: &Node, name: &str, state: &mut State, what: Value) {
        let found = self.eval(of, state.clone()).into_iter().find_map(|way| match way.flow {
            super::machine::Flow::Value(value) => Some(value),
            _ => None,
        });
        if let Some(Value::Object(number, _)) = found {
            state.set_global(&format!("object {number}.{name}"), what);
        }
    }

    pub(crate) fn assign_item(&mut self, of: &Node, at: &Node, state: &mut State, what: Value) {
        let eval = |machine: &mut Self, node: &Node| {
            machine.quiet += 1;
            let ways = machine.eval(node, state.clone());
            machine.quiet -= 1;
            ways.into_iter().find_map(|way| match way.flow {
                super::machine::Flow::Value(value) => Some(value),
                _ => None,
            })
        };
        let (list, key) = (eval(self, of), eval(self, at));
        let Op::Var(name) = &of.op else { return };
        let key = key.unwrap_or_else(|| Value::unknown("a key"));
        let changed = match list {
            Some(Value::Map(map)) => {
                let mut map: Vec<(Value, Value)> = map.to_vec();
                match map.iter_mut().find(|(own, _)| equal(own, &key) == Some(true)) {
                    Some((_, value)) => *value = what,
                    None => map.push((key, what)),
                }
                Value::Map(Rc::new(map))
            }
            Some(Value::List(list))
                if key.int().and_then(|at| usize::try_from(at).ok()).is_some_and(|at| at <= list.len())
                    && key.known().is_some_and(|text| !text.is_empty()) =>
            {
                let mut list = list.to_vec();
                let at = key.int().and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
                if at < list.len() {
                    list[at] = what
                } else {
                    list.push(what)
                }
                Value::list(list)
            }
            Some(Value::Unset | Value::Nothing) | None if key.known().is_some() => {
                Value::Map(Rc::new(vec![(key, what)]))
            }
            _ => Value::unknown(format!("${name}")),
        };
        state.set(name, changed);
    }
}

/// Whether a map has a key, and what it holds there.
pub(crate) enum Found {
    Yes(Value),
    No,
    Perhaps,
}

pub(crate) fn lookup(map: &[(Value, Value)], key: &Value) -> Found {
    let mut perhaps = false;
    for (own, value) in map {
        match equal(own, key) {
            Some(true) => return Found::Yes(value.clone()),
            Some(false) => {}
            None => perhaps = true,
        }
    }
    if perhaps { Found::Perhaps } else { Found::No }
}

fn raised(state: State, line: usize) -> Ways {
    vec![super::machine::Way { state, flow: super::machine::Flow::Raise(line) }]
}
