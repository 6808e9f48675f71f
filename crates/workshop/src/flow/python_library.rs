//! What a hookscript in Python calls of the standard library.

use super::calls::Arguments;
use super::eval::exit_status;
use super::event::What;
use super::machine::{Flow, Machine, Way, Ways, value};
use super::state::State;
use super::value::{Piece, Status, Value};
use std::rc::Rc;

impl Machine {
    /// Calls a name from outside.
    pub(crate) fn outside(
        &mut self,
        line: usize,
        name: &str,
        arguments: Arguments,
        mut state: State,
    ) -> Ways {
        let first = arguments.plain.first().cloned();
        let unknown = || Value::unknown(format!("{name} {}", arguments.shown()));
        match name {
            "sys.exit" | "exit" | "quit" | "os._exit" | "SystemExit" => {
                let code = match &first {
                    None | Some(Value::Nothing) => Status::Success,
                    Some(Value::Text(_)) => Status::Failure,
                    Some(other) => exit_status(other),
                };
                vec![Way { state, flow: Flow::Exit(code, line) }]
            }
            "subprocess.run"
            | "subprocess.call"
            | "subprocess.check_call"
            | "subprocess.check_output"
            | "subprocess.Popen"
            | "subprocess.getoutput"
            | "subprocess.getstatusoutput"
            | "os.system"
            | "os.popen" => self.subprocess(line, name, arguments, state),
            "os.execv" | "os.execvp" | "os.execve" | "os.execvpe" | "os.execl" | "os.execlp" => {
                let words = match (name.starts_with("os.execl"), arguments.plain.get(1)) {
                    (false, Some(Value::List(list))) => list.to_vec(),
                    _ => arguments.plain.get(1..).unwrap_or_default().to_vec(),
                };
                self.run_words(line, words, &state, false);
                vec![Way { state, flow: Flow::Exit(Status::Either, line) }]
            }
            "os.fork" => {
                self.happen(line, &state, What::Forked);
                value(state, Value::unknown("the child's number"))
            }
            "os.dup2" | "os.close" | "os.setsid" => {
                self.happen(line, &state, What::OutputsReplaced);
                value(state, unknown())
            }
            "os.wait" | "os.waitpid" => {
                self.run_words(line, vec![Value::text("wait")], &state, false);
                value(state, unknown())
            }
            "signal.alarm" | "signal.setitimer" => {
                state.alarmed = true;
                value(state, Value::Nothing)
            }
            "atexit.register" => {
                self.happen(line, &state, What::AtEnd);
                if let Some(Value::Func(func)) = first {
                    self.at_end.push(Rc::new(func.body.clone()));
                }
                value(state, Value::Nothing)
            }
            "os.environ.get" | "os.getenv" => match first.and_then(|name| name.known()) {
                Some(name) => value(state, Value::unknown(format!("${name}"))),
                None => value(state, unknown()),
            },
            "pathlib.Path" | "Path" | "pathlib.PosixPath" | "pathlib.PurePath" | "os.path.abspath"
            | "os.path.realpath" | "os.fspath" | "os.path.expanduser" | "os.path.normpath"
            | "shlex.quote" => {
                let joined = arguments.plain.iter().enumerate().flat_map(|(at, part)| {
                    let slash = (at > 0).then(|| Piece::Known("/".to_owned()));
                    slash.into_iter().chain(part.pieces())
                });
                let text = Value::Text(joined.collect());
                value(state, text)
            }
            "os.path.join" => {
                let joined = arguments.plain.iter().enumerate().flat_map(|(at, part)| {
                    let slash = (at > 0).then(|| Piece::Known("/".to_owned()));
                    slash.into_iter().chain(part.pieces())
                });
                let text = Value::Text(joined.collect());
                value(state, text)
            }
            "shlex.split" => match first.as_ref().and_then(Value::known) {
                Some(text) => value(state, Value::list(text.split_whitespace().map(Value::text).collect())),
                None => value(state, unknown()),
            },
            "open" | "io.open" | "os.fdopen" | "os.open" => {
                let mode = arguments.get(1, "mode").and_then(Value::known).unwrap_or_default();
                let writes = mode.contains(['w', 'a', 'x', '+']);
                if writes && let Some(path) = first {
                    self.written(line, &state, path.pieces());
                }
                let about = arguments.shown();
                self.trail.push(about.clone());
                value(state, Value::unknown(about))
            }
            "os.mkdir" | "os.makedirs" | "os.mkfifo" | "os.symlink" | "os.link" => {
                let tolerant = arguments.is("exist_ok");
                let verb = if name == "os.symlink" || name == "os.link" { "link" } else { "mkdir" };
                let path = if verb == "link" { arguments.plain.get(1) } else { first.as_ref() };
                self.file(line, &state, if tolerant { "ensure" } else { verb }, path);
                value(state, Value::Nothing)
            }
            "os.remove" | "os.unlink" | "os.rmdir" | "shutil.rmtree" | "os.removedirs" => {
                self.file(line, &state, "remove", first.as_ref());
                value(state, Value::Nothing)
            }
            "shutil.copy" | "shutil.copyfile" | "shutil.move" | "os.rename" | "os.replace" => {
                if let Some(path) = arguments.plain.get(1) {
                    self.written(line, &state, path.pieces());
                }
                value(state, Value::Nothing)
            }
            "os.path.exists" | "os.path.isfile" | "os.path.isdir" | "os.path.ismount" | "os.path.islink"
            | "os.path.lexists" | "os.access" | "shutil.which" => {
                let about = format!("{name} {}", arguments.shown());
                self.trail.push(about.clone());
                value(state, Value::unknown(about))
            }
            "argparse.ArgumentParser" | "ArgumentParser" => {
                self.objects += 1;
                self.parsers.insert(self.objects, Vec::new());
                value(state, Value::Outside(format!("parser {}", self.objects).into()))
            }
            _ if name.starts_with("parser ") => self.parser(line, name, arguments, state),
            _ => self.python_builtin(line, name, arguments, state),
        }
    }

