//! Several hookscripts in a phase: their order, what each says about itself, what each is told, and that none is called
//! twice or left out, whatever dies in between.

use e2e::suite::{QEMU, Test};
use e2e::{Behaviour, Guest, Host, Kind, journal, proc, tests, wait};
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: layers_around_the_guest, the_second_refuses, the_keeper_is_killed_in_the_middle,
            a_limit_in_each_phase, the_context_is_what_is_so;
        once [QEMU]: a_start_that_fails_after_all, the_guests_own_folder_and_what_changes_during_the_run,
            a_script_is_called_in_its_phases, a_tree_is_ended_with_its_script, a_tree_that_does_not_listen_is_killed,
            a_group_is_ended_and_what_left_it_is_not, post_stop_is_repeated_where_it_may_be,
            settings_that_cannot_be_read, limits_of_host_and_guest, a_configuration_that_cannot_be_read,
            parameters, passwords_are_masked, a_drop_in_that_may_not_be_executed,
            a_drop_in_that_others_may_write_to, a_link_that_dangles, a_script_that_takes_its_time
    )
}

/// A script that notes its calls, with settings (lines of comments) above and more to do below.
fn script(host: &Host, name: &str, settings: &str, body: &str) -> String {
    let notes = host.scratch().join("chain");
    format!(
        "#!/bin/sh\n{settings}\necho \"{name} $2 ${{HOOKVISOR_STOP_CAUSE-}}\" >>'{}'\n{body}\n",
        notes.display()
    )
}

/// Puts a drop-in for all guests, or with a name `100/10-a` for one, in its place.
fn drop_in(host: &Host, name: &str, settings: &str, body: &str) -> PathBuf {
    let path = host.at("etc/hookvisor/hooks.d").join(name);
    for folder in ["etc/hookvisor", "etc/hookvisor/hooks.d"].map(|folder| host.at(folder)) {
        fs::create_dir_all(&folder).expect("a folder can be made");
        chmod(&folder, 0o755);
    }
    let folder = path.parent().expect("a folder");
    fs::create_dir_all(folder).expect("a folder can be made");
    chmod(folder, 0o755);
    // A script that runs cannot be written to.
    let fresh = folder.join(".fresh");
    fs::write(&fresh, script(host, name, settings, body)).expect("a script can be written");
    chmod(&fresh, 0o755);
    fs::rename(&fresh, &path).expect("a script can be put in its place");
    path
}

fn chmod(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode can be set");
}

/// Makes the guest's own hookscript one that notes its calls beside those of drop-ins.
fn own(host: &Host, guest: &Guest, settings: &str, body: &str) {
    guest.set(&["--hookscript", &host.snippet("own", script(host, "own", settings, body))]);
}

fn hooks_conf(host: &Host, text: &str) {
    let folder = host.at("etc/hookvisor");
    fs::create_dir_all(&folder).expect("a folder can be made");
    chmod(&folder, 0o755);
    let path = folder.join("hooks.conf");
    fs::write(&path, text).expect("the file can be written");
    chmod(&path, 0o600);
}

/// The calls as the scripts noted them: `10-a pre-start`, `10-a post-stop stop`.
fn noted(host: &Host) -> Vec<String> {
    let text = fs::read_to_string(host.scratch().join("chain")).unwrap_or_default();
    text.lines().map(|line| line.trim_end().to_owned()).collect()
}

fn forget_notes(host: &Host) {
    let _ = fs::remove_file(host.scratch().join("chain"));
}

/// The calls as the journal has their ends: `hooks.d/10-a pre-start ok`.
fn ends(guest: &Guest) -> Vec<String> {
    let records = guest.records();
    let ends = records.iter().filter(|record| record.contains_key("HOOK_OUTCOME"));
    ends.map(|record| {
        let field = |name| journal::text(record, name);
        format!("{} {} {}", field("HOOK_SCRIPT"), field("HOOK_PHASE"), field("HOOK_OUTCOME"))
    })
    .collect()
}

#[track_caller]
fn wait_noted(host: &Host, call: &str, times: usize) {
    wait::until(&format!("call {times} of {call}"), || {
        (noted(host).iter().filter(|line| *line == call).count() >= times).then_some(())
    });
}

