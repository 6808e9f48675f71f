//! Choices, loops and attempts.

use super::event::What;
use super::ir::{Arm, Node, Op, Rel, Target};
use super::machine::{Flow, Machine, Way, Ways, tidy, value};
use super::state::State;
use super::texts;
use super::value::{Status, Value};
use super::waits;
use crate::script::Language;

/// How many turns of a loop are gone through where its condition is known.
const TURNS: usize = 64;
/// How many where it is not.
const UNKNOWN_TURNS: usize = 3;

impl Machine {
    pub(crate) fn choose(
        &mut self,
        line: usize,
        subject: &Node,
        how: Rel,
        arms: &[Arm],
        state: State,
    ) -> Ways {
        let from = self.trail.len();
        let ways = self.eval(subject, state);
        self.on_each(ways, |machine, state, subject| {
            let asked = machine.trail[from.min(machine.trail.len())..].join(" ");
            machine.trail.push(subject.shown());
            machine.arms(line, &subject, how, arms, &format!("{asked} {}", subject.shown()), state)
        })
    }

    fn arms(
        &mut self,
        line: usize,
        subject: &Value,
        how: Rel,
        arms: &[Arm],
        asked: &str,
        state: State,
    ) -> Ways {
        let Some((arm, others)) = arms.split_first() else {
            let mut state = state;
            state.last = Status::Success;
            return value(state, Value::Status(Status::Success));
        };
        self.values(&arm.patterns, state, &mut |machine, state, patterns| {
            let mut fits = if patterns.is_empty() { Some(true) } else { Some(false) };
            let mut words = Vec::new();
            for pattern in &patterns {
                let (more, truth) = match how {
                    Rel::Glob => texts::glob(subject, &pattern.pieces()),
                    _ => (pattern.known().into_iter().collect(), super::value::equal(subject, pattern)),
                };
                words.extend(more);
                fits = match (fits, truth) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (None, _) | (_, None) => None,
                    _ => Some(false),
                };
            }
            let at = arm.patterns.first().map_or(line, |pattern| pattern.line);
            machine.compared(at, &state, subject, &words);
            let condition = match (fits, &arm.guard) {
                (Some(false), _) => Node::new(line, Op::Bool(false)),
                (Some(true), None) => Node::new(line, Op::Bool(true)),
                (Some(true), Some(guard)) => guard.clone(),
                (None, _) => Node::new(line, Op::Unknown(asked.to_owned(), Vec::new())),
            };
            machine.fork(
                &condition,
                state,
                &mut |machine, mut state, _| {
                    state.last = Status::Success;
                    let ways = machine.eval(&arm.body, state);
                    match others.first() {
                        Some(next) if arm.falls_through => {
                            machine.on_each(ways, |machine, state, _| machine.eval(&next.body, state))
                        }
                        _ => ways,
                    }
                },
                &mut |machine, state, _| machine.arms(line, subject, how, others, asked, state),
            )
        })
    }

    pub(crate) fn turn(
        &mut self,
        line: usize,
        condition: &Node,
        body: &Node,
        after: Option<&Node>,
        last: Option<&Node>,
        state: State,
    ) -> Ways {
        let foreground = self.background == 0 && self.bounded == 0 && !state.alarmed;
        if foreground && waits::without_limit(condition, body, after, &state) {
            let from = self.trail.len();
            let quiet_events = self.events.len();
            let _ = self.eval(condition, state.clone());
            self.events.truncate(quiet_events);
            let until = self.trail.get(from..).map(|asked| asked.join(" ")).unwrap_or_default();
            self.happen(line, &state, What::Wait { until });
        }
        let entry = state.clone();
        let mut going = vec![state];
        let mut done: Ways = Vec::new();
        let mut unknown_turns = 0;
        for turn in 0..TURNS {
            let mut next = Vec::new();
            let several = going.len() > 1;
            let mut uncertain = several;
            for state in going {
                let mut stays = Vec::new();
                let mut leaves = Vec::new();
                let others = self.fork(
                    condition,
                    state,
                    &mut |_, state, _| {
                        stays.push(state);
                        Vec::new()
                    },
                    &mut |_, mut state, _| {
                        state.last = Status::Success;
                        leaves.push(state);
                        Vec::new()
                    },
                );
                done.extend(others);
                uncertain |= !stays.is_empty() && !leaves.is_empty();
                for state in leaves {
                    let ways = match last {
                        Some(node) => self.eval(node, state),
                        None => value(state, Value::Status(Status::Success)),
                    };
                    done.extend(ways);
                }
                for state in stays {
                    for way in self.eval(body, state) {
                        match way.flow {
                            Flow::Value(_) | Flow::Continue => next.push(way.state),
                            Flow::Break => done.push(Way { flow: broken(), state: way.state }),
                            flow => {
                                uncertain = true;
                                done.push(Way { state: way.state, flow });
                            }
                        }
                    }
                }
            }
            if let Some(node) = after {
                let ways: Ways = next.into_iter().flat_map(|state| value(state, Value::Nothing)).collect();
                let ways = self.on_each(ways, |machine, state, _| machine.eval(node, state));
                next = ways.into_iter().map(|way| way.state).collect();
            }
            if next.is_empty() {
                break;
            }
            unknown_turns += usize::from(uncertain || next.len() > 1);
            going = vec![join_all(next)];
            if unknown_turns >= UNKNOWN_TURNS {
                break;
            }
            if unknown_turns == UNKNOWN_TURNS - 1 || turn == TURNS - 2 {
                going[0].widen(&entry);
                unknown_turns = UNKNOWN_TURNS - 1;
            }
        }
        for way in &mut done {
            if matches!(way.flow, Flow::Value(_)) && done_guards(&way.state, &entry) {
                way.state.guards.truncate(entry.guards.len());
            }
        }
        tidy(done)
    }

    pub(crate) fn for_each(&mut self, target: &Target, items: &Node, body: &Node, state: State) -> Ways {
        let ways = self.eval(items, state);
        self.on_each(ways, |machine, state, list| {
            let (items, certain) = match &list {
                Value::List(list) => {
                    let certain =
                        list.len() <= TURNS && !list.iter().any(|item| matches!(item, Value::Unknown(_)));
                    (list.to_vec(), certain)
                }
                Value::Map(map) => (map.iter().map(|(key, _)| key.clone()).collect(), true),
                Value::Unset | Value::Nothing => (Vec::new(), true),
                other if machine.language == Language::Shell => match other.known() {
                    Some(_) => (vec![other.clone()], true),
                    None => (vec![other.clone()], false),
                },
                other => (vec![Value::unknown(other.shown()); 2], false),
            };
            machine.over(target, &items, certain, body, state)
        })
    }

    fn over(&mut self, target: &Target, items: &[Value], certain: bool, body: &Node, state: State) -> Ways {
        let entry = state.clone();
        let mut going = vec![state];
        let mut done: Ways = Vec::new();
        if !certain {
            done.extend(value(entry.clone(), Value::Status(Status::Success)));
        }
        let often = if certain { items.len() } else { items.len().min(4) };
        for (turn, item) in items.iter().take(often).enumerate() {
            let mut next = Vec::new();
            for mut state in going {
                if !certain && turn > 0 {
                    state.widen(&entry);
                }
                self.assign(target, &mut state, item.clone());
                for way in self.eval(body, state) {
                    match way.flow {
                        Flow::Value(_) | Flow::Continue => next.push(way.state),
                        Flow::Break => done.push(Way { flow: broken(), state: way.state }),
                        flow => done.push(Way { state: way.state, flow }),
                    }
                }
            }
            if next.is_empty() {
                return tidy(done);
            }
            going = if next.len() > 4 { vec![join_all(next)] } else { next };
        }
        for state in going {
            let last = Value::Status(state.last);
            done.extend(value(state, last));
        }
        tidy(done)
    }

    pub(crate) fn attempt(
        &mut self,
        body: &Node,
        handlers: &[Node],
        otherwise: Option<&Node>,
        lastly: Option<&Node>,
        state: State,
    ) -> Ways {
        let entry = state.clone();
        let since = self.events.len();
        self.trying += usize::from(!handlers.is_empty());
        let ways = self.eval(body, state);
        self.trying -= usize::from(!handlers.is_empty());
        let until = self.events.len();
        let mut raised = Vec::new();
        let mut after = Vec::new();
        for way in ways {
            match way.flow {
                Flow::Raise(_) if !handlers.is_empty() => raised.push(way.state),
                flow => after.push(Way { state: way.state, flow }),
            }
        }
        if let Some(node) = otherwise {
            after = self.on_each(after, |machine, state, _| machine.eval(node, state));
        }
        if !handlers.is_empty() {
            // Anything in the body may have failed, before or after it did something.
            let reached = after.iter().map(|way| way.state.clone()).chain(raised.iter().cloned());
            let mut handled = join_all(std::iter::once(entry.clone()).chain(reached).collect());
            handled.guards = entry.guards.clone();
            handled
                .guards
                .push(std::rc::Rc::new(super::state::Guard { asked: "an exception".into(), early: false }));
            let mut failing = Vec::new();
            for handler in handlers {
                failing.extend(self.eval(handler, handled.clone()));
            }
            let ends = |way: &Way| matches!(way.flow, Flow::Exit(Status::Failure, _) | Flow::Raise(_));
            let fatal = failing.iter().all(ends);
            for event in &mut self.events[since..until] {
                event.fatal = fatal && (event.fatal || matches!(event.what, What::File { .. }));
            }
            for way in &mut failing {
                if matches!(way.flow, Flow::Value(_)) {
                    way.state.guards.truncate(entry.guards.len());
                }
            }
            // Where the body always fails, only the handlers go on; else both do.
            after.extend(failing);
        }
        match lastly {
            None => tidy(after),
            Some(node) => {
                let mut ended = Vec::new();
                for way in after {
                    for last in self.eval(node, way.state.clone()) {
                        let flow = match last.flow {
                            Flow::Value(_) => way.flow.clone(),
                            flow => flow,
                        };
                        ended.push(Way { state: last.state, flow });
                    }
                }
                tidy(ended)
            }
        }
    }
}

fn broken() -> Flow {
    Flow::Value(Value::Status(Status::Success))
}

fn done_guards(state: &State, entry: &State) -> bool {
    state.guards.len() > entry.guards.len()
}

pub(crate) fn join_all(states: Vec<State>) -> State {
    let mut states = states.into_iter();
    let Some(first) = states.next() else { return State::new() };
    states.fold(first, |all, state| all.join(&state))
}
