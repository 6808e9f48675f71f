//! What is on record about a run, shown, watched and made again.

use e2e::suite::{Need, QEMU, Test};
use e2e::{Guest, Host, Kind, tests, wait};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: everything_on_record_is_shown, runs_are_watched_as_they_happen;
        once [QEMU]: a_secret_is_shown_nowhere, a_call_is_made_again_as_it_was, a_script_that_was_mended_is_tried, what_cannot_be_made_again_is_named,
            a_call_that_hangs_is_ended_again;
        once [QEMU, Need::Root, Need::Program("bwrap", "bubblewrap"), Need::Program("unshare", "util-linux")]:
            a_call_is_made_again_in_a_sandbox;
        once [QEMU, Need::Program("bwrap", "bubblewrap")]: a_call_that_hangs_in_the_sandbox_is_ended_with_its_time
    )
}

fn last_run(guest: &Guest<'_>) -> String {
    let runs = guest.history();
    let last = runs.as_array().and_then(|runs| runs.last()).expect("there is a run");
    last["run"].as_str().expect("a run has an id").to_owned()
}

fn conf(host: &Host, text: &str) {
    let path = host.at("etc/hookvisor/hooks.conf");
    fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("the folder can be made");
    fs::write(&path, text).expect("the settings can be written");
}

fn everything_on_record_is_shown(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    conf(host, "[host]\nparams = bridge=vmbr0,api_token=hunter22\n");
    let script = host.recorder().script();
    host.snippet("recorder", script.replacen('\n', "\n# hookvisor: params=bridge=none,api_token=none\n", 1));
    guest.on("post-start", "exit 4");
    guest.start().ok();
    guest.stop().ok();
    let (run, id) = (last_run(&guest), guest.id());
    let shown = host.hookvisor(["hooks", "show", &run]).ok();
    let digest = "HOOKVISOR_SCRIPT_SHA256=";
    for text in [
        &format!("run {run}"),
        &format!("/snippets/recorder {id} post-start"),
        "exit code 4",
        "HOOKVISOR_PARAM_BRIDGE=vmbr0",
        "HOOKVISOR_PARAM_API_TOKEN=**********",
        digest,
        &format!("out | out {id} post-stop"),
        &format!("err | err {id} pre-start"),
        "hookscript: local:snippets/recorder",
    ] {
        assert!(shown.out().contains(text), "{text:?} in {}", shown.describe());
    }
    assert!(!shown.out().contains("hunter22"), "{}", shown.describe());
    // A VMID is its last run.
    host.hookvisor(["hooks", "show", &id]).ok().prints_exactly(&shown.out());
    let json = host.hookvisor(["hooks", "show", &run, "--output-format", "json"]).ok();
    let json: Value = serde_json::from_slice(&json.stdout).expect("it is JSON");
    assert_eq!(json["calls"].as_array().map(Vec::len), Some(4));
    assert_eq!(json["calls"][1]["arguments"], serde_json::json!([id, "post-start"]));
    assert_eq!(json["calls"][1]["kept"], true);
    host.hookvisor(["hooks", "show", "0000000000000000"])
        .fails()
        .complains("there is no run 0000000000000000");
    host.hookvisor(["hooks", "show", "nonsense"]).fails().complains("'nonsense'");
}

/// By the variable's name, by its form, and wherever the script prints it; what is on record is what was printed.
fn a_secret_is_shown_nowhere(host: &Host) {
    conf(
        host,
        "[host]\nparams = api_token=hunter22,hook=https://ann:secretly@example.net/\n[guest 100]\nparams = x=y\n",
    );
    let guest = host.guest(Kind::Vm);
    let script = "#!/bin/sh
# hookvisor: params=api_token=none,hook=none
KEY_SECRET=sesame-open
echo \"asks $HOOKVISOR_PARAM_HOOK with $HOOKVISOR_PARAM_API_TOKEN\"
echo \"then secretly, and ${KEY_SECRET}, and xhunter22\" >&2
echo '-H Authorization: Bearer 0123abcd'
echo 'PVEAPIToken=root@pam!ci=0b1c0b1c-22dd-22dd-22dd-0b1c0b1c0b1c'
printf 'hunter22 \\377\\n'
";
    host.snippet("telling", script);
    guest.set(&["--hookscript", "local:snippets/telling", "--description", "the pin is hunter22"]);
    guest.start().ok();
    guest.stop().ok();
    let run = last_run(&guest);
    let replay = ["hooks", "replay", &run, "--real", "--yes", "--current", "--phase", "post-start"];
    for words in [&["hooks", "show", &run][..], &replay] {
        for format in [&[][..], &["--output-format", "json"]] {
            let shown = host.hookvisor(words.iter().chain(format)).ok();
            for secret in ["hunter22", "secretly", "sesame-open", "0123abcd", "0b1c0b1c"] {
                assert!(!shown.out().contains(secret), "{secret}: {}", shown.describe());
            }
            for text in [
                "https://ann:**********@example.net/ with **********",
                "then **********, and **********, and x*****",
            ] {
                assert!(shown.out().contains(text), "{text}: {}", shown.describe());
            }
        }
    }
    let log = host.hookvisor(["log", &guest.id()]).ok();
    assert!(log.out().contains("then secretly, and sesame-open"), "{}", log.describe());
}

