//! Python's built-in functions, and the methods of texts, paths, lists and maps.

use super::calls::Arguments;
use super::event::What;
use super::machine::{Flow, Machine, Way, Ways, value};
use super::objects::{Found, lookup};
use super::state::State;
use super::value::{Piece, Value};

impl Machine {
    /// A built-in function, or something from outside that is not known.
    pub(crate) fn python_builtin(
        &mut self,
        line: usize,
        name: &str,
        arguments: Arguments,
        state: State,
    ) -> Ways {
        let first = arguments.plain.first().cloned().unwrap_or(Value::Nothing);
        let about = format!("{name} {}", arguments.shown());
        let result = match name {
            "str" | "int" | "repr" | "float" | "sorted" | "list" | "tuple" | "set" | "frozenset"
            | "reversed" | "iter" | "dict" => match (&first, name) {
                (Value::Nothing, "list" | "tuple" | "set") => Value::list(Vec::new()),
                (Value::Nothing, "dict") => {
                    let pairs = arguments
                        .named
                        .iter()
                        .map(|(name, value)| (Value::text(name.clone()), value.clone()));
                    Value::Map(std::rc::Rc::new(pairs.collect()))
                }
                (Value::Text(_), "int") => {
                    if first.is_vmid() {
                        first
                    } else if let Some(text) = first.known() {
                        match text.trim().parse() {
                            Ok(number) => Value::Int(number),
                            Err(_) => return vec![Way { state, flow: Flow::Raise(line) }],
                        }
                    } else {
                        Value::unknown(about)
                    }
                }
                (Value::Map(map), "list" | "tuple" | "sorted" | "set") => {
                    Value::list(map.iter().map(|(key, _)| key.clone()).collect())
                }
                _ => first,
            },
            "len" => match &first {
                Value::List(list) => Value::Int(i64::try_from(list.len()).unwrap_or(0)),
                Value::Map(map) => Value::Int(i64::try_from(map.len()).unwrap_or(0)),
                _ => Value::unknown(about),
            },
            "range" => match arguments.plain.iter().map(Value::int).collect::<Option<Vec<i64>>>() {
                Some(numbers) => {
                    let (from, until) = match numbers[..] {
                        [until] => (0, until),
                        [from, until, ..] => (from, until),
                        [] => (0, 0),
                    };
                    Value::list((from..until.min(from + 100)).map(Value::Int).collect())
                }
                None => Value::unknown(about),
            },
            "print" | "logging.basicConfig" => Value::Nothing,
            "enumerate" => match &first {
                Value::List(list) => Value::list(
                    (0..)
                        .zip(list.iter())
                        .map(|(at, item)| Value::list(vec![Value::Int(at), item.clone()]))
                        .collect(),
                ),
                _ => Value::unknown(about),
            },
            "getattr" => return self.attribute(line, &first, &arguments, state),
            "hasattr" | "callable" | "isinstance" | "any" | "all" => {
                let found = match (&first, arguments.plain.get(1).and_then(Value::known), name) {
                    (Value::Object(_, class), Some(verb), "hasattr") => {
                        Some(super::waits::method(&class.body, &verb).is_some())
                    }
                    (Value::Func(_) | Value::Bound(..), _, "callable") => Some(true),
                    (Value::Nothing, _, "callable") => Some(false),
                    _ => None,
                };
                found.map_or_else(|| Value::unknown(about), Value::Bool)
            }
            "globals" | "locals" | "vars" => {
                let names = state.names();
                let pairs = names
                    .iter()
                    .filter_map(|name| Some((Value::text(name.clone()), state.get(name)?.clone())));
                let pairs = pairs.filter(|(_, value)| matches!(value, Value::Func(_) | Value::Class(_)));
                Value::Map(std::rc::Rc::new(pairs.collect()))
            }
            "exec" | "eval" | "importlib.import_module" | "__import__" | "runpy.run_path" => {
                self.cannot_judge(line, format!("what {name} does with a text that is made at run time"));
                Value::unknown(about)
            }
            _ => {
                self.trail.push(about.clone());
                Value::unknown(about)
            }
        };
        value(state, result)
    }

    fn attribute(&mut self, line: usize, of: &Value, arguments: &Arguments, state: State) -> Ways {
        let otherwise = arguments.plain.get(2).cloned();
        let Some(name) = arguments.plain.get(1).and_then(Value::known) else {
            return value(state, Value::unknown(arguments.shown()));
        };
        let found = match of {
            Value::Object(number, class) => {
                state.get(&format!("object {number}.{name}")).cloned().or_else(|| {
                    super::waits::method(&class.body, &name)
                        .map(|func| Value::Bound(func.clone(), std::rc::Rc::new(of.clone())))
                })
            }
            Value::Outside(module) if module.starts_with("sys.modules") || &**module == "__main__" => {
                state.get(&name).cloned()
            }
            _ => return value(state, Value::unknown(arguments.shown())),
        };
        match found.or(otherwise) {
            Some(found) => value(state, found),
            None => vec![Way { state, flow: Flow::Raise(line) }],
        }
    }

