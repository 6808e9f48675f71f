//! `agent-up`: when the agent, or a container's init, first answers, for scripts that name it.

use e2e::hanging::Silent;
use e2e::linux_vm::LinuxGuest;
use e2e::suite::{BUSYBOX, LXC, Need, QEMU, QEMU_GA, Test};
use e2e::{Behaviour, Guest, Host, Kind, tests, wait};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        once [QEMU, QEMU_GA, BUSYBOX, Need::GuestKernel]: it_comes_with_the_agent_and_once_a_run,
            an_agent_that_came_while_no_keeper_lived_is_found, one_that_comes_after_a_shutdown_that_was_not_obeyed;
        once [LXC, BUSYBOX]: it_comes_with_init_and_holds_no_start, a_stop_ends_it, a_shutdown_ends_it, the_end_of_the_guest_ends_it,
            one_that_has_not_begun_is_no_call,
            its_time_is_limited, somebody_aborts_it, its_end_that_nobody_saw_is_unknown, each_script_that_names_it_is_called;
        once [QEMU]: without_an_agent_it_does_not_come_and_that_is_said
    )
}

/// The recording hook names the phase from now on.
fn named(host: &Host, more: &str) {
    let script = host.recorder().script();
    let (first, rest) = script.split_once('\n').expect("a script has lines");
    let settings = "# hookvisor: phases=pre-start,post-start,agent-up,pre-stop,post-stop";
    host.snippet("recorder", format!("{first}\n{settings} {more}\n{rest}"));
}

fn linux(host: &Host) -> LinuxGuest<'_> {
    named(host, "");
    let linux = LinuxGuest::make(host);
    linux.guest.on("agent-up", r#"qm guest cmd "$1" ping && echo "it answers""#);
    linux
}

#[track_caller]
fn wait_answered(linux: &LinuxGuest<'_>, times: usize) {
    // The guest's system has to come up, without the help of a processor.
    let calls = || linux.guest.phases().into_iter().filter(|record| record.phase == "agent-up");
    let ended = || calls().filter(|record| record.outcome.is_some()).count() >= times;
    wait::until("the end of agent-up on record", || ended().then_some(()));
    assert_eq!(calls().count(), times, "console:\n{}", linux.console());
    let last = calls().next_back().expect("it was called");
    assert!(last.stdout.contains(&b"it answers".to_vec()), "{last:?}");
}

fn it_comes_with_the_agent_and_once_a_run(host: &Host) {
    let linux = linux(host);
    let (guest, id) = (&linux.guest, linux.guest.id());
    guest.start().ok();
    wait_answered(&linux, 1);
    // Another agent in the same run is not its first answer.
    let kill = "(sleep 1; killall qemu-ga) </dev/null >/dev/null 2>&1 &";
    host.qm(["guest", "exec", &id, "--synchronous", "0", "--", "/bin/sh", "-c", kill]).ok();
    linux.wait_agent_ended();
    linux.start_agent();
    let ping = || host.qm(["guest", "cmd", &id, "ping"]).status.success().then_some(());
    wait::until("the agent to answer again", ping);
    guest.command("reboot", &["--timeout", "50"]).ok();
    wait::until("the second run", || (guest.noted().len() >= 6).then_some(()));
    wait_answered(&linux, 2);
    guest.shutdown(&["--timeout", "50"]).ok();
    let run = "pre-start post-start agent-up pre-stop post-stop";
    guest.lived(&format!("{run} {run}"));
}

fn an_agent_that_came_while_no_keeper_lived_is_found(host: &Host) {
    let linux = linux(host);
    let guest = &linux.guest;
    guest.start().ok();
    guest.kill(&[guest.keeper()]);
    wait::until("the guest to start its agent", || {
        linux.console().contains("starting its agent").then_some(())
    });
    assert_eq!(guest.noted(), ["pre-start", "post-start"]);
    host.hookvisor(["recover"]).ok();
    wait_answered(&linux, 1);
    guest.kill(&[guest.keeper()]);
    host.hookvisor(["recover"]).ok();
    guest.stop().ok();
    guest.lived("pre-start post-start agent-up pre-stop post-stop");
}

