//! `hookvisor doctor`: what of the host is ready, and what is not.

use crate::cli::{Answer, Command};
use crate::programs::{field, plain};
use crate::run::Failure;
use api::{Output, Params};
use model::Layout;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The exit code where something is not ready.
const NOT_READY: u8 = 1;

/// `hookvisor doctor`
pub(crate) const DOCTOR: Command = Command::local(
    "doctor",
    "Tells what of the host is ready and what is not, each with the command that mends it. Changes nothing.",
    &[],
    &[],
    examine,
)
.example("hookvisor doctor")
.formats()
.print(printed);

fn examine(layout: &Layout, _: &Params, _: &mut dyn Output) -> Result<Value, Failure> {
    Ok(json!(::doctor::examine(layout)))
}

/// A line for what is well, three for what is not.
fn printed(answer: &Answer<'_>) -> (String, u8) {
    let (mut out, mut problems, mut notes) = (String::new(), 0, 0);
    for group in answer.value["groups"].as_array().into_iter().flatten() {
        let _ = writeln!(out, "{}", field(group, "group"));
        for found in group["findings"].as_array().into_iter().flatten() {
            let state = field(found, "state");
            let _ = writeln!(out, "  {state:<7}  {}: {}", field(found, "about"), field(found, "what"));
            match state.as_str() {
                "problem" => problems += 1,
                "note" => notes += 1,
                _ => continue,
            }
            for key in ["why", "mend"] {
                let text = plain(&found[key]);
                if !text.is_empty() {
                    let _ = writeln!(out, "{:11}{:<6}{text}", "", format!("{key}:"));
                }
            }
        }
    }
    let count = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let ready = answer.value["ready"] == true;
    let word = if ready { "ready" } else { "not ready" };
    let _ = writeln!(out, "{word}: {}, {}", count(problems, "problem"), count(notes, "note"));
    (out, if ready { 0 } else { NOT_READY })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_well_is_a_line_and_what_is_not_says_why_and_what_mends_it() {
        let found = |state: &str, why: Option<&str>| json!({"state": state, "about": "tun", "what": "so", "why": why, "mend": why});
        let findings = json!([found("ok", None), found("note", Some("x")), found("problem", Some("y z"))]);
        let value = json!({"ready": false, "groups": [{"group": "kernel", "findings": findings}]});
        let (text, code) = printed(&Answer { value: &value, params: &Params::default() });
        let want = concat!(
            "kernel\n",
            "  ok       tun: so\n",
            "  note     tun: so\n",
            "           why:  x\n",
            "           mend: x\n",
            "  problem  tun: so\n",
            "           why:  y z\n",
            "           mend: y z\n",
            "not ready: 1 problem, 1 note\n",
        );
        assert_eq!((text.as_str(), code), (want, NOT_READY));
        let value = json!({"ready": true, "groups": []});
        assert_eq!(printed(&Answer { value: &value, params: &Params::default() }).1, 0);
    }
}
