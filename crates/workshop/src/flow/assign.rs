//! Assignments.

use super::event::What;
use super::ir::Target;
use super::machine::Machine;
use super::state::State;
use super::value::Value;
use crate::script::Language;

impl Machine {
    pub(crate) fn assign(&mut self, target: &Target, state: &mut State, value: Value) {
        if let Target::Name(name) | Target::Local(name) = target
            && let Some(which) = self.argument(&value)
        {
            self.happen(0, state, What::Named { which, name: name.clone() });
        }
        match target {
            Target::Name(name) if self.language == Language::Python && state.depth() > 1 => {
                if state.get(&format!("global:{name}")).is_some() {
                    state.set_global(name, value);
                } else {
                    state.set_own(name, value);
                }
            }
            Target::Name(name) => state.set(name, value),
            Target::Local(name) => state.set_own(name, value),
            Target::Rest(target) => self.assign(target, state, value),
            Target::Each(targets) => self.assign_each(targets, state, &value),
            Target::Field(of, name) => self.assign_field(of, name, state, value),
            Target::Item(of, at) => self.assign_item(of, at, state, value),
            Target::Lost => {}
        }
    }

    fn assign_each(&mut self, targets: &[Target], state: &mut State, value: &Value) {
        for (index, target) in targets.iter().enumerate() {
            let item = match (value, target) {
                (Value::List(list), Target::Rest(_)) => {
                    Value::list(list.get(index..).unwrap_or_default().to_vec())
                }
                (Value::List(list), _) => list.get(index).cloned().unwrap_or(Value::Nothing),
                (other, _)
                    if index == 0
                        && self.language == Language::Perl
                        && !matches!(other, Value::Unknown(_)) =>
                {
                    other.clone()
                }
                (_, _) if self.language == Language::Perl && !matches!(value, Value::Unknown(_)) => {
                    Value::Nothing
                }
                (other, _) => Value::unknown(other.shown()),
            };
            self.assign(target, state, item);
        }
    }
}