fn runs_are_watched_as_they_happen(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let other = host.guest(kind);
    let (all, one) = (
        host.spawn("hookvisor", ["hooks", "watch"]),
        host.spawn("hookvisor", ["hooks", "watch", &guest.id()]),
    );
    // They look on from some moment on, which only what they say tells.
    wait::until("both to look on", || {
        other.start().ok();
        guest.start().ok();
        guest.stop().ok();
        other.stop().ok();
        (all.stdout_so_far().contains("is over") && one.stdout_so_far().contains("is over")).then_some(())
    });
    guest.on("pre-stop", "exit 3");
    guest.start().ok();
    let late = host.spawn("hookvisor", ["hooks", "watch", &guest.id()]);
    wait::until("what goes on to be told", || {
        late.stdout_so_far().contains("goes on: pre-start ok, post-start ok").then_some(())
    });
    guest.stop().ok();
    let id = guest.id();
    for watch in [all, one] {
        let told = wait::until("the end to be told", || {
            let told = watch.stdout_so_far();
            let refused = told.find("ended: exit code 3").is_some_and(|at| told[at..].contains("is over"));
            refused.then_some(told)
        });
        for text in [
            "begins: user by root@pam",
            "local:snippets/recorder begins (pid ",
            &format!("out | out {id} pre-stop"),
            "the guest is up",
            "its end is asked for: stop",
            "the guest is gone: stop",
        ] {
            assert!(told.contains(text), "{text:?} in {told}");
        }
        watch.signal(Signal::TERM);
        let _ = watch.finish();
    }
    late.signal(Signal::TERM);
    let told = late.finish();
    assert!(!told.out().contains(&other.id()), "{}", told.describe());
}

/// A guest with a script of its own that has been started and stopped.
fn lived<'h>(host: &'h Host, body: &str) -> (Guest<'h>, String) {
    let guest = host.guest(Kind::Vm);
    host.snippet("own.sh", format!("#!/bin/sh\n# hookvisor: params=colour=red\n{body}"));
    guest.set(&["--hookscript", "local:snippets/own.sh", "--description", "as it was"]);
    guest.start().ok();
    guest.stop().ok();
    let run = last_run(&guest);
    (guest, run)
}

const SAYS: &str = r#"
echo "$1 $2 $HOOKVISOR_PARAM_COLOUR $HOOKVISOR_RUN_ID"
grep -c '"as it was' "$HOOKVISOR_CONTEXT"
grep -c '"phase": "post-start"' "$HOOKVISOR_CONTEXT"
[ "$2" != post-stop ]
"#;

fn a_call_is_made_again_as_it_was(host: &Host) {
    let (guest, run) = lived(host, SAYS);
    let told = host.hookvisor(["hooks", "replay", &run, "--real"]).fails();
    told.complains(&format!("own.sh {} pre-stop", guest.id())).complains("say --yes as well");
    // It has changed since, and so has the guest.
    host.snippet("own.sh", "#!/bin/sh\necho changed\n");
    guest.set(&["--description", "as it is"]);
    let again = host.hookvisor(["hooks", "replay", &run, "--real", "--yes", "--output-format", "json"]).ok();
    let rows: Value = serde_json::from_slice(&again.stdout).expect("it is JSON");
    let rows = rows.as_array().expect("a row for each call");
    assert_eq!(rows.len(), 4);
    for row in rows {
        assert_eq!(row["then"]["lines"], row["now"]["lines"], "{row}");
        assert_eq!(row["now"]["lines"].as_array().map(Vec::len), Some(3));
        assert_eq!(row["same"], true);
    }
    assert_eq!(rows[3]["now"]["outcome"], serde_json::json!({"exit": 1}));
    let only = ["hooks", "replay", &run, "--real", "--yes", "--phase", "post-stop"];
    let text = host.hookvisor(only).ok();
    assert!(
        text.out().contains("1 of 1 ended as before") && text.out().contains("exit code 1"),
        "{}",
        text.describe()
    );
    assert!(
        !host
            .at("var/lib/hookvisor")
            .read_dir()
            .expect("a folder")
            .flatten()
            .any(|entry| { entry.file_name().to_string_lossy().starts_with("replay") })
    );
}

