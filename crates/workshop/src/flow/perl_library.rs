//! What a hookscript in Perl calls of its language.

use super::eval::exit_status;
use super::event::What;
use super::ir::{Node, Op, Target};
use super::machine::{Flow, Machine, Way, Ways, value};
use super::state::State;
use super::value::{Piece, Status, Value, readable};
use crate::script::Language;

impl Machine {
    /// Calls a function by its name: one of the script's, or one of Perl's.
    pub(crate) fn perl(&mut self, line: usize, name: &str, words: &[Node], state: State) -> Ways {
        if let Some(Value::Func(func)) = state.get(&format!("fn:{name}")).cloned() {
            return self
                .values(words, state, &mut |machine, state, values| machine.sub(&func, values, state));
        }
        match name {
            "shift" | "pop" => self.perl_shift(words, state, name == "pop"),
            "push" | "unshift" => {
                let Some((list, others)) = words.split_first() else { return value(state, Value::Nothing) };
                let target = match &list.op {
                    Op::Var(name) => Target::Name(name.clone()),
                    _ => Target::Lost,
                };
                let list = list.clone();
                self.values(others, state, &mut |machine, mut state, values| {
                    let before =
                        machine.eval(&list, state.clone()).into_iter().find_map(|way| match way.flow {
                            Flow::Value(Value::List(list)) => Some(list.to_vec()),
                            _ => None,
                        });
                    let whole = before.unwrap_or_default().into_iter().chain(values).collect();
                    machine.assign(&target, &mut state, Value::list(whole));
                    value(state, Value::Int(1))
                })
            }
            _ => self.values(words, state, &mut |machine, state, values| {
                machine.perl_function(line, name, words, values, state)
            }),
        }
    }

    /// Calls a sub.
    pub(crate) fn sub(
        &mut self,
        func: &std::rc::Rc<super::ir::Func>,
        values: Vec<Value>,
        mut state: State,
    ) -> Ways {
        let before = state.clone();
        state.enter();
        for (param, given) in func.params.iter().zip(&values) {
            state.set_own(&param.name, given.clone());
        }
        state.set_own("@_", Value::list(values));
        let Some(ways) = self.body_of(func, state) else { return value(before, Value::unknown(&func.name)) };
        self.returned(func, ways)
    }

    fn perl_shift(&mut self, words: &[Node], mut state: State, last: bool) -> Ways {
        let name = match words.first().map(|word| &word.op) {
            Some(Op::Var(name)) => name.clone(),
            Some(_) => return value(state, Value::unknown("an item")),
            None if state.depth() > 1 => "@_".to_owned(),
            None => "@ARGV".to_owned(),
        };
        match state.get(&name).cloned() {
            Some(Value::List(list)) if !list.is_empty() => {
                let (item, left) = if last {
                    (list[list.len() - 1].clone(), list[..list.len() - 1].to_vec())
                } else {
                    (list[0].clone(), list[1..].to_vec())
                };
                state.set(&name, Value::list(left));
                value(state, item)
            }
            Some(Value::List(_)) | None => value(state, Value::Nothing),
            Some(other) => value(state, Value::unknown(other.shown())),
        }
    }

