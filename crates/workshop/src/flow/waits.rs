//! Loops that wait: whether anything but the thing that they wait for ends them.

use super::ir::{Arm, Func, Node, Op, Target};
use super::state::State;
use super::value::Value;
use std::collections::BTreeSet;
use std::rc::Rc;

/// How deep functions are looked into.
const DEPTH: usize = 4;

/// What a loop is made of, its functions included.
#[derive(Default)]
struct Seen {
    /// It pauses.
    sleeps: bool,
    /// It reads input, which ends.
    reads: bool,
    /// It looks at a clock, or a step of it has a limit that counts.
    time: bool,
    names: BTreeSet<String>,
}

/// Whether a loop pauses until something outside happens, without a count, a clock or an end of input.
pub(crate) fn without_limit(condition: &Node, body: &Node, after: Option<&Node>, state: &State) -> bool {
    let whole: Vec<&Node> = [condition, body].into_iter().chain(after).collect();
    let mut seen = Seen::default();
    let mut heard = Seen::default();
    whole.iter().for_each(|node| look(node, state, DEPTH, &mut seen));
    look(condition, state, DEPTH, &mut heard);
    let idle = is_idle(body) && asks_outside(condition);
    if !(seen.sleeps || idle) || heard.reads {
        return false;
    }
    let counted = progress(&whole, state);
    let bounds = |node: &Node| {
        let mut seen = Seen::default();
        look(node, state, DEPTH, &mut seen);
        seen.time || seen.names.iter().any(|name| counted.contains(name))
    };
    if bounds(condition) {
        return false;
    }
    !leaves_by(body, state, DEPTH, &bounds)
}

fn is_idle(body: &Node) -> bool {
    match &body.op {
        Op::Seq(nodes) => nodes.iter().all(is_idle),
        Op::Nothing => true,
        Op::Command(_, words) => {
            matches!(words.first().map(|word| &word.op), Some(Op::Text(name)) if matches!(name.as_str(), ":" | "true"))
        }
        _ => false,
    }
}

fn asks_outside(condition: &Node) -> bool {
    let mut found = false;
    condition.walk(&mut |node| {
        found |= match &node.op {
            Op::Probe(..) => true,
            Op::Command(_, words) => !matches!(words.first().map(|word| &word.op), Some(Op::Text(name))
                if matches!(name.as_str(), ":" | "true" | "getopts" | "shift" | "read")),
            _ => false,
        }
    });
    found
}

fn look(node: &Node, state: &State, depth: usize, seen: &mut Seen) {
    node.walk(&mut |node| match &node.op {
        Op::Var(name) => {
            seen.time |= matches!(name.as_str(), "SECONDS" | "EPOCHSECONDS" | "EPOCHREALTIME");
            seen.names.insert(name.clone());
        }
        Op::Command(_, words) => {
            let Some(Op::Text(name)) = words.first().map(|word| &word.op) else { return };
            let program = name.rsplit('/').next().unwrap_or(name);
            let has = |option: &str| {
                words.iter().any(|word| matches!(&word.op, Op::Text(text) if text.starts_with(option)))
            };
            match program {
                "sleep" | "usleep" | "inotifywait" => seen.sleeps = true,
                "date" => seen.time = true,
                "read" if has("-t") => seen.sleeps = true,
                "read" | "getopts" => seen.reads = true,
                "timeout" => {
                    let word = |at: usize| {
                        words.get(at).and_then(|word| match &word.op {
                            Op::Text(text) => Some(text.as_str()),
                            _ => None,
                        })
                    };
                    seen.sleeps |= word(2) == Some("sleep");
                }
                _ => {}
            }
            follow(&format!("fn:{name}"), state, depth, seen);
        }
        Op::Call(callee, ..) => match &callee.op {
            Op::Var(name) => {
                outside(name, seen);
                follow(name, state, depth, seen);
                follow(&format!("fn:{name}"), state, depth, seen);
                if let Some(Value::Outside(name)) = state.get(name) {
                    outside(name, seen);
                }
            }
            Op::Field(of, name) => {
                let Some(of) = of_name(of) else { return };
                match state.get(&of) {
                    Some(Value::Outside(module)) => outside(&format!("{module}.{name}"), seen),
                    _ => outside(&format!("{of}.{name}"), seen),
                }
                if let Some(Value::Object(_, class)) = state.get(&of)
                    && let Some(func) = method(&class.body, name)
                {
                    inside(func, state, depth, seen);
                }
            }
            Op::Outside(name) => outside(name, seen),
            _ => {}
        },
        _ => {}
    });
}

fn of_name(node: &Node) -> Option<String> {
    match &node.op {
        Op::Var(name) => Some(name.clone()),
        _ => None,
    }
}

/// The function of a class with this name.
pub(crate) fn method<'c>(body: &'c [Node], name: &str) -> Option<&'c Rc<Func>> {
    body.iter().find_map(|node| match &node.op {
        Op::Assign(Target::Name(own) | Target::Local(own), value) if own == name => match &value.op {
            Op::Func(func) => Some(func),
            _ => None,
        },
        _ => None,
    })
}

fn outside(name: &str, seen: &mut Seen) {
    match name {
        "time.sleep" | "sleep" | "usleep" | "nanosleep" | "Time::HiRes::sleep" | "asyncio.sleep"
        | "select" => seen.sleeps = true,
        "time.time"
        | "time.monotonic"
        | "time.perf_counter"
        | "datetime.datetime.now"
        | "datetime.now"
        | "time" => {
            seen.time = true;
        }
        "input" | "readline" | "sys.stdin.readline" => seen.reads = true,
        _ => {}
    }
}

fn follow(name: &str, state: &State, depth: usize, seen: &mut Seen) {
    if let Some(Value::Func(func) | Value::Bound(func, _)) = state.get(name) {
        inside(func, state, depth, seen);
    }
}