fn one_that_comes_after_a_shutdown_that_was_not_obeyed(host: &Host) {
    let linux = linux(host);
    let guest = &linux.guest;
    guest.start().ok();
    // Long before there is anybody to obey.
    guest.shutdown(&["--timeout", "0"]).fails().complains("got timeout");
    wait_answered(&linux, 1);
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop agent-up pre-stop post-stop");
}

/// A container whose hook names the phase.
fn container<'h>(host: &'h Host, more: &str, lines: &str) -> Guest<'h> {
    named(host, more);
    let guest = host.guest(Kind::Container);
    guest.on("agent-up", lines);
    guest
}

fn gate(host: &Host) -> (PathBuf, String) {
    let gate = host.scratch().join("gate");
    let wait = format!("while ! [ -e '{}' ]; do sleep 0.01; done", gate.display());
    (gate, wait)
}

fn it_comes_with_init_and_holds_no_start(host: &Host) {
    let (gate, wait) = gate(host);
    let guest = container(host, "", &format!("{wait}; pct exec \"$1\" -- echo inside"));
    guest.start().ok();
    let note = guest.wait_noted("agent-up", 1);
    assert_eq!((note.start_reason.as_str(), guest.status().as_str()), ("user", "running"));
    // What asks for the guest meanwhile is answered.
    guest.start().fails().complains("already running");
    fs::write(gate, "").expect("the gate can be opened");
    wait::until("its end", || (!guest.recorded().contains("open")).then_some(()));
    let phases = guest.phases();
    assert!(phases[2].stdout.contains(&b"inside".to_vec()), "{phases:?}");
    guest.wait_booted();
    guest.command("reboot", &["--timeout", "30"]).ok();
    guest.wait_noted("agent-up", 2);
    guest.stop().ok();
    let recorded = guest.recorded();
    assert!(
        recorded
            .starts_with("pre-start post-start agent-up pre-stop post-stop pre-start post-start agent-up")
    );
    assert!(recorded.ends_with(" pre-stop post-stop"), "{recorded}");
}

const FOR_EVER: &str = "exec sleep 1000";

fn a_stop_ends_it(host: &Host) {
    let guest = container(host, "", FOR_EVER);
    guest.start().ok();
    guest.wait_noted("agent-up", 1);
    guest.stop().ok();
    guest.lived("pre-start post-start agent-up:aborted pre-stop post-stop");
}

fn a_shutdown_ends_it(host: &Host) {
    let guest = container(host, "", FOR_EVER);
    guest.start().ok();
    guest.wait_noted("agent-up", 1);
    guest.wait_booted();
    guest.shutdown(&["--timeout", "20"]).ok();
    guest.lived("pre-start post-start agent-up:aborted pre-stop post-stop");
    assert_eq!(guest.notes()[3].stop_cause, "shutdown");
}

fn the_end_of_the_guest_ends_it(host: &Host) {
    let guest = container(host, "", FOR_EVER);
    guest.start().ok();
    guest.wait_noted("agent-up", 1);
    guest.kill(&[guest.init()]);
    guest.wait_run_end();
    guest.lived("pre-start post-start agent-up:aborted post-stop");
    assert_eq!(guest.notes()[3].stop_cause, "killed");
}

fn one_that_has_not_begun_is_no_call(host: &Host) {
    let guest = container(host, "", "");
    let (gate, lines) = gate(host);
    guest.on("post-start", &lines);
    let start = guest.spawn("start", &[]);
    guest.wait_noted("post-start", 1);
    let init = guest.init();
    let silent = Silent::at(&host.at("var/lib/vz/snippets"));
    fs::write(gate, "").expect("the gate can be opened");
    start.finish().ok();
    let keeper = guest.keeper();
    wait::until("a child of the keeper to look for the script", || looks(keeper).then_some(()));
    guest.kill(&[init]);
    wait::until("everything to be given back", || {
        guest.events().iter().any(|event| event["event"] == "released").then_some(())
    });
    // `post-stop` looks for it too, in vain where the file system goes away.
    wait::until("the next child to look for it", || looks(keeper).then_some(()));
    drop(silent);
    guest.wait_run_end();
    guest.lived("pre-start post-start post-stop:not-found");
}

