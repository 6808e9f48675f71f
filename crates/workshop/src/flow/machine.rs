//! The reader's machine: it goes through a script as one call of it would, along every way that is possible.

use super::event::{Argument, End, Event, Run, Story, What};
use super::ir::{Func, Node, Op};
use super::state::{Guard, State};
use super::value::{Piece, Status, Value, known};
use super::ways::WAYS;
pub(crate) use super::ways::{Flow, Way, Ways, status, tidy, value};
use crate::script::Language;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// How many steps a call may take to be read.
const STEPS: usize = 120_000;
/// How deep functions are followed.
pub(crate) const DEPTH: usize = 24;

/// An argument that a parser of arguments takes by its place: its name, and the words that it may be.
pub(crate) type Positional = (String, Option<Vec<String>>);

/// The machine, for one call.
pub(crate) struct Machine {
    pub(crate) language: Language,
    pub(crate) phase: String,
    pub(crate) events: Vec<Event>,
    pub(crate) unjudged: BTreeSet<(usize, String)>,
    pub(crate) steps: usize,
    /// What was asked lately, for guards.
    pub(crate) trail: Vec<String>,
    /// How many conditions this step is part of, in which failures do not end the script.
    pub(crate) checked: usize,
    pub(crate) background: usize,
    pub(crate) bounded: usize,
    pub(crate) trying: usize,
    pub(crate) quiet: usize,
    /// How many comparisons this step is part of.
    pub(crate) asking: usize,
    pub(crate) calls: usize,
    /// The functions that are being gone through.
    pub(crate) within: Vec<*const Func>,
    pub(crate) objects: usize,
    /// Actions at the end of the script.
    pub(crate) at_end: Vec<Rc<Node>>,
    /// Positional arguments that a parser of arguments knows, by the parser.
    pub(crate) parsers: BTreeMap<usize, Vec<Positional>>,
    /// The line that an embedded script begins on.
    pub(crate) embedded_at: Option<usize>,
}

impl Machine {
    /// Goes through a script with these two arguments.
    pub(crate) fn tell(language: Language, body: &Node, phase: &str) -> Story {
        let mut machine = Self {
            language,
            phase: phase.to_owned(),
            events: Vec::new(),
            unjudged: BTreeSet::new(),
            steps: 0,
            trail: Vec::new(),
            checked: 0,
            background: 0,
            bounded: 0,
            trying: 0,
            quiet: 0,
            asking: 0,
            calls: 0,
            within: Vec::new(),
            objects: 0,
            at_end: Vec::new(),
            parsers: BTreeMap::new(),
            embedded_at: None,
        };
        let state = machine.beginning(phase);
        let ways = machine.eval(body, state);
        let mut ends = BTreeSet::new();
        for way in ways {
            let (status, line) = machine.end_of(&way);
            // A script ends as its last command does.
            let last =
                way.state.last_event.filter(|_| language == Language::Shell && status == Status::Either);
            if let (Some(last), Flow::Value(_)) = (last, &way.flow) {
                machine.events[last].fatal = true;
            }
            let state = State { last: status, ..way.state };
            let mut ways = value(state, Value::Nothing);
            for action in std::mem::take(&mut machine.at_end.clone()) {
                ways = machine.on_each(ways, |machine, state, _| machine.eval(&action, state));
            }
            for way in ways {
                match way.flow {
                    Flow::Exit(status, line) => ends.insert(End { status, line }),
                    _ => ends.insert(End { status, line }),
                };
            }
        }
        if machine.spent() {
            machine.unjudged.insert((
                1,
                "all that it does: it is too long to be followed through all its ways".to_owned(),
            ));
            ends.insert(End { status: Status::Either, line: 1 });
        }
        Story {
            events: machine.events,
            ends: ends.into_iter().collect(),
            unjudged: machine.unjudged.into_iter().collect(),
        }
    }

