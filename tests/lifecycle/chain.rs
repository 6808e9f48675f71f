//! Several hookscripts in a phase: their order, which drop-ins are called, and that none is called twice or left out,
//! whatever dies in between.

mod context;
mod settings;

use e2e::suite::{QEMU, Test};
use e2e::{Behaviour, Guest, Host, Kind, journal, tests, wait};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

pub(crate) fn tests() -> Vec<Test> {
    let own = tests!(
        each []: layers_around_the_guest, the_second_refuses, a_start_that_is_cut_short,
            the_keeper_is_killed_in_the_middle;
        once [QEMU]: a_start_that_fails_after_all, the_guests_own_folder_and_what_changes_during_the_run,
            a_drop_in_that_may_not_be_executed, a_drop_in_that_others_may_write_to, a_link_that_dangles
    );
    [own, settings::tests(), context::tests()].concat()
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

fn chmod(path: &Path, mode: u32) {
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

fn json_of(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
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

/// In the middle of `pre-start`, by a stop or by the keeper's death: the script that ran may have taken something.
fn a_start_that_is_cut_short(host: &Host, kind: Kind) {
    for (outcome, killed) in [("aborted", false), ("unknown", true)] {
        let guest = host.guest(kind);
        let (gate, wait_at_gate) = at_gate(host);
        own(host, &guest, "", "");
        drop_in(host, "10-a", "", "");
        drop_in(host, "20-b", "", &format!("[ \"$2\" != pre-start ] || {{ {wait_at_gate}; }}"));
        let start = guest.spawn("start", &[]);
        wait_noted(host, "20-b pre-start", 1);
        if killed {
            guest.kill(&[guest.keeper()]);
            fs::write(&gate, "").expect("the gate can be opened");
            let _ = start.finish();
            host.hookvisor(["recover"]).ok();
        } else {
            guest.stop().ok();
            start.finish().fails();
        }
        guest.wait_run_end();
        assert_eq!(guest.status(), "stopped");
        let calls = [
            "10-a pre-start",
            "20-b pre-start",
            "20-b post-stop start-failed",
            "10-a post-stop start-failed",
        ];
        assert_eq!(noted(host), calls);
        ended(
            &guest,
            &[
                "hooks.d/10-a pre-start ok",
                &format!("hooks.d/20-b pre-start {outcome}"),
                "hooks.d/20-b post-stop ok",
                "hooks.d/10-a post-stop ok",
            ],
        );
        forget_notes(host);
    }
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

fn a_drop_in_that_may_not_be_executed(host: &Host) {
    let guest = host.guest(Kind::Vm);
    own(host, &guest, "", "");
    let off = drop_in(host, "10-off", "", "");
    chmod(&off, 0o644);
    let missed = drop_in(host, "20-b", "", "");
    let warning = format!("warning: '{}' is skipped: it is not executable\n", off.display());
    guest.start().ok().prints(&warning);
    // What it took in `pre-start` nobody gives back now.
    chmod(&missed, 0o644);
    let message = format!(
        "hookscript error for {} on post-stop: script 'hooks.d/20-b' is not executable",
        guest.vmid()
    );
    guest.stop().ok().prints(&message);
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
