//! What a script may be missing that refuses in a life: a mount, a file, a parameter, another guest; and the options that
//! give it.

use super::report::{Entry, EntryKind, LifeReport};
use model::Phase;
use regex_lite::Regex;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// How many things are named.
const MOST: usize = 6;

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is right")
}

/// A file that was not there, as the programs of most languages say it.
static FILE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)(?:['"‘]?(/[^\s:'"’]+)['"’]?:? (?:No such file|does not exist)|No such file or directory: ['"](/[^'"]+))"#,
    )
});

/// What says that something is not there, or not as it should be.
static MISSING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:not|no|nothing|never|missing|lacks?|absent|cannot|can't|isn't|fail(?:ed|s|ure)?|unavailable)\b",
    )
});

/// A path in a sentence.
static PATH: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?:^|[\s'"(=‘])(/[^\s:;,'"’()]+)"#));

/// A sentence about a mount.
static MOUNTED: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\b(?:mount(?:ed|s|ing|point)?|mount point)\b"));

/// Another guest in a sentence.
static OTHER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\b(guest|virtual machine|vm|vmid|container|ct)\s+'?([1-9][0-9]{2,8})\b"));

/// What says that a guest is not here.
static ABROAD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)\bon this node\b|\b(?:does not exist|no such|not found|unknown|is not there)\b")
});

/// No network, as the programs of most languages say it.
static NETWORK: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)connection refused|could ?n[o']t (?:resolve|connect)|failed to connect|network is unreachable|no route to host|name resolution|name or service not known",
    )
});

/// A parameter that has no value.
static PARAM: LazyLock<Regex> = LazyLock::new(|| pattern(r"HOOKVISOR_PARAM_([A-Z0-9_]+)"));

/// Another guest that there is none of.
static GUEST: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"nodes/[^/]+/(qemu-server|lxc)/([0-9]+\.conf)' does not exist"));

/// Where a script asks whether something is mounted.
static MOUNT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r#"(?:mountpoint(?:\s+-\w+)*|findmnt(?:\s+-\S+)*|ismount\()\s*["']?(/[\w./-]+)"#)
});

/// Where a script asks whether a file is there, or looks into one.
static TEST: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?:(?:\[|\btest)\s+(?:!\s+)?-[defrsx]\s+|\b(?:grep|cat)\s(?:[^|;&/]|"[^"]*"|'[^']*')*?)["']?(/[\w./-]+)"#,
    )
});

/// The folders of what every world has.
const THERE: [&str; 5] = ["/usr/", "/proc/", "/sys/", "/dev/", "/bin/"];

/// The folders of what a script makes by itself, and of the script.
const OWN: [&str; 3] = ["/run/", "/tmp/", "/var/lib/vz/snippets/"];

/// A remark on a script that refused starts, by what it printed, else by what it looks at; none where it refused none. `network`
/// is whether it has one.
pub(super) fn of(script: &str, network: bool, lives: &[LifeReport]) -> Option<String> {
    let refused: Vec<&LifeReport> = lives.iter().filter(|life| refuses(life)).collect();
    if refused.is_empty() {
        return None;
    }
    let entries = || refused.iter().flat_map(|life| &life.played.timeline);
    let is_of_start = |entry: &&Entry| entry.phase == Some(Phase::PreStart);
    let said: BTreeSet<&str> = entries()
        .filter(|entry| is_of_start(entry) || entry.kind == EntryKind::Said)
        .map(|entry| entry.text.as_str())
        .collect();
    let printed: BTreeSet<(Option<u32>, &str)> = entries()
        .filter(|entry| is_of_start(entry) && matches!(entry.kind, EntryKind::Out | EntryKind::Err))
        .map(|entry| (entry.vmid, entry.text.as_str()))
        .collect();
    let mut options: Vec<String> = Vec::new();
    let mut add = |option: String| once(&mut options, option);
    for line in said {
        for found in GUEST.captures_iter(line) {
            add(format!("--file /etc/pve/{}/{}=FILE", &found[1], &found[2]));
        }
        let files = FILE.captures_iter(line).filter_map(|found| found.get(1).or(found.get(2)));
        files.filter(|path| is_elsewhere(path.as_str())).for_each(|path| add(file(path.as_str())));
        for found in PARAM.captures_iter(line) {
            add(format!("--param {}=VALUE", found[1].to_lowercase()));
        }
    }
    let is_vague = |line: &str| !FILE.is_match(line) && !GUEST.is_match(line);
    for (vmid, line) in printed.iter().filter(|(_, line)| is_vague(line)) {
        named(*vmid, line).iter().map(Missing::option).for_each(&mut add);
    }
    if !network && printed.iter().any(|(_, line)| is_of_network(line)) {
        add("--network".to_owned());
    }
    if !options.is_empty() {
        return Some(given(&options));
    }
    let mut add = |option: String| once(&mut options, option);
    let code = || script.lines().filter(|line| !line.trim_start().starts_with('#'));
    for found in code().flat_map(|line| MOUNT.captures_iter(line)) {
        add(format!("--mount {}", &found[1]));
    }
    for found in code().flat_map(|line| TEST.captures_iter(line)).filter(|found| is_elsewhere(&found[1])) {
        add(file(&found[1]));
    }
    Some(given(&options))
}

