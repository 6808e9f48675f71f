//! HV017: what cannot be done a second time.

use super::{Told, by_line, finding, short};
use crate::finding::Finding;
use crate::flow::event::{Event, Run, What};
use crate::flow::value::{known, shown};
use crate::rule::Rule;
use model::Phase;

pub(super) fn find(told: &Told) -> Vec<Finding> {
    if told.damaged {
        return Vec::new();
    }
    let events: Vec<&Event> = told.in_phase(Phase::PreStart).collect();
    let piles = events.iter().enumerate().filter_map(|(at, event)| {
        let words = adds_rule(event).filter(|_| !event.in_branch())?;
        let taken_away = events[..at].iter().any(|earlier| removes_rule(earlier));
        let mut found = finding(
            Rule::OnlyOnce,
            Some(event.line),
            format!("'{}' adds the rule once more where it is there already", short(&words)),
        );
        found.why = "where a start fails after pre-start the rule is still there, the next pre-start adds another, and \
                     post-stop takes away one of them"
            .to_owned();
        found.mend = "take it away before, or ask for it first: iptables -C … || iptables -A …".to_owned();
        (!taken_away).then_some((Phase::PreStart, found))
    });
    let found = events.iter().enumerate().filter_map(|(at, event)| {
        if !event.fatal || event.background {
            return None;
        }
        let (object, words) = once(event)?;
        // In a branch it may well be that the branch asks whether it was done.
        if event.in_branch() || object.is_empty() || is_fresh(&object) || mentions(&event.asked(), &object) {
            return None;
        }
        let undone = events[..at].iter().any(|earlier| undoes(earlier, &object));
        if undone || super::waiting::lock_of(event).is_some() {
            return None;
        }
        let what =
            format!("{words} fails where '{}' is there already, and pre-start with it", short(&object));
        Some((Phase::PreStart, finding(Rule::OnlyOnce, Some(event.line), what)))
    });
    by_line(found.chain(piles))
}

const FILTERS: [&str; 4] = ["iptables", "ip6tables", "ebtables", "nft"];

/// A rule of the packet filter that is added, as many times as it is asked to be.
fn adds_rule(event: &Event) -> Option<String> {
    let run = event.run().filter(|run| FILTERS.contains(&run.program().as_str()))?;
    let has = |words: &[&str]| {
        words.iter().any(|word| run.words.iter().any(|own| known(own).as_deref() == Some(*word)))
    };
    let adds = match run.program().as_str() {
        "nft" => has(&["add", "insert"]) && has(&["rule"]),
        _ => has(&["-A", "-I", "--append", "--insert"]),
    };
    adds.then(|| run.shown())
}

fn removes_rule(event: &Event) -> bool {
    let ways = ["-D", "--delete", "-F", "--flush", "-C", "--check", "delete", "flush", "destroy"];
    event.run().filter(|run| FILTERS.contains(&run.program().as_str())).is_some_and(|run| {
        // What is done is chosen as the script runs, as in 'iptables "$how" …'.
        run.words.iter().any(|word| known(word).is_none_or(|word| ways.contains(&word.as_str())))
    })
}

/// A name that is another one each time.
fn is_fresh(object: &str) -> bool {
    ["mktemp", "date", "RANDOM", "uuid", "$$", "SECONDS", "time", "tempfile", "HOOKVISOR_RUN_ID"]
        .iter()
        .any(|word| object.contains(word))
        || object.contains("\u{ab}$$")
        // What mktemp(1) fills in.
        || object.contains("XXXX")
}

fn mentions(asked: &str, object: &str) -> bool {
    let name = object.trim_end_matches('/').rsplit('/').next().unwrap_or(object);
    asked.contains(object) || name.len() > 2 && asked.contains(name) || asked.contains("driver")
}

/// What an event makes that can be made once only.
fn once(event: &Event) -> Option<(String, String)> {
    match &event.what {
        What::Run(run) => made_by(run).map(|object| (object, format!("'{}'", short(&run.shown())))),
        What::File { verb: "mkdir", path } => Some((shown(path), "making a folder".to_owned())),
        What::File { verb: "link", path } => Some((shown(path), "making a link".to_owned())),
        What::Write { path, .. } => {
            let path = shown(path);
            let once = path.starts_with("/sys/bus/")
                && ["/unbind", "/new_id", "/remove", "/driver/unbind"].iter().any(|end| path.ends_with(end));
            once.then(|| (path.clone(), format!("writing to '{}'", short(&path))))
        }
        _ => None,
    }
}