    /// A method of something that is no object of the script's.
    pub(crate) fn method_outside(
        &mut self,
        line: usize,
        of: &Value,
        verb: &str,
        arguments: Arguments,
        state: State,
    ) -> Ways {
        let first = arguments.plain.first();
        let text = |at: usize| arguments.plain.get(at).and_then(Value::known);
        let about = format!("{} {verb} {}", of.shown(), arguments.shown());
        let result = match (of, verb) {
            (_, "write_text" | "write_bytes") => {
                self.written(line, &state, of.pieces());
                Value::Nothing
            }
            (Value::Text(_), "mkdir" | "touch" | "symlink_to" | "hardlink_to") => {
                let ensures = arguments.is("exist_ok") || verb == "touch";
                let kind = if verb == "symlink_to" || verb == "hardlink_to" { "link" } else { "mkdir" };
                self.file(line, &state, if ensures { "ensure" } else { kind }, Some(of));
                Value::Nothing
            }
            (Value::Text(_), "unlink" | "rmdir") => {
                self.file(line, &state, "remove", Some(of));
                Value::Nothing
            }
            (
                Value::Text(_),
                "exists" | "is_file" | "is_dir" | "is_mount" | "is_symlink" | "is_block_device" | "read_text"
                | "stat" | "resolve" | "iterdir" | "glob",
            ) => {
                self.trail.push(about.clone());
                if verb == "resolve" { of.clone() } else { Value::unknown(about) }
            }
            (Value::Text(_), "open") => {
                let mode = arguments.get(0, "mode").and_then(Value::known).unwrap_or_default();
                if mode.contains(['w', 'a', 'x', '+']) {
                    self.written(line, &state, of.pieces());
                }
                Value::unknown(about)
            }
            (Value::Text(_), "joinpath") => Value::Text(
                of.pieces()
                    .into_iter()
                    .chain([Piece::Known("/".into())])
                    .chain(first.map(Value::pieces).unwrap_or_default())
                    .collect(),
            ),
            (Value::Text(pieces), "replace" | "translate") if verb == "replace" => match (text(0), text(1)) {
                (Some(from), Some(to)) => replaced(pieces, &from, &to),
                _ => Value::unknown(about),
            },
            (
                Value::Text(_),
                "strip" | "rstrip" | "lstrip" | "lower" | "upper" | "casefold" | "encode" | "decode"
                | "title",
            ) => match of.known() {
                Some(text) => Value::text(match verb {
                    "lower" | "casefold" => text.to_lowercase(),
                    "upper" => text.to_uppercase(),
                    "strip" | "rstrip" | "lstrip" if first.is_none() => text.trim().to_owned(),
                    _ => text,
                }),
                None => of.clone(),
            },
            (Value::Text(_), "startswith" | "endswith") => match (of.known(), text(0)) {
                (Some(whole), Some(part)) => Value::Bool(if verb == "startswith" {
                    whole.starts_with(&part)
                } else {
                    whole.ends_with(&part)
                }),
                (None, Some(part)) if of.is_vmid() && part.chars().any(char::is_alphabetic) => {
                    Value::Bool(false)
                }
                _ => Value::unknown(about),
            },
            (Value::Text(_), "isdigit" | "isdecimal" | "isnumeric") => match (of.is_vmid(), of.known()) {
                (true, _) => Value::Bool(true),
                (_, Some(text)) => Value::Bool(!text.is_empty() && text.chars().all(|c| c.is_ascii_digit())),
                _ => Value::unknown(about),
            },
            (Value::Text(_), "split" | "splitlines" | "partition") => match (of.known(), text(0)) {
                (Some(whole), Some(at)) if verb == "split" => {
                    Value::list(whole.split(at.as_str()).map(Value::text).collect())
                }
                (Some(whole), None) if verb == "split" => {
                    Value::list(whole.split_whitespace().map(Value::text).collect())
                }
                _ => Value::unknown(about),
            },
            (Value::Text(_), "join") => match first {
                Some(Value::List(list)) => {
                    let mut pieces = Vec::new();
                    for (at, item) in list.iter().enumerate() {
                        if at > 0 {
                            pieces.extend(of.pieces());
                        }
                        pieces.extend(item.pieces());
                    }
                    Value::Text(pieces)
                }
                _ => Value::unknown(about),
            },
            (Value::Text(_), "format") => Value::unknown(about),
            (Value::Map(map), "get" | "pop" | "setdefault") => {
                let Some(key) = first else { return value(state, Value::unknown(about)) };
                let words: Vec<String> = map.iter().filter_map(|(key, _)| key.known()).collect();
                self.compared(line, &state, key, &words);
                match lookup(map, key) {
                    Found::Yes(found) => found,
                    Found::No => arguments.plain.get(1).cloned().unwrap_or(Value::Nothing),
                    Found::Perhaps => Value::unknown(about),
                }
            }
            (Value::Map(map), "keys") => Value::list(map.iter().map(|(key, _)| key.clone()).collect()),
            (Value::Map(map), "values") => Value::list(map.iter().map(|(_, value)| value.clone()).collect()),
            (Value::Map(map), "items") => Value::list(
                map.iter().map(|(key, value)| Value::list(vec![key.clone(), value.clone()])).collect(),
            ),
            (
                Value::Unknown(_),
                "wait" | "communicate" | "poll" | "terminate" | "kill" | "__exit__" | "join",
            ) => {
                self.run_words(line, vec![Value::text("wait")], &state, false);
                Value::unknown(about)
            }
            _ => {
                self.trail.push(about.clone());
                Value::unknown(about)
            }
        };
        if verb == "redirect" {
            self.happen(line, &state, What::OutputsReplaced);
        }
        value(state, result)
    }
}

fn replaced(pieces: &[Piece], from: &str, to: &str) -> Value {
    let part = |piece: &Piece| match piece {
        Piece::Known(text) if !from.is_empty() => Piece::Known(text.replace(from, to)),
        other => other.clone(),
    };
    Value::Text(pieces.iter().map(part).collect())
}
