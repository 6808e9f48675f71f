//! What a script may be missing that refuses in a life: a mount, a file, a parameter, another guest; and the options that
//! give it.

use super::report::{EntryKind, LifeReport};
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

/// A remark on a script that refused starts, by what it printed and what it looks at; none where it refused none.
pub(super) fn of(script: &str, lives: &[LifeReport]) -> Option<String> {
    let refused: Vec<&LifeReport> = lives.iter().filter(|life| refuses(life)).collect();
    if refused.is_empty() {
        return None;
    }
    let said: BTreeSet<&str> = refused
        .iter()
        .flat_map(|life| &life.played.timeline)
        .filter(|entry| entry.phase == Some(Phase::PreStart) || entry.kind == EntryKind::Said)
        .map(|entry| entry.text.as_str())
        .collect();
    let mut options: Vec<String> = Vec::new();
    let mut add = |option: String| {
        if options.len() < MOST && !options.contains(&option) {
            options.push(option);
        }
    };
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
    let code = || script.lines().filter(|line| !line.trim_start().starts_with('#'));
    for found in code().flat_map(|line| MOUNT.captures_iter(line)) {
        add(format!("--mount {}", &found[1]));
    }
    for found in code().flat_map(|line| TEST.captures_iter(line)).filter(|found| is_elsewhere(&found[1])) {
        add(file(&found[1]));
    }
    Some(match &options[..] {
        [] => "where it refuses because something is not there that it has at home, give it that: --mount PATH, --file PATH=FILE, \
               --tree DIR, --param NAME=VALUE, --config VMID.conf for the guest's own configuration"
            .to_owned(),
        some => format!(
            "where it refuses because something is not there that it has at home, give it that: {} ('hookvisor hooks test --help')",
            some.join(" ")
        ),
    })
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
    use crate::lives::{CallReport, Entry, Life, Played, Standing, Verdict};

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
        of(script, &[life]).unwrap()
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
    fn nothing_is_said_of_a_script_that_refuses_nothing() {
        assert_eq!(of("mountpoint -q /mnt", &[]), None);
    }
}
