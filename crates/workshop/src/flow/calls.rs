//! Calls of functions, of classes, and of what comes from outside, in Python and Perl.

use super::ir::{Class, Func, Node, Op};
use super::machine::{Flow, Machine, Way, Ways, value};
use super::state::State;
use super::value::{Value, equal};
use super::waits::method;
use crate::script::Language;
use std::rc::Rc;

/// The arguments of a call: by place, and by name.
pub(crate) struct Arguments {
    pub(crate) plain: Vec<Value>,
    pub(crate) named: Vec<(String, Value)>,
}

impl Arguments {
    /// The one at a place or with a name.
    pub(crate) fn get(&self, at: usize, name: &str) -> Option<&Value> {
        self.named.iter().find(|(own, _)| own == name).map(|(_, value)| value).or_else(|| self.plain.get(at))
    }

    /// Whether a named one is true.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.named
            .iter()
            .any(|(own, value)| own == name && matches!(value, Value::Bool(true) | Value::Int(1)))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.named.iter().any(|(own, value)| own == name && !matches!(value, Value::Nothing))
    }

    pub(crate) fn shown(&self) -> String {
        let named = self.named.iter().map(|(_, value)| value);
        self.plain.iter().chain(named).map(Value::shown).collect::<Vec<_>>().join(" ")
    }
}

impl Machine {
    pub(crate) fn call(
        &mut self,
        line: usize,
        callee: &Node,
        words: &[Node],
        named: &[(String, Node)],
        state: State,
    ) -> Ways {
        // The object of a method, or what is called.
        let (subject, verb) = match &callee.op {
            Op::Field(of, name) => (&**of, Some(name.as_str())),
            _ => (callee, None),
        };
        if let (Language::Perl, Op::Var(name)) = (self.language, &callee.op) {
            return self.perl(line, name, words, state);
        }
        let ways = self.eval(subject, state);
        self.on_each(ways, |machine, state, subject| {
            let nodes: Vec<Node> =
                words.iter().cloned().chain(named.iter().map(|(_, node)| node.clone())).collect();
            let names: Vec<&str> = named.iter().map(|(name, _)| name.as_str()).collect();
            machine.values(&nodes, state, &mut |machine, state, values| {
                let at = values.len().saturating_sub(names.len());
                let arguments = Arguments {
                    plain: values[..at].to_vec(),
                    named: names
                        .iter()
                        .map(|name| (*name).to_owned())
                        .zip(values[at..].iter().cloned())
                        .collect(),
                };
                machine.called(line, &subject, verb, arguments, state)
            })
        })
    }

    fn called(
        &mut self,
        line: usize,
        subject: &Value,
        verb: Option<&str>,
        arguments: Arguments,
        state: State,
    ) -> Ways {
        match (subject, verb) {
            (Value::Func(func), None) if self.language == Language::Perl => {
                self.sub(func, arguments.plain, state)
            }
            (Value::Func(func), None) => self.invoke(func, None, arguments, state),
            (Value::Bound(func, object), None) => {
                self.invoke(func, Some((**object).clone()), arguments, state)
            }
            (Value::Class(class), None) => self.construct(line, class, arguments, state),
            (Value::Object(number, class), Some(verb)) => {
                match state.get(&format!("object {number}.{verb}")).cloned() {
                    Some(Value::Func(func)) => self.invoke(&func, None, arguments, state),
                    Some(Value::Bound(func, object)) => {
                        self.invoke(&func, Some((*object).clone()), arguments, state)
                    }
                    _ => match method(&class.body, verb).cloned() {
                        Some(func) => self.invoke(&func, Some(subject.clone()), arguments, state),
                        None => self.method_outside(line, subject, verb, arguments, state),
                    },
                }
            }
            (Value::Class(class), Some(verb)) => match method(&class.body, verb).cloned() {
                Some(func) => self.invoke(&func, None, arguments, state),
                None => value(state, Value::unknown(verb)),
            },
            (Value::Outside(name), None) => {
                let name = name.clone();
                self.outside(line, &name, arguments, state)
            }
            (Value::Outside(module), Some(verb)) => {
                let name = format!("{module}.{verb}");
                self.outside(line, &name, arguments, state)
            }
            (Value::List(list), Some(verb)) if verb.starts_with('[') => {
                let (from, until) = verb.trim_matches(['[', ']']).split_once(':').unwrap_or_default();
                let until = until.trim().parse().unwrap_or(list.len()).min(list.len());
                let from = from.trim().parse().unwrap_or(0).min(until);
                value(state, Value::list(list[from..until].to_vec()))
            }
            (_, Some(verb)) => self.method_outside(line, subject, verb, arguments, state),
            (Value::Nothing, None) => vec![Way { state, flow: Flow::Raise(line) }],
            (_, None) => {
                self.cannot_judge(line, "what a function does that is chosen at run time");
                value(state, Value::unknown(format!("{} {}", subject.shown(), arguments.shown())))
            }
        }
    }

