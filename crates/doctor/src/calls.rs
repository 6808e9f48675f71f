//! Calls of hookscripts that go on now, and for longer than is sensible.

use crate::scene::Scene;
use crate::{Finding, apart};
use hooks::progress::words;
use keeper::client;
use model::{Event, Layout, Phase, ProcessId, Script, Vmid};
use record::history;
use record::ledger::{self, Stamped};
use std::time::Duration;

/// How long a guest's record and its keeper may take to tell.
const LIMIT: Duration = Duration::from_secs(4);

/// A call that is younger is nobody's concern.
const YOUNG: Duration = Duration::from_secs(30);

/// From here on a call that nothing ends, and that its guest waits for, is in the way.
const OLD: Duration = Duration::from_secs(300);

/// How many times as long as ever before a call may take.
const USUAL_TIMES: u32 = 3;

/// How many runs tell what is usual.
const RUNS: usize = 20;

/// How long after its limit a script that is ended may still be there: it is told to end, killed, and waited for.
const ENDING: Duration = Duration::from_secs(15);

/// A call of a hookscript that goes on.
#[derive(Debug)]
struct Call {
    vmid: Vmid,
    phase: Phase,
    script: Script,
    process: ProcessId,
    ran: Duration,
    /// How long it may run by itself; none where nothing says.
    limit: Option<Duration>,
    /// When its keeper ends it; none where it does not.
    ends_in: Option<Duration>,
    /// The longest time that the same call took before, where it ended well.
    usual: Option<Duration>,
    stopped: bool,
}

/// The calls that go on now.
pub(crate) fn running(scene: &Scene) -> Vec<Finding> {
    // Where the folder cannot be read, the check of the runs says so.
    let recorded = client::recorded(&scene.layout).unwrap_or_default();
    let layout = scene.layout.clone();
    let calls = apart::each(recorded, LIMIT, move |vmid| Call::of(&layout, *vmid));
    calls.into_iter().filter_map(|(_, call)| call??.judge()).collect()
}

impl Call {
    /// That of a guest; none where its record tells of none.
    fn of(layout: &Layout, vmid: Vmid) -> Option<Self> {
        let events = ledger::read_without_output(&layout.ledger(vmid)).ok()?.events;
        let (phase, script, process, limit, boot_ms) = open_call(&events)?;
        if !process::alive(process) {
            return None;
        }
        let state = client::state(layout, vmid);
        Some(Self {
            vmid,
            phase,
            usual: usual(layout, vmid, phase, &script),
            script,
            process,
            ran: Duration::from_millis(process::boot_millis().saturating_sub(boot_ms)),
            limit,
            // It may have come to another call meanwhile.
            ends_in: state
                .hook_ends_in
                .filter(|_| state.hook_pid == Some(process.pid))
                .map(Duration::from_millis),
            stopped: process::is_stopped(process.pid),
        })
    }

    fn judge(&self) -> Option<Finding> {
        let Self { vmid, phase, script, process, ran, .. } = self;
        let about = format!("{phase} of {vmid}");
        let runs = format!("{script} (pid {}) has run for {}", process.pid, words(whole(*ran)));
        let why = match phase {
            Phase::PreStart => "the guest is not started before it has ended",
            Phase::PostStart => "the start does not end before it does",
            Phase::AgentUp => "nothing waits for it but what it is to do",
            Phase::PreStop => "the guest is not stopped before it has ended",
            Phase::PostStop => "the guest cannot be started again before it has ended",
        };
        if self.stopped {
            let mend = format!("kill -CONT {}", process.pid);
            return Some(Finding::problem(about, format!("{runs}, and is stopped"), why, mend));
        }
        let sensible = self.usual.map_or(YOUNG, |usual| YOUNG.max(usual * USUAL_TIMES));
        if *ran < sensible {
            return None;
        }
        let overdue = self.limit.is_some_and(|limit| *ran > limit + ENDING);
        let usual = match self.usual {
            Some(usual) => format!("; it took {} at most before", words(rounded(usual))),
            None => String::new(),
        };
        let end = match (self.ends_in, self.limit) {
            (_, Some(limit)) if overdue => format!("its limit of {} is over", words(limit)),
            (Some(left), Some(limit)) if ends_by(*ran, left, limit) => {
                format!("its limit of {} ends it in {}", words(limit), words(whole(left)))
            }
            (Some(left), _) => {
                let starting = matches!(phase, Phase::PreStart | Phase::PostStart);
                let whose = if starting { "start" } else { "stop" };
                format!("the limit of this {whose} or recovery ends it in {}", words(whole(left)))
            }
            (None, Some(limit)) => format!("its limit is {}", words(limit)),
            (None, None) => "nothing ends it".to_owned(),
        };
        let endless = self.ends_in.is_none() && self.limit.is_none();
        let in_the_way = *phase != Phase::AgentUp && (overdue || endless && *ran >= sensible.max(OLD));
        let mend = format!("hookvisor hooks abort {vmid}  # 'hookvisor log {vmid}' shows what it printed");
        Some(Finding::problem(about, format!("{runs}{usual}; {end}"), why, mend).unless(in_the_way))
    }
}