/// Whether a process has a child that has not become another program yet.
fn looks(keeper: u32) -> bool {
    let exe = |pid: &str| fs::read_link(format!("/proc/{pid}/exe")).ok();
    let children = fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children")).unwrap_or_default();
    children.split_whitespace().any(|child| exe(child).is_some() && exe(child) == exe(&keeper.to_string()))
}

fn its_time_is_limited(host: &Host) {
    let guest = container(host, "timeout=1s", FOR_EVER);
    guest.start().ok();
    wait::until("its end", || guest.recorded().contains("agent-up:timed-out").then_some(()));
    assert_eq!(guest.status(), "running");
    guest.stop().ok();
    guest.lived("pre-start post-start agent-up:timed-out pre-stop post-stop");
}

fn somebody_aborts_it(host: &Host) {
    let guest = container(host, "", FOR_EVER);
    guest.start().ok();
    guest.wait_noted("agent-up", 1);
    host.hookvisor(["hooks", "abort", &guest.id()]).ok();
    wait::until("its end", || guest.recorded().contains("agent-up:aborted").then_some(()));
    assert_eq!(guest.status(), "running");
    guest.stop().ok();
    guest.lived("pre-start post-start agent-up:aborted pre-stop post-stop");
}

fn its_end_that_nobody_saw_is_unknown(host: &Host) {
    let guest = container(host, "", FOR_EVER);
    guest.start().ok();
    let hook = guest.wait_noted("agent-up", 1).pid;
    wait::until("what it printed to be on record", || {
        let printed = |event: &Value| event["event"] == "output" && event["phase"] == "agent-up";
        (guest.events().iter().filter(|event| printed(event)).count() == 2).then_some(())
    });
    guest.kill(&[guest.keeper(), hook]);
    host.hookvisor(["recover"]).ok();
    assert_eq!(guest.status(), "running");
    guest.stop().ok();
    guest.lived("pre-start post-start agent-up:unknown pre-stop post-stop");
}

fn each_script_that_names_it_is_called(host: &Host) {
    let guest = container(host, "", "");
    let folder = host.at("etc/hookvisor/hooks.d");
    fs::create_dir_all(&folder).expect("the folder can be made");
    let told = host.scratch().join("told");
    for (name, phases) in
        [("10-only", "agent-up"), ("20-other", "pre-start"), ("30-too", "post-stop,agent-up")]
    {
        let text =
            format!("#!/bin/sh\n# hookvisor: phases={phases}\necho {name} $2 >>'{}'\n", told.display());
        let path = folder.join(name);
        fs::write(&path, text).expect("a drop-in can be written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&path, mode).expect("a mode can be set");
    }
    guest.start().ok();
    let read = || fs::read_to_string(&told).unwrap_or_default();
    wait::until("the outermost to be called", || read().contains("10-only").then_some(()));
    guest.stop().ok();
    assert_eq!(read(), "20-other pre-start\n30-too agent-up\n10-only agent-up\n30-too post-stop\n");
}

fn without_an_agent_it_does_not_come_and_that_is_said(host: &Host) {
    named(host, "");
    let guest = host.vm(&Behaviour::Obeys);
    let note = format!(
        "note: local:snippets/recorder asks for agent-up, which will not come: VM {} has no guest agent configured (agent: 1)",
        guest.vmid()
    );
    let start = guest.start().ok();
    assert_eq!(start.out().matches(&note).count(), 1, "{}", start.describe());
    guest.set(&["--agent", "1,type=isa"]);
    let stop = guest.stop().ok();
    assert!(!stop.out().contains("note:"), "{}", stop.describe());
    guest.start().ok().prints("has a guest agent of type isa, of which QEMU does not tell when it comes");
    guest.set(&["--agent", "1"]);
    guest.stop().ok();
    // It may come; that it does not is no reason to say so.
    let start = guest.start().ok();
    assert!(!start.out().contains("note:"), "{}", start.describe());
    guest.stop().ok();
    let run = "pre-start post-start pre-stop post-stop";
    guest.lived(&format!("{run} {run} {run}"));
}
