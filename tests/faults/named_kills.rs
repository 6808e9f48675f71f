//! Keeper, hypervisor, hook or all of them are killed at each named step of a life, and what they leave is come across by
//! `hookvisor recover` and by the next command.

use crate::killing::{LANES, Operation, Victim, Way, go_on, hold_promise, quick_guest, settle};
use e2e::promise::{self, Done};
use e2e::suite::{self, BUSYBOX, LXC, Need, QEMU, Test};
use e2e::trace::{Held, Moment, Trace, name};
use e2e::{Guest, Host, Kind, tests};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        bare [Need::Root, Need::Journald, QEMU]: each_step_of_a_vm;
        bare [Need::Root, Need::Journald, LXC, BUSYBOX]: each_step_of_a_container
    )
}

fn each_step_of_a_vm() {
    each_step(Kind::Vm);
}

fn each_step_of_a_container() {
    each_step(Kind::Container);
}

/// Where a life is held.
#[derive(Debug, Clone, Copy)]
enum At {
    /// This event has just been recorded: by a keeper, or by the child that it has forked for it.
    After(&'static str),
    /// The hook of this phase runs.
    In(&'static str),
    /// The keeper waits, for the first time after this event.
    WaitsAfter(&'static str),
}
use At::{After, In, WaitsAfter};
use Operation::{Reboot, Recovery, Shutdown, Start, Stop};

/// The stories that the record has after each victim: the calls with their outcomes, `|` between runs. Empty where that
/// victim does not live at that step. More runs may follow; more of the same run where it ends in `…`.
struct Stories {
    keeper: &'static str,
    hypervisor: &'static str,
    hook: &'static str,
    all: &'static str,
}

const fn stories(
    keeper: &'static str,
    hypervisor: &'static str,
    hook: &'static str,
    all: &'static str,
) -> Stories {
    Stories { keeper, hypervisor, hook, all }
}

/// A step, where it is held, and what came to pass before: the keeper was killed at another one.
type Step = (Option<(Operation, At)>, Operation, At, Stories);

/// Nobody of that kind lives at that step.
const NONE: &str = "-";
const LIFE: &str = "pre-start post-start pre-stop post-stop";
const UNDONE: &str = "pre-start post-stop";
const UNKNOWN: &str = "pre-start:unknown post-stop";
const GONE: &str = "pre-start post-start post-stop";
/// What becomes of a life whose start is gone on with when the next stop comes, and cancels it.
const CANCELLED: [&str; 3] = [
    UNDONE,
    "pre-start post-start:cannot-spawn pre-stop post-stop",
    "pre-start post-start:aborted pre-stop post-stop",
];

#[rustfmt::skip]
const STEPS: &[Step] = &[
    (None, Start, After("run-begin"), stories("", NONE, NONE, "")),
    (None, Start, After("hook-begin pre-start"), stories(UNKNOWN, NONE, "pre-start:cannot-spawn", UNKNOWN)),
    (None, Start, In("pre-start"), stories(UNKNOWN, NONE, "pre-start:signal-9 post-stop", UNKNOWN)),
    (None, Start, After("hook-end pre-start"), stories(UNDONE, NONE, NONE, UNDONE)),
    (None, Start, After("phase-end pre-start"), stories(UNDONE, NONE, NONE, UNDONE)),
    (None, Start, After("took"), stories(UNDONE, NONE, NONE, UNDONE)),
    (None, Start, After("launch"), stories(LIFE, UNDONE, NONE, UNDONE)),
    (None, Start, After("ready"), stories(LIFE, GONE, NONE, UNDONE)),
    (None, Start, After("hook-begin post-start"), stories("pre-start post-start:unknown pre-stop post-stop", GONE,
        "pre-start post-start:cannot-spawn pre-stop post-stop", "pre-start post-start:unknown post-stop")),
    (None, Start, In("post-start"), stories("pre-start post-start:unknown pre-stop post-stop", GONE,
        "pre-start post-start:signal-9 pre-stop post-stop", "pre-start post-start:unknown post-stop")),
    (None, Start, After("phase-end post-start"), stories(LIFE, GONE, NONE, GONE)),
    (None, Start, After("task-end"), stories(LIFE, GONE, NONE, GONE)),

    (None, Stop, After("stop-asked"), stories(LIFE, LIFE, NONE, GONE)),
    (None, Stop, After("hook-begin pre-stop"), stories("pre-start post-start pre-stop:unknown post-stop", LIFE,
        "pre-start post-start pre-stop:cannot-spawn post-stop", "pre-start post-start pre-stop:unknown post-stop")),
    (None, Stop, In("pre-stop"), stories("pre-start post-start pre-stop:unknown post-stop", LIFE,
        "pre-start post-start pre-stop:signal-9 post-stop", "pre-start post-start pre-stop:unknown post-stop")),
    (None, Stop, After("phase-end pre-stop"), stories(LIFE, LIFE, NONE, LIFE)),
    (None, Stop, WaitsAfter("phase-end pre-stop"), stories(LIFE, LIFE, NONE, LIFE)),
    (None, Stop, After("gone"), stories(LIFE, NONE, NONE, LIFE)),
    (None, Stop, After("released"), stories(LIFE, NONE, NONE, LIFE)),
    (None, Stop, After("hook-begin post-stop"), stories("pre-start post-start pre-stop post-stop:unknown", NONE,
        "pre-start post-start pre-stop post-stop:cannot-spawn", "pre-start post-start pre-stop post-stop:unknown")),
    (None, Stop, In("post-stop"), stories("pre-start post-start pre-stop post-stop:unknown", NONE,
        "pre-start post-start pre-stop post-stop:signal-9", "pre-start post-start pre-stop post-stop:unknown")),
    (None, Stop, After("hook-end post-stop"), stories(LIFE, NONE, NONE, LIFE)),
    (None, Stop, After("phase-end post-stop"), stories(LIFE, NONE, NONE, LIFE)),
    (None, Stop, After("run-end"), stories(LIFE, NONE, NONE, LIFE)),

    (None, Shutdown, After("phase-end pre-stop"), stories(LIFE, LIFE, NONE, LIFE)),
    (None, Shutdown, WaitsAfter("phase-end pre-stop"), stories(LIFE, LIFE, NONE, LIFE)),

    (None, Reboot, After("stop-asked"), stories(LIFE, LIFE, NONE, GONE)),
    (None, Reboot, WaitsAfter("phase-end pre-stop"), stories(LIFE, LIFE, NONE, LIFE)),
    // Whoever comes across it does the second half, which may be stopped again at any point.
    (None, Reboot, After("run-end"), stories("pre-start post-start pre-stop post-stop | pre-start…", NONE, NONE,
        "pre-start post-start pre-stop post-stop | pre-start…")),
    (None, Reboot, After("run-begin"), stories(LIFE, NONE, NONE, LIFE)),
    (None, Reboot, After("phase-end pre-start"), stories(
        "pre-start post-start pre-stop post-stop | pre-start post-stop", NONE, NONE,
        "pre-start post-start pre-stop post-stop | pre-start post-stop")),
    (None, Reboot, After("launch"), stories(
        "pre-start post-start pre-stop post-stop | pre-start post-start pre-stop post-stop",
        "pre-start post-start pre-stop post-stop | pre-start post-stop", NONE,
        "pre-start post-start pre-stop post-stop | pre-start post-stop")),
    (None, Reboot, After("ready"), stories(
        "pre-start post-start pre-stop post-stop | pre-start post-start pre-stop post-stop",
        "pre-start post-start pre-stop post-stop | pre-start post-start post-stop", NONE,
        "pre-start post-start pre-stop post-stop | pre-start post-stop")),

    (Some((Start, In("pre-start"))), Recovery, After("keeper"), stories(UNKNOWN, NONE, NONE, UNKNOWN)),
    (Some((Start, In("pre-start"))), Recovery, After("hook-end pre-start"), stories(UNKNOWN, NONE, NONE, UNKNOWN)),
    (Some((Start, After("phase-end pre-start"))), Recovery, After("keeper"), stories(UNDONE, NONE, NONE, UNDONE)),
    (Some((Start, After("phase-end pre-start"))), Recovery, After("gone"), stories(UNDONE, NONE, NONE, UNDONE)),
    (Some((Start, After("phase-end pre-start"))), Recovery, After("released"), stories(UNDONE, NONE, NONE, UNDONE)),
    (Some((Start, After("phase-end pre-start"))), Recovery, In("post-stop"), stories("pre-start post-stop:unknown",
        NONE, "pre-start post-stop:signal-9", "pre-start post-stop:unknown")),
    // How far the guest has come meanwhile, and so what becomes of it, is open where its hypervisor is killed.
    (Some((Start, After("launch"))), Recovery, After("keeper"), stories(LIFE, NONE, NONE, UNDONE)),
    (Some((Start, After("launch"))), Recovery, After("ready"), stories(LIFE, GONE, NONE, UNDONE)),
    (Some((Start, After("task-end"))), Recovery, After("keeper"), stories(LIFE, GONE, NONE, GONE)),
    (Some((Stop, After("phase-end pre-stop"))), Recovery, After("keeper"), stories(LIFE, LIFE, NONE, LIFE)),
    (Some((Stop, After("phase-end pre-stop"))), Recovery, WaitsAfter("keeper"), stories(LIFE, LIFE, NONE, LIFE)),
    (Some((Stop, After("phase-end pre-stop"))), Recovery, After("gone"), stories(LIFE, NONE, NONE, LIFE)),
    (Some((Stop, After("gone"))), Recovery, After("hook-begin post-stop"), stories(
        "pre-start post-start pre-stop post-stop:unknown", NONE,
        "pre-start post-start pre-stop post-stop:cannot-spawn", "pre-start post-start pre-stop post-stop:unknown")),
    (Some((Stop, After("gone"))), Recovery, After("run-end"), stories(LIFE, NONE, NONE, LIFE)),
];

/// One kill.
struct Case {
    step: usize,
    victim: Victim,
    way: Way,
    story: &'static str,
}

fn cases(kind: Kind) -> Vec<Case> {
    let mut cases = Vec::new();
    for (step, (.., stories)) in STEPS.iter().enumerate() {
        let mut add = |victim, ways: &[Way], story| {
            let ways = ways.iter().filter(|_| story != NONE);
            cases.extend(ways.map(|way| Case { step, victim, way: *way, story }));
        };
        let next = if step % 2 == 0 { Way::Start } else { Way::Stop };
        add(Victim::Keeper, &[Way::Recover, next], stories.keeper);
        add(Victim::All, &[Way::Recover, next], stories.all);
        // Their keeper lives: there is nothing to recover.
        add(Victim::Hook, &[Way::Recover], stories.hook);
        add(Victim::Hypervisor, &[Way::Recover], stories.hypervisor);
        if kind == Kind::Container {
            add(Victim::Init, &[Way::Recover], stories.hypervisor);
        }
    }
    cases
}

fn each_step(kind: Kind) {
    let (cases, next) = (cases(kind), AtomicUsize::new(0));
    let lane = || {
        suite::on_host(|host| {
            let guest = quick_guest(host, kind);
            while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                let (before, operation, at, _) = &STEPS[case.step];
                let title = format!(
                    "{kind:?}, {before:?}, {operation:?}, {at:?}: {} is killed, then {:?}",
                    case.victim, case.way
                );
                let played = suite::caught(|| play(host, &guest, case));
                assert!(played.is_ok(), "{title}: {}", played.unwrap_err());
                guest.forget_past();
            }
        })
    };
    let failures: Vec<String> = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        lanes.into_iter().filter_map(|lane| lane.join().expect("lanes catch panics").err()).collect()
    });
    println!("{kind:?}: {} kills at {} steps", cases.len(), STEPS.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn play(host: &Host, guest: &Guest<'_>, case: &Case) {
    let (before, operation, at, _) = STEPS[case.step];
    let starting =
        [Some(at), before.map(|(_, at)| at)].iter().any(|at| matches!(at, Some(After("launch" | "ready"))));
    let mut done = Done::default();
    let mut gates = Vec::new();
    if let Some((operation, at)) = before {
        operation.prepare(guest);
        gates.push(strike(host, guest, operation, at, Victim::Keeper, &mut done).0);
    }
    operation.prepare(guest);
    let (gate, hit) = strike(host, guest, operation, at, case.victim, &mut done);
    gates.push(gate);
    if hit
        && matches!(case.victim, Victim::Hypervisor | Victim::Init)
        && case.story.ends_with("start post-stop")
    {
        // Its keeper sees to it by itself, unless a stop comes first.
        guest.wait_run_end();
    }
    done.printed += &case.way.go(host, guest);
    settle(host, guest, &mut done);
    drop(gates);
    hold_promise(guest, &done);
    let (story, expected) = (promise::story(guest), case.story);
    let goes_on = match expected.strip_suffix('…') {
        Some(beginning) => story.starts_with(beginning),
        None => story.strip_prefix(expected).is_some_and(|rest| rest.starts_with(" | ")),
    };
    let cancelled = starting
        && case.way != Way::Recover
        && expected
            .strip_suffix(LIFE)
            .and_then(|earlier| story.strip_prefix(earlier))
            .is_some_and(|life| CANCELLED.contains(&life));
    assert!(!hit || story == expected || goes_on || cancelled, "the story is {story:?}, not {expected:?}");
}

/// Holds an operation at a step and kills somebody there.
fn strike(
    host: &Host,
    guest: &Guest<'_>,
    operation: Operation,
    at: At,
    victim: Victim,
    done: &mut Done,
) -> (Option<Gate>, bool) {
    let mut gate = if let In(phase) = at { Some(Gate::in_phase(host, guest, phase)) } else { None };
    let mut trace = operation.trace(host, guest);
    let held = hold(&mut trace, at).unwrap_or_else(|| panic!("{operation:?} has no {at:?}"));
    let killed = victim.kill(guest, held);
    if let (Some(gate), In(phase)) = (&mut gate, at) {
        guest.forget(phase);
        gate.open();
    }
    go_on(trace, &killed, done);
    // lxc-start may not have made its init yet, and what has been told to end may have ended.
    let hit = !killed.is_empty();
    assert!(hit || matches!(victim, Victim::Hypervisor | Victim::Init), "no {victim} lives at {at:?}");
    (gate, hit)
}

fn hold(trace: &mut Trace, at: At) -> Option<Held> {
    let mut lines = 0;
    let mut passed = false;
    trace.run_until(|moment| match (moment, at) {
        (Moment::Recorded(event), After(step)) => name(event) == step,
        (Moment::Recorded(event), In(phase)) => {
            // One on each output.
            lines += u32::from(name(event) == format!("output {phase}"));
            lines == 2
        }
        (Moment::Recorded(event), WaitsAfter(step)) => {
            passed |= name(event) == step;
            false
        }
        (Moment::Call { waits, .. }, WaitsAfter(_)) => passed && *waits,
        (Moment::Call { .. }, After(_) | In(_)) => false,
    })
}

/// What a hook waits at, without a look at the clock.
struct Gate(File);

impl Gate {
    fn in_phase(host: &Host, guest: &Guest<'_>, phase: &str) -> Self {
        let path = host.scratch().join("gate");
        let _ = std::fs::remove_file(&path);
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.is_ok_and(|status| status.success()), "a FIFO can be made");
        guest.on(phase, &format!("read -r line <'{}'", path.display()));
        // Open for both, so that what is written stays until the hook reads it.
        Self(OpenOptions::new().read(true).write(true).open(&path).expect("the gate can be opened"))
    }

    fn open(&mut self) {
        self.0.write_all(b"\n").expect("a FIFO takes a byte");
    }
}
