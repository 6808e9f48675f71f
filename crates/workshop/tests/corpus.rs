//! Every mistake is found in the scripts that make it, and none in those that make none.
//!
//! `bad` has scripts whose names begin with the mistake that they make; `good` has such that look alike and make none.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use workshop::{How, Level, Report, Rule, check};

/// What else is true of a script that was written for another mistake.
const ALSO: [(&str, &[&str]); 15] = [
    ("HV005-deaf.sh", &["HV015"]),
    ("HV006-and.sh", &["HV007"]),
    ("HV006-dies.pl", &["HV007"]),
    ("HV006-lookup.py", &["HV007"]),
    ("HV006-raise.py", &["HV010"]),
    ("HV007-after-all.pl", &["HV009"]),
    ("HV007-nounset.sh", &["HV015"]),
    ("HV008-mark.sh", &["HV015"]),
    ("HV009-agent.py", &["HV007"]),
    ("HV009-functions.sh", &["HV006"]),
    ("HV010-limited.sh", &["HV016"]),
    ("HV011-nohup.sh", &["HV010"]),
    ("HV011-tail.sh", &["HV009"]),
    ("HV014-bump.sh", &["HV007"]),
    ("HV016-exec.py", &["HV012"]),
];

/// And some that have three.
const MORE: [(&str, &[&str]); 2] = [("HV016-monitor.sh", &["HV009"]), ("HV017-make.pl", &["HV008", "HV010"])];

fn scripts(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap()
}

/// What was found by reading, whatever else is installed here.
fn ids(report: &Report) -> BTreeSet<&'static str> {
    let read = report
        .findings
        .iter()
        .filter(|finding| finding.found == How::Reading { call: None } && finding.level > Level::Note);
    read.map(|finding| finding.rule.id()).collect()
}

/// A script with these bytes and this mode.
fn judged(name: &str, bytes: &[u8], mode: u32) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    check(&path).unwrap()
}

fn compiled(source: &Path) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let done = Command::new(rustc)
        .args(["--edition", "2024", "--crate-name", "program", "-o"])
        .arg(&program)
        .arg(source)
        .status()
        .unwrap();
    assert!(done.success(), "{}", source.display());
    check(&program).unwrap()
}

#[test]
fn nothing_is_found_in_good_scripts() {
    let mut languages: BTreeMap<String, usize> = BTreeMap::new();
    for path in scripts("good") {
        let report = if name(&path).ends_with(".rs.txt") { compiled(&path) } else { check(&path).unwrap() };
        let own = report.findings.iter().filter(|finding| finding.found == How::Reading { call: None });
        let own: Vec<String> =
            own.map(|finding| format!("{:?} {} {}", finding.line, finding.rule, finding.what)).collect();
        assert!(own.is_empty(), "{}: {own:#?}", name(&path));
        *languages.entry(report.language).or_default() += 1;
    }
    assert!(languages.values().sum::<usize>() >= 30 && languages.len() == 4, "{languages:?}");
}