    /// A parser of arguments, or something that belongs to one.
    fn parser(&mut self, line: usize, name: &str, arguments: Arguments, mut state: State) -> Ways {
        let rest = name.trim_start_matches("parser ");
        let (number, verb) = rest.split_once('.').unwrap_or((rest, ""));
        let number: usize = number.parse().unwrap_or(0);
        match verb {
            "add_argument" => {
                let own = arguments.plain.first().and_then(Value::known).unwrap_or_default();
                let choices = match arguments
                    .named
                    .iter()
                    .find(|(name, _)| name == "choices")
                    .map(|(_, value)| value)
                {
                    Some(Value::List(list)) => list.iter().map(Value::known).collect(),
                    Some(Value::Map(map)) => map.iter().map(|(key, _)| key.known()).collect(),
                    _ => None,
                };
                if !own.starts_with('-') {
                    self.parsers.entry(number).or_default().push((own, choices));
                } else {
                    let dest = own.trim_start_matches('-').replace('-', "_");
                    state.set_global(&format!("option {number}.{dest}"), Value::unknown(&own));
                }
                value(state, Value::unknown("an argument"))
            }
            "add_subparsers" | "parse_known_args" => {
                self.cannot_judge(line, "arguments that are read in several parts");
                value(state, Value::unknown("the arguments"))
            }
            "parse_args" => {
                let given = match arguments.plain.first() {
                    Some(Value::List(list)) => list.to_vec(),
                    _ => match state.get("sys.argv") {
                        Some(Value::List(list)) => list.get(1..).unwrap_or_default().to_vec(),
                        _ => Vec::new(),
                    },
                };
                let wanted = self.parsers.get(&number).cloned().unwrap_or_default();
                self.objects += 1;
                let object = self.objects;
                if wanted.len() < given.len() && !wanted.is_empty() {
                    return vec![Way { state, flow: Flow::Exit(Status::Failure, line) }];
                }
                for ((name, choices), given) in wanted.iter().zip(&given) {
                    if let Some(choices) = choices {
                        self.compared(line, &state, given, choices);
                        let known = given.known();
                        let refused = known.as_ref().is_some_and(|text| !choices.contains(text))
                            || given.is_vmid() && choices.iter().all(|word| word.parse::<u32>().is_err());
                        if refused {
                            return vec![Way { state, flow: Flow::Exit(Status::Failure, line) }];
                        }
                    }
                    state.set_global(&format!("object {object}.{name}"), given.clone());
                }
                let class =
                    super::ir::Class { name: "arguments".into(), enumeration: false, body: Vec::new() };
                value(state, Value::Object(object, Rc::new(class)))
            }
            "error" => vec![Way { state, flow: Flow::Exit(Status::Failure, line) }],
            "exit" => vec![Way {
                state,
                flow: Flow::Exit(arguments.plain.first().map_or(Status::Success, exit_status), line),
            }],
            _ => value(state, Value::unknown(verb)),
        }
    }