/// Whether a script that has run this long, and has this left, is ended by this limit, which counts from when it was found.
fn ends_by(ran: Duration, left: Duration, limit: Duration) -> bool {
    (ran + left).abs_diff(limit) < ENDING
}

/// Whole seconds, for readers.
fn whole(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

/// As [`whole`], and what is shorter than a second as it is.
fn rounded(duration: Duration) -> Duration {
    if duration < Duration::from_secs(1) { duration } else { whole(duration) }
}

/// The last call that a ledger tells the begin of and not the end: phase, script, process, limit, and when it began.
fn open_call(events: &[Stamped]) -> Option<(Phase, Script, ProcessId, Option<Duration>, u64)> {
    let last = events.iter().rev().find_map(|stamped| match &stamped.event {
        Event::HookEnd { .. } => Some(None),
        Event::HookBegin { phase, script, process, limit_ms, .. } => {
            let limit = limit_ms.map(Duration::from_millis);
            Some(Some((*phase, script.clone(), *process, limit, stamped.boot_ms)))
        }
        _ => None,
    });
    last.flatten()
}

/// The longest time that the script took in this phase, where it ended well.
fn usual(layout: &Layout, vmid: Vmid, phase: Phase, script: &Script) -> Option<Duration> {
    let script = script.to_string();
    let runs = history::runs(layout, vmid, RUNS).ok()?.runs;
    let calls = runs.iter().flat_map(|run| &run.phases);
    let same = calls.filter(|call| call.phase == phase && call.script == script && call.cause.is_none());
    same.filter_map(|call| call.millis).max().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn call(phase: Phase, seconds: u64) -> Call {
        Call {
            vmid: "100".parse().unwrap(),
            phase,
            script: "local:snippets/x.sh".parse().unwrap(),
            process: ProcessId { pid: 42, start: 1 },
            ran: Duration::from_secs(seconds),
            limit: None,
            ends_in: None,
            usual: None,
            stopped: false,
        }
    }

    fn told(call: &Call) -> Option<(State, String)> {
        call.judge().map(|found| (found.state, found.what))
    }

    #[test]
    fn a_call_is_told_of_by_its_age_and_by_what_is_usual() {
        let pre_start = |seconds| call(Phase::PreStart, seconds);
        assert_eq!(told(&pre_start(29)), None);
        let runs = "local:snippets/x.sh (pid 42) has run for ";
        assert_eq!(told(&pre_start(60)), Some((State::Note, format!("{runs}1 min; nothing ends it"))));
        assert_eq!(told(&pre_start(300)).unwrap().0, State::Problem);
        let slow = |seconds| Call { usual: Some(Duration::from_secs(200)), ..pre_start(seconds) };
        assert_eq!(told(&slow(599)), None);
        let (state, what) = told(&slow(601)).unwrap();
        assert_eq!(state, State::Problem);
        assert!(what.ends_with("10 min 1 s; it took 3 min 20 s at most before; nothing ends it"), "{what}");
        assert_eq!(told(&call(Phase::AgentUp, 3000)).unwrap().0, State::Note, "nothing waits for it");
    }

    #[test]
    fn a_call_that_a_limit_ends_is_a_remark_until_that_is_over() {
        let seconds = Duration::from_secs;
        let limited = Call { limit: Some(seconds(120)), ..call(Phase::PostStop, 60) };
        let own = Call { ends_in: Some(seconds(60)), ..limited };
        assert_eq!(
            told(&own).unwrap(),
            (
                State::Note,
                "local:snippets/x.sh (pid 42) has run for 1 min; its limit of 2 min ends it in 1 min".into()
            )
        );
        let sooner = Call { ends_in: Some(seconds(5)), ..own };
        assert!(told(&sooner).unwrap().1.ends_with("; the limit of this stop or recovery ends it in 5 s"));
        let over = Call { ran: seconds(140), ends_in: Some(seconds(0)), ..sooner };
        let (state, what) = told(&over).unwrap();
        assert!(state == State::Problem && what.ends_with("its limit of 2 min is over"), "{what}");
    }

    #[test]
    fn a_script_that_is_stopped_is_told_of_at_once() {
        let found = Call { stopped: true, ..call(Phase::PreStop, 1) }.judge().unwrap();
        assert_eq!((found.state, found.mend.as_deref()), (State::Problem, Some("kill -CONT 42")));
    }
}