    fn end_of(&self, way: &Way) -> (Status, usize) {
        match &way.flow {
            Flow::Exit(status, line) => (*status, *line),
            Flow::Raise(line) => (Status::Failure, *line),
            Flow::Return(Value::Status(status)) | Flow::Value(Value::Status(status))
                if self.language == Language::Shell =>
            {
                (*status, 0)
            }
            _ if self.language == Language::Shell => (way.state.last, 0),
            _ => (Status::Success, 0),
        }
    }

    pub(crate) fn spent(&self) -> bool {
        self.steps > STEPS
    }

    /// A variable that the environment of a hook has.
    pub(crate) fn is_in_environment(name: &str) -> bool {
        name.starts_with("HOOKVISOR_")
            || name.starts_with("LXC_")
            || name.starts_with("PVE_")
            || matches!(
                name,
                "PATH"
                    | "HOME"
                    | "USER"
                    | "LOGNAME"
                    | "LC_ALL"
                    | "LVM_SUPPRESS_FD_WARNINGS"
                    | "PWD"
                    | "SHLVL"
                    | "_"
            )
    }

    fn beginning(&self, phase: &str) -> State {
        let mut state = State::new();
        let arguments = Value::list(vec![Value::vmid(), Value::text(phase)]);
        match self.language {
            Language::Shell => state.set_global("@", arguments),
            Language::Perl => state.set_global("@ARGV", arguments),
            _ => state.set_global(
                "sys.argv",
                Value::list(vec![Value::unknown("the script's path"), Value::vmid(), Value::text(phase)]),
            ),
        }
        state.set_global("0", Value::unknown("$0"));
        state
    }

    /// Goes on with every way that came to a value.
    pub(crate) fn on_each(
        &mut self,
        ways: Ways,
        mut next: impl FnMut(&mut Self, State, Value) -> Ways,
    ) -> Ways {
        let mut after = Vec::with_capacity(ways.len());
        for way in ways {
            match way.flow {
                Flow::Value(value) => after.extend(next(self, way.state, value)),
                flow => after.push(Way { state: way.state, flow }),
            }
        }
        tidy(after)
    }

    /// Evaluates steps one after the other, and goes on with all their values.
    pub(crate) fn values(
        &mut self,
        nodes: &[Node],
        state: State,
        next: &mut dyn FnMut(&mut Self, State, Vec<Value>) -> Ways,
    ) -> Ways {
        let mut points: Vec<(State, Vec<Value>)> = vec![(state, Vec::new())];
        let mut after = Vec::new();
        for node in nodes {
            let (spread, node) = match &node.op {
                Op::Spread(list) => (true, &**list),
                _ => (false, node),
            };
            let mut further = Vec::new();
            for (state, values) in points {
                for way in self.eval(node, state) {
                    match way.flow {
                        Flow::Value(Value::List(list)) if spread => {
                            let mut values = values.clone();
                            values.extend(list.iter().cloned());
                            further.push((way.state, values));
                        }
                        Flow::Value(value) => {
                            let mut values = values.clone();
                            match (spread, &value) {
                                (true, Value::Unset) => {}
                                (true, Value::Text(pieces)) => values.extend(words(pieces)),
                                _ => values.push(value),
                            }
                            further.push((way.state, values));
                        }
                        flow => after.push(Way { state: way.state, flow }),
                    }
                }
            }
            // Values are worth less than time.
            further.truncate(WAYS);
            points = further;
        }
        for (state, values) in points {
            after.extend(next(self, state, values));
        }
        tidy(after)
    }

