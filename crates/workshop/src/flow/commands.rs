//! Commands of the shell: those of its own, functions, and programs.

use super::ir::Node;
use super::machine::{Flow, Machine, Way, Ways, status};
use super::state::State;
use super::value::{Piece, Status, Value, readable};
use crate::script::Language;
use std::rc::Rc;

impl Machine {
    pub(crate) fn command(
        &mut self,
        line: usize,
        own: &[(String, Node)],
        words: &[Node],
        state: State,
    ) -> Ways {
        let Some((first, others)) = words.split_first() else {
            return status(state, Status::Success);
        };
        let values: Vec<Node> = own.iter().map(|(_, value)| value.clone()).collect();
        self.values(&values, state, &mut |machine, state, _| {
            // What stands in the place of the command may be nothing, as a switch for trials is.
            machine.quiet += 1;
            let mut names = Vec::new();
            let mut left = machine.values(std::slice::from_ref(first), state, &mut |_, state, values| {
                names.push((state, values));
                Vec::new()
            });
            machine.quiet -= 1;
            for (state, name) in names {
                let tests = matches!(name.first().and_then(Value::known).as_deref(), Some("[" | "test"));
                machine.asking += usize::from(tests);
                let mut points = Vec::new();
                left.extend(machine.values(others, state, &mut |_, state, values| {
                    points.push((state, values));
                    Vec::new()
                }));
                machine.asking -= usize::from(tests);
                for (state, values) in points {
                    let words = name.iter().chain(&values).cloned().collect();
                    left.extend(machine.dispatch(line, words, state));
                }
            }
            left
        })
    }

    /// Runs a command whose words are known as far as they are.
    pub(crate) fn dispatch(&mut self, line: usize, words: Vec<Value>, state: State) -> Ways {
        let Some(first) = words.first() else { return self.ended(line, state, Status::Success) };
        let Some(name) = first.known() else {
            if matches!(first, Value::Unset) {
                return self.dispatch(line, words[1..].to_vec(), state);
            }
            return self.unknown_command(line, &words, state);
        };
        if let Some(Value::Func(func)) = state.get(&format!("fn:{name}")).cloned() {
            return self.function(line, &func, words[1..].to_vec(), state);
        }
        let rest = &words[1..];
        let text = |at: usize| rest.get(at).and_then(Value::known);
        match name.as_str() {
            "" if words.len() > 1 => self.dispatch(line, words[1..].to_vec(), state),
            ":" | "true" | "echo" | "printf" | "logger" | "sleep" | "umask" | "shopt" | "hash" | "ulimit"
            | "alias" | "stty" | "disown" => {
                let mut state = state;
                if name == "printf"
                    && text(0).as_deref() == Some("-v")
                    && let Some(variable) = text(1)
                {
                    state.set(&variable, Value::unknown(format!("${variable}")));
                }
                if !matches!(name.as_str(), ":" | "true") {
                    self.noted(line, &words, &state);
                }
                status(state, Status::Success)
            }
            "false" => self.ended(line, state, Status::Failure),
            "exit" | "return" => {
                let code = match rest.first() {
                    None => state.last,
                    Some(Value::Status(status)) => *status,
                    Some(other) => super::eval::exit_status(other),
                };
                let line = self.embedded_at.unwrap_or(line);
                let flow = if name == "exit" || state.depth() == 1 {
                    Flow::Exit(code, line)
                } else {
                    Flow::Return(Value::Status(code))
                };
                vec![Way { state, flow }]
            }
            "break" => vec![Way { state, flow: Flow::Break }],
            "continue" => vec![Way { state, flow: Flow::Continue }],
            "shift" => self.shift(line, rest.first().map_or(Some(1), Value::int), state),
            "set" => self.set_options(rest, state),
            "unset" => {
                let mut state = state;
                for name in rest.iter().filter_map(Value::known).filter(|name| !name.starts_with('-')) {
                    state.unset(&name);
                }
                status(state, Status::Success)
            }
            "read" | "mapfile" | "readarray" | "getopts" => self.reads(&name, rest, state),
            "eval" => self.evaluate(line, rest, state),
            "source" | "." => {
                self.noted(line, &words, &state);
                let what = rest.first().map(|word| readable(&word.shown())).unwrap_or_default();
                self.cannot_judge(line, format!("what '{what}' does, which is sourced"));
                let mut state = state;
                state.open = true;
                status(state, Status::Either)
            }
            "trap" => self.trap(rest, state),
            "exec" => {
                let ways = self.dispatch(line, rest.to_vec(), state);
                self.on_each(ways, |machine, state, result| {
                    let code = match result {
                        Value::Status(status) => status,
                        _ => Status::Either,
                    };
                    let line = machine.embedded_at.unwrap_or(line);
                    vec![Way { state, flow: Flow::Exit(code, line) }]
                })
            }
            "let" => self.embedded_with(
                line,
                Language::Shell,
                &format!("(({}))", rest.iter().map(Value::shown).collect::<Vec<_>>().join(" ")),
                None,
                state,
            ),
            "test" | "[" => self.test(line, rest, state),
            "command" | "type" | "which"
                if name != "command"
                    || text(0).is_some_and(|option| option.starts_with("-v") || option.starts_with("-V")) =>
            {
                self.trail.push(shown(&words));
                status(state, Status::Either)
            }
            "local" | "declare" | "typeset" | "export" | "readonly" => self.declared(rest, state),
            _ => self.wrapped(line, &name, words, state),
        }
    }

