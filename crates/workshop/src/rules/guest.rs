//! HV010 and HV016: what is done with the guest itself.

use super::{Told, by_line, finding, short};
use crate::finding::Finding;
use crate::flow::event::{Event, Run};
use crate::flow::value::{Piece, shown};
use crate::rule::Rule;
use model::Phase;

/// The commands that take the guest's lock at Proxmox VE.
const LOCKING: [&str; 17] = [
    "start",
    "stop",
    "shutdown",
    "reboot",
    "reset",
    "suspend",
    "resume",
    "destroy",
    "migrate",
    "rollback",
    "snapshot",
    "set",
    "resize",
    "template",
    "move_disk",
    "unlock",
    "delsnapshot",
];

pub(super) fn find(told: &Told) -> Vec<Finding> {
    let own = told.events().filter_map(|(phase, event)| {
        let run = event.run().filter(|run| !event.background && !run.detached)?;
        let verb = locking(run)?;
        let what = match verb.as_str() {
            "set" | "resize" | "unlock" => {
                format!("'{}' changes the guest that the hookscript is called for", short(&run.shown()))
            }
            _ => format!(
                "'{}' acts on the guest that the hookscript is called for, and waits for it",
                short(&run.shown())
            ),
        };
        Some((phase, finding(Rule::OwnGuest, Some(event.line), what)))
    });
    let needs = told.events().filter_map(|(phase, event)| {
        if !matches!(phase, Phase::PreStart | Phase::PostStop)
            || event.background
            || event.bounded && phase == Phase::PostStop
        {
            return None;
        }
        let run = event.run().filter(|run| !run.detached)?;
        let what = needs_guest(run, event, phase)?;
        Some((phase, finding(Rule::NeedsGuest, Some(event.line), what)))
    });
    let mut found = by_line(own);
    found.extend(by_line(needs));
    found
}

fn is_own(word: &[Piece]) -> bool {
    matches!(word, [Piece::Vmid])
        || matches!(word, [Piece::Known(a), Piece::Vmid] | [Piece::Vmid, Piece::Known(a)] if a.is_empty())
}

/// The command, where it takes the lock of the guest itself.
fn locking(run: &Run) -> Option<String> {
    match run.program().as_str() {
        "qm" | "pct" => {
            let verb = run.word(1)?;
            let own = run.words.get(2).is_some_and(|word| is_own(word));
            (LOCKING.contains(&verb.as_str()) && own).then_some(verb)
        }
        "pvesh" => {
            let verb = run.word(1)?;
            let path = shown(run.words.get(2)?);
            let own = run.words.get(2)?.iter().any(|piece| matches!(piece, Piece::Vmid));
            let acts =
                path.contains("/status/") && matches!(verb.as_str(), "create") && !path.ends_with("/current")
                    || path.ends_with("/config") && matches!(verb.as_str(), "set" | "create");
            (own && acts)
                .then(|| if path.ends_with("/config") { "set".to_owned() } else { "start".to_owned() })
        }
        _ => None,
    }
}

fn needs_guest(run: &Run, event: &Event, phase: Phase) -> Option<String> {
    let asked = event.asked();
    // Whoever asks first, knows.
    let careful = ["running", "status", "ping", "pid", "/proc", "/sys/class/net", "link show", "qmp"]
        .iter()
        .any(|word| asked.contains(word));
    if careful {
        return None;
    }
    let own = |at: usize| run.words.get(at).is_some_and(|word| is_own(word));
    let verb = run.word(1).unwrap_or_default();
    let needs = match run.program().as_str() {
        "qm" => match verb.as_str() {
            "guest" => own(3) || own(2),
            "agent" | "monitor" | "sendkey" | "terminal" => own(2),
            _ => false,
        },
        "pct" => matches!(verb.as_str(), "exec" | "push" | "pull" | "enter" | "console") && own(2),
        "lxc-attach" | "lxc-device" | "lxc-cgroup" => run.words.iter().any(|word| is_own(word)),
        "ip" | "tc" | "bridge" | "brctl" | "ethtool" | "ovs-vsctl"
            if phase == Phase::PreStart && event.fatal =>
        {
            let port = |word: &Vec<Piece>| {
                matches!(&word[..], [Piece::Known(kind), Piece::Vmid, Piece::Known(rest)]
                if matches!(kind.as_str(), "tap" | "veth" | "fwpr" | "fwln") && rest.starts_with(['i', 'p']))
            };
            let makes = run.words.iter().any(|word| matches!(&word[..], [Piece::Known(text)] if matches!(text.as_str(), "del" | "delete" | "show" | "--if-exists")));
            run.words.iter().any(port) && !makes
        }
        _ => false,
    };
    needs.then(|| format!("'{}' needs the guest to run, and in {phase} it does not", short(&run.shown())))
}