#[test]
fn every_mistake_is_found_in_two_scripts_and_no_other_in_them() {
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    let paths = scripts("bad");
    for path in &paths {
        let name = name(path);
        let report = check(path).unwrap();
        let also = ALSO
            .iter()
            .chain(&MORE)
            .filter(|(script, _)| *script == name)
            .flat_map(|(_, ids)| ids.iter().copied());
        let want: BTreeSet<&str> = also.chain([&name[..5]]).collect();
        if ids(&report) != want {
            wrong.push(format!("{name}: {:?}, not {want:?}: {:#?}", ids(&report), report.findings));
        }
        want.iter().for_each(|id| *found.entry(id).or_default() += 1);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // What a repository cannot keep is made below.
    let made = ["HV002", "HV003", "HV004", "HV013", "HV020"];
    for rule in Rule::ALL.iter().filter(|rule| !made.contains(&rule.id())) {
        assert!(found.get(rule.id()).is_some_and(|count| *count >= 2), "{rule}: {found:?}");
    }
}

#[test]
fn the_file_itself_is_judged() {
    let good: &[u8] = b"#!/bin/sh\nexit 0\n";
    let elf = fs::read("/proc/self/exe").unwrap();
    let crlf = b"#!/bin/bash\r\ncase $2 in\r\npre-start) echo x;;\r\nesac\r\n";
    for (name, bytes, mode, want) in [
        ("good.sh", good, 0o755, ""),
        ("for-root.sh", good, 0o700, ""),
        ("plain.sh", good, 0o644, "HV002"),
        ("program", &elf[..], 0o600, "HV002"),
        ("windows.sh", &crlf[..], 0o755, "HV003"),
        ("windows.py", b"#!/usr/bin/python3\r\nprint(1)\r\n", 0o755, "HV003"),
        ("no-first-line.sh", b"case $2 in\r\npre-start) echo x;;\r\nesac\r\n", 0o755, "HV003"),
        ("body-only.py", b"#!/usr/bin/env python3\nprint(1)\r\nprint(2)\r\n", 0o755, ""),
        ("fish", b"#!/usr/local/bin/no-such-shell\necho\n", 0o755, "HV004"),
        ("node", b"#!/usr/bin/env no-such-language\n", 0o755, "HV004"),
        ("two-words", b"#!/usr/bin/env bash -e\n", 0o755, "HV004"),
        ("split", b"#!/usr/bin/env -S bash -e\n", 0o755, ""),
        ("hook.py", b"import sys\n", 0o755, "HV004"),
        ("mark.sh", b"\xef\xbb\xbf#!/bin/sh\nexit 0\n", 0o755, "HV004"),
        ("relative", b"#!bash\n", 0o755, "HV004"),
        ("without.sh", b"echo $1 $2\n", 0o755, ""),
        ("others.sh", good, 0o757, "HV013"),
        ("all.sh", good, 0o777, "HV013"),
    ] {
        let report = judged(name, bytes, mode);
        let found: Vec<&str> = ids(&report).into_iter().collect();
        assert_eq!(found.join(" "), want, "{name}: {:#?}", report.findings);
    }
}

#[test]
fn a_group_of_others_is_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("script.sh");
    fs::write(&path, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o775)).unwrap();
    assert_eq!(ids(&check(&path).unwrap()), BTreeSet::new());
    // Only root may give a file to another group.
    if std::os::unix::fs::chown(&path, None, Some(4242)).is_ok() {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o775)).unwrap();
        assert_eq!(ids(&check(&path).unwrap()), BTreeSet::from(["HV013"]));
    }
}

#[test]
fn a_failure_in_an_unknown_phase_is_only_a_note() {
    let text = "#!/bin/sh\ncase $2 in pre-*|post-*) ;; *) exit 1 ;; esac\n";
    let report = judged("note.sh", text.as_bytes(), 0o755);
    assert_eq!((report.findings.len(), report.findings[0].level), (1, Level::Note));
    assert!(!report.has_mistakes());
}

#[test]
fn what_only_hookvisor_sets_is_a_note() {
    for (name, text, line) in [
        (
            "a.py",
            "#!/usr/bin/python3\nimport json, os\njson.load(open(os.environ[\"HOOKVISOR_CONTEXT\"]))\n",
            Some(3),
        ),
        ("b.pl", "#!/usr/bin/perl\nopen(my $file, '<', $ENV{HOOKVISOR_CONTEXT}) or die;\n", Some(2)),
        ("c.sh", "#!/bin/bash\nset -eu\njq -r .name \"$HOOKVISOR_CONTEXT\"\n", Some(3)),
        (
            "asked.py",
            "#!/usr/bin/python3\nimport os\nif 'HOOKVISOR_CONTEXT' in os.environ:\n    open(os.environ['HOOKVISOR_CONTEXT'])\n",
            None,
        ),
        (
            "got.py",
            "#!/usr/bin/python3\nimport os\nprint(os.environ.get('HOOKVISOR_CONTEXT'))\nos.environ['HOOKVISOR_ROOT'] = '/'\n",
            None,
        ),
        ("default.sh", "#!/bin/bash\nset -eu\necho \"${HOOKVISOR_STOP_CAUSE:-}\"\n", None),
        ("lax.sh", "#!/bin/bash\necho \"$HOOKVISOR_STOP_CAUSE\"\n", None),
    ] {
        let report = judged(name, text.as_bytes(), 0o755);
        let notes: Vec<_> =
            report.findings.iter().filter(|found| found.rule == Rule::UnsetVariable).collect();
        assert_eq!(notes.first().and_then(|note| note.line), line, "{name}: {notes:#?}");
        assert!(!report.has_mistakes(), "{name}: {:#?}", report.findings);
    }
}