fn a_call_is_made_again_in_a_sandbox(host: &Host) {
    let touched = host.scratch().join("touched");
    let body = format!("{SAYS}\ntouch '{}' 2>/dev/null; [ \"$2\" != post-stop ]", touched.display());
    let (guest, run) = lived(host, &body);
    fs::remove_file(&touched).expect("the script has left it");
    guest.set(&["--description", "as it is"]);
    let again = host.hookvisor(["hooks", "replay", &run, "--output-format", "json"]).ok();
    let rows: Value = serde_json::from_slice(&again.stdout).expect("it is JSON");
    let rows = rows.as_array().expect("a row for each call");
    assert_eq!(rows.len(), 4);
    for row in rows {
        assert_eq!(row["then"]["lines"], row["now"]["lines"], "{row}");
        assert_eq!(row["same"], true, "{row}");
    }
    assert!(!touched.exists(), "nothing of it reaches the host");
    let hidden = "mount --make-rprivate / && mount --bind /dev/null \"$(command -v bwrap)\" && exec hookvisor hooks replay \"$1\"";
    let without = host.run("unshare", ["--mount", "sh", "-c", hidden, "sh", &run]).fails();
    without.complains("(Debian package bubblewrap); --real --yes makes the call on this host, as root");
}

fn a_script_that_was_mended_is_tried(host: &Host) {
    let (_, run) = lived(host, "[ \"$2\" != post-start ] || exit 4\n");
    host.snippet("own.sh", "#!/bin/sh\necho mended\n");
    let again =
        host.hookvisor(["hooks", "replay", &run, "--real", "--yes", "--current", "--phase", "post-start"]);
    assert_eq!(again.status.code(), Some(1), "{}", again.describe());
    let out = again.out();
    let row = out.lines().find(|line| line.starts_with("outcome")).expect("a row of outcomes");
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["outcome", "exit", "code", "4", "ok"]);
    assert!(out.contains("out | mended") && out.contains("1 of 1 ended in another way"), "{out}");
}

fn what_cannot_be_made_again_is_named(host: &Host) {
    let (guest, run) = lived(host, "exit 0\n");
    let replay = |more: &[&str]| host.hookvisor(["hooks", "replay", &run].iter().chain(more));
    replay(&["--real", "--yes", "--script", "hooks.d/none"]).fails().complains(
        "has no such call of a hookscript; it has pre-start, post-start, pre-stop, post-stop of local:snippets/own.sh",
    );
    fs::remove_file(host.at("var/lib/vz/snippets/own.sh")).expect("the script can be removed");
    replay(&["--real", "--yes", "--current"]).fails().complains("own.sh' is not there any more");
    fs::remove_dir_all(host.at("var/lib/hookvisor/kept")).expect("what is kept can be removed");
    replay(&["--real", "--yes"]).fails().complains("how it was is not kept; --current runs it as it is now");
    guest.start().fails();
    let refused = last_run(&guest);
    host.hookvisor(["hooks", "replay", &refused, "--real", "--yes"])
        .fails()
        .complains("there is nothing to replay: pre-start of local:snippets/own.sh never ran: not found");
}

fn a_call_that_hangs_in_the_sandbox_is_ended_with_its_time(host: &Host) {
    let guest = host.guest(Kind::Vm);
    let script = "#!/bin/sh\n# hookvisor: timeout=2s\n[ \"$2\" != post-start ] || exec sleep 1000\n";
    host.snippet("own.sh", script);
    guest.set(&["--hookscript", "local:snippets/own.sh"]);
    guest.start().ok();
    guest.stop().ok();
    let id = guest.id();
    let replay =
        |more: &[&str]| host.hookvisor(["hooks", "replay", &id, "--phase", "post-start"].iter().chain(more));
    let again = replay(&["--output-format", "json"]).ok();
    let rows: Value = serde_json::from_slice(&again.stdout).expect("it is JSON");
    assert_eq!(rows[0]["same"], true, "{rows}");
    assert!(rows[0]["now"]["millis"].as_u64().is_some_and(|millis| millis >= 1500), "{rows}");
    assert_eq!(rows[0]["now"]["sandbox_limit"], Value::Null, "{rows}");
}

fn a_call_that_hangs_is_ended_again(host: &Host) {
    let guest = host.guest(Kind::Vm);
    let script =
        "#!/bin/sh\n# hookvisor: timeout=1s\necho waiting\n[ \"$2\" != post-start ] || exec sleep 1000\n";
    host.snippet("own.sh", script);
    guest.set(&["--hookscript", "local:snippets/own.sh"]);
    guest.start().ok();
    guest.stop().ok();
    let again =
        host.hookvisor(["hooks", "replay", &guest.id(), "--real", "--yes", "--phase", "post-start"]).ok();
    assert_eq!(again.out().matches("timed out").count(), 2, "{}", again.describe());
}
