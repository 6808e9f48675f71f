//! `hookvisor hooks check --run`: mistakes that show when a script is run.

use crate::played::Script;
use e2e::host;
use e2e::output::run;
use e2e::suite::{BWRAP, SHELLCHECK, Test};
use e2e::tests;
use serde_json::Value;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        bare [BWRAP]: each_mistake_shows, a_good_script_has_none, names_that_change_with_each_call_are_no_mistake, what_reading_found_is_told_once,
            what_its_interpreter_cannot_read_is_an_error, reading_runs_nothing,
            it_says_what_a_call_died_of, what_cannot_be_begun_is_not_run;
        bare [SHELLCHECK]: what_shellcheck_says_stands_beside_the_rest;
        bare []: one_that_cannot_be_read_keeps_nobody_from_the_others
    )
}

/// The findings of a script, with the phases of those that came of running.
fn found(script: &Script, words: &[&str]) -> Vec<(String, String, String)> {
    let mut command = Command::new(host::binary());
    command.args(["hooks", "check"]).arg(&script.path).args(words).args(["--output-format", "json"]);
    let output = run(&mut command);
    let reports: Value =
        serde_json::from_str(&output.out()).unwrap_or_else(|_| panic!("{}", output.describe()));
    let findings = reports[0]["findings"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    findings
        .iter()
        .map(|finding| {
            (text(&finding["rule"]), text(&finding["found"]["by"]), text(&finding["found"]["phase"]))
        })
        .collect()
}

/// Perl that hides what it does from whoever reads it.
fn hidden(text: &str) -> Script {
    Script::new(
        "hook.pl",
        format!(
            "#!/usr/bin/perl\nmy ($vmid, $phase) = @ARGV;\neval join('', map {{ chr }} qw({}));\nexit($code // 0);\n",
            text.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(" ")
        ),
    )
}

fn each_mistake_shows() {
    let mistakes = [
        ("HV006", "post-start", "our $code = 3 if $phase eq 'post-start';"),
        ("HV007", "pre-start", "our $code = 4 if $phase eq 'pre-start';"),
        (
            "HV008",
            "pre-stop",
            "system('touch /run/taken') if $phase eq 'pre-start'; unlink '/run/taken' if $phase eq 'pre-stop';",
        ),
        ("HV009", "pre-stop", "sleep 600 if $phase eq 'pre-stop';"),
        (
            "HV010",
            "post-start",
            "system('qm', 'set', $vmid, '--description', 'x') if $phase eq 'post-start';",
        ),
        ("HV011", "post-start", "if ($phase eq 'post-start' && !fork) { sleep 2; exit 0 }"),
        (
            "HV017",
            "pre-start",
            "if ($phase eq 'pre-start') { our $code = mkdir('/run/taken') ? 0 : 5 } if ($phase eq 'post-stop') { rmdir '/run/taken' }",
        ),
    ];
    for (rule, phase, text) in mistakes {
        let script = hidden(text);
        let all = found(&script, &["--run"]);
        let wanted = (rule.to_owned(), "running".to_owned(), phase.to_owned());
        assert!(all.contains(&wanted), "{rule} of {text}: {all:?}");
    }
}

fn a_good_script_has_none() {
    let script = Script::shell(
        "case $2 in pre-start) mkdir -p /run/mine ;; post-stop) rmdir /run/mine ;; esac\nexit 0",
    );
    assert_eq!(found(&script, &["--run"]), []);
}

/// Files of another name in each call are none that only `pre-stop` gives back; one that it does give back is told of.
fn names_that_change_with_each_call_are_no_mistake() {
    let script = Script::shell(
        "echo \"$2\" >\"/var/log/hook-$(date +%Y%m%d-%H%M%S.%N).log\"; echo \"$2\" >/tmp/hook.$$\n\
         log=$(mktemp); echo \"$2\" >\"$log\"; mktemp /var/tmp/hook-XXXXXX >/dev/null",
    );
    assert_eq!(found(&script, &["--run"]), []);
    let script = hidden(
        "system('mktemp /run/taken.XXXXXX') if $phase eq 'pre-start'; system('rm -f /run/taken.*') if $phase eq 'pre-stop';",
    );
    let all = found(&script, &["--run"]);
    assert_eq!(all, [("HV008".to_owned(), "running".to_owned(), "pre-stop".to_owned())]);
}

fn what_reading_found_is_told_once() {
    let script = Script::shell("[ \"$2\" != pre-start ] || exit 1\nexit 0");
    let read = found(&script, &[]);
    assert!(read.iter().any(|(rule, by, _)| rule == "HV007" && by == "reading"), "{read:?}");
    assert_eq!(found(&script, &["--run"]).iter().filter(|(rule, ..)| rule == "HV007").count(), 1);
    let mut command = Command::new(host::binary());
    let output = run(command.args(["hooks", "check", "--run"]).arg(&script.path));
    output.prints("    seen: in the call /var/lib/vz/snippets/hook.sh 100 pre-start\n");
}

fn what_its_interpreter_cannot_read_is_an_error() {
    for (name, text, said) in [
        (
            "hook.sh",
            "#!/bin/bash\ncase $2 in\npre-start) echo x ;;\n",
            ":3: error: bash cannot read it: syntax error",
        ),
        (
            "hook.py",
            "#!/usr/bin/python3\nimport sys\nif sys.argv[2] == 'x'\n    pass\n",
            ":3: error: python3 cannot read it: SyntaxError",
        ),
        (
            "hook.pl",
            "#!/usr/bin/perl\nuse strict;\nmy ($vmid) = @ARGV;\n$vmdi = 1;\n",
            ":4: error: perl cannot read it: Global symbol \"$vmdi\"",
        ),
    ] {
        let script = Script::new(name, text);
        let mut command = Command::new(host::binary());
        let output = run(command.args(["hooks", "check"]).arg(&script.path));
        assert_eq!(output.status.code(), Some(1), "{}", output.describe());
        output.prints(&format!("{name}{said}")).prints("(HV021)").prints("1 script: 1 error, 0 warnings");
    }
}

/// Nor does what is run while a script is compiled reach anything of the host.
fn reading_runs_nothing() {
    for (name, text) in [
        ("hook.sh", "#!/bin/bash\ntouch MARK\necho \"$(touch MARK)\"\nif\n"),
        ("hook.py", "#!/usr/bin/python3\nopen('MARK', 'w')\nx = (\n"),
        (
            "hook.pl",
            "#!/usr/bin/perl\nBEGIN { open(my $file, '>', 'MARK') }\nBEGIN { system('touch MARK') }\nif (\n",
        ),
    ] {
        let script = Script::new(name, text);
        let mark = script.folder.path().join("mark");
        let text = text.replace("MARK", &mark.to_string_lossy());
        std::fs::write(&script.path, text).expect("a script can be written");
        let output = run(Command::new(host::binary()).args(["hooks", "check"]).arg(&script.path));
        let output = output.prints("(HV021)");
        assert!(!mark.exists(), "{name}: {}", output.describe());
    }
}

/// And what to do about that, rather than how to end a script.
fn it_says_what_a_call_died_of() {
    let deaths = [
        (
            "hook.sh",
            "#!/bin/sh\nset -e\n[ \"$2\" != pre-start ] || nvidia-smii -pm 1\n",
            "hook.sh:3: ",
            "there is no command 'nvidia-smii'",
            "install it",
        ),
        (
            "hook.py",
            "#!/usr/bin/python3\nimport sys\nif sys.argv[2] == 'post-start':\n    {}['net0']\n",
            "hook.py:4: ",
            "there is no 'net0'",
            ".get()",
        ),
        (
            "hook.pl",
            "#!/usr/bin/perl\nuse PVE::NoSuchModule;\n",
            "hook.pl:2: ",
            "there is no module 'PVE::NoSuchModule'",
            "install it",
        ),
        (
            "hook.sh",
            "#!/bin/bash\n[ \"$2\" != pre-start ] || mountpoint -q /mnt/nas || { echo '<3>/mnt/nas is not mounted' >&2; exit 1; }\n",
            "hook.sh: ",
            "for want of a mount, having printed '/mnt/nas is not mounted'",
            "--mount /mnt/nas",
        ),
        (
            "hook.sh",
            "#!/bin/bash\n[ \"$2\" != pre-start ] || [ -e /etc/x.list ] || { echo 'no /etc/x.list here'; exit 1; }\n",
            "hook.sh: ",
            "for want of '/etc/x.list'",
            "--file /etc/x.list=COPY",
        ),
        (
            "hook.sh",
            "#!/bin/bash\n[ \"$2\" != pre-start ] || echo \"${HOOKVISOR_PARAM_KEEP:?}\"\n",
            "hook.sh:2: ",
            "for want of the parameter keep",
            "--param keep=VALUE",
        ),
        (
            "hook.py",
            "#!/usr/bin/python3\nimport socket, sys\nif sys.argv[2] == 'post-start':\n    socket.create_connection(('192.0.2.1', 80), 5)\n",
            "hook.py:4: ",
            "for want of a network",
            "--network",
        ),
        (
            "hook.sh",
            "#!/bin/sh\n[ \"$2\" != post-start ] || date | grep -q nonesuch\n",
            "hook.sh: ",
            "it ends with exit code 1",
            "see which of its commands fails",
        ),
    ];
    for (name, text, place, what, mend) in deaths {
        let script = Script::new(name, text);
        let output = run(Command::new(host::binary()).args(["hooks", "check", "--run"]).arg(&script.path));
        let output = output.prints(place).prints(what).prints(mend);
        assert!(!output.out().contains("exit 0"), "{}", output.describe());
    }
}

/// That each call fails is no mistake of its own.
fn what_cannot_be_begun_is_not_run() {
    let good = "#!/bin/sh\ncase $2 in pre-start) echo x ;; esac\nexit 0\n";
    let returns = good.replace('\n', "\r\n");
    for (text, mode, rule) in [
        (good, 0o644, "HV002"),
        (&returns[..], 0o755, "HV003"),
        ("#!/usr/bin/no-such-shell\nexit 0\n", 0o755, "HV004"),
    ] {
        let script = Script::new("hook.sh", text);
        std::fs::set_permissions(&script.path, Permissions::from_mode(mode)).expect("its mode can be set");
        let output = run(Command::new(host::binary()).args(["hooks", "check", "--run"]).arg(&script.path));
        let output = output.prints(rule).prints("could not judge what shows when it is run");
        output.prints("1 script: 1 error, 0 warnings");
    }
}

/// As notes with its own ids, and in silence where it is not installed.
fn what_shellcheck_says_stands_beside_the_rest() {
    let script = Script::shell(
        "[ \"$2\" != pre-start ] || for f in $(ls /run/mine); do echo \"$f\"; done; cd /srv; exit 0",
    );
    let check = |path: &str| {
        let mut command = Command::new(host::binary());
        run(command.args(["hooks", "check"]).arg(&script.path).env("PATH", path)).ok()
    };
    let path = std::env::var("PATH").unwrap_or_default();
    let output = check(&path);
    output.prints("hook.sh:2: note: SC2164: ").prints("(HV020)").prints("see shellcheck's page on SC2164");
    let output = check("/nonexistent");
    assert_eq!(output.out(), "1 script: 0 errors, 0 warnings, 0 notes, 0 not judged\n");
    let broken = script.folder.path().join("shellcheck");
    std::fs::write(&broken, "#!/bin/sh\ncat >/dev/null\necho nonsense\n").expect("a script can be written");
    std::fs::set_permissions(&broken, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("a mode can be set");
    check(&format!("{}:{path}", script.folder.path().display()))
        .prints("could not judge shellcheck's answer cannot be read");
}

fn one_that_cannot_be_read_keeps_nobody_from_the_others() {
    let script = Script::new("nb.sh", "#!/bin/sh\necho \"$2\"\n");
    let mut command = Command::new(host::binary());
    command.args(["hooks", "check", "/nosuch.sh"]).arg(&script.path);
    let output = run(&mut command);
    assert_eq!(output.status.code(), Some(255));
    output.prints("cannot read '/nosuch.sh'").prints("1 script: 0 errors").prints("1 that cannot be read");
}