    fn subprocess(&mut self, line: usize, name: &str, arguments: Arguments, mut state: State) -> Ways {
        let Some(command) = arguments.get(0, "args").cloned() else {
            return value(state, Value::unknown(name));
        };
        let before = state.clone();
        let popen = name == "subprocess.Popen";
        let goes = |machine_held: bool, option: &str| {
            machine_held && !arguments.has(option) && !arguments.is("capture_output")
        };
        state.held = [goes(state.held[0], "stdout"), goes(state.held[1], "stderr")];
        if matches!(
            name,
            "subprocess.check_output" | "subprocess.getoutput" | "subprocess.getstatusoutput" | "os.popen"
        ) {
            state.held[0] = false;
        }
        // What is joined to standard output goes where that goes.
        if arguments.named.iter().any(|(own, value)| {
            own == "stderr" && matches!(value, Value::Outside(name) if name.ends_with("STDOUT"))
        }) {
            state.held[1] = state.held[0];
        }
        let since = self.events.len();
        let limited = arguments.has("timeout");
        self.bounded += usize::from(limited);
        self.background += usize::from(popen);
        let shell = arguments.is("shell")
            || name.starts_with("os.")
            || name.contains("getstatus")
            || name == "subprocess.getoutput";
        match &command {
            Value::List(list) => {
                self.run_as_shell(line, list.to_vec(), &state);
            }
            text if shell => {
                self.checked += 1;
                let _ = self.embedded_in(line, Some(text), state.clone());
                self.checked -= 1;
            }
            text => self.run_words(line, vec![text.clone()], &state, false),
        }
        self.background -= usize::from(popen);
        self.bounded -= usize::from(limited);
        let checked = name.contains("check_") || arguments.is("check");
        for event in &mut self.events[since..] {
            event.fatal |= checked && self.trying == 0;
            event.fatal &= self.trying == 0 || !checked;
        }
        let about = format!("{name} {}", command.shown());
        self.trail.push(about.clone());
        value(before, Value::unknown(about))
    }

    pub(crate) fn run_words(&mut self, line: usize, words: Vec<Value>, state: &State, detached: bool) {
        let words = words.iter().map(Value::pieces).collect();
        self.ran(line, state, words, detached);
    }

    pub(crate) fn written(&mut self, line: usize, state: &State, path: Vec<Piece>) {
        let at = self.happen(line, state, What::Write { path });
        self.events[at].fatal = self.trying == 0 && self.language == crate::script::Language::Python;
    }

    pub(crate) fn file(&mut self, line: usize, state: &State, verb: &'static str, path: Option<&Value>) {
        let path = path.map_or_else(|| vec![Piece::Unknown("a path".into())], Value::pieces);
        let at = self.happen(line, state, What::File { verb, path });
        self.events[at].fatal = self.trying == 0 && self.language == crate::script::Language::Python;
    }
}