/// The journal has so many ends of calls, and the last of them.
#[track_caller]
fn ended(guest: &Guest, expected: &[&str]) {
    wait::until_quietly(|| (ends(guest) == expected).then_some(()));
    assert_eq!(ends(guest), expected);
}

/// Shell that waits until a file is there.
fn at_gate(host: &Host) -> (PathBuf, String) {
    let gate = host.scratch().join("gate");
    let wait = format!("while ! [ -e '{}' ]; do sleep 0.01; done", gate.display());
    (gate, wait)
}

fn layers_around_the_guest(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let id = guest.id();
    own(host, &guest, "", "");
    drop_in(host, "20-host", "", "");
    drop_in(host, "90-host", "", "");
    drop_in(host, &format!("{id}/50-guest"), "", "");
    drop_in(host, "1000000/50-other", "", "");
    guest.start().ok();
    guest.stop().ok();
    let inwards = ["20-host", &format!("{id}/50-guest"), "90-host", "own"];
    let mut expected = Vec::new();
    let mut phase = |phase: &str, inside: bool| {
        let mut names = inwards.to_vec();
        if !inside {
            names.reverse();
        }
        expected.extend(names.iter().map(|name| format!("{name} {phase}")));
    };
    phase("pre-start", true);
    phase("post-start", false);
    phase("pre-stop stop", true);
    phase("post-stop stop", false);
    assert_eq!(noted(host), expected);
    let on_record = |line: &String| {
        let mut words = line.split(' ');
        let (name, phase) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let name = if name == "own" { "local:snippets/own".to_owned() } else { format!("hooks.d/{name}") };
        format!("{name} {phase} ok")
    };
    let expected: Vec<String> = expected.iter().map(on_record).collect();
    ended(&guest, &expected.iter().map(String::as_str).collect::<Vec<_>>());
    let in_history = history(&guest);
    assert_eq!(in_history, expected);
}

/// The calls as the history has them: `hooks.d/10-a pre-start ok`.
fn history(guest: &Guest) -> Vec<String> {
    let output = guest.history();
    let runs = output.as_array().expect("a list of runs");
    let phases = runs.iter().flat_map(|run| run["phases"].as_array().cloned().unwrap_or_default());
    let word = |call: &Value, key: &str| call[key].as_str().unwrap_or_default().to_owned();
    phases
        .map(|call| format!("{} {} {}", word(&call, "script"), word(&call, "phase"), word(&call, "outcome")))
        .collect()
}

fn the_second_refuses(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    own(host, &guest, "", "");
    drop_in(host, "10-a", "", "");
    let second = drop_in(host, "20-b", "", "[ \"$2\" != pre-start ] || exit 7");
    drop_in(host, "30-c", "", "");
    let message = format!(
        "hookscript error for {} on pre-start: command '{} {} pre-start' failed: exit code 7",
        guest.vmid(),
        second.display(),
        guest.vmid()
    );
    guest.start().fails().complains(&message);
    assert_eq!(guest.status(), "stopped");
    guest.wait_run_end();
    assert_eq!(noted(host), ["10-a pre-start", "20-b pre-start", "10-a post-stop start-failed"]);
    ended(
        &guest,
        &["hooks.d/10-a pre-start ok", "hooks.d/20-b pre-start exit code 7", "hooks.d/10-a post-stop ok"],
    );
}

fn a_start_that_fails_after_all(host: &Host) {
    let guest = host.vm_with(&Behaviour::Obeys, &["--args", "-device nonexistent"]);
    own(host, &guest, "", "");
    drop_in(host, "10-a", "", "");
    guest.start().fails();
    guest.wait_run_end();
    let expected =
        ["10-a pre-start", "own pre-start", "own post-stop start-failed", "10-a post-stop start-failed"];
    assert_eq!(noted(host), expected);
}

/// A drop-in that had `pre-start` is missed at the end; one that came later is called from then on.
fn the_guests_own_folder_and_what_changes_during_the_run(host: &Host) {
    let guest = host.guest(Kind::Vm);
    own(host, &guest, "", "");
    let gone = drop_in(host, &format!("{}/10-gone", guest.id()), "", "");
    guest.start().ok();
    fs::remove_file(gone).expect("the script is there");
    drop_in(host, "20-new", "", "");
    guest.stop().ok();
    let id = guest.id();
    ended(
        &guest,
        &[
            &format!("hooks.d/{id}/10-gone pre-start ok"),
            "local:snippets/own pre-start ok",
            "local:snippets/own post-start ok",
            &format!("hooks.d/{id}/10-gone post-start ok"),
            "hooks.d/20-new pre-stop ok",
            "local:snippets/own pre-stop ok",
            "local:snippets/own post-stop ok",
            "hooks.d/20-new post-stop ok",
            &format!("hooks.d/{id}/10-gone post-stop not found"),
        ],
    );
}