    /// Evaluates a condition: what it asks is a guard for what comes of it, and a failure in it ends nothing.
    pub(crate) fn fork(
        &mut self,
        condition: &Node,
        state: State,
        yes: &mut dyn FnMut(&mut Self, State, Value) -> Ways,
        no: &mut dyn FnMut(&mut Self, State, Value) -> Ways,
    ) -> Ways {
        let asked_from = self.trail.len();
        let since = self.events.len();
        let depth = state.guards.len();
        self.checked += 1;
        let conditions = self.eval(condition, state);
        self.checked -= 1;
        let until = self.events.len();
        let mut asked = self.trail[asked_from.min(self.trail.len())..].join(" ");
        if asked.len() > 600 {
            asked.truncate((0..=600).rev().find(|at| asked.is_char_boundary(*at)).unwrap_or(0));
        }
        let mut after = Vec::new();
        for way in conditions {
            let Flow::Value(value) = way.flow else {
                after.push(way);
                continue;
            };
            let state = way.state;
            match self.truth(&value) {
                Some(true) => after.extend(yes(self, state, value)),
                Some(false) => after.extend(no(self, state, value)),
                None => {
                    after.extend(self.both(&asked, depth, (since, until), condition, state, value, yes, no))
                }
            }
        }
        tidy(after)
    }

    #[expect(clippy::too_many_arguments, reason = "the one place where a way becomes two")]
    fn both(
        &mut self,
        asked: &str,
        depth: usize,
        (since, until): (usize, usize),
        condition: &Node,
        state: State,
        value: Value,
        yes: &mut dyn FnMut(&mut Self, State, Value) -> Ways,
        no: &mut dyn FnMut(&mut Self, State, Value) -> Ways,
    ) -> Ways {
        let about = format!("{asked} {}", value.shown_if_unknown());
        let guarded = |mut state: State| {
            state.guards.push(Rc::new(Guard { asked: about.clone(), early: false }));
            state
        };
        let (one, other) = (self.decided(&value, true), self.decided(&value, false));
        let when_yes = yes(self, guarded(state.clone()), one);
        let when_no = no(self, guarded(state), other);
        let goes_on = |ways: &Ways| ways.iter().any(|way| matches!(way.flow, Flow::Value(_)));
        let (yes_goes, no_goes) = (goes_on(&when_yes), goes_on(&when_no));
        let failing = if is_negated(condition) { &when_yes } else { &when_no };
        self.mark_failures(since, until, failing);
        let mut ways: Ways = when_yes.into_iter().chain(when_no).collect();
        for way in &mut ways {
            if !matches!(way.flow, Flow::Value(_)) || way.state.guards.len() <= depth {
                continue;
            }
            if yes_goes && no_goes {
                way.state.guards.truncate(depth);
            } else {
                let early = way.state.guards[depth..]
                    .iter()
                    .map(|guard| Rc::new(Guard { asked: guard.asked.clone(), early: true }));
                let early: Vec<_> = early.collect();
                way.state.guards.truncate(depth);
                way.state.guards.extend(early);
            }
        }
        ways
    }

    /// Where the failing side of a condition ends the script, so does a failure of what was asked.
    fn mark_failures(&mut self, since: usize, until: usize, failing: &Ways) {
        let ends =
            failing.iter().all(|way| matches!(way.flow, Flow::Exit(Status::Failure, _) | Flow::Raise(_)));
        let returns = failing.iter().all(|way| {
            matches!(
                way.flow,
                Flow::Exit(Status::Failure, _)
                    | Flow::Raise(_)
                    | Flow::Return(Value::Status(Status::Failure))
            )
        });
        if failing.is_empty() || !(ends || returns) {
            return;
        }
        let range = since..until;
        let last = range.clone().rev().find(|at| {
            matches!(self.events[*at].what, What::Run(_) | What::Write { .. } | What::File { .. })
        });
        for at in range {
            let event = &mut self.events[at];
            if Some(at) == last || event.propagates {
                event.fatal |= ends;
                event.propagates |= returns && !ends;
            }
        }
    }

    fn decided(&self, value: &Value, truth: bool) -> Value {
        match value {
            Value::Status(_) => Value::Status(if truth { Status::Success } else { Status::Failure }),
            Value::Unknown(_) if self.language == Language::Shell => Value::Bool(truth),
            other => other.clone(),
        }
    }

