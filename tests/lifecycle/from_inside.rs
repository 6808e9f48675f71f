//! What a hookscript asks of guests: its own, others, in a circle; in the foreground and by children that it leaves.

use e2e::suite::Test;
use e2e::{Behaviour, Guest, Host, Kind, tests, wait};
use std::fs;
use std::time::Duration;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: a_start_of_its_own_guest_waits_for_the_end_of_the_run, a_start_during_its_own_start_is_that_start,
            a_child_that_left_starts_the_guest_again, a_start_later_in_the_background,
            others_are_started_and_stopped, stops_in_a_circle, starts_in_a_circle,
            waiting_in_post_stop_does_not_hang, a_failed_start_is_not_repeated_at_once,
            a_delayed_start_is_dropped_by_a_stop
    )
}

/// What a hookscript writes to tell what a command did.
fn told(host: &Host, name: &str) -> String {
    wait::until(&format!("'{name}' to be written"), || fs::read_to_string(host.scratch().join(name)).ok())
}

/// A line of shell that notes the outputs and the exit code of a command in a file that appears at once.
fn noting(host: &Host, name: &str, command: &str) -> String {
    let file = host.scratch().join(name);
    let file = file.display();
    format!("{{ {command}; echo \"code $?\"; }} >'{file}.new' 2>&1; mv '{file}.new' '{file}'")
}

/// The start that `post-stop` asks for says at once which task does it, and that task is the next start.
fn a_start_of_its_own_guest_waits_for_the_end_of_the_run(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let start = noting(host, "start", &format!("{} start {}", kind.command(), guest.vmid()));
    guest.on("post-stop", &format!("[ -e '{0}' ] || {{ {start}; }}", host.scratch().join("start").display()));
    guest.start().ok();
    guest.stop().ok();
    let text = told(host, "start");
    assert!(text.contains("waits until post-stop has ended: UPID:") && text.ends_with("code 0\n"), "{text}");
    guest.wait_status("running");
    guest.wait_noted("post-start", 2);
    let upid = text.split_whitespace().find(|word| word.starts_with("UPID:")).expect("an id of a task");
    let index = host.at("var/log/pve/tasks/index");
    wait::until("the end of the start's task", || {
        let index = fs::read_to_string(&index).unwrap_or_default();
        index.lines().any(|line| line.starts_with(upid) && line.ends_with(" OK")).then_some(())
    });
    assert_eq!(guest.wait_noted("post-start", 2).start_reason, "hook");
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop post-stop pre-start post-start pre-stop post-stop");
}

fn a_start_during_its_own_start_is_that_start(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    for phase in ["pre-start", "post-start"] {
        guest.on(phase, &noting(host, phase, &format!("{} start {}", kind.command(), guest.vmid())));
    }
    guest.start().ok();
    for phase in ["pre-start", "post-start"] {
        let text = told(host, phase);
        assert!(text.contains("is under way: UPID:") && text.ends_with("code 0\n"), "{phase}: {text}");
    }
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop post-stop");
}

/// `nohup qm start <same id> &` in `post-stop`.
fn a_child_that_left_starts_the_guest_again(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let once = host.scratch().join("once");
    let start = format!("nohup {} start {} >/dev/null 2>&1 &", kind.command(), guest.vmid());
    guest.on("post-stop", &format!("mkdir '{}' 2>/dev/null && {start}\ntrue", once.display()));
    guest.start().ok();
    guest.stop().ok();
    guest.wait_noted("post-start", 2);
    guest.wait_status("running");
    assert_eq!(guest.wait_noted("post-start", 2).start_reason, "hook");
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop post-stop pre-start post-start pre-stop post-stop");
}

/// `( sleep …; echo …; qm start … ) &` in `post-stop`: the hook ends, the child goes on.
fn a_start_later_in_the_background(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let (once, gate) = (host.scratch().join("once"), host.scratch().join("gate"));
    guest.on(
        "post-stop",
        &format!(
            "mkdir '{}' 2>/dev/null && ( while ! [ -e '{}' ]; do sleep 0.01; done; echo now; {} start {} ) &\ntrue",
            once.display(),
            gate.display(),
            kind.command(),
            guest.vmid()
        ),
    );
    guest.start().ok();
    guest.stop().ok();
    guest.wait_run_end();
    assert_eq!(guest.status(), "stopped");
    fs::write(gate, "").expect("the gate can be opened");
    guest.wait_noted("post-start", 2);
    guest.wait_status("running");
    guest.stop().ok();
}