    /// Programs that run another one.
    fn wrapped(&mut self, line: usize, name: &str, words: Vec<Value>, state: State) -> Ways {
        let program = name.rsplit('/').next().unwrap_or(name).to_owned();
        match program.as_str() {
            "command" | "builtin" | "nohup" | "time" | "eatmydata" | "unbuffer" | "chronic" | "catchsegv" => {
                let from = behind_options(&words, &[]);
                self.dispatch(line, words[from..].to_vec(), state)
            }
            "sudo" | "doas" | "nice" | "ionice" | "stdbuf" | "env" | "taskset" | "chrt" | "numactl"
            | "unshare" | "nsenter" | "runuser" | "setpriv" | "prlimit" | "choom" => {
                let valued: &[&str] = match program.as_str() {
                    "sudo" | "runuser" => &["-u", "-g", "-h", "-p", "-C", "-D"],
                    "nice" | "choom" => &["-n"],
                    "ionice" => &["-c", "-n"],
                    "stdbuf" => &["-i", "-o", "-e"],
                    "env" => &["-u", "-C", "-S"],
                    "nsenter" => &["-t"],
                    _ => &[],
                };
                let mut from = behind_options(&words, valued);
                if program == "env" {
                    while words.get(from).and_then(Value::known).is_some_and(|word| word.contains('=')) {
                        from += 1;
                    }
                }
                let changes = words.iter().any(|word| {
                    word.known().is_some_and(|word| {
                        word.starts_with("-p") || word.starts_with("-a") || word == "--pid"
                    })
                });
                if matches!(program.as_str(), "taskset" | "chrt" | "prlimit" | "choom") && changes
                    || from >= words.len()
                {
                    return self.program(line, &words, state, false);
                }
                if program == "taskset" || program == "chrt" {
                    from += 1;
                }
                if from >= words.len() {
                    return self.program(line, &words, state, false);
                }
                self.dispatch(line, words[from..].to_vec(), state)
            }
            "setsid" => {
                let forks = words[1..]
                    .iter()
                    .filter_map(Value::known)
                    .take_while(|word| word.starts_with('-'))
                    .any(|word| word.contains('f'));
                let from = behind_options(&words, &[]);
                self.background += usize::from(forks);
                let ways = self.dispatch(line, words[from..].to_vec(), state);
                self.background -= usize::from(forks);
                ways
            }
            "timeout" => {
                let from = behind_options(&words, &["-k", "-s", "--kill-after", "--signal"]) + 1;
                self.bounded += 1;
                let ways = self.dispatch(line, words.get(from..).unwrap_or_default().to_vec(), state);
                self.bounded -= 1;
                self.on_each(ways, |_, state, _| status(state, Status::Either))
            }
            "flock" => {
                let from =
                    behind_options(&words, &["-w", "--timeout", "-E", "--wait", "--conflict-exit-code"]);
                self.noted(line, &words, &state);
                match words.get(from + 1).and_then(Value::known) {
                    Some(option) if option == "-c" || option == "--command" => {
                        self.embedded_in(line, words.get(from + 2), state)
                    }
                    Some(_) => self.dispatch(line, words[from + 1..].to_vec(), state),
                    None => status(state, Status::Either),
                }
            }
            "systemd-run" | "at" | "batch" | "start-stop-daemon" | "daemonize" | "screen" | "tmux" => {
                self.detaching(line, &program, &words, state)
            }
            "bash" | "sh" | "dash" | "ash" | "ksh" | "zsh" => {
                let place = words.iter().position(|word| {
                    word.known().is_some_and(|word| {
                        word.starts_with('-') && !word.starts_with("--") && word.ends_with('c')
                    })
                });
                match place {
                    Some(at) => self.embedded_in(line, words.get(at + 1), state),
                    None => self.program(line, &words, state, false),
                }
            }
            _ => self.program(line, &words, state, false),
        }
    }

