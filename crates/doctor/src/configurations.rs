//! The guests' configurations: files and lines that cannot be read.

use crate::Finding;
use crate::scene::{Scene, program};
use crate::word::{edit, path as shell, word};
use config::Warning;
use config::guest::Problem;
use model::{GuestKind, Vmid};
use std::error::Error;
use std::path::Path;
use store::StoreError;

/// The configurations of all guests.
pub(crate) fn readable(scene: &Scene) -> Vec<Finding> {
    let Ok(store) = &scene.store else { return Vec::new() };
    let guests = store.list().unwrap_or_default();
    let mut found = Vec::new();
    for (vmid, kind) in &guests {
        let file = scene.layout.guest_config(store.node(), *kind, *vmid);
        match store.read_with_warnings(*kind, *vmid) {
            Ok((_, warnings)) => {
                let told = warnings.iter().filter(|warning| !is_told_elsewhere(warning));
                found.extend(told.map(|warning| judge(*kind, *vmid, &file, warning)));
            }
            // One that was destroyed meanwhile has none.
            Err(_) if !file.exists() => {}
            Err(error) => {
                let mend = format!("ls -ld {}", shell(&file));
                let why = "nothing can be done with the guest";
                found.push(Finding::problem(about(*vmid), failure(&error), why, mend));
            }
        }
    }
    if found.is_empty() && !guests.is_empty() {
        found.push(Finding::ok("configurations", "every line can be read"));
    }
    found
}

fn failure(error: &StoreError) -> String {
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{cause}")
}

fn about(vmid: Vmid) -> String {
    format!("configuration of {vmid}")
}

/// A hookscript that is none is a matter of hookscripts.
fn is_told_elsewhere(warning: &Warning) -> bool {
    let hookscript = matches!(&warning.problem, Problem::Value { key, .. } if key == "hookscript");
    hookscript && warning.in_force
}

fn judge(kind: GuestKind, vmid: Vmid, file: &Path, warning: &Warning) -> Finding {
    let line = warning.line;
    let what = format!("'{}' line {line}: {}", file.display(), in_short(&warning.problem));
    let why = match (&warning.problem, warning.in_force) {
        (Problem::LxcKey { .. }, _) => "LXC may refuse it, or take it in another sense",
        (_, true) => "the guest is started without it, or not at all",
        (_, false) => "it counts for nothing where it stands, a snapshot or what is pending",
    };
    let default = match &warning.problem {
        Problem::Value { key, .. } if warning.in_force => {
            let property = config::options::find(kind, key);
            property.and_then(|property| property.default).map(|default| (key, default))
        }
        _ => None,
    };
    let mend = match default {
        Some((key, default)) => {
            let program = program(kind);
            format!("{program} set {vmid} --{key} {}  # or whichever value was meant", word(default))
        }
        None => edit(file, Some(line)),
    };
    Finding::problem(about(vmid), what, why, mend).unless(warning.in_force)
}

/// What is wrong with a line, without the guest that it is about.
fn in_short(problem: &Problem) -> String {
    match problem {
        Problem::Value { key, cause, .. } => {
            format!("unable to parse value of '{key}' - {}", cause.trim_end().replace('\n', "; "))
        }
        Problem::Line { line, .. } => format!("unable to parse '{line}'"),
        Problem::Delete { section, .. } => format!("property 'delete' is only allowed in [{section}]"),
        Problem::LxcKey { key, cause, .. } => format!("{key}: {cause}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn judged(kind: GuestKind, text: &str) -> Vec<(State, String, String)> {
        let vmid = "100".parse().unwrap();
        let (_, warnings) = config::parse(kind, vmid, text.as_bytes());
        let one = |warning: &Warning| {
            let found = judge(kind, vmid, Path::new("/x.conf"), warning);
            (found.state, found.what, found.mend.unwrap())
        };
        warnings.iter().map(one).collect()
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named_with_what_mends_it() {
        let text = "name: web\nmemory: abc\nnonsense: 1\nsomething\n\n[snap1]\nmemory: abc\n";
        let found = judged(GuestKind::Qemu, text);
        let starts: Vec<(State, &str)> =
            found.iter().map(|(state, what, _)| (*state, what.split(" - ").next().unwrap())).collect();
        assert_eq!(
            starts,
            [
                (State::Problem, "'/x.conf' line 2: unable to parse value of 'memory'"),
                (State::Problem, "'/x.conf' line 3: unable to parse value of 'nonsense'"),
                (State::Problem, "'/x.conf' line 4: unable to parse 'something'"),
                (State::Note, "'/x.conf' line 7: unable to parse value of 'memory'"),
            ]
        );
        assert!(found.iter().all(|(_, what, _)| what.lines().count() == 1), "{found:?}");
        let mends: Vec<&str> = found.iter().map(|(.., mend)| mend.as_str()).collect();
        assert_eq!(
            mends,
            [
                "qm set 100 --memory 512  # or whichever value was meant",
                "${EDITOR:-vi} +3 /x.conf",
                "${EDITOR:-vi} +4 /x.conf",
                "${EDITOR:-vi} +7 /x.conf",
            ]
        );
    }

    #[test]
    fn a_container_is_changed_by_its_own_program() {
        let found = judged(GuestKind::Lxc, "cores: many\nmemory: abc\n");
        assert!(found[1].2.starts_with("pct set 100 --memory 512"), "{found:?}");
    }
}