#[test]
fn a_branch_is_named_by_its_own_line() {
    for (name, text) in [
        ("case.sh", "#!/bin/sh\ncase $2 in\npre-start) echo a ;;\n\npost-sotp) echo b ;;\nesac\n"),
        (
            "match.py",
            "#!/usr/bin/python3\nimport sys\nmatch sys.argv[2]:\n    case 'pre-start': print(1)\n    case 'post-sotp': print(2)\n",
        ),
    ] {
        let found = judged(name, text.as_bytes(), 0o755).findings;
        let lines: Vec<_> = found.iter().filter(|one| one.rule.id() == "HV005").map(|one| one.line).collect();
        assert_eq!(lines, [Some(5)], "{name}: {found:#?}");
    }
}

#[test]
fn what_cannot_be_judged_is_a_line_to_be_read() {
    let text = "#!/bin/bash\nname=$(grep -o 'tool: .*' \"/etc/pve/$(hostname)/x.conf\" | \\\n    head -n 1)\n\"$name\" up \"$1\"\nno_such_tool_here\n";
    let report = judged("made.sh", text.as_bytes(), 0o755);
    let said: Vec<&str> = report.unjudged.iter().map(|open| open.what.as_str()).collect();
    assert!(said.iter().any(|what| what.contains("its name is made as the script runs")), "{said:?}");
    assert!(said.contains(&"what 'no_such_tool_here' does: no such command is here"), "{said:?}");
    for what in said {
        assert!(!what.contains(['\u{ab}', '\u{bb}', '\n']) && what.chars().count() < 120, "{what}");
    }
}

#[test]
fn names_that_nothing_has_are_found_or_said() {
    for (name, text, line, found, open) in [
        (
            "near.py",
            "import sys\ndef prepare(vmid):\n    print(vmid)\nprepair(sys.argv[1])\n",
            5,
            "'prepare' may be meant",
            "",
        ),
        (
            "near.pl",
            "use strict;\nsub prepare { print \"x\" }\nprepair($ARGV[0]);\n",
            4,
            "'prepare' may be meant",
            "",
        ),
        ("none.py", "import sys\ncleanup(sys.argv[1])\n", 3, "", "what 'cleanup' does"),
        ("none.pl", "use strict;\ncleanup($ARGV[0]);\n", 3, "", "what 'cleanup' does"),
        (
            "module.py",
            "import subproces\n",
            2,
            "there is no module 'subproces'; 'subprocess' may be meant",
            "",
        ),
        ("with.py", "import sys\nwith open('/x') as prepair:\n    prepair()\n", 0, "", ""),
        ("star.py", "from os import *\ncleanup()\n", 0, "", ""),
        (
            "asked.pl",
            "use POSIX qw(\n  strftime\n  mkfifo );\nsub strftim { 1 }\nmkfifo('/x', 1); strftime('%s', 1);\n",
            0,
            "",
            "",
        ),
        ("given.pl", "use File::Basename;\nprint basename($0);\n", 0, "", ""),
    ] {
        let first = if name.ends_with("py") { "#!/usr/bin/python3\n" } else { "#!/usr/bin/perl\n" };
        let report = judged(name, format!("{first}{text}").as_bytes(), 0o755);
        let findings: Vec<_> = report.findings.iter().filter(|one| one.rule.id() == "HV022").collect();
        assert_eq!(findings.len(), usize::from(!found.is_empty()), "{name}: {report:#?}");
        for one in findings {
            assert!(one.line == Some(line) && one.what.contains(found), "{name}: {one:#?}");
            assert!(!one.mend.contains("command -v"), "{name}: {one:#?}");
        }
        let said: Vec<_> = report.unjudged.iter().filter(|one| one.what.contains("is called so")).collect();
        assert_eq!(said.len(), usize::from(!open.is_empty()), "{name}: {report:#?}");
        assert!(
            said.iter().all(|one| one.line == Some(line) && one.what.contains(open)),
            "{name}: {said:#?}"
        );
    }
}

