//! Hookscripts that flood, freeze, hang where no signal reaches them or fill the disk: they hold up neither their keeper nor
//! their neighbours, and can be aborted.

use e2e::hanging::Frozen;
use e2e::output::{Output, Running};
use e2e::suite::Test;
use e2e::{Guest, Host, Kind, proc, tests, wait};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: a_flood_of_lines, a_line_without_end, outputs_that_are_closed, a_script_that_stops_itself,
            a_script_that_ignores_signals, a_script_that_no_signal_reaches, a_second_stop_joins_one_that_hangs,
            a_stop_cancels_a_start_that_hangs, a_stop_finds_the_guest_gone
    )
}

/// How much is printed, in MiB.
const FLOOD: u32 = 20;

/// A guest beside it lives a whole life while something goes on.
#[track_caller]
fn a_neighbour_lives(host: &Host, kind: Kind) {
    let began = Instant::now();
    let neighbour = host.guest(kind);
    neighbour.start().ok();
    neighbour.stop().ok();
    neighbour.lived("pre-start post-start pre-stop post-stop");
    assert!(began.elapsed() < Duration::from_secs(15), "the neighbour took {:?}", began.elapsed());
}

fn floods(host: &Host, kind: Kind, printing: &str) {
    let guest = host.guest(kind);
    guest.on("pre-start", printing);
    let start = guest.spawn("start", &[]);
    guest.wait_noted("pre-start", 1);
    a_neighbour_lives(host, kind);
    start.finish().ok();
    let history = guest.history();
    let run = history.as_array().and_then(|runs| runs.last()).expect("a run");
    let cut = run["phases"][0]["cut"].as_u64().expect("how much was cut");
    let printed = u64::from(FLOOD) << 20;
    assert!(cut > printed - (4 << 20) && cut < printed, "{cut} bytes of {printed} are cut");
    for ledger in guest.ledgers() {
        let size = fs::metadata(&ledger).expect("a ledger").len();
        assert!(size < 16 << 20, "{}: {size} bytes", ledger.display());
    }
    guest.stop().ok();
}

fn a_flood_of_lines(host: &Host, kind: Kind) {
    floods(host, kind, &format!("yes \"$(printf '%01000d' 7)\" | head -c {FLOOD}M; echo"));
}

fn a_line_without_end(host: &Host, kind: Kind) {
    floods(host, kind, &format!("head -c {FLOOD}M /dev/zero | tr '\\0' x; echo"));
}

/// Makes the hook hang in a phase, when it has noted and printed what it always does.
fn hang_in(host: &Host, guest: &Guest, phase: &str, how: &str) {
    guest.on(phase, &format!("touch '{}'; {how}", marker(host, guest, phase).display()));
}

/// Waits until it does. Returns its pid.
#[track_caller]
fn hangs(host: &Host, guest: &Guest, phase: &str) -> u32 {
    wait::until("the hook to hang", || marker(host, guest, phase).exists().then_some(()));
    guest.wait_noted(phase, 1).pid
}

fn marker(host: &Host, guest: &Guest, phase: &str) -> PathBuf {
    host.scratch().join(format!("{}-{phase}-hangs", guest.vmid()))
}

/// A script that hangs in `pre-start` and then in `pre-stop`, aborted each time.
fn is_aborted(host: &Host, kind: Kind, hang: &str) {
    let guest = host.guest(kind);
    hang_in(host, &guest, "pre-start", hang);
    let start = guest.spawn("start", &[]);
    hangs(host, &guest, "pre-start");
    a_neighbour_lives(host, kind);
    abort(host, &guest, start).fails().complains("failed: received interrupt");
    guest.wait_run_end();
    assert_eq!(guest.status(), "stopped");
    guest.forget("pre-start");
    hang_in(host, &guest, "pre-stop", hang);
    guest.start().ok();
    let stop = guest.spawn("stop", &[]);
    hangs(host, &guest, "pre-stop");
    abort(host, &guest, stop).ok();
    assert_eq!(guest.status(), "stopped");
    guest.lived("pre-start:aborted post-stop pre-start post-start pre-stop:aborted post-stop");
}

fn abort(host: &Host, guest: &Guest, running: Running) -> Output {
    let began = Instant::now();
    host.hookvisor(["hooks", "abort", &guest.id()]).ok();
    let output = running.finish();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}: {}", began.elapsed(), output.describe());
    output
}

fn outputs_that_are_closed(host: &Host, kind: Kind) {
    is_aborted(host, kind, "exec >&- 2>&-; sleep 1000");
}

fn a_script_that_stops_itself(host: &Host, kind: Kind) {
    is_aborted(host, kind, "kill -STOP $$");
}

fn a_script_that_ignores_signals(host: &Host, kind: Kind) {
    is_aborted(host, kind, "trap '' TERM INT HUP; while :; do sleep 0.1; done");
}

fn sleeps_deeply(pid: u32) -> bool {
    proc::process(pid).is_some_and(|process| process.state == 'D')
}

fn a_script_that_no_signal_reaches(host: &Host, kind: Kind) {
    let frozen = Frozen::at(host, &host.scratch().join("frozen"));
    let guest = host.guest(kind);
    hang_in(host, &guest, "pre-start", &format!("echo >'{}/file'", frozen.path().display()));
    let start = guest.spawn("start", &[]);
    let pid = hangs(host, &guest, "pre-start");
    wait::until("the script to hang in the kernel", || sleeps_deeply(pid).then_some(()));
    a_neighbour_lives(host, kind);
    abort(host, &guest, start).fails().complains("failed: received interrupt");
    guest.wait_run_end();
    assert!(sleeps_deeply(pid), "it is left to the kernel");
    guest.forget("pre-start");
    guest.start().ok();
    guest.stop().ok();
    drop(frozen);
    guest.lived("pre-start:aborted post-stop pre-start post-start pre-stop post-stop");
}

fn a_second_stop_joins_one_that_hangs(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    hang_in(host, &guest, "pre-stop", "kill -STOP $$");
    guest.start().ok();
    let first = guest.spawn("stop", &[]);
    hangs(host, &guest, "pre-stop");
    let second = guest.spawn("stop", &[]);
    wait::until("the second stop's task", || {
        let begun = guest.events().iter().filter(|event| event["event"] == "task-begin").count();
        (begun == 3).then_some(())
    });
    abort(host, &guest, first).ok();
    second.finish().ok();
    guest.lived("pre-start post-start pre-stop:aborted post-stop");
}

/// A guest that has ended while its `post-start` ran has no `pre-stop`, though a stop is what ended the script.
fn a_stop_finds_the_guest_gone(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    hang_in(host, &guest, "post-start", "kill -STOP $$");
    let start = guest.spawn("start", &[]);
    hangs(host, &guest, "post-start");
    guest.kill(&[guest.hypervisor()]);
    guest.stop().ok();
    start.finish().ok().prints("has ended since it was started");
    guest.wait_run_end();
    guest.lived("pre-start post-start:aborted post-stop");
    assert_eq!(guest.notes().last().map(|note| note.stop_cause.clone()).as_deref(), Some("killed"));
}

fn a_stop_cancels_a_start_that_hangs(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    hang_in(host, &guest, "pre-start", "kill -STOP $$");
    let start = guest.spawn("start", &[]);
    hangs(host, &guest, "pre-start");
    guest.stop().ok();
    start.finish().fails();
    guest.wait_run_end();
    guest.lived("pre-start:aborted post-stop");
}
