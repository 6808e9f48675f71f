//! HV008: taken before or at the start, given back only in `pre-stop`.

use super::{Told, finding, short};
use crate::finding::Finding;
use crate::flow::event::{Event, Run, What};
use crate::flow::value::{known, shown};
use crate::rule::Rule;
use model::Phase;

/// Something of the host that is changed, and in which direction.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    /// What kind of thing.
    kind: &'static str,
    /// Which one.
    which: String,
    /// `add`, `del`; the same word where either undoes the other.
    way: &'static str,
}

pub(super) fn find(told: &Told) -> Vec<Finding> {
    if told.open || told.damaged {
        return Vec::new();
    }
    let changes = |phase: Phase| -> Vec<(usize, Change)> {
        told.in_phase(phase)
            .filter(|event| !in_passing(event))
            .filter_map(|event| Some((event.line, change(event)?)))
            .collect()
    };
    let (before, at_start, early, late) = (
        changes(Phase::PreStart),
        changes(Phase::PostStart),
        changes(Phase::PreStop),
        changes(Phase::PostStop),
    );
    let mut found: Vec<Finding> = Vec::new();
    for (line, back) in &early {
        let taken = |list: &[(usize, Change)]| list.iter().any(|(_, take)| undoes(back, take));
        // What is undone in the same phase, or at the start already, is not kept until the end.
        let passing = |list: &[(usize, Change)]| list.iter().any(|(_, other)| same_back(other, back));
        let taken_early = taken(&before) && (back.way == "set" || !passing(&before)) && !passing(&at_start);
        let taken_at_start =
            of_the_host(back) && taken(&at_start) && (back.way == "set" || !passing(&at_start));
        if !(taken_early || taken_at_start)
            || passing(&late)
            || late.iter().any(|(_, other)| other.kind == back.kind && other.kind == "all")
        {
            continue;
        }
        // Something else may do it there.
        if late.iter().any(|(_, other)| other.kind == back.kind && other.which.contains('\u{ab}')) {
            continue;
        }
        if found.iter().any(|other| other.line == Some(*line)) {
            continue;
        }
        let mut one = finding(
            Rule::GivenBackTooEarly,
            Some(*line),
            format!("{} is given back in pre-stop and not in post-stop", described(back)),
        );
        one.phases = vec!["pre-stop".to_owned()];
        found.push(one);
    }
    found
}

fn in_passing(event: &Event) -> bool {
    matches!(&event.what, What::Write { path, .. } if shown(path).starts_with("/dev/"))
}

fn described(change: &Change) -> String {
    match change.kind {
        "file" => format!("'{}'", short(&change.which)),
        kind => format!("{kind} '{}'", short(&change.which)),
    }
}

/// What belongs to the host and not to the guest's own process.
fn of_the_host(change: &Change) -> bool {
    matches!(
        change.kind,
        "the mount"
            | "the service"
            | "the rule"
            | "the route"
            | "the link"
            | "the address"
            | "the entry"
            | "the file system value"
            | "the property"
    )
}

fn undoes(back: &Change, take: &Change) -> bool {
    // A file that is taken away before and put there at the stop is a mark, and nothing that is given back.
    let gives_back = back.kind != "file" || back.way == "del";
    gives_back
        && back.kind == take.kind
        && back.which == take.which
        && (back.way != take.way || back.way == "set")
}

fn same_back(other: &Change, back: &Change) -> bool {
    other.kind == back.kind
        && (other.which == back.which || back.kind == "the device")
        && other.way == back.way
}

fn change(event: &Event) -> Option<Change> {
    match &event.what {
        What::Run(run) => by_program(run),
        What::Write { path, .. } => {
            let path = shown(path);
            if path.starts_with("/sys/bus/") || path.contains("driver_override") {
                return Some(Change { kind: "the device", which: "on its bus".to_owned(), way: "set" });
            }
            if path.starts_with("/sys/") || path.starts_with("/proc/") {
                return Some(Change { kind: "the file system value", which: path, way: "set" });
            }
            let kept = path.starts_with("/run/")
                || path.starts_with("/var/run/")
                || path.starts_with("/etc/")
                || path.starts_with("/tmp/")
                || path.starts_with("/var/lib/");
            (kept && !path.contains("log")).then_some(Change { kind: "file", which: path, way: "add" })
        }
        What::File { verb, path } => {
            let way = if *verb == "remove" { "del" } else { "add" };
            Some(Change { kind: "file", which: shown(path), way })
        }
        _ => None,
    }
}