fn once(options: &mut Vec<String>, option: String) {
    if options.len() < MOST && !options.contains(&option) {
        options.push(option);
    }
}

/// Whether a line says that there is no network.
pub(super) fn is_of_network(line: &str) -> bool {
    NETWORK.is_match(line)
}

/// Something that is not there in a life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Missing {
    /// A mount at this path.
    Mount(String),
    /// A file at this path.
    File(String),
}

impl Missing {
    /// The option that gives it.
    fn option(&self) -> String {
        match self {
            Self::Mount(path) => format!("--mount {path}"),
            Self::File(path) => file(path),
        }
    }
}

/// What a line names that says that something is not there; `own` is the guest that it is about.
pub(super) fn named(own: Option<u32>, line: &str) -> Vec<Missing> {
    if !MISSING.is_match(line) {
        return Vec::new();
    }
    let others =
        OTHER.captures_iter(line).filter(|found| found[2].parse().ok() != own && ABROAD.is_match(line));
    let folder = |word: &str| if word.starts_with(['c', 'C']) { "lxc" } else { "qemu-server" };
    let mut missing: Vec<Missing> = others
        .map(|found| Missing::File(format!("/etc/pve/{}/{}.conf", folder(&found[1]), &found[2])))
        .collect();
    let paths = PATH.captures_iter(line).filter_map(|found| found.get(1));
    let mut paths = paths.map(|path| path.as_str().trim_end_matches(['.', '!']));
    let is_own = |path: &str| OWN.iter().any(|own| path.starts_with(own));
    if let Some(path) = paths.find(|path| path.len() > 1 && is_elsewhere(path) && !is_own(path)) {
        let path = path.to_owned();
        missing.push(if MOUNTED.is_match(line) { Missing::Mount(path) } else { Missing::File(path) });
    }
    missing
}

/// A remark that names the options.
fn given(options: &[String]) -> String {
    match options {
        [] => "where it refuses because something is not there that it has at home, give it that: --mount PATH, --file PATH=FILE, \
               --tree DIR, --param NAME=VALUE, --config VMID.conf for the guest's own configuration"
            .to_owned(),
        some => format!(
            "where it refuses because something is not there that it has at home, give it that: {} ('hookvisor hooks test --help')",
            some.join(" ")
        ),
    }
}

fn file(path: &str) -> String {
    match path.ends_with('/') {
        true => format!("--file {path}"),
        false => format!("--file {path}=FILE"),
    }
}

/// Whether a path is of the script's own home, and nothing that all worlds have.
fn is_elsewhere(path: &str) -> bool {
    !THERE.iter().any(|there| path.starts_with(there)) && !path.starts_with("/etc/pve/nodes/")
}