fn others_are_started_and_stopped(host: &Host, kind: Kind) {
    let (guest, other) = (host.guest(kind), host.guest(other_kind(kind)));
    let command = other.kind().command();
    guest.on("pre-start", &format!("{command} start {}", other.vmid()));
    guest.on("post-stop", &format!("{command} stop {}", other.vmid()));
    guest.start().ok();
    assert_eq!(other.status(), "running");
    guest.stop().ok();
    assert_eq!(other.status(), "stopped");
    assert_eq!(other.notes()[0].start_reason, "hook");
    guest.lived("pre-start post-start pre-stop post-stop");
    other.lived("pre-start post-start pre-stop post-stop");
}

fn other_kind(kind: Kind) -> Kind {
    match kind {
        Kind::Vm => Kind::Container,
        Kind::Container => Kind::Vm,
    }
}

/// The first stops the second before it goes, and the second the first: neither waits for itself.
fn stops_in_a_circle(host: &Host, kind: Kind) {
    let (guest, other) = (host.guest(kind), host.guest(other_kind(kind)));
    let stop = |of: &Guest| format!("{} stop {} || exit 1", of.kind().command(), of.vmid());
    guest.on("pre-stop", &stop(&other));
    other.on("pre-stop", &noting(host, "back", &stop(&guest)));
    guest.start().ok();
    other.start().ok();
    let stopped = guest.stop().ok();
    assert!(stopped.took < Duration::from_secs(20), "{}", stopped.describe());
    let text = told(host, "back");
    assert!(text.contains("waits until pre-stop has ended: UPID:") && text.ends_with("code 0\n"), "{text}");
    for guest in [&guest, &other] {
        guest.wait_run_end();
        assert_eq!(guest.status(), "stopped");
        guest.lived("pre-start post-start pre-stop post-stop");
    }
}

fn starts_in_a_circle(host: &Host, kind: Kind) {
    let (guest, other) = (host.guest(kind), host.guest(other_kind(kind)));
    let start = |of: &Guest| format!("{} start {} || exit 1", of.kind().command(), of.vmid());
    guest.on("pre-start", &start(&other));
    other.on("pre-start", &start(&guest));
    guest.start().ok();
    for guest in [&guest, &other] {
        assert_eq!(guest.status(), "running");
        guest.stop().ok();
        guest.lived("pre-start post-start pre-stop post-stop");
    }
}

fn waiting_in_post_stop_does_not_hang(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let wait = match kind {
        Kind::Vm => format!("qm wait {}", guest.vmid()),
        Kind::Container => format!("while pct status {} | grep -q running; do sleep 0.1; done", guest.vmid()),
    };
    guest.on("post-stop", &wait);
    guest.start().ok();
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop post-stop");
}

/// A guest whose start fails after `pre-start`, and a `post-stop` that never gives up.
fn fails_and_tries_again<'h>(host: &'h Host, kind: Kind, tries: usize) -> Guest<'h> {
    let guest = match kind {
        Kind::Vm => host.vm_with(&Behaviour::Obeys, &["--args", "-nonsense"]),
        Kind::Container => host.container_with(&["--net0", "name=eth0,bridge=vmbr4099"]),
    };
    let count = host.scratch().join("count");
    guest.on(
        "post-stop",
        &format!(
            "echo x >>'{0}'; [ $(wc -l <'{0}') -ge {tries} ] || nohup {1} start {2} >>'{0}.log' 2>&1 &",
            count.display(),
            kind.command(),
            guest.vmid()
        ),
    );
    guest
}

fn a_failed_start_is_not_repeated_at_once(host: &Host, kind: Kind) {
    let guest = fails_and_tries_again(host, kind, 2);
    guest.start().fails();
    guest.wait_noted("post-stop", 2);
    guest.wait_run_end();
    let notes = guest.notes();
    let pause = notes[2].at - notes[1].at;
    assert!((9.9..16.0).contains(&pause), "{pause} s");
    assert_eq!(guest.noted(), ["pre-start", "post-stop", "pre-start", "post-stop"]);
}

fn a_delayed_start_is_dropped_by_a_stop(host: &Host, kind: Kind) {
    let guest = fails_and_tries_again(host, kind, 2);
    guest.start().fails();
    let log = host.scratch().join("count.log");
    wait::until("the start to be delayed", || {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("failed starts in a row: 1;")).then_some(())
    });
    assert_eq!(guest.status(), "stopped");
    guest.stop().ok();
    guest.wait_run_end();
    assert_eq!(guest.noted(), ["pre-start", "post-stop"]);
}