fn made_by(run: &Run) -> Option<String> {
    let plain: Vec<String> =
        run.words[1..].iter().map(|word| shown(word)).filter(|word| !word.starts_with('-')).collect();
    let has = |option: &str| {
        run.words[1..].iter().filter_map(|word| known(word)).any(|word| {
            word == option
                || option.len() == 2
                    && word.starts_with('-')
                    && !word.starts_with("--")
                    && word.contains(&option[1..])
        })
    };
    let at = |index: usize| plain.get(index).map(String::as_str).unwrap_or_default();
    let behind =
        |word: &str| plain.iter().position(|own| own == word).and_then(|at| plain.get(at + 1)).cloned();
    match run.program().as_str() {
        "mkdir" if !has("-p") && !has("--parents") => plain.last().cloned(),
        "mkfifo" => plain.last().cloned(),
        "ln" if !has("-f") && !has("--force") => plain.last().cloned(),
        "ip" => match (at(0), at(1)) {
            ("link", "add") => behind("name")
                .or_else(|| plain.get(2).filter(|word| *word != "link").cloned())
                .or_else(|| behind(&plain.get(3).cloned().unwrap_or_default())),
            ("tuntap", "add") => behind("dev").or_else(|| plain.get(2).cloned()),
            ("addr" | "address" | "a", "add") | ("route" | "r", "add") => plain.get(2).cloned(),
            ("netns", "add") => plain.get(2).cloned(),
            _ => None,
        },
        "brctl" if at(0) == "addbr" => plain.get(1).cloned(),
        "ovs-vsctl" if !has("--may-exist") && matches!(at(0), "add-br" | "add-port") => plain.last().cloned(),
        "tc" if at(0) == "qdisc" && at(1) == "add" => behind("dev"),
        "bridge" if at(0) == "fdb" && at(1) == "add" => plain.get(2).cloned(),
        "zfs" if matches!(at(0), "snapshot" | "create" | "clone") && !has("-p") => plain.last().cloned(),
        "lvcreate" => run
            .words
            .iter()
            .position(|word| matches!(known(word).as_deref(), Some("-n" | "--name")))
            .and_then(|at| run.words.get(at + 1))
            .map(|word| shown(word)),
        "iptables" | "ip6tables" if has("-N") => run
            .words
            .iter()
            .position(|word| known(word).as_deref() == Some("-N"))
            .and_then(|at| run.words.get(at + 1))
            .map(|word| shown(word)),
        "nft" if at(0) == "create" => plain.last().cloned(),
        "losetup" if !has("-f") && !has("-d") && !has("-a") && !has("-j") && plain.len() > 1 => {
            plain.first().cloned()
        }
        "cryptsetup" if matches!(at(0), "open" | "luksOpen") => plain.last().cloned(),
        "dmsetup" if at(0) == "create" => plain.get(1).cloned(),
        "zpool" if at(0) == "import" => plain.get(1).cloned(),
        "btrfs" if at(0) == "subvolume" && matches!(at(1), "create" | "snapshot") => plain.last().cloned(),
        "docker" | "podman" if matches!(at(0), "run" | "create") => behind_option(run, "--name"),
        "useradd" | "adduser" | "groupadd" => plain.last().cloned(),
        "mdevctl" if at(0) == "start" => plain.last().cloned(),
        _ => None,
    }
}

/// What stands behind an option, as a word of its own or behind `=`.
fn behind_option(run: &Run, option: &str) -> Option<String> {
    let words: Vec<String> = run.words.iter().map(|word| shown(word)).collect();
    let at = words.iter().position(|word| word == option || word.starts_with(&format!("{option}=")))?;
    words[at].split_once('=').map(|(_, name)| name.to_owned()).or_else(|| words.get(at + 1).cloned())
}

/// Whether an event takes away what another one makes.
fn undoes(event: &Event, object: &str) -> bool {
    let named = |text: &str| {
        text == object
            || text.trim_end_matches('/') == object.trim_end_matches('/')
            || object.starts_with(&format!("{}/", text.trim_end_matches('/')))
    };
    match &event.what {
        What::Run(run) => {
            let undoing = match run.program().as_str() {
                "rm" | "rmdir" | "unlink" | "umount" => true,
                "ip" | "tc" | "bridge" | "brctl" | "ovs-vsctl" | "zfs" | "iptables" | "ip6tables"
                | "losetup" | "cryptsetup" | "dmsetup" | "zpool" | "btrfs" | "docker" | "podman" | "nft"
                | "lvremove" | "userdel" | "groupdel" | "mdevctl" => {
                    run.words.iter().filter_map(|word| known(word)).any(|word| {
                        matches!(
                            word.as_str(),
                            "del"
                                | "delete"
                                | "flush"
                                | "destroy"
                                | "delbr"
                                | "del-br"
                                | "del-port"
                                | "-X"
                                | "-F"
                                | "-D"
                                | "stop"
                                | "replace"
                                | "rm"
                                | "remove"
                                | "close"
                                | "luksClose"
                                | "export"
                                | "-d"
                                | "--detach"
                        )
                    }) || run.program().ends_with("remove")
                        || run.program().ends_with("del")
                }
                _ => false,
            };
            undoing && run.words.iter().any(|word| named(&shown(word)))
        }
        What::File { verb: "remove", path } => named(&shown(path)),
        // Another driver is given the device before, or it is asked for anew.
        What::Write { path, .. } => {
            let path = shown(path);
            object.starts_with("/sys/")
                && (path.ends_with("/bind")
                    || path.ends_with("/rescan")
                    || path.ends_with("/drivers_probe")
                    || path.ends_with("/remove_id"))
        }
        _ => false,
    }
}