/// Whether a start was refused that was not meant to be.
fn refuses(life: &LifeReport) -> bool {
    let of_start = |phase: Option<Phase>| phase == Some(Phase::PreStart);
    let ended = |call: &super::CallReport| {
        of_start(Some(call.phase))
            && call.outcome.as_deref().is_some_and(|outcome| outcome.starts_with("exit code"))
    };
    !life.passed
        && life.verdicts.iter().any(|verdict| of_start(verdict.phase))
        && life.played.calls.iter().any(ended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lives::{CallReport, Life, Played, Standing, Verdict};

    fn refused(lines: &[&str], script: &str) -> String {
        let phase = Some(Phase::PreStart);
        let entry = |text: &&str| Entry {
            ms: 1,
            vmid: Some(100),
            kind: EntryKind::Err,
            phase,
            text: (*text).into(),
            failed: false,
        };
        let call = CallReport {
            vmid: 100,
            phase: Phase::PreStart,
            outcome: Some("exit code 1".into()),
            millis: Some(1),
            cut: 0,
            held: false,
        };
        let life = LifeReport {
            life: Life::Normal,
            passed: false,
            verdicts: vec![Verdict { standing: Standing::Failed, phase, what: "refused".into() }],
            played: Played {
                timeline: lines.iter().map(entry).collect(),
                calls: vec![call],
                ..Played::default()
            },
        };
        of(script, false, &[life]).unwrap()
    }

    #[test]
    fn what_was_missing_is_named_with_the_option_that_gives_it() {
        for (lines, script, want) in [
            (&["cat: /etc/mine.conf: No such file or directory"][..], "", "--file /etc/mine.conf=FILE"),
            (
                &["FileNotFoundError: [Errno 2] No such file or directory: '/srv/a b'"],
                "",
                "--file /srv/a b=FILE",
            ),
            (&["x.sh: 3: HOOKVISOR_PARAM_KEEP: parameter not set"], "", "--param keep=VALUE"),
            (&["KeyError: 'HOOKVISOR_PARAM_POOL_ID'"], "", "--param pool_id=VALUE"),
            (
                &["Configuration file 'nodes/pve1/qemu-server/101.conf' does not exist"],
                "",
                "--file /etc/pve/qemu-server/101.conf=FILE",
            ),
            (&["no backup"], "mountpoint -q /mnt/backup || exit 1", "--mount /mnt/backup"),
            (&[], "if not os.path.ismount(\"/mnt/nas\"):", "--mount /mnt/nas"),
            (&[], "grep -q \"^$1 \" /etc/backup.list", "--file /etc/backup.list=FILE"),
            (&[], "[ -d /tank/vm ] && [ -x /usr/bin/jq ]", "--file /tank/vm=FILE"),
            (&["no"], "exit 1", "--mount PATH"),
        ] {
            let told = refused(lines, script);
            assert!(told.contains(want), "{lines:?} {script}: {told}");
            assert!(!told.contains("jq"), "{told}");
        }
    }

    #[test]
    fn what_the_text_names_is_before_what_the_script_looks_at() {
        let script = "grep -q x /etc/pve/storage.cfg; mountpoint -q /mnt/other";
        for (line, want) in [
            (
                "guest 100 is not started: the mount /mnt/nas:marker is not there after 3 s",
                "--mount /mnt/nas",
            ),
            ("/mnt/nas is not mounted", "--mount /mnt/nas"),
            ("there is no '/etc/fleet.list'.", "--file /etc/fleet.list=FILE"),
            (
                "guest 100 is not started: no virtual machine 101 is on this node",
                "--file /etc/pve/qemu-server/101.conf=FILE",
            ),
            ("container 201 is not on this node", "--file /etc/pve/lxc/201.conf=FILE"),
            ("curl: (6) Could not resolve host: example.net", "--network"),
            (
                "curl: (7) Failed to connect to 192.0.2.1 port 80 after 2 ms: Couldn't connect to server",
                "--network",
            ),
            ("the port nas:2049 is not there after 3 s: Connection refused", "--network"),
        ] {
            let told = refused(&[line], script);
            assert!(told.contains(&format!("give it that: {want} (")), "{line}: {told}");
        }
    }

    #[test]
    fn nothing_is_said_of_a_script_that_refuses_nothing() {
        assert_eq!(of("mountpoint -q /mnt", false, &[]), None);
    }
}
