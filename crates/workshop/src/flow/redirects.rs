//! Where the outputs of a command go.

use super::event::What;
use super::ir::{Goal, Mode, Node, Op, Redirect};
use super::machine::{Flow, Machine, Way, Ways, status};
use super::state::State;
use super::value::{Piece, Status};

impl Machine {
    pub(super) fn redirected(&mut self, body: &Node, redirects: &[Redirect], state: State) -> Ways {
        let before = state.held;
        let mut state = state;
        let mut writes: Vec<Vec<Piece>> = Vec::new();
        let mut after = Vec::new();
        for redirect in redirects {
            let held = match &redirect.to {
                Goal::File(node, mode) => {
                    let mut ways = self.eval(node, state.clone());
                    let path = match ways.pop() {
                        Some(Way { state: next, flow: Flow::Value(path) }) => {
                            state = next;
                            path.pieces()
                        }
                        // The path alone ends the script.
                        Some(way) => return vec![way],
                        None => return Vec::new(),
                    };
                    if *mode == Mode::Read {
                        continue;
                    }
                    writes.push(path);
                    false
                }
                Goal::Same(other @ (1 | 2)) => state.held[*other as usize - 1],
                Goal::Same(_) => true,
                Goal::Elsewhere => false,
            };
            for from in redirect.from.iter().filter(|from| matches!(from, 1 | 2)) {
                state.held[*from as usize - 1] = held;
            }
        }
        let stays = matches!(&body.op, Op::Command(_, words)
            if words.len() == 1 && matches!(&words[0].op, Op::Text(word) if word == "exec"));
        let ways = if stays { status(state, Status::Success) } else { self.eval(body, state) };
        for mut way in ways {
            if !stays {
                way.state.held = before;
            }
            for path in &writes {
                self.happen(body.line, &way.state, What::Write { path: path.clone() });
            }
            after.push(way);
        }
        after
    }
}
