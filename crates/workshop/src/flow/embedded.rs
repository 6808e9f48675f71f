//! Shell within a script: `bash -c`, `eval`, `os.system`, `system`.

use super::machine::{Machine, Ways, status, value};
use super::state::State;
use super::value::{Piece, Status, Value};
use crate::script::Language;

/// How deep scripts within scripts are followed.
const DEPTH: usize = 6;

impl Machine {
    /// Reads a text as a shell script of its own, in a copy.
    pub(crate) fn embedded_in(&mut self, line: usize, text: Option<&Value>, state: State) -> Ways {
        let Some(text) = text else { return status(state, Status::Either) };
        let mut source = String::new();
        let mut names = Vec::new();
        for piece in text.pieces() {
            match piece {
                Piece::Known(text) => source.push_str(&text),
                other => {
                    let name = format!("__part{}", names.len());
                    source.push_str(&format!("${{{name}}}"));
                    names.push((name, other));
                }
            }
        }
        if names.len() == 1 && source == format!("${{{}}}", names[0].0) && !text.is_vmid() {
            // Nothing at all is known of it.
            self.ran(line, &state, vec![text.pieces()], false);
            return status(state, Status::Either);
        }
        let mut copy = if self.language == Language::Shell { state.clone() } else { State::new() };
        copy.held = state.held;
        copy.alarmed = state.alarmed;
        copy.guards.clone_from(&state.guards);
        copy.open = true;
        copy.errexit = false;
        for (name, piece) in names {
            copy.set(&name, Value::Text(vec![piece]));
        }
        let before = self.language;
        let ways = self.embedded_with(line, Language::Shell, &source, Some(copy), state.clone());
        self.language = before;
        let mut last: Option<Status> = None;
        for way in &ways {
            let one = way.state.last;
            last = Some(last.map_or(one, |other| if other == one { one } else { Status::Either }));
        }
        let last = last.unwrap_or(Status::Either);
        if self.language == Language::Shell {
            return self.ended(line, state, last);
        }
        value(state, Value::Status(last))
    }

    /// Reads a text as shell: in `copy`, or in this very shell.
    pub(crate) fn embedded_with(
        &mut self,
        line: usize,
        language: Language,
        text: &str,
        copy: Option<State>,
        state: State,
    ) -> Ways {
        let at = self.embedded_at;
        let deep = self.calls >= DEPTH;
        let script = match crate::shell::read(text) {
            Ok(script) if !deep => script,
            _ => return status(state, Status::Either),
        };
        self.embedded_at = Some(at.unwrap_or(line));
        let before = std::mem::replace(&mut self.language, language);
        self.calls += 1;
        let ways = match copy {
            Some(copy) => self.in_copy(&script.body, copy),
            None => self.eval(&script.body, state),
        };
        self.calls -= 1;
        self.language = before;
        self.embedded_at = at;
        ways
    }
}