    fn detaching(&mut self, line: usize, program: &str, words: &[Value], state: State) -> Ways {
        let has = |options: &[&str]| {
            words.iter().filter_map(Value::known).any(|word| {
                options.iter().any(|option| word == *option || word.starts_with(&format!("{option}=")))
            })
        };
        let detached = match program {
            "systemd-run" => !has(&["--wait", "--pipe", "-P", "--scope", "--pty", "-t"]),
            "start-stop-daemon" => has(&["-b", "--background"]),
            _ => true,
        };
        let valued = [
            "--unit",
            "-u",
            "-p",
            "--property",
            "--on-active",
            "--on-boot",
            "--slice",
            "--description",
            "-E",
            "--setenv",
            "--working-directory",
            "--uid",
            "--gid",
            "-M",
            "-H",
            "--nice",
            "--timer-property",
            "--service-type",
        ];
        if program == "systemd-run" {
            let from = behind_options(words, &valued);
            self.program_words(line, &words[..from], &state, detached);
            if from < words.len() {
                self.background += usize::from(detached);
                let held = state.held;
                let inner = State { held: [held[0] && !detached, held[1] && !detached], ..state.clone() };
                let ways = self.dispatch(line, words[from..].to_vec(), inner);
                self.background -= usize::from(detached);
                let _ = ways;
            }
            return status(state, Status::Either);
        }
        self.program(line, words, state, detached)
    }

    /// A program that is not looked into.
    pub(crate) fn program(&mut self, line: usize, words: &[Value], state: State, detached: bool) -> Ways {
        self.program_words(line, words, &state, detached);
        if state.errexit && self.checked == 0 && self.background == 0 {
            // A failure ends the script, so what follows is after a success.
            return status(state, Status::Success)
                .into_iter()
                .map(|mut way| {
                    way.state.last = Status::Success;
                    way
                })
                .collect();
        }
        let event = self.events.len().checked_sub(1);
        let mut ways = status(state, Status::Either);
        ways.iter_mut().for_each(|way| way.state.last_event = event);
        ways
    }

    fn program_words(&mut self, line: usize, words: &[Value], state: &State, detached: bool) {
        let words = words.iter().map(Value::pieces).collect();
        self.ran(line, state, words, detached);
    }

    fn noted(&mut self, line: usize, words: &[Value], state: &State) {
        self.program_words(line, words, state, false);
    }

    /// A command whose name is made as the script runs: a program, or a function whose name begins as it does.
    fn unknown_command(&mut self, line: usize, words: &[Value], state: State) -> Ways {
        let begin = match words[0].pieces().first() {
            Some(Piece::Known(begin)) if !begin.is_empty() => format!("fn:{begin}"),
            _ => return self.nameless(line, words, state),
        };
        let fits = |name: &String| name.starts_with(&begin);
        let functions: Vec<Value> = state
            .names()
            .iter()
            .filter(|name| fits(name))
            .filter_map(|name| state.get(name).cloned())
            .collect();
        if functions.is_empty() {
            return self.nameless(line, words, state);
        }
        self.cannot_judge(
            line,
            format!("what '{}' does, which is chosen at run time", readable(&words[0].shown())),
        );
        let mut ways = status(state.clone(), Status::Either);
        for function in functions {
            if let Value::Func(func) = function {
                ways.extend(self.function(line, &func, words[1..].to_vec(), state.clone()));
            }
        }
        ways
    }

    /// A program that nothing is known of.
    fn nameless(&mut self, line: usize, words: &[Value], state: State) -> Ways {
        let shown = words[0].shown();
        // What comes of several unknown things is no text that anybody knows again.
        let name = match shown.matches('\u{ab}').count() {
            0 | 1 => format!("'{}'", readable(&shown)),
            _ => "the command".to_owned(),
        };
        self.cannot_judge(line, format!("what {name} runs: its name is made as the script runs"));
        self.program(line, words, state, false)
    }

    /// Calls a function of the shell.
    fn function(
        &mut self,
        line: usize,
        func: &Rc<super::ir::Func>,
        words: Vec<Value>,
        mut state: State,
    ) -> Ways {
        let before = state.clone();
        state.enter();
        state.set_own("@", Value::list(words));
        let guards = state.guards.len();
        let Some(ways) = self.body_of(func, state) else { return status(before, Status::Either) };
        let several =
            ways.iter().filter(|way| matches!(way.flow, Flow::Value(_) | Flow::Return(_))).count() > 1;
        let mut after = Vec::new();
        for mut way in ways {
            way.state.leave();
            if several {
                way.state.guards.truncate(guards);
            }
            match way.flow {
                Flow::Value(_) => {
                    let last = way.state.last;
                    after.extend(self.ended(line, way.state, last));
                }
                Flow::Return(Value::Status(last)) => after.extend(self.ended(line, way.state, last)),
                Flow::Return(_) => after.extend(self.ended(line, way.state, Status::Either)),
                flow => after.push(Way { state: way.state, flow }),
            }
        }
        after
    }
}

fn shown(words: &[Value]) -> String {
    words.iter().map(Value::shown).collect::<Vec<_>>().join(" ")
}

/// The place of the first word behind the options of a program that runs another.
fn behind_options(words: &[Value], valued: &[&str]) -> usize {
    let mut at = 1;
    while let Some(word) = words.get(at).and_then(Value::known) {
        if word == "--" {
            return at + 1;
        }
        if !word.starts_with('-') || word == "-" {
            break;
        }
        at += 1 + usize::from(valued.contains(&word.as_str()));
    }
    at.min(words.len())
}