    fn perl_function(
        &mut self,
        line: usize,
        name: &str,
        words: &[Node],
        values: Vec<Value>,
        mut state: State,
    ) -> Ways {
        let first = values.first().cloned().unwrap_or(Value::Nothing);
        let said = || values.iter().map(Value::shown).collect::<Vec<_>>().join(" ");
        let about = format!("{name} {}", said());
        let text = |at: usize| values.get(at).and_then(Value::known);
        let result = match name {
            "exit" | "POSIX::_exit" | "_exit" => {
                let code = if values.is_empty() { Status::Success } else { exit_status(&first) };
                return vec![Way { state, flow: Flow::Exit(code, line) }];
            }
            "die" | "croak" | "confess" | "Carp::croak" => {
                return vec![Way { state, flow: Flow::Raise(line) }];
            }
            "print" | "printf" | "say" | "warn" | "carp" | "syslog" | "openlog" | "closelog" | "binmode"
            | "select" | "sleep" => {
                if name == "select" && values.len() == 4 || name == "sleep" {
                    self.trail.push(about);
                }
                Value::Int(1)
            }
            "system"
            | "exec"
            | "qx"
            | "readpipe"
            | "run_command"
            | "PVE::Tools::run_command"
            | "IPC::Run::run" => {
                return self.perl_system(line, name, values, state);
            }
            "fork" => {
                self.happen(line, &state, What::Forked);
                Value::unknown("the child's number")
            }
            "wait" | "waitpid" => {
                self.run_words(line, vec![Value::text("wait")], &state, false);
                Value::unknown(about)
            }
            "POSIX::setsid" | "setsid" => {
                self.happen(line, &state, What::OutputsReplaced);
                Value::unknown(about)
            }
            "alarm" => {
                state.alarmed = first.int() != Some(0);
                Value::Int(0)
            }
            "open" => return self.perl_open(line, words, &values, state),
            "close" => {
                if let Some(Op::Text(handle)) = words.first().map(|word| &word.op)
                    && (handle == "STDOUT" || handle == "STDERR")
                {
                    self.happen(line, &state, What::OutputsReplaced);
                }
                Value::unknown(about)
            }
            "mkdir"
            | "symlink"
            | "link"
            | "mkfifo"
            | "POSIX::mkfifo"
            | "make_path"
            | "mkpath"
            | "File::Path::make_path" => {
                let verb = match name {
                    "mkdir" | "mkfifo" | "POSIX::mkfifo" => "mkdir",
                    "symlink" | "link" => "link",
                    _ => "ensure",
                };
                let path = if verb == "link" { values.get(1).cloned() } else { Some(first) };
                self.file(line, &state, verb, path.as_ref());
                self.trail.push(about.clone());
                Value::unknown(about)
            }
            "unlink" | "rmdir" | "remove_tree" | "rmtree" | "File::Path::remove_tree" => {
                self.file(line, &state, "remove", Some(&first));
                Value::unknown(about)
            }
            "rename" | "copy" | "move" => {
                if let Some(path) = values.get(1) {
                    self.written(line, &state, path.pieces());
                }
                Value::unknown(about)
            }
            "scalar" => match &first {
                Value::List(list) if values.len() == 1 => Value::Int(i64::try_from(list.len()).unwrap_or(0)),
                _ if values.len() == 1 => first,
                _ => Value::unknown(about),
            },
            "keys" => match &first {
                Value::Map(map) => Value::list(map.iter().map(|(key, _)| key.clone()).collect()),
                _ => Value::unknown(about),
            },
            "values" => match &first {
                Value::Map(map) => Value::list(map.iter().map(|(_, value)| value.clone()).collect()),
                _ => Value::unknown(about),
            },
            "join" => {
                let mut pieces = Vec::new();
                let items: Vec<Value> = values
                    .iter()
                    .skip(1)
                    .flat_map(|value| match value {
                        Value::List(list) => list.to_vec(),
                        other => vec![other.clone()],
                    })
                    .collect();
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        pieces.extend(first.pieces());
                    }
                    pieces.extend(item.pieces());
                }
                Value::Text(pieces)
            }
            "lc" | "uc" | "lcfirst" | "ucfirst" | "chomp" | "quotemeta" => match first.known() {
                Some(text) if name == "lc" => Value::text(text.to_lowercase()),
                Some(text) if name == "uc" => Value::text(text.to_uppercase()),
                _ => first,
            },
            "int" | "abs" | "sort" | "reverse" | "uniq" | "map" | "grep" => match (name, &first) {
                ("int", Value::Text(_)) if first.is_vmid() => first,
                ("sort" | "reverse", Value::List(_)) => first,
                _ => Value::unknown(about),
            },
            "time" | "localtime" | "gmtime" => Value::unknown("the time"),
            "require" | "do" | "eval" => {
                if text(0).is_none_or(|path| path.contains('/')) {
                    self.cannot_judge(line, format!("what '{}' brings in", readable(&about)));
                }
                Value::Int(1)
            }
            _ => {
                self.trail.push(about.clone());
                Value::unknown(about)
            }
        };
        value(state, result)
    }

    fn perl_open(&mut self, line: usize, words: &[Node], values: &[Value], mut state: State) -> Ways {
        let mode = values.get(1).and_then(Value::known).unwrap_or_default();
        let path = match values.get(2) {
            Some(path) => path.pieces(),
            None => values
                .get(1)
                .map(|both| {
                    let mut pieces = both.pieces();
                    if let Some(Piece::Known(text)) = pieces.first_mut() {
                        *text = text.trim_start_matches(['>', '<', '+', ' ']).to_owned();
                    }
                    pieces
                })
                .unwrap_or_default(),
        };
        let first = match values.get(1).map(Value::pieces).as_deref() {
            Some([Piece::Known(text), ..]) => text.clone(),
            _ => mode.clone(),
        };
        let about = values.iter().skip(1).map(Value::shown).collect::<Vec<_>>().join(" ");
        self.trail.push(about.clone());
        let replaced = matches!(words.first().map(|word| &word.op), Some(Op::Text(name)) if name == "STDOUT" || name == "STDERR");
        if replaced {
            self.happen(line, &state, What::OutputsReplaced);
            state.held = [false, false];
        } else if mode == "-|" || mode == "|-" {
            let list: Vec<Value> = values.get(2..).unwrap_or_default().to_vec();
            self.run_as_shell(line, list, &state);
        } else if first.trim_end().ends_with('|') || first.trim_start().starts_with('|') {
            self.run_words(line, vec![Value::Text(path)], &state, false);
        } else if first.trim_start().starts_with('>') || first.trim_start().starts_with("+<") {
            self.written(line, &state, path);
        }
        if let Some(Op::Var(name)) = words.first().map(|word| &word.op) {
            state.set(name, Value::unknown(about.clone()));
        }
        value(state, Value::unknown(about))
    }

    /// Runs words as a program, as the shell's commands are read.
    pub(super) fn run_as_shell(&mut self, line: usize, list: Vec<Value>, state: &State) {
        let language = std::mem::replace(&mut self.language, Language::Shell);
        let at = self.embedded_at;
        self.embedded_at = Some(at.unwrap_or(line));
        let mut copy = State::new();
        copy.held = state.held;
        copy.guards.clone_from(&state.guards);
        copy.alarmed = state.alarmed;
        copy.open = true;
        self.checked += 1;
        let _ = self.dispatch(line, list, copy);
        self.checked -= 1;
        self.embedded_at = at;
        self.language = language;
    }

    fn perl_system(&mut self, line: usize, name: &str, values: Vec<Value>, mut state: State) -> Ways {
        let before = state.held;
        if name == "qx" || name == "readpipe" {
            state.held[0] = false;
        }
        let list: Vec<Value> = values
            .iter()
            .flat_map(|value| match value {
                Value::List(list) => list.to_vec(),
                other => vec![other.clone()],
            })
            .collect();
        let about = format!("{name} {}", list.iter().map(Value::shown).collect::<Vec<_>>().join(" "));
        match &list[..] {
            [one] => {
                self.checked += 1;
                let _ = self.embedded_in(line, Some(one), state.clone());
                self.checked -= 1;
            }
            _ => self.run_as_shell(line, list, &state),
        }
        state.held = before;
        self.trail.push(about.clone());
        if name == "exec" {
            return vec![Way { state, flow: Flow::Exit(Status::Either, line) }];
        }
        value(state, Value::unknown(about))
    }
}
