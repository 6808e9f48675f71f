//! How it is told: text, JSON, JUnit, exit codes, and what cannot be played.

use crate::played::Script;
use e2e::output::run;
use e2e::suite::{BWRAP, Need, Test};
use e2e::{host, tests};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

pub(crate) fn tests() -> Vec<Test> {
    tests!(bare [BWRAP]: the_text_is_a_timeline, junit_has_a_case_for_each_life, a_life_is_played_in_its_own_world_only,
        a_life_is_told_of_as_it_ends, priorities_are_words, one_that_hangs_has_its_own_name, parameters_that_nobody_names_are_told,
         what_may_be_missing_is_named, bad_input_is_named, one_that_does_nothing_is_remarked_on,
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

/// The second life lasts until the script is let go, which is when the first has been told of.
fn a_life_is_told_of_as_it_ends() {
    let script = Script::shell("[ \"$2$PVE_MIGRATED_FROM\" != pre-startpve2 ] || sleep 1000");
    let mut command = Command::new(host::binary());
    command.args(["hooks", "test", "--life", "normal", "--life", "migration", "--timeout", "20"]);
    let mut child = command.arg(&script.path).stdout(Stdio::piped()).spawn().expect("it can be run");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let first = lines.next().expect("a line").expect("of text");
    assert!(first.ends_with("hook.sh: normal: passed"), "{first}");
    assert!(child.try_wait().expect("it can be asked").is_none(), "the second life goes on");
    let rest: Vec<String> = lines.map(|line| line.expect("text")).collect();
    assert!(rest[0].ends_with("hook.sh: migration: FAILED"), "{rest:?}");
    assert_eq!(rest.last().map(String::as_str), Some("1 script, 2 lives: 1 passed, 1 failed"));
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
}

fn priorities_are_words() {
    let script = Script::shell("[ \"$2\" != post-start ] || echo '<3>no such device' >&2");
    let output = script.output(&["--life", "normal", "--verbose"]).ok();
    assert!(output.out().contains("post-start  2| error: no such device\n"), "{}", output.describe());
}

fn one_that_hangs_has_its_own_name() {
    let script = Script::shell("echo \"$0\"");
    for world in ["hookvisor", "pve"] {
        let life = script.life("hung-hook", &["--as", world]);
        assert!(life.lines().iter().all(|line| line == "/var/lib/vz/snippets/hook.sh"), "{:#}", life.0);
        assert_eq!(life.0["left"]["files"].as_array().map(Vec::len), Some(0), "{:#}", life.0);
    }
    assert!(!script.life("hung-hook", &[]).lines().is_empty());
}

fn parameters_that_nobody_names_are_told() {
    let script = Script::shell(
        "# hookvisor: params=keep=7\n[ \"$2\" != pre-start ] || echo \"$HOOKVISOR_PARAM_KEEP\"",
    );
    let conf = script.folder.path().join("hooks.conf");
    let text = "[host]\nparams = kepe=1, other=2\n[guest 100]\nparams = more=3\n";
    std::fs::write(&conf, text).expect("settings can be written");
    let conf = conf.to_string_lossy();
    let output = script.output(&["--life", "normal", "--param", "keepp=1", "--hooks-conf", &conf]).ok();
    for text in [
        "note: it names no parameter 'keepp', which --param sets; is 'keep' meant?\n",
        "note: it names no parameter 'kepe', which [host] of --hooks-conf sets; is 'keep' meant?\n",
        "note: it names no parameter 'more', which [guest 100] of --hooks-conf sets\n",
    ] {
        assert!(output.out().contains(text), "{text}: {}", output.describe());
    }
    assert!(!output.out().contains("'other'"), "{}", output.describe());
    let output = script.output(&["--life", "normal", "--param", "keep=1"]).ok();
    assert!(!output.out().contains("names no"), "{}", output.describe());
}

fn what_may_be_missing_is_named() {
    let script = Script::shell(
        "[ \"$2\" = pre-start ] || exit 0\nset -e\nqm status 101\ncat /etc/mine.conf\n: \"${HOOKVISOR_PARAM_KEEP:?}\"\n\
         mountpoint -q /mnt/nas",
    );
    let (other, mine) = (script.folder.path().join("101.conf"), script.folder.path().join("mine"));
    std::fs::write(&other, "memory: 16\n").expect("a file can be written");
    std::fs::write(&mine, "x\n").expect("a file can be written");
    let mut given = vec!["--life".to_owned(), "normal".to_owned()];
    for (option, value) in [
        (
            "--file /etc/pve/qemu-server/101.conf=FILE",
            format!("/etc/pve/qemu-server/101.conf={}", other.display()),
        ),
        ("--file /etc/mine.conf=FILE", format!("/etc/mine.conf={}", mine.display())),
        ("--param keep=VALUE", "keep=7".to_owned()),
        ("--mount /mnt/nas", "/mnt/nas".to_owned()),
    ] {
        let words: Vec<&str> = given.iter().map(String::as_str).collect();
        let output = script.output(&words).fails();
        assert!(output.out().contains(option), "{option}: {}", output.describe());
        given.extend([option.split(' ').next().unwrap_or_default().to_owned(), value]);
    }
    let words: Vec<&str> = given.iter().map(String::as_str).collect();
    let output = script.output(&words).ok();
    assert!(!output.out().contains("give it that"), "{}", output.describe());
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
    script
        .output(&["--life", "eternal"])
        .fails()
        .complains("life: no life is called 'eternal'; there are normal, ");
    script.output(&["--life", "norml"]).fails().complains("is 'normal' meant?");
    script.output(&["--life", "normal,crash"]).fails().complains("say --life normal --life crash");
    script.output(&["--junit", "--life", "normal"]).fails().complains("junit: it takes the path of a file");
    let late = script.output(&["--junit", "/nowhere/result.xml"]).fails();
    assert_eq!(late.complains("cannot write '/nowhere/result.xml'").out(), "");
    let second = script.output(&["--life", "normal", "/nowhere/other.sh"]).fails();
    assert_eq!(second.complains("cannot read '/nowhere/other.sh'").out(), "");
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
    let silent = said("[ \"$2\" = pre-start ] || exit 0\ntrue");
    assert!(silent.contains("always the same end\n") && !silent.contains("HV001"), "{silent}");
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
        .prints("hook.sh: note: line 2: no phase is called 'pre-sart'; 'pre-start' may be meant (HV005): ");
}

fn a_note_is_told_once() {
    let script = Script::shell("[ \"$2\" != pre-start ] || touch /run/hook");
    let text = script.output(&["--life", "normal", "--life", "crash"]).ok().out();
    assert!(text.contains("hook.sh: note: /run/hook is left (normal, crash)\n"), "{text}");
    assert_eq!(text.matches("/run/hook").count(), 1, "{text}");
}
