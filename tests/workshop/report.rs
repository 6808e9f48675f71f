//! How it is told: text, JSON, JUnit, exit codes, and what cannot be played.

use crate::played::Script;
use e2e::output::run;
use e2e::suite::{BWRAP, Need, Test};
use e2e::{host, tests};
use std::process::Command;

pub(crate) fn tests() -> Vec<Test> {
    tests!(bare [BWRAP]: the_text_is_a_timeline, junit_has_a_case_for_each_life, a_life_is_played_in_its_own_world_only,
        bad_input_is_named, one_that_does_nothing_is_remarked_on,
            swapped_arguments_fail_and_misspelt_phases_are_remarked_on, a_note_is_told_once;
        bare [Need::Root, BWRAP]: without_bubblewrap_nothing_is_played)
}

fn the_text_is_a_timeline() {
    let script = Script::shell("echo \"now $2\"");
    let lives = ["--life", "normal", "--life", "crash"];
    let output = script.output(&lives).ok();
    let lines = "hook.sh: crash: passed\n1 script, 2 lives: 2 passed, 0 failed\n";
    assert!(output.out().ends_with(lines), "{}", output.describe());
    assert!(!output.out().contains(" ms "), "{}", output.describe());
    let output = script.output(&[&lives[..], &["--verbose", "1"]].concat()).ok();
    let text = output.out();
    for part in [
        "hook.sh: normal: passed\n",
        "$ qm start 100\n",
        "100   pre-start   /var/lib/vz/snippets/hook.sh 100 pre-start\n",
        "100   post-stop   | now post-stop\n",
        "hook.sh: crash: passed\n",
        "the guest is gone: killed\n",
        "1 script, 2 lives: 2 passed, 0 failed\n",
    ] {
        assert!(text.contains(part), "{part}: {}", output.describe());
    }
    let script = Script::shell("[ \"$2\" != pre-start ] || exit 3");
    let output = script.output(&["--life", "normal"]).fails();
    assert!(
        output.out().contains("failed: pre-start refused the start: exit code 3"),
        "{}",
        output.describe()
    );
    assert!(output.out().ends_with("1 script, 1 life: 0 passed, 1 failed\n"), "{}", output.describe());
}

fn junit_has_a_case_for_each_life() {
    let script = Script::shell("[ \"$2\" != post-stop ] || { echo sorry >&2; exit 3; }");
    let place = script.folder.path().join("result.xml");
    script.output(&["--life", "normal", "--life", "refused", "--junit", &place.to_string_lossy()]).fails();
    let text = std::fs::read_to_string(&place).expect("the result is there");
    assert!(text.contains("tests=\"2\" failures=\"1\""), "{text}");
    assert!(text.contains("<failure message=\"post-stop failed: exit code 3\">"), "{text}");
    assert!(text.contains(" ms  100   post-stop   2| sorry\n"), "{text}");
    assert!(text.contains(" ms                    $ qm start 100\n"), "{text}");
    assert_eq!(text.matches("<testcase ").count(), 2, "{text}");
    assert_eq!(text.matches("</testcase>").count(), 2, "{text}");
}

/// What plays a life inside does so nowhere else.
fn a_life_is_played_in_its_own_world_only() {
    let job = r#"{"what":{"life":"normal"},"world":"hookvisor","root":"/","script":"/bin/true","name":"x","kind":"qemu","vmid":100,"config":null,"limits":{"seconds":1,"processes":1,"memory":1,"disk":1},"hooks_conf":null,"params":[],"modes":[]}"#;
    let mut command = Command::new("sh");
    command.args(["-c", "printf %s \"$1\" | \"$2\" lives", "sh", job]).arg(host::binary());
    run(&mut command).fails().complains("a life is played in its own world");
}

fn bad_input_is_named() {
    let script = Script::shell("exit 0");
    script.output(&["--life", "eternal"]).fails().complains("life");
    script.output(&["--param", "Token=x"]).fails().complains("--param 'Token=x'");
    script.output(&["--tree", "/nowhere"]).fails().complains("cannot read '/nowhere'");
    script
        .output(&["--file", "/usr/bin/x"])
        .fails()
        .complains("'/usr/bin/x' cannot be laid into a life's world");
    script.output(&["--file", "/etc/../usr/x"]).fails().complains("its path is no plain one");
    script.output(&["--mount", "/mnt/nas", "--no-sandbox"]).fails().complains("leave out --no-sandbox");
    script.output(&["--hooks-conf", "/etc/passwd"]).fails().complains("'/etc/passwd' line 1: ");
    script.output(&["--config", "/nowhere/100.conf"]).fails().complains("cannot read '/nowhere/100.conf'");
    script.output(&["/nowhere/hook.sh"]).fails().complains("cannot read '/nowhere/hook.sh'");
    let odd = Script::new("a script", "#!/bin/sh\n");
    odd.output(&[]).fails().complains("'a script' cannot be the name of a snippet");
}

/// It is hidden in a mount namespace of this test alone.
fn without_bubblewrap_nothing_is_played() {
    let script = Script::shell("touch /tmp/it-was-played-$$");
    let hidden = |words: &str| {
        let set = format!(
            "mount --make-rprivate / && mount --bind /dev/null /usr/bin/bwrap && exec \"$1\" {words} \"$2\""
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &set, "sh"]).arg(host::binary()).arg(&script.path);
        run(&mut command)
    };
    let refused =
        hidden("hooks test").fails().complains("'bwrap' is not installed (Debian package bubblewrap)");
    refused.complains("--no-sandbox runs the script on this host");
    hidden("hooks check --run 1").fails().complains("'bwrap' is not installed");
}

fn one_that_does_nothing_is_remarked_on() {
    let said = |text: &str| Script::shell(text).output(&[]).ok().out();
    let nothing = said("exit 0");
    assert!(nothing.contains("it does nothing in any phase that could be seen"), "{nothing}");
    assert!(nothing.contains("'hookvisor hooks check', HV001"), "{nothing}");
    for text in ["echo \"$2\"", "[ \"$2\" != post-stop ] || touch /run/hook", "logger x"] {
        assert!(!said(text).contains("it does nothing"), "{text}");
    }
}

fn swapped_arguments_fail_and_misspelt_phases_are_remarked_on() {
    let swapped = Script::shell("case $1 in pre-start) echo start ;; post-stop) echo stop ;; esac");
    let output = swapped.output(&["--life", "normal", "--life", "refused"]).fails();
    output.prints("hook.sh: normal: FAILED").prints("hook.sh: refused: passed").prints(
        "  failed: the first argument, which is the VMID, is compared with the names of phases in line 2 (HV001): ",
    );
    let misspelt = Script::shell("case $2 in pre-sart) echo start ;; post-stop) echo stop ;; esac");
    misspelt
        .output(&["--life", "normal"])
        .ok()
        .prints("hook.sh: note: line 2: no phase is called 'pre-sart' (HV005): ");
}

fn a_note_is_told_once() {
    let script = Script::shell("[ \"$2\" != pre-start ] || touch /run/hook");
    let text = script.output(&["--life", "normal", "--life", "crash"]).ok().out();
    assert!(text.contains("hook.sh: note: /run/hook is left (normal, crash)\n"), "{text}");
    assert_eq!(text.matches("/run/hook").count(), 1, "{text}");
}