    /// What a condition says, in the script's language.
    pub(crate) fn truth(&self, value: &Value) -> Option<bool> {
        match value {
            Value::Status(Status::Success) => Some(true),
            Value::Status(Status::Failure) => Some(false),
            Value::Status(Status::Either) | Value::Unknown(_) => None,
            Value::Bool(truth) => Some(*truth),
            Value::Int(number) => Some(*number != 0),
            Value::Nothing | Value::Unset => Some(false),
            Value::List(list) => Some(!list.is_empty()),
            Value::Map(map) => Some(!map.is_empty()),
            Value::Text(pieces) => {
                let some = pieces.iter().any(|piece| match piece {
                    Piece::Known(text) => !text.is_empty(),
                    Piece::Vmid => true,
                    Piece::Unknown(_) => false,
                });
                match known(pieces) {
                    Some(text) if self.language == Language::Perl && text == "0" => Some(false),
                    Some(text) => Some(!text.is_empty()),
                    None if some => Some(true),
                    None => None,
                }
            }
            Value::Func(_) | Value::Bound(..) | Value::Class(_) | Value::Object(..) => Some(true),
            Value::Outside(_) => None,
        }
    }

    pub(crate) fn happen(&mut self, line: usize, state: &State, what: What) -> usize {
        let line = self.embedded_at.unwrap_or(line);
        self.events.push(Event {
            line,
            what,
            guards: state.guards.clone(),
            background: self.background > 0,
            fatal: self.language == Language::Shell && state.errexit && self.checked == 0,
            propagates: false,
            bounded: self.bounded > 0 || state.alarmed,
        });
        self.events.len() - 1
    }

    /// Notes that a program runs.
    pub(crate) fn ran(&mut self, line: usize, state: &State, words: Vec<Vec<Piece>>, detached: bool) {
        let held = state.held[0] || state.held[1];
        let run = Run { words, held, detached };
        self.trail.push(run.shown());
        self.happen(line, state, What::Run(run));
    }

    /// Notes a comparison of an argument with a word.
    pub(crate) fn compared(&mut self, line: usize, state: &State, subject: &Value, words: &[String]) {
        let Some(with) = self.argument(subject) else { return };
        for word in words {
            self.happen(line, state, What::Compared { with, word: word.clone() });
        }
    }

    /// Goes through a function's body; one that calls itself is followed twice.
    pub(crate) fn body_of(&mut self, func: &Rc<Func>, state: State) -> Option<Ways> {
        let own = Rc::as_ptr(func);
        if self.within.len() >= DEPTH || self.within.iter().filter(|other| **other == own).count() >= 2 {
            return None;
        }
        self.within.push(own);
        let ways = self.eval(&func.body, state);
        self.within.pop();
        Some(ways)
    }

    /// Which of the two arguments a value is.
    pub(crate) fn argument(&self, value: &Value) -> Option<Argument> {
        match value {
            Value::Text(_) if value.is_vmid() => Some(Argument::Vmid),
            Value::Text(_) if value.known().is_some_and(|text| text == self.phase) => Some(Argument::Phase),
            _ => None,
        }
    }

    pub(crate) fn cannot_judge(&mut self, line: usize, what: impl Into<String>) {
        let line = self.embedded_at.unwrap_or(line);
        self.unjudged.insert((line, what.into()));
    }
}

/// A text that is not quoted is as many words as blanks make of it.
fn words(pieces: &[Piece]) -> Vec<Value> {
    match known(pieces) {
        Some(text) => text.split_whitespace().map(Value::text).collect(),
        None => vec![Value::Text(pieces.to_vec())],
    }
}

fn is_negated(condition: &Node) -> bool {
    match &condition.op {
        Op::Not(inner) => !is_negated(inner),
        Op::Redirected(inner, _) => is_negated(inner),
        _ => false,
    }
}

impl Value {
    fn shown_if_unknown(&self) -> String {
        match self {
            Self::Unknown(about) => about.to_string(),
            Self::Text(_) => self.shown(),
            _ => String::new(),
        }
    }
}
