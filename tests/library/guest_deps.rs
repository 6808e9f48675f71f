//! guest-deps: other guests are started, waited for, made way for; nobody waits for himself, and what was stopped comes back.

use crate::pve::Pve;
use crate::scene::{as_before, file, give, refused, says, settings};
use e2e::inventory::Inventory;
use e2e::suite::{QEMU, Test};
use e2e::{Behaviour, Guest, Host, Kind, tests, wait};
use std::fs;
use std::time::Duration;

const SCRIPT: &str = "guest-deps.py";

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: what_is_needed_is_started, a_guest_that_is_killed_gives_its_place_up, a_refusal_says_why,
            others_make_way_and_come_back;
        once [QEMU]: a_circle_is_refused, two_that_cannot_run_together_start_at_once, one_comes_after_another,
            one_that_is_needed_does_not_start, a_reboot_keeps_its_place, tags_count_where_they_may, as_pve
    )
}

/// A guest of that kind with the script, and another that has it, too.
fn two(host: &Host, kind: Kind) -> (Guest<'_>, Guest<'_>) {
    let (guest, other) = (host.guest(kind), host.guest(Kind::Vm));
    give(host, &guest, SCRIPT);
    give(host, &other, SCRIPT);
    (guest, other)
}

fn section(guest: &Guest) -> String {
    format!("guest {}", guest.vmid())
}

fn set(host: &Host, guest: &Guest, params: &str) {
    settings(host, &[(&section(guest), params)]);
}

/// The files that the script keeps.
fn kept(host: &Host) -> Vec<String> {
    let entries = fs::read_dir(host.at("run/hookscript/guest-deps")).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name != "lock")
        .collect()
}

fn what_is_needed_is_started(host: &Host, kind: Kind) {
    let (guest, other) = two(host, kind);
    set(host, &guest, &format!("deps_needs={}", other.vmid()));
    let (id, needed) = (guest.vmid(), other.vmid());
    guest
        .start()
        .ok()
        .prints(&format!("guest-deps: starts guest {needed}, at most 120 s: guest {id} needs it"));
    assert_eq!((guest.status(), other.status()), ("running".to_owned(), "running".to_owned()));
    guest.stop().ok();
    guest.wait_run_end();
    assert_eq!(other.status(), "running", "what others may need goes on");
    // It is there already.
    let out = guest.start().ok().out();
    assert!(!out.contains("starts guest"), "{out}");
    for guest in [&guest, &other] {
        guest.stop().ok();
        guest.wait_run_end();
    }
    assert_eq!(kept(host), [""; 0]);
}

fn a_guest_that_is_killed_gives_its_place_up(host: &Host, kind: Kind) {
    let (guest, other) = two(host, kind);
    set(host, &guest, &format!("deps_conflicts={}, deps_on_conflict=stop", other.vmid()));
    for killed in ["hypervisor", "keeper", "both"] {
        other.start().ok();
        guest.start().ok();
        assert_eq!((guest.status(), other.status()), ("running".to_owned(), "stopped".to_owned()));
        assert_eq!(kept(host), [format!("{}.json", guest.vmid())]);
        match killed {
            "hypervisor" => guest.kill(&[guest.hypervisor()]),
            "keeper" => {
                guest.kill(&[guest.keeper()]);
                guest.stop().ok();
            }
            _ => {
                guest.kill(&[guest.keeper(), guest.hypervisor()]);
                host.hookvisor(["recover"]).ok();
            }
        }
        guest.wait_run_end();
        assert_eq!(kept(host), [format!("{}.json", other.vmid())], "after the death of {killed}");
        other.wait_status("running");
        other.stop().ok();
        other.wait_run_end();
        assert_eq!(kept(host), [""; 0]);
    }
}

fn a_refusal_says_why(host: &Host, kind: Kind) {
    let (guest, other) = two(host, kind);
    let (id, running) = (guest.vmid(), other.vmid());
    other.start().ok();
    for (params, why) in [
        ("deps_needs=999".to_owned(), "it needs guest 999, which is not on this node".to_owned()),
        (format!("deps_conflicts={running}"), format!("guest {running} runs, and it cannot run beside it")),
        (
            format!("deps_needs={running}, deps_conflicts={running}"),
            format!("it needs guest {running} and cannot run beside it"),
        ),
        (format!("deps_needs={id}"), "deps_needs has the guest itself".to_owned()),
        ("deps_after=web".to_owned(), "deps_after has 'web', which is no VMID".to_owned()),
        (
            "deps_limit=long, deps_needs=".to_owned(),
            "deps_limit is 'long', which is no number of seconds".to_owned(),
        ),
        (
            "deps_on_conflict=kill".to_owned(),
            "deps_on_conflict is 'kill', which is none of refuse, shutdown, stop".to_owned(),
        ),
    ] {
        set(host, &guest, &params);
        refused(host, &guest, &format!("guest-deps: guest {id} is not started: {why}"));
    }
    // What the other one says counts, too, and nobody is stopped on another's word.
    set(host, &other, &format!("deps_conflicts={id}, deps_on_conflict=stop"));
    refused(host, &guest, &format!("guest {running} runs, and it cannot run beside it"));
    assert_eq!(other.status(), "running");
    other.stop().ok();
}