    /// Calls a function of the script.
    pub(crate) fn invoke(
        &mut self,
        func: &Rc<Func>,
        object: Option<Value>,
        arguments: Arguments,
        mut state: State,
    ) -> Ways {
        let mut plain = arguments.plain;
        if let Some(object) = object {
            plain.insert(0, object);
        }
        let mut given = plain.into_iter();
        let mut own = Vec::new();
        for param in &func.params {
            if param.rest {
                own.push((param.name.clone(), Value::list(given.by_ref().collect())));
                continue;
            }
            let named =
                arguments.named.iter().find(|(name, _)| *name == param.name).map(|(_, value)| value.clone());
            let value = match named.or_else(|| given.next()) {
                Some(value) => value,
                None => match &param.default {
                    Some(node) => match self.eval(node, state.clone()).into_iter().next() {
                        Some(Way { flow: Flow::Value(value), .. }) => value,
                        _ => Value::unknown(&param.name),
                    },
                    None => Value::unknown(&param.name),
                },
            };
            own.push((param.name.clone(), value));
        }
        let before = state.clone();
        state.enter();
        for (name, value) in own {
            state.set_own(&name, value);
        }
        if self.language == Language::Python {
            mark_globals(&func.body, &mut state);
        }
        let Some(ways) = self.body_of(func, state) else { return value(before, Value::unknown(&func.name)) };
        self.returned(func, ways)
    }

    pub(crate) fn returned(&mut self, func: &Func, ways: Ways) -> Ways {
        let returning = |way: &Way| matches!(way.flow, Flow::Value(_) | Flow::Return(_));
        let several = ways.iter().filter(|way| returning(way)).count() > 1;
        let perl = self.language == Language::Perl;
        let after = ways.into_iter().map(|mut way| {
            way.state.leave();
            if several && returning(&way) {
                let kept = way.state.guards.iter().take_while(|guard| guard.early).count();
                way.state.guards.truncate(kept);
            }
            let flow = match way.flow {
                Flow::Value(value) if func.expression || perl => Flow::Value(value),
                Flow::Value(_) | Flow::Break | Flow::Continue => Flow::Value(Value::Nothing),
                Flow::Return(value) => Flow::Value(value),
                flow => flow,
            };
            Way { state: way.state, flow }
        });
        super::machine::tidy(after.collect())
    }

    /// Makes an object, or finds the member of an enumeration.
    fn construct(&mut self, line: usize, class: &Rc<Class>, arguments: Arguments, mut state: State) -> Ways {
        if class.enumeration {
            let Some(given) = arguments.plain.first() else {
                return value(state, Value::unknown(&class.name));
            };
            let members: Vec<Value> = class
                .body
                .iter()
                .filter_map(|node| match &node.op {
                    Op::Assign(_, what) => match &what.op {
                        Op::Text(text) => Some(Value::text(text.clone())),
                        _ => None,
                    },
                    _ => None,
                })
                .collect();
            let words: Vec<String> = members.iter().filter_map(Value::known).collect();
            self.compared(line, &state, given, &words);
            if given.known().is_some() && !members.iter().any(|member| equal(member, given) == Some(true)) {
                return vec![Way { state, flow: Flow::Raise(line) }];
            }
            return value(state, given.clone());
        }
        self.objects += 1;
        let object = Value::Object(self.objects, class.clone());
        match method(&class.body, "__init__").cloned() {
            Some(init) => {
                let ways = self.invoke(&init, Some(object.clone()), arguments, state);
                self.on_each(ways, |_, state, _| value(state, object.clone()))
            }
            None => {
                // A data class: its fields in their order.
                let number = self.objects;
                let fields: Vec<String> = class
                    .body
                    .iter()
                    .filter_map(|node| match &node.op {
                        Op::Assign(super::ir::Target::Name(name), what)
                            if !matches!(what.op, Op::Func(_)) =>
                        {
                            Some(name.clone())
                        }
                        _ => None,
                    })
                    .collect();
                for (at, name) in fields.iter().enumerate() {
                    if let Some(given) = arguments.get(at, name) {
                        state.set_global(&format!("object {number}.{name}"), given.clone());
                    }
                }
                value(state, object)
            }
        }
    }

    /// A name that the script does not define.
    pub(crate) fn unknown_name(&mut self, name: &str, _state: &State) -> Value {
        match self.language {
            Language::Perl if name.starts_with(['$', '@', '%']) => match name {
                "@ARGV" | "@_" => Value::list(Vec::new()),
                "$0" | "$!" | "$@" | "$$" | "$?" | "$_" | "$1" | "$2" | "%ENV" | "$;" | "$/" => {
                    Value::unknown(name)
                }
                _ => Value::Nothing,
            },
            _ => Value::Outside(name.into()),
        }
    }
}

fn mark_globals(body: &Node, state: &mut State) {
    body.walk(&mut |node| {
        if let Op::Global(names) = &node.op {
            for name in names {
                state.set_own(&format!("global:{name}"), Value::Bool(true));
            }
        }
    });
}
