//! Commands that change the shell itself.

use super::event::What;
use super::machine::{Machine, Ways, status};
use super::state::State;
use super::value::{Status, Value};
use crate::script::Language;
use std::rc::Rc;

impl Machine {
    pub(super) fn shift(&mut self, line: usize, by: Option<i64>, mut state: State) -> Ways {
        let by = by.and_then(|by| usize::try_from(by).ok());
        match (state.get("@").cloned(), by) {
            (Some(Value::List(list)), Some(by)) if by <= list.len() => {
                state.set("@", Value::list(list[by..].to_vec()));
                status(state, Status::Success)
            }
            (Some(Value::List(_)), Some(_)) => self.ended(line, state, Status::Failure),
            _ => status(state, Status::Either),
        }
    }

    pub(super) fn set_options(&mut self, words: &[Value], mut state: State) -> Ways {
        let mut at = 0;
        while let Some(word) = words.get(at).and_then(Value::known) {
            let on = word.starts_with('-');
            if word == "--" || !(on || word.starts_with('+')) {
                let from = at + usize::from(word == "--");
                state.set("@", Value::list(words[from..].to_vec()));
                break;
            }
            for letter in word.chars().skip(1) {
                match letter {
                    'e' => state.errexit = on,
                    'u' => state.nounset = on,
                    'o' => {
                        at += 1;
                        match words.get(at).and_then(Value::known).as_deref() {
                            Some("errexit") => state.errexit = on,
                            Some("nounset") => state.nounset = on,
                            _ => {}
                        }
                    }
                    _ => {}
                }
            }
            at += 1;
        }
        status(state, Status::Success)
    }

    pub(super) fn reads(&mut self, name: &str, words: &[Value], mut state: State) -> Ways {
        let mut names: Vec<String> = Vec::new();
        let mut at = usize::from(name == "getopts");
        while let Some(word) = words.get(at) {
            match word.known() {
                Some(option) if option.starts_with('-') && option.len() > 1 => {
                    if name == "read" && option.contains('a') && !option.contains("ra-") {
                        at += 1;
                        names.extend(words.get(at).and_then(Value::known));
                    } else if option.ends_with(['t', 'p', 'n', 'N', 'd', 'u', 'i', 'O', 's', 'c', 'C'])
                        && !option.ends_with("rs")
                        && option != "-s"
                    {
                        at += 1;
                    }
                }
                Some(variable) => names.push(variable),
                None => {}
            }
            at += 1;
        }
        if names.is_empty() {
            names.push(if name == "read" { "REPLY" } else { "MAPFILE" }.to_owned());
        }
        for name in names {
            state.set(&name, Value::unknown(format!("${name}")));
        }
        self.trail.push(name.to_owned());
        status(state, Status::Either)
    }

    pub(super) fn evaluate(&mut self, line: usize, words: &[Value], state: State) -> Ways {
        let text: Option<Vec<String>> = words.iter().map(Value::known).collect();
        match text {
            Some(words) => self.embedded_with(line, Language::Shell, &words.join(" "), None, state),
            None => {
                self.cannot_judge(line, "what eval does with a text that is made at run time");
                let mut state = state;
                state.open = true;
                status(state, Status::Either)
            }
        }
    }

    pub(super) fn trap(&mut self, words: &[Value], state: State) -> Ways {
        let words: Vec<Value> =
            words.iter().filter(|word| word.known().as_deref() != Some("--")).cloned().collect();
        let signals: Vec<String> = words.iter().skip(1).filter_map(Value::known).collect();
        let at_end = signals.iter().any(|signal| matches!(signal.as_str(), "EXIT" | "0"));
        let action = words.first().and_then(Value::known);
        if at_end && let Some(action) = action.filter(|action| !action.is_empty() && action != "-") {
            let body = crate::shell::read(&action).ok().map(|script| script.body);
            if let Some(body) = body.filter(|_| self.background == 0) {
                self.happen(0, &state, What::AtEnd);
                self.at_end.push(Rc::new(body));
            }
        } else if at_end {
            self.happen(0, &state, What::AtEnd);
        }
        status(state, Status::Success)
    }

    pub(super) fn declared(&mut self, words: &[Value], mut state: State) -> Ways {
        for word in words {
            let Some(text) = word.known() else { continue };
            if let Some((name, text)) = text.split_once('=') {
                state.set_own(name, Value::text(text));
            }
        }
        status(state, Status::Success)
    }
}