fn others_make_way_and_come_back(host: &Host, kind: Kind) {
    let (guest, other) = two(host, kind);
    let stubborn = host.vm(&Behaviour::Ignores);
    settings(
        host,
        &[
            (
                &section(&guest),
                &format!("deps_conflicts={}, deps_on_conflict=shutdown, deps_limit=10", other.vmid()),
            ),
            (&section(&other), &format!("deps_conflicts={}", guest.vmid())),
        ],
    );
    other.start().ok();
    other.wait_booted();
    guest.start().ok().prints(&format!("guest-deps: shutdown of guest {}", other.vmid()));
    assert_eq!(other.status(), "stopped");
    refused(host, &other, &format!("guest {} runs, and it cannot run beside it", guest.vmid()));
    guest.stop().ok().prints(&format!("guest-deps: starts guest {} again", other.vmid()));
    other.wait_status("running");
    other.stop().ok();
    // One that does not go keeps its place, and the one that was stopped before it comes back.
    set(
        host,
        &guest,
        &format!(
            "deps_conflicts=\"{} {}\", deps_on_conflict=shutdown, deps_limit=3",
            other.vmid(),
            stubborn.vmid()
        ),
    );
    other.start().ok();
    other.wait_booted();
    stubborn.start().ok();
    let why = format!("guest {} still runs, and it cannot run beside it: ", stubborn.vmid());
    let output = guest.start().fails();
    assert!([output.out(), output.err()].concat().contains(&why), "{}", output.describe());
    assert_eq!((other.status(), stubborn.status()), ("running".to_owned(), "running".to_owned()));
    other.stop().ok();
    stubborn.stop().ok();
}

fn a_circle_is_refused(host: &Host) {
    let (guest, other) = two(host, Kind::Vm);
    let third = host.guest(Kind::Vm);
    give(host, &third, SCRIPT);
    let (a, b, c) = (guest.vmid(), other.vmid(), third.vmid());
    settings(
        host,
        &[
            (&section(&guest), &format!("deps_needs={b}")),
            (&section(&other), &format!("deps_after={c}")),
            (&section(&third), &format!("deps_needs={a}")),
        ],
    );
    let output = refused(
        host,
        &guest,
        &format!(
            "guest {a} needs {b}, which comes after {c}, which needs {a}: a circle, in which each would wait for the other"
        ),
    );
    assert!(output.took < Duration::from_secs(20), "{}", output.describe());
    // Two that need the same at once are no circle.
    settings(
        host,
        &[(&section(&guest), &format!("deps_needs={c}")), (&section(&other), &format!("deps_needs={c}"))],
    );
    let starts = [guest.spawn("start", &[]), other.spawn("start", &[])];
    for start in starts {
        start.finish().ok();
    }
    for guest in [&guest, &other, &third] {
        assert_eq!(guest.status(), "running");
        guest.stop().ok();
    }
}

fn two_that_cannot_run_together_start_at_once(host: &Host) {
    let (guest, other) = two(host, Kind::Vm);
    set(host, &guest, &format!("deps_conflicts={}", other.vmid()));
    for _ in 0..3 {
        let starts = [guest.spawn("start", &[]), other.spawn("start", &[])];
        let outputs = starts.map(|start| start.finish());
        let started = outputs.iter().filter(|output| output.status.success()).count();
        assert!(started <= 1, "{}\n{}", outputs[0].describe(), outputs[1].describe());
        for guest in [&guest, &other] {
            guest.stop().ok();
            guest.wait_run_end();
        }
    }
    assert_eq!(kept(host), [""; 0]);
}