#[test]
fn secrets_in_settings_and_addresses_are_found() {
    for (name, text, lines) in [
        (
            "own.sh",
            "#!/bin/sh\n# hookvisor: params=bond=bond0,token=f00dcafe11,password=Sommer2024\nexit 0\n",
            &[2][..],
        ),
        ("place.sh", "#!/bin/sh\n# hookvisor: params=token_file=/root/x,password=/root/y\nexit 0\n", &[]),
        ("url.sh", "#!/bin/sh\ncurl -s https://admin:Sommer2024@nas/x\nexit 0\n", &[2]),
        ("url.py", "#!/usr/bin/python3\nurl = 'https://admin:Sommer2024@nas/'\n", &[2]),
        ("var.sh", "#!/bin/sh\ncurl -s \"https://admin:$PW@nas/x\" ssh://root@nas:22/x\nexit 0\n", &[]),
        ("var.py", "#!/usr/bin/python3\nimport os\nurl = f'https://admin:{os.environ[\"PW\"]}@nas/'\n", &[]),
        ("like.sh", "#!/bin/sh\n# https://user:password@host\nexit 0\n", &[]),
    ] {
        let found = judged(name, text.as_bytes(), 0o755).findings;
        let at: Vec<usize> =
            found.iter().filter(|one| one.rule.id() == "HV012").filter_map(|one| one.line).collect();
        assert_eq!(at, lines, "{name}: {found:#?}");
    }
}

#[test]
fn what_cannot_be_judged_is_said() {
    for (name, text, line) in [
        ("sourced.sh", "#!/bin/sh\n. /etc/x\n", Some(2)),
        ("eval.sh", "#!/bin/sh\neval \"$(cat /etc/x)\"\n", Some(2)),
        ("tool.sh", "#!/bin/sh\n\"$(command -v x)\" up\n", Some(2)),
        ("exec.py", "#!/usr/bin/python3\nexec(open('/x').read())\n", Some(2)),
        ("eval.pl", "#!/usr/bin/perl\neval $ENV{CODE};\n", Some(2)),
        ("hook.lua", "#!/bin/true lua\nprint(1)\n", None),
    ] {
        let report = judged(name, text.as_bytes(), 0o755);
        assert!(!report.unjudged.is_empty(), "{name}");
        if line.is_some() {
            assert_eq!(report.unjudged[0].line, line, "{name}");
        }
    }
}