fn by_program(run: &Run) -> Option<Change> {
    let program = run.program();
    let words: Vec<String> = run.words[1..].iter().map(|word| shown(word)).collect();
    let plain: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let at = |index: usize| plain.get(index).map(|word| word.as_str()).unwrap_or_default();
    let last = || plain.last().map(|word| (*word).clone()).unwrap_or_default();
    let change = |kind, which: String, way| (!which.is_empty()).then_some(Change { kind, which, way });
    match program.as_str() {
        "mount" => change("the mount", last(), "add"),
        "umount" => change("the mount", last(), "del"),
        "systemctl" | "service" | "rc-service" => {
            let (verb, unit) = if program == "systemctl" { (at(0), at(1)) } else { (at(1), at(0)) };
            let unit = unit.trim_end_matches(".service").to_owned();
            match verb {
                "start" | "restart" => change("the service", unit, "add"),
                "stop" | "kill" => change("the service", unit, "del"),
                "set-property" => change("the property", unit, "set"),
                "mask" => change("the service's mask", unit, "add"),
                "unmask" => change("the service's mask", unit, "del"),
                _ => None,
            }
        }
        "docker" | "podman" => match at(0) {
            "start" | "run" => change("the service", last(), "add"),
            "stop" | "kill" | "rm" => change("the service", last(), "del"),
            _ => None,
        },
        "modprobe" => {
            let removes = words.iter().any(|word| word == "-r" || word == "--remove");
            change("the module", at(0).replace('-', "_"), if removes { "del" } else { "add" })
        }
        "rmmod" => change("the module", at(0).replace('-', "_"), "del"),
        "insmod" => change("the module", at(0).replace('-', "_"), "add"),
        "ip" => {
            let kind = match at(0) {
                "link" | "l" | "tuntap" => "the link",
                "addr" | "address" | "a" => "the address",
                "route" | "r" => "the route",
                "rule" => "the rule",
                "netns" => "the namespace",
                _ => return None,
            };
            let which = match kind {
                "the link" | "the namespace" => plain
                    .iter()
                    .skip(2)
                    .find(|word| !matches!(word.as_str(), "dev" | "name" | "link"))
                    .map(|word| (*word).clone()),
                "the rule" => Some("of routing".to_owned()),
                _ => plain.get(2).map(|word| (*word).clone()),
            };
            match at(1) {
                "add" | "append" | "replace" | "a" => change(kind, which?, "add"),
                "del" | "delete" | "d" | "flush" => change(kind, which?, "del"),
                _ => None,
            }
        }
        "bridge" if at(0) == "fdb" => match at(1) {
            "add" | "append" | "replace" => change("the entry", at(2).to_owned(), "add"),
            "del" | "delete" => change("the entry", at(2).to_owned(), "del"),
            _ => None,
        },
        "iptables" | "ip6tables" | "ebtables" => {
            let has = |options: &[&str]| words.iter().any(|word| options.contains(&word.as_str()));
            let rest: Vec<&str> = words
                .iter()
                .map(String::as_str)
                .filter(|word| !word.starts_with('-') && word.parse::<u32>().is_err())
                .collect();
            let way = if has(&["-A", "-I", "--append", "--insert", "-N"]) {
                "add"
            } else if has(&["-D", "--delete", "-F", "-X", "--flush"]) {
                "del"
            } else {
                return None;
            };
            change("the rule", rest.join(" "), way)
        }
        "nft" => match at(0) {
            "add" | "insert" => change("the rule", at(3).to_owned(), "add"),
            "delete" | "flush" => change("the rule", at(3).to_owned(), "del"),
            _ => None,
        },
        "tc" => {
            let device = plain
                .iter()
                .position(|word| *word == "dev")
                .and_then(|at| plain.get(at + 1))
                .map(|word| (*word).clone())?;
            match at(1) {
                "add" | "replace" => change("the entry", device, "add"),
                "del" | "delete" => change("the entry", device, "del"),
                _ => None,
            }
        }
        "ovs-vsctl" => {
            let deletes =
                plain.iter().any(|word| word.starts_with("del-") || *word == "clear" || *word == "remove");
            change("the entry", last(), if deletes { "del" } else { "add" })
        }
        "touch" | "mkdir" | "mkfifo" | "ln" => change("file", last(), "add"),
        "rm" | "rmdir" => change("file", last(), "del"),
        "losetup" => {
            let removes = words.iter().any(|word| word == "-d" || word == "--detach");
            change("the loop device", "of the host".to_owned(), if removes { "del" } else { "add" })
        }
        "cpupower" => change("the governor", "of the processors".to_owned(), "set"),
        "driverctl" => {
            let which = plain.iter().find(|word| word.contains(':')).map(|word| (*word).clone())?;
            let sets = plain.iter().any(|word| *word == "set-override");
            change("the device", which, if sets { "add" } else { "del" })
        }
        "swapoff" => change("swap", "of the host".to_owned(), "del"),
        "swapon" => change("swap", "of the host".to_owned(), "add"),
        _ => known(&run.words[0]).and(None),
    }
}