fn inside(func: &Rc<Func>, state: &State, depth: usize, seen: &mut Seen) {
    if depth > 0 {
        let mut below = Seen::default();
        look(&func.body, state, depth - 1, &mut below);
        seen.sleeps |= below.sleeps;
        seen.time |= below.time;
        seen.names.extend(below.names);
    }
}

/// The variables that each turn brings forward: counters, lists that get shorter, what is left of a time.
fn progress(nodes: &[&Node], state: &State) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for node in nodes {
        forward(node, state, DEPTH, &mut names);
    }
    names
}

fn forward(node: &Node, state: &State, depth: usize, names: &mut BTreeSet<String>) {
    node.walk(&mut |node| match &node.op {
        Op::Assign(target, value) | Op::AssignAfter(target, value, _) => {
            let name = match target {
                Target::Name(name) | Target::Local(name) => name,
                Target::Field(of, name) => {
                    let mut own = false;
                    value.walk(&mut |below| own |= matches!(&below.op, Op::Field(_, read) if read == name));
                    if own && of_name(of).is_some() {
                        names.insert(of_name(of).unwrap_or_default());
                    }
                    return;
                }
                _ => return,
            };
            let mut own = false;
            value.walk(&mut |below| own |= matches!(&below.op, Op::Var(read) if read == name));
            let captured = matches!(value.op, Op::Capture(_)) && {
                let mut calculates = false;
                value.walk(&mut |below| {
                    calculates |= matches!(&below.op, Op::Command(_, words)
                        if matches!(words.first().map(|word| &word.op), Some(Op::Text(name)) if name == "expr" || name == "bc"));
                });
                !calculates
            };
            if own && !captured {
                names.insert(name.clone());
            }
        }
        Op::Command(_, words) => {
            if let Some(Op::Text(name)) = words.first().map(|word| &word.op) {
                if name == "shift" {
                    names.insert("@".to_owned());
                }
                if name == "let" {
                    for word in &words[1..] {
                        if let Op::Text(text) = &word.op {
                            let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                            names.insert(name);
                        }
                    }
                }
                if depth > 0 && let Some(Value::Func(func)) = state.get(&format!("fn:{name}")) {
                    forward(&func.body, state, depth - 1, names);
                }
            }
        }
        Op::Call(callee, words, _) => {
            if let Op::Field(of, verb) = &callee.op
                && matches!(verb.as_str(), "pop" | "popleft" | "remove" | "append")
                && let Some(name) = of_name(of)
            {
                names.insert(name);
            }
            if let Op::Var(verb) = &callee.op {
                if matches!(verb.as_str(), "shift" | "pop")
                    && let Some(name) = words.first().and_then(of_name)
                {
                    names.insert(name);
                }
                let called = state.get(verb).or_else(|| state.get(&format!("fn:{verb}")));
                if depth > 0 && let Some(Value::Func(func)) = called {
                    forward(&func.body, state, depth - 1, names);
                }
            }
        }
        _ => {}
    });
}

/// Whether a branch that depends on a bound leaves the loop.
fn leaves_by(node: &Node, state: &State, depth: usize, bounds: &dyn Fn(&Node) -> bool) -> bool {
    let leaves = |node: &Node| leaves(node, state, depth);
    let found = match &node.op {
        Op::If(condition, yes, no) => bounds(condition) && (leaves(yes) || leaves(no)),
        Op::And(condition, then) | Op::Or(condition, then) => bounds(condition) && leaves(then),
        Op::Choose(subject, _, arms) => bounds(subject) && arms.iter().any(|Arm { body, .. }| leaves(body)),
        _ => false,
    };
    if found || node.children().into_iter().any(|child| leaves_by(child, state, depth, bounds)) {
        return true;
    }
    let called = match &node.op {
        Op::Command(_, words) => match words.first().map(|word| &word.op) {
            Some(Op::Text(name)) => state.get(&format!("fn:{name}")),
            _ => None,
        },
        Op::Call(callee, ..) => match &callee.op {
            Op::Var(name) => state.get(name).or_else(|| state.get(&format!("fn:{name}"))),
            _ => None,
        },
        _ => None,
    };
    match called {
        Some(Value::Func(func)) if depth > 0 => leaves_by(&func.body, state, depth - 1, bounds),
        _ => false,
    }
}

fn leaves(node: &Node, state: &State, depth: usize) -> bool {
    let mut found = false;
    node.walk(&mut |node| {
        found |= match &node.op {
            Op::Break | Op::Return(_) | Op::Exit(_) | Op::Raise(_) => true,
            Op::Command(_, words) => match words.first().map(|word| &word.op) {
                Some(Op::Text(name)) if matches!(name.as_str(), "break" | "return" | "exit" | "exec") => true,
                Some(Op::Text(name)) => called(state.get(&format!("fn:{name}")), state, depth),
                _ => false,
            },
            Op::Call(callee, ..) => match &callee.op {
                Op::Outside(name) => is_exit(name),
                Op::Var(name) => {
                    is_exit(name)
                        || called(state.get(name).or_else(|| state.get(&format!("fn:{name}"))), state, depth)
                }
                Op::Field(_, name) => matches!(name.as_str(), "exit" | "_exit" | "fail" | "abort"),
                _ => false,
            },
            _ => false,
        }
    });
    found
}

fn is_exit(name: &str) -> bool {
    matches!(name, "exit" | "quit" | "die" | "sys.exit" | "os._exit" | "croak" | "confess")
}

fn called(value: Option<&Value>, state: &State, depth: usize) -> bool {
    match value {
        Some(Value::Func(func)) if depth > 0 => leaves(&func.body, state, depth - 1),
        _ => false,
    }
}