fn one_comes_after_another(host: &Host) {
    let (guest, other) = two(host, Kind::Vm);
    set(host, &guest, &format!("deps_after={}", other.vmid()));
    // It is not on its way, so that nobody waits.
    let out = guest.start().ok().out();
    assert!(!out.contains("waits for"), "{out}");
    guest.stop().ok();
    // It waits for a guest in turn, and the first one for it.
    let gate = host.guest(Kind::Vm);
    settings(
        host,
        &[
            (&section(&guest), &format!("deps_after={}", other.vmid())),
            (&section(&other), &format!("deps_needs={}, deps_start=no", gate.vmid())),
        ],
    );
    let first = other.spawn("start", &[]);
    says(&first, &format!("waits for guest {}", gate.vmid()));
    let second = guest.spawn("start", &[]);
    says(&second, &format!("waits for guest {}, which is being started", other.vmid()));
    gate.start().ok();
    first.finish().ok();
    second.finish().ok();
    for guest in [&guest, &other] {
        guest.stop().ok();
        guest.wait_run_end();
    }
    // The one that is waited for gives up.
    gate.stop().ok();
    let first = other.spawn("start", &[]);
    says(&first, &format!("waits for guest {}", gate.vmid()));
    let second = guest.spawn("start", &[]);
    says(&second, "which is being started");
    host.hookvisor(["hooks", "abort", &other.id()]).ok();
    let _ = first.finish().fails();
    let output = second.finish().ok();
    let said = [output.out(), output.err()].concat();
    assert!(said.contains(&format!("goes on without guest {}", other.vmid())), "{said}");
    guest.stop().ok();
    guest.wait_run_end();
    assert_eq!(kept(host), [""; 0]);
}

fn one_that_is_needed_does_not_start(host: &Host) {
    let (guest, other) = two(host, Kind::Vm);
    set(host, &guest, &format!("deps_needs={}, deps_limit=3", other.vmid()));
    other.on("pre-start", "echo no room >&2; exit 1");
    other.set(&["--hookscript", "local:snippets/recorder"]);
    let before = Inventory::of(host, &guest);
    let output = guest.start().fails();
    let why = format!("it needs guest {}, which does not start: hookscript error for", other.vmid());
    assert!([output.out(), output.err()].concat().contains(&why), "{why}: {}", output.describe());
    guest.wait_run_end();
    as_before(host, &guest, &before);
    other.forget("pre-start");
    set(host, &guest, &format!("deps_needs={}, deps_limit=2, deps_start=no", other.vmid()));
    let why =
        format!("it needs guest {}, which does not run after 2 s: it is not started from here", other.vmid());
    refused(host, &guest, &why);
}

/// A reboot does not give the place to others in between.
fn a_reboot_keeps_its_place(host: &Host) {
    let (guest, other) = two(host, Kind::Vm);
    set(host, &guest, &format!("deps_conflicts={}, deps_on_conflict=stop", other.vmid()));
    other.start().ok();
    guest.start().ok();
    guest.wait_booted();
    let first = guest.hypervisor();
    guest.command("reboot", &["--timeout", "20"]).ok();
    wait::until("the reboot to be over", || {
        (guest.status() == "running" && guest.hypervisor() != first).then_some(())
    });
    assert_eq!(other.status(), "stopped");
    guest.stop().ok();
    other.wait_status("running");
    other.stop().ok();
}

fn tags_count_where_they_may(host: &Host) {
    let (guest, other) = two(host, Kind::Vm);
    guest.set(&["--tags", &format!("web;needs-{}", other.vmid())]);
    guest.start().ok();
    assert_eq!(other.status(), "running");
    for guest in [&guest, &other] {
        guest.stop().ok();
        guest.wait_run_end();
    }
    set(host, &guest, "deps_tags=no");
    guest.start().ok();
    assert_eq!(other.status(), "stopped");
    guest.stop().ok();
}

fn as_pve(host: &Host) {
    let pve = Pve::of(host);
    let (guest, other) = (host.guest(Kind::Vm), host.guest(Kind::Vm));
    let script = file(SCRIPT);
    let (id, needed) = (guest.vmid(), other.vmid());
    let call = |phase| pve.call(&script, id, phase);
    pve.settings(&format!("[guest {id}]\nparams = deps_needs={needed}\n"));
    call("pre-start").ok().prints(&format!("guest-deps: guest {needed} runs"));
    assert_eq!(other.status(), "running");
    call("post-stop").ok();
    pve.settings(&format!("[guest {id}]\nparams = deps_conflicts={needed}\n"));
    let output =
        call("pre-start").fails().complains(&format!("guest {needed} runs, and it cannot run beside it"));
    assert!(!output.err().contains("<3>"), "{}", output.describe());
    // A start that failed afterwards: there is no post-stop, and the next one finds what it needs to know.
    pve.settings(&format!("[guest {id}]\nparams = deps_conflicts={needed}, deps_on_conflict=stop\n"));
    call("pre-start").ok();
    assert_eq!(other.status(), "stopped");
    call("pre-start").ok();
    call("post-start").ok().prints_exactly("");
    call("post-stop").ok().prints(&format!("starts guest {needed} again"));
    assert_eq!(other.status(), "running");
    assert_eq!(pve.left(), [""; 0]);
    other.stop().ok();
}