fn a_script_is_called_in_its_phases(host: &Host) {
    let guest = host.guest(Kind::Vm);
    own(host, &guest, "# hookvisor: phases=post-start", "");
    drop_in(host, "10-a", "# hookvisor: phases=pre-start,post-stop", "");
    drop_in(host, "20-b", "# hookvisor: phases=post-stop", "");
    guest.start().ok();
    guest.stop().ok();
    assert_eq!(
        noted(host),
        ["10-a pre-start", "own post-start", "20-b post-stop stop", "10-a post-stop stop"]
    );
    ended(
        &guest,
        &[
            "hooks.d/10-a pre-start ok",
            "local:snippets/own post-start ok",
            "hooks.d/20-b post-stop ok",
            "hooks.d/10-a post-stop ok",
        ],
    );
}

fn a_limit_in_each_phase(host: &Host, kind: Kind) {
    for hanging in ["pre-start", "post-start", "pre-stop", "post-stop"] {
        let guest = host.guest(kind);
        own(host, &guest, "", "");
        let body = format!("[ \"$2\" != {hanging} ] || exec sleep 1000");
        let path = drop_in(host, "10-a", "# hookvisor: timeout=1s", &body);
        let message = format!(
            "hookscript error for {} on {hanging}: command '{} {} {hanging}' failed: got timeout",
            guest.vmid(),
            path.display(),
            guest.vmid()
        );
        if hanging == "pre-start" {
            guest.start().fails().complains(&message);
            guest.wait_run_end();
            assert_eq!(guest.status(), "stopped");
            // It may have taken something before its time was up.
            ended(&guest, &["hooks.d/10-a pre-start timed out", "hooks.d/10-a post-stop ok"]);
            continue;
        }
        let (start, stop) = (guest.start().ok(), guest.stop().ok());
        let warned = if hanging == "post-start" { start } else { stop };
        warned.prints(&message);
        guest.wait_run_end();
        let outcome = |phase: &str| if phase == hanging { "timed out" } else { "ok" };
        let mut expected = Vec::new();
        for (phase, inwards) in
            [("pre-start", true), ("post-start", false), ("pre-stop", true), ("post-stop", false)]
        {
            let a = format!("hooks.d/10-a {phase} {}", outcome(phase));
            let own = format!("local:snippets/own {phase} ok");
            expected.extend(if inwards { [a, own] } else { [own, a] });
        }
        ended(&guest, &expected.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

/// Starts a guest whose `pre-start` forks a process that leaves the script's process group, aborts it by a stop, and
/// returns the pid of what left.
fn abort_with_a_grandchild(host: &Host, settings: &str, grandchild: &str) -> u32 {
    let guest = host.guest(Kind::Vm);
    let told = host.scratch().join("grandchild");
    let body = format!(
        "[ \"$2\" = pre-start ] || exit 0\nsetsid sh -c '{grandchild} echo $$ >\"{told}.new\"; mv \"{told}.new\" \"{told}\"; \
         while :; do sleep 1; done' &\nwait",
        told = told.display()
    );
    own(host, &guest, settings, &body);
    let start = guest.spawn("start", &[]);
    let pid = wait::until("the grandchild", || fs::read_to_string(&told).ok()?.trim().parse::<u32>().ok());
    host.hookvisor(["hooks", "abort", &guest.id()]).ok();
    start.finish().fails().complains("failed: received interrupt");
    guest.wait_run_end();
    ended(&guest, &["local:snippets/own pre-start aborted", "local:snippets/own post-stop ok"]);
    pid
}

fn a_tree_is_ended_with_its_script(host: &Host) {
    let pid = abort_with_a_grandchild(host, "# hookvisor: kill=tree", "");
    assert!(!proc::alive(pid), "it belongs to the tree");
}

fn a_tree_that_does_not_listen_is_killed(host: &Host) {
    let pid = abort_with_a_grandchild(host, "# hookvisor: kill=tree", "trap \"\" TERM;");
    assert!(!proc::alive(pid), "it belongs to the tree, whatever it does about SIGTERM");
}

fn a_group_is_ended_and_what_left_it_is_not(host: &Host) {
    let pid = abort_with_a_grandchild(host, "", "");
    assert!(proc::alive(pid), "it left the group");
    proc::kill(pid);
}

fn the_keeper_is_killed_in_the_middle(host: &Host, kind: Kind) {
    for phase in ["post-start", "pre-stop", "post-stop"] {
        let guest = host.guest(kind);
        let (gate, wait_at_gate) = at_gate(host);
        own(host, &guest, "", "");
        drop_in(host, "10-a", "", "");
        drop_in(host, "20-b", "", &format!("[ \"$2\" != {phase} ] || {{ {wait_at_gate}; }}"));
        let cause = if phase.ends_with("stop") { " stop" } else { "" };
        let asked = if phase == "post-start" {
            guest.spawn("start", &[])
        } else {
            guest.start().ok();
            guest.spawn("stop", &[])
        };
        wait_noted(host, &format!("20-b {phase}{cause}"), 1);
        guest.kill(&[guest.keeper()]);
        let _ = asked.finish();
        let recovery = host.spawn("hookvisor", ["recover"]);
        wait::until("a keeper that took over", || {
            let taken = |event: &Value| event["event"] == "keeper" && event["adopted"] == true;
            guest.events().iter().any(taken).then_some(())
        });
        fs::write(&gate, "").expect("the gate can be opened");
        recovery.finish().ok();
        if phase == "post-start" {
            assert_eq!(guest.status(), "running");
            wait_noted(host, "10-a post-start", 1);
            guest.stop().ok();
        }
        guest.wait_run_end();
        let mut expected = Vec::new();
        for (phase, names) in [
            ("pre-start", ["10-a", "20-b", "own"]),
            ("post-start", ["own", "20-b", "10-a"]),
            ("pre-stop stop", ["10-a", "20-b", "own"]),
            ("post-stop stop", ["own", "20-b", "10-a"]),
        ] {
            expected.extend(names.iter().map(|name| format!("{name} {phase}")));
        }
        assert_eq!(noted(host), expected, "killed in {phase}");
        fs::remove_file(gate).expect("the gate is there");
        forget_notes(host);
    }
}

fn post_stop_is_repeated_where_it_may_be(host: &Host) {
    for (settings, kills) in [("# hookvisor: retry=post-stop", 2), ("", 1)] {
        let guest = host.guest(Kind::Vm);
        let (gate, wait_at_gate) = at_gate(host);
        let pid = host.scratch().join("pid");
        let tell = format!("echo $$ $HOOKVISOR_ATTEMPT >'{0}.new'; mv '{0}.new' '{0}'", pid.display());
        drop_in(host, "10-a", "", "");
        own(host, &guest, settings, &format!("[ \"$2\" = post-stop ] || exit 0\n{tell}\n{wait_at_gate}"));
        guest.start().ok();
        let stop = guest.spawn("stop", &[]);
        let mut asked = Some(stop);
        for attempt in 1..=kills {
            let script = wait::until("the script", || {
                let text = fs::read_to_string(&pid).ok()?;
                let (pid, seen) = text.trim().split_once(' ')?;
                assert_eq!(seen, attempt.to_string());
                pid.parse::<u32>().ok()
            });
            let keeper = guest.keeper();
            guest.kill(&[keeper, script]);
            if let Some(running) = asked.take() {
                let _ = running.finish();
            }
            fs::remove_file(&pid).expect("the script told its pid");
            if attempt == kills {
                fs::write(&gate, "").expect("the gate can be opened");
                host.hookvisor(["recover"]).ok();
            } else {
                asked = Some(host.spawn("hookvisor", ["recover"]));
            }
        }
        guest.wait_run_end();
        let calls = noted(host).iter().filter(|line| *line == "own post-stop stop").count();
        assert_eq!(calls, if settings.is_empty() { 1 } else { 3 }, "with {settings:?}: {:?}", noted(host));
        assert_eq!(noted(host).last().map(String::as_str), Some("10-a post-stop stop"));
        let unknown = "local:snippets/own post-stop unknown".to_owned();
        assert_eq!(ends(&guest).iter().filter(|end| **end == unknown).count(), kills);
        fs::remove_file(gate).expect("the gate is there");
        let _ = fs::remove_file(pid);
        forget_notes(host);
    }
}

fn settings_that_cannot_be_read(host: &Host) {
    let guest = host.guest(Kind::Vm);
    own(host, &guest, "# hookvisor: timeut=3s", "");
    let wrong = "settings in script 'local:snippets/own' line 2: unknown setting 'timeut': there are timeout, phases, retry, \
                 kill and params";
    let message = format!("hookscript error for {} on pre-start: {wrong}", guest.vmid());
    guest.start().fails().complains(&message);
    guest.wait_run_end();
    assert_eq!(noted(host), [""; 0]);
    ended(&guest, &["local:snippets/own pre-start cannot spawn"]);
    own(host, &guest, "", "");
    guest.start().ok();
    own(host, &guest, "# hookvisor: timeut=3s", "");
    guest.stop().ok().prints(&format!("warning: {wrong}\n"));
    assert_eq!(noted(host), ["own pre-start", "own post-start", "own pre-stop stop", "own post-stop stop"]);
}

fn limits_of_host_and_guest(host: &Host) {
    let context = |name: &str| format!("cp \"$HOOKVISOR_CONTEXT\" '{}'/{name}.$1", host.scratch().display());
    let guest = host.guest(Kind::Vm);
    let other = host.guest(Kind::Vm);
    drop_in(host, "10-mute", "# hookvisor: phases=pre-start", &context("mute"));
    drop_in(host, "20-own", "# hookvisor: timeout=7s, phases=pre-start", &context("own"));
    hooks_conf(host, &format!("[host]\ntimeout = 2m\n[guest {}]\ntimeout=5m\n", guest.vmid()));
    for guest in [&guest, &other] {
        guest.start().ok();
        guest.stop().ok();
    }
    let limit = |name: &str, guest: &Guest| {
        let path = host.scratch().join(format!("{name}.{}", guest.vmid()));
        json_of(&path)["script"]["timeout_ms"].as_u64()
    };
    assert_eq!((limit("mute", &guest), limit("own", &guest)), (Some(300_000), Some(300_000)));
    assert_eq!((limit("mute", &other), limit("own", &other)), (Some(120_000), Some(7_000)));

    // And it holds.
    hooks_conf(host, &format!("[host]\ntimeout = 2m\n[guest {}]\ntimeout=500ms\n", guest.vmid()));
    drop_in(host, "20-own", "# hookvisor: timeout=1m", "exec sleep 1000");
    guest.start().fails().complains("failed: got timeout");
    guest.wait_run_end();
}

fn json_of(path: &std::path::Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn a_configuration_that_cannot_be_read(host: &Host) {
    let guest = host.guest(Kind::Vm);
    hooks_conf(host, "[host]\ngrace = 3s\n");
    let path = host.at("etc/hookvisor/hooks.conf");
    let wrong = format!("'{}' line 2: unknown setting 'grace': there are timeout and params", path.display());
    guest.start().fails().complains(&wrong);
    hooks_conf(host, "");
    guest.start().ok();
    chmod(&path, 0o620);
    guest.stop().ok().prints(&format!("warning: '{}' is refused: its group may write to it", path.display()));
    guest.lived("pre-start:cannot-spawn pre-start post-start pre-stop post-stop");
}

fn parameters(host: &Host) {
    let guest = host.guest(Kind::Vm);
    let settings = "# hookvisor: params=bond=bond0,greeting=\"hello, guest\"\n# hookvisor: params=vlan_id=1";
    let seen = host.scratch().join("seen");
    own(host, &guest, settings, &format!("env | grep ^HOOKVISOR_PARAM_ | sort >'{}'.$2", seen.display()));
    hooks_conf(
        host,
        &format!("[host]\nparams = syslog=10.0.0.5, vlan_id=7\n[guest {}]\nparams=vlan_id=8\n", guest.vmid()),
    );
    guest.start().ok();
    guest.stop().ok();
    for phase in ["pre-start", "post-start", "pre-stop", "post-stop"] {
        let text = fs::read_to_string(seen.with_extension(phase)).expect("what the script saw");
        assert_eq!(
            text,
            "HOOKVISOR_PARAM_BOND=bond0\nHOOKVISOR_PARAM_GREETING=hello, guest\nHOOKVISOR_PARAM_SYSLOG=10.0.0.5\n\
             HOOKVISOR_PARAM_VLAN_ID=8\n"
        );
    }
}

/// What the file says is compared with what is so on the host while the script runs, as the script itself sees it.
fn the_context_is_what_is_so(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let seen = host.scratch().join("seen");
    fs::create_dir_all(&seen).expect("a folder can be made");
    let body = format!(
        "cd '{}'\ncp \"$HOOKVISOR_CONTEXT\" $2.json\nstat -c %a \"$HOOKVISOR_CONTEXT\" >$2.mode\n\
         sha256sum \"$0\" | cut -d' ' -f1 >$2.digest\nenv >$2.env\n[ \"$2\" != post-start ] || exit 3",
        seen.display()
    );
    drop_in(host, "10-a", "", "");
    own(host, &guest, "# hookvisor: timeout=50s", &body);
    guest.set(&["--description", "some notes"]);
    guest.start().ok();
    let pid = match kind {
        Kind::Vm => guest.hypervisor(),
        Kind::Container => guest.init(),
    };
    guest.stop().ok();
    let mut run = Value::Null;
    for (phase, cause, earlier) in [
        ("pre-start", Value::Null, 1),
        ("post-start", Value::Null, 2),
        ("pre-stop", json!("stop"), 5),
        ("post-stop", json!("stop"), 6),
    ] {
        let read = |end: &str| {
            let text = fs::read_to_string(seen.join(format!("{phase}.{end}"))).expect("what the script saw");
            text.trim_end().to_owned()
        };
        let context = json_of(&seen.join(format!("{phase}.json")));
        assert_eq!(read("mode"), "600");
        assert_eq!(
            (&context["schema"], &context["phase"], &context["stop_cause"]),
            (&json!("hookvisor.context/1"), &json!(phase), &cause)
        );
        let word = if kind == Kind::Vm { "qemu" } else { "lxc" };
        assert_eq!((&context["vmid"], &context["kind"]), (&json!(guest.vmid()), &json!(word)));
        assert_eq!(
            (&context["name"], &context["node"], &context["user"]),
            (&json!("tiny"), &json!("pve1"), &json!("root@pam"))
        );
        assert_eq!((&context["start_reason"], &context["attempt"]), (&json!("user"), &json!(1)));
        assert_eq!(context["root"], json!(host.root().to_string_lossy()));
        let script = &context["script"];
        let path = host.at("var/lib/vz/snippets/own");
        assert_eq!(
            (&script["name"], &script["path"], &script["timeout_ms"]),
            (&json!("local:snippets/own"), &json!(path.to_string_lossy()), &json!(50_000))
        );
        assert_eq!(script["sha256"], json!(read("digest")));
        let up = phase == "post-start" || phase == "pre-stop";
        assert_eq!(context["pid"], if up { json!(pid) } else { Value::Null }, "{phase}");
        assert_eq!(context["paths"]["config"].as_str().map(fs::read_to_string).map(Result::ok), {
            Some(Some(guest.config()))
        });
        assert_eq!(context["config"]["options"]["hookscript"], json!("local:snippets/own"));
        let notes = context["config"]["description"].as_str().unwrap_or_default();
        assert_eq!(notes.trim_end(), "some notes");
        let calls = context["earlier"].as_array().expect("a list");
        assert_eq!(calls.len(), earlier, "{phase}: {calls:?}");
        let (first, outcome) = (&calls[0], |call: &Value| call["outcome"].clone());
        assert_eq!(
            (&first["script"], &first["phase"], outcome(first)),
            (&json!("hooks.d/10-a"), &json!("pre-start"), json!("ok"))
        );
        if earlier > 2 {
            let failed = &calls[2];
            assert_eq!(
                (&failed["script"], &failed["phase"], outcome(failed), &failed["exit_code"]),
                (&json!("local:snippets/own"), &json!("post-start"), json!("exit"), &json!(3))
            );
        }
        if run.is_null() {
            run = context["run"].clone();
        }
        assert_eq!(context["run"], run);
        // The variables say the same.
        let env = read("env");
        for (name, value) in [
            ("RUN_ID", run.as_str().unwrap_or_default()),
            ("SCRIPT", "local:snippets/own"),
            ("SCRIPT_SHA256", &read("digest")),
            ("PHASE", phase),
        ] {
            let line = format!("HOOKVISOR_{name}={value}");
            assert!(env.lines().any(|own| own == line), "{line} in {env}");
        }
    }
}

fn passwords_are_masked(host: &Host) {
    let guest = host.guest(Kind::Vm);
    let mut config = guest.config();
    config.push_str("cipassword: verysecret\nciuser: me\n");
    fs::write(guest.config_path(), config).expect("the configuration can be written");
    let copy = host.scratch().join("context");
    own(host, &guest, "", &format!("cp \"$HOOKVISOR_CONTEXT\" '{}'", copy.display()));
    guest.start().ok();
    let text = fs::read_to_string(&copy).expect("the context");
    assert!(!text.contains("verysecret"), "{text}");
    let options = &json_of(&copy)["config"]["options"];
    assert_eq!((&options["cipassword"], &options["ciuser"]), (&json!("**********"), &json!("me")));
    guest.stop().ok();
}

fn a_drop_in_that_may_not_be_executed(host: &Host) {
    let guest = host.guest(Kind::Vm);
    own(host, &guest, "", "");
    let off = drop_in(host, "10-off", "", "");
    chmod(&off, 0o644);
    drop_in(host, "20-b", "", "");
    let warning = format!("warning: '{}' is skipped: it is not executable\n", off.display());
    guest.start().ok().prints(&warning);
    guest.stop().ok();
    let calls: Vec<String> = noted(host).into_iter().filter(|line| line.contains("start")).collect();
    assert_eq!(calls, ["20-b pre-start", "own pre-start", "own post-start", "20-b post-start"]);
    assert!(!ends(&guest).iter().any(|end| end.contains("10-off")), "{:?}", ends(&guest));
}

fn a_drop_in_that_others_may_write_to(host: &Host) {
    let guest = host.guest(Kind::Vm);
    own(host, &guest, "", "");
    let open = drop_in(host, "10-open", "", "");
    chmod(&open, 0o775);
    let wrong =
        format!("'{}' is refused: its group may write to it (mode 0775), 'chmod go-w' helps", open.display());
    let message = format!("hookscript error for {} on pre-start: {wrong}", guest.vmid());
    guest.start().fails().complains(&message);
    guest.wait_run_end();
    assert_eq!((guest.status().as_str(), noted(host).len()), ("stopped", 0));
    chmod(&open, 0o755);
    guest.start().ok();
    chmod(&open, 0o757);
    guest.stop().ok().prints("is refused: everybody may write to it (mode 0757)");
    let calls: Vec<String> = noted(host).into_iter().filter(|line| line.contains("stop")).collect();
    assert_eq!(calls, ["own pre-stop stop", "own post-stop stop"]);
}

fn a_link_that_dangles(host: &Host) {
    let guest = host.guest(Kind::Vm);
    drop_in(host, "20-b", "", "");
    std::os::unix::fs::symlink("/no/such/place", host.at("etc/hookvisor/hooks.d/30-link")).expect("a link");
    guest.start().fails().complains("script 'hooks.d/30-link' does not exist");
    guest.wait_run_end();
    assert_eq!(noted(host), ["20-b pre-start", "20-b post-stop start-failed"]);
}

fn a_script_that_takes_its_time(host: &Host) {
    let guest = host.guest(Kind::Vm);
    let (gate, wait_at_gate) = at_gate(host);
    let body = format!("[ \"$2\" != pre-start ] || {{ echo \"I am $$\"; {wait_at_gate}; }}");
    own(host, &guest, "# hookvisor: timeout=1m", &body);
    let start = guest.spawn("start", &[]);
    let line = wait::until("a line about the script", || {
        start.stdout_so_far().lines().find(|line| line.contains("still runs")).map(str::to_owned)
    });
    let out = start.stdout_so_far();
    let pid = out.lines().find_map(|line| line.strip_prefix("I am ")).expect("its pid");
    assert_eq!(
        line,
        format!(
            "local:snippets/own (pre-start, pid {pid}) still runs after 10 s; its limit is 1 min; 'hookvisor hooks abort {}' \
             ends it",
            guest.vmid()
        )
    );
    fs::write(gate, "").expect("the gate can be opened");
    start.finish().ok();
    guest.stop().ok();
}