#[test]
fn what_the_interpreter_cannot_read_is_told_once_and_in_its_words() {
    let open = "#!/bin/bash\nif true; then\n    echo \"x\nfi\n";
    for (name, text, line, words) in [
        (
            "torn.sh",
            "#!/bin/sh\nif [ $2 = pre-start ]; then\n",
            2,
            "sh cannot read it: Syntax error: end of file",
        ),
        ("array.sh", "#!/bin/sh\nx=(1 2)\n", 2, "sh cannot read it: Syntax error: \"(\" unexpected"),
        ("quote.sh", open, 3, "bash cannot read it: unexpected EOF while looking for matching"),
        (
            "here.sh",
            "#!/bin/sh\ncat <<EOF\nx\n EOF\n",
            2,
            "sh cannot read it: here-document delimited by end-of-file",
        ),
        (
            "tab.py",
            "#!/usr/bin/env python3\nif 1:\n\tx = 1\n        y = 2\n",
            4,
            "python3 cannot read it: TabError: ",
        ),
        (
            "nul.py",
            "#!/usr/bin/python3\nx = 'a\nb'\n",
            2,
            "python3 cannot read it: SyntaxError: unterminated string",
        ),
        ("return.py", "#!/usr/bin/python3\nreturn 1\n", 2, "SyntaxError: 'return' outside function"),
    ] {
        let report = judged(name, text.as_bytes(), 0o755);
        let unread: Vec<_> = report.findings.iter().filter(|finding| finding.level == Level::Error).collect();
        assert_eq!(unread.len(), 1, "{name}: {:#?}", report.findings);
        assert_eq!((unread[0].rule, unread[0].line), (Rule::Unreadable, Some(line)), "{name}: {unread:#?}");
        assert!(unread[0].what.contains(words), "{name}: {unread:#?}");
        assert_eq!(report.unjudged, [], "{name}");
    }
    for (name, text) in [
        (
            "globs.sh",
            "#!/bin/bash\nshopt -s extglob\ncase $2 in !(pre-start)) exit 0 ;; esac\nrm -f /run/!(a)\n",
        ),
        ("bytes.py", "#!/usr/bin/python3\n# -*- coding: latin-1 -*-\nx = '\u{e9}'\n"),
        ("taint.pl", "#!/usr/bin/perl -wT\nuse strict;\nprint \"$ARGV[1]\\n\";\n"),
        ("elsewhere.pl", "#!/usr/bin/perl\nuse PVE::NoSuchModule;\nPVE::NoSuchModule::call();\n"),
    ] {
        let report = judged(name, text.as_bytes(), 0o755);
        assert!(
            !report.findings.iter().any(|finding| finding.rule == Rule::Unreadable),
            "{:#?}",
            report.findings
        );
    }
}

#[test]
fn any_bytes_are_answered() {
    for bytes in [
        &b""[..],
        b"#!",
        b"#!\n",
        b"\xff\xfe",
        b"#!/bin/sh\n\xff\xff$((",
        b"#!/usr/bin/perl\n{{{{[[[",
        b"#!/usr/bin/python3\n\tdef",
    ] {
        judged("script", bytes, 0o755);
    }
    let deep = format!("#!/bin/sh\n{}", "if true; then ".repeat(400));
    judged("deep.sh", deep.as_bytes(), 0o755);
    for open in ["$(", "(", "{ ", "if [ -e / ]; then ", "a && ", "${a:-", "[[ ! "] {
        judged("deeper.sh", format!("#!/bin/bash\n{}", open.repeat(2_000)).as_bytes(), 0o755);
        judged(
            "closed.sh",
            format!("#!/bin/bash\n{}x{}", open.repeat(300), ")".repeat(300)).as_bytes(),
            0o755,
        );
    }
    judged(
        "deep.py",
        format!("#!/usr/bin/env python3\nx = {}1{}\n", "(".repeat(900), ")".repeat(900)).as_bytes(),
        0o755,
    );
    judged(
        "deep.pl",
        format!("#!/usr/bin/perl\n$x = {}1{};\n", "(".repeat(900), ")".repeat(900)).as_bytes(),
        0o755,
    );
    let wide: String = (0..400).map(|n| format!("if [ -e /{n} ]; then x{n}=1; fi\n")).collect();
    judged("wide.sh", format!("#!/bin/sh\n{wide}").as_bytes(), 0o755);
    let calls = "#!/bin/bash\nf() { f; f; }\nf\nwhile true; do f; done\n";
    judged("endless.sh", calls.as_bytes(), 0o755);
}
