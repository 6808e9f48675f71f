//! What stands in for the lines of a record that cannot be read: the worst that they can have said.

use model::{Event, Outcome, Phase, ProcessId, Script, StopCause};

/// What the world itself tells about a run whose record is damaged.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The first record, where that cannot be read.
    pub begin: Event,
    /// The hypervisor of the guest that runs.
    pub guest: Option<ProcessId>,
    /// The scripts that `pre-start` calls, in their order.
    pub scripts: Vec<Script>,
}

/// A line of a mended record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// One that could be read, by its place.
    Kept(usize),
    /// One that stands in for others.
    New(Event),
}

/// Mends a record, of which `None`s are the lines that cannot be read. One without any stays as it is.
///
/// A call that may have been made counts as made, with an unknown outcome: none is made twice, and the `post-stop` of a
/// `pre-start` is not left out. A guest that runs is known to have been launched.
#[must_use]
pub fn mend(lines: &[Option<Event>], evidence: &Evidence) -> Vec<Line> {
    if !lines.contains(&None) {
        return (0..lines.len()).map(Line::Kept).collect();
    }
    let damaged = Damaged { lines };
    let begin = damaged.first(|event| matches!(event, Event::RunBegin { .. }));
    let mut added: Vec<(usize, Event)> = Vec::new();
    // In the order in which they follow each other in the same place.
    added.extend(damaged.lost_calls(Phase::PreStart, &evidence.scripts));
    match evidence.guest {
        Some(guest) => {
            let launch = damaged.lost_launch(guest);
            if let Some((place, _)) = &launch {
                added.extend(launch.clone());
                // What followed it may be lost with it.
                let calls = damaged.calls_behind_lost_launch(&evidence.scripts);
                added.extend(calls.map(|call| (*place, call)));
            }
        }
        None => added.extend(damaged.lost_end()),
    }
    added.extend(damaged.lost_ready());
    added.extend(damaged.lost_calls(Phase::PostStart, &evidence.scripts));
    added.extend(damaged.lost_agent_up(evidence.guest.is_some()));
    added.extend(damaged.lost_stop());
    added.extend(damaged.lost_calls(Phase::PreStop, &evidence.scripts));
    added.extend(damaged.lost_calls(Phase::PostStop, &evidence.scripts));
    let mut mended = vec![begin.map_or_else(|| Line::New(evidence.begin.clone()), Line::Kept)];
    for at in 0..=lines.len() {
        mended.extend(
            added.iter().filter(|(place, _)| *place == at).map(|(_, event)| Line::New(event.clone())),
        );
        if Some(at) != begin && lines.get(at).is_some_and(Option::is_some) {
            mended.push(Line::Kept(at));
        }
    }
    mended
}

/// A record with lines that cannot be read.
struct Damaged<'a> {
    lines: &'a [Option<Event>],
}

impl Damaged<'_> {
    fn first(&self, wanted: impl Fn(&Event) -> bool) -> Option<usize> {
        self.lines.iter().position(|line| line.as_ref().is_some_and(&wanted))
    }

    fn last(&self, wanted: impl Fn(&Event) -> bool) -> Option<usize> {
        self.lines.iter().rposition(|line| line.as_ref().is_some_and(&wanted))
    }

    /// The first line that there is only once the guest was launched.
    fn launched(&self) -> Option<usize> {
        self.first(is_launched)
    }

    fn gone(&self) -> Option<usize> {
        self.first(|event| matches!(event, Event::Gone { .. }))
    }

    fn was_refused(&self) -> bool {
        self.first(|event| {
            matches!(event, Event::HookEnd { phase: Phase::PreStart, outcome, .. } if outcome.aborts_start())
        })
        .is_some()
    }

    /// The calls of a phase that the lines which are lost may have told of, with their places.
    fn lost_calls(&self, phase: Phase, scripts: &[Script]) -> Vec<(usize, Event)> {
        // None is made before this line.
        let before = match phase {
            Phase::PreStart => Some(0).filter(|_| !self.was_refused()),
            Phase::PostStart if self.first(|event| *event == Event::Restart).is_some() => None,
            Phase::PostStart => {
                self.last(|event| matches!(event, Event::Launch { .. } | Event::Ready { .. }))
            }
            // Most scripts have none: see `lost_agent_up`.
            Phase::AgentUp => None,
            Phase::PreStop => self.last(|event| matches!(event, Event::StopAsked { .. })),
            Phase::PostStop => self.last(|event| *event == Event::Released),
        };
        let Some(before) = before else { return Vec::new() };
        // None is made after this one.
        let over = |event: &Event| match event {
            Event::PhaseEnd { phase: ended } => *ended == phase,
            Event::HookBegin { phase: Phase::AgentUp, .. } => phase == Phase::PostStart,
            Event::StopAsked { .. } | Event::Restart => phase == Phase::PostStart,
            Event::StopFailed { .. } => phase == Phase::PreStop,
            Event::Gone { .. } => phase != Phase::PostStop,
            Event::RunEnd { .. } => true,
            _ => phase == Phase::PreStart && is_launched(event),
        };
        let after = &self.lines[before..];
        let over = after.iter().position(|line| line.as_ref().is_some_and(over)).unwrap_or(after.len());
        let Some(gap) = after[..over].iter().position(Option::is_none) else { return Vec::new() };
        let told = |script: &&Script| after.iter().flatten().any(|event| is_call(event, phase, script));
        let untold = scripts.iter().filter(|script| !told(script));
        untold.map(|script| (before + gap, unknown(phase, script))).collect()
    }

    /// The end of `agent-up`, where the lines which are lost may have told of its calls. Which scripts wanted one is not
    /// known, so none is said to have had it; none gets a second one.
    fn lost_agent_up(&self, guest: bool) -> Option<(usize, Event)> {
        let end = Event::PhaseEnd { phase: Phase::AgentUp };
        let Some(up) = self.launched() else { return guest.then_some((self.lines.len(), end)) };
        let over = |event: &Event| matches!(event, Event::Gone { .. } | Event::RunEnd { .. });
        let after = &self.lines[up..];
        let over = after.iter().position(|line| line.as_ref().is_some_and(over)).unwrap_or(after.len());
        let gap = after[..over].iter().rposition(Option::is_none)?;
        Some((up + gap, end))
    }

    /// The launch of a guest that runs, where it cannot be read of, and its place.
    fn lost_launch(&self, guest: ProcessId) -> Option<(usize, Event)> {
        let launch = Event::Launch { process: guest };
        if self.first(|event| *event == launch).is_some() {
            return None;
        }
        let earlier = self.first(|event| matches!(event, Event::Launch { .. })).is_some();
        let place = match self.launched() {
            // A container that rebooted itself: the lost launch is a later one.
            Some(_) if earlier => self.lines.iter().rposition(Option::is_none)?,
            Some(after) => after,
            None => self.lines.len(),
        };
        Some((place, launch))
    }

    /// The calls of `post-start` where nothing is left of the guest's launch.
    fn calls_behind_lost_launch(&self, scripts: &[Script]) -> impl Iterator<Item = Event> {
        let told = self.launched().is_some();
        scripts.iter().filter(move |_| !told).map(|script| unknown(Phase::PostStart, script))
    }

    /// That the guest was up, where what follows it says so.
    fn lost_ready(&self) -> Option<(usize, Event)> {
        let up = self.first(|event| match event {
            Event::StopAsked { .. } | Event::Restart => true,
            Event::HookBegin { phase, .. } | Event::HookEnd { phase, .. } | Event::PhaseEnd { phase } => {
                matches!(phase, Phase::PostStart | Phase::AgentUp | Phase::PreStop)
            }
            _ => false,
        })?;
        let ready = self.first(|event| matches!(event, Event::Ready { .. }));
        ready.is_none_or(|ready| ready > up).then_some((up, Event::Ready { init: None }))
    }

    /// The request that a call of `pre-stop` belongs to, where it cannot be read of. The guest is asked to shut down then: that
    /// is the mildest that it can have been.
    fn lost_stop(&self) -> Option<(usize, Event)> {
        let call = self.first(|event| match event {
            Event::HookBegin { phase, .. } | Event::HookEnd { phase, .. } => *phase == Phase::PreStop,
            _ => false,
        })?;
        let asked = self.first(|event| matches!(event, Event::StopAsked { .. }));
        let stop = Event::StopAsked {
            cause: StopCause::Unknown,
            task: None,
            hard: false,
            timeout: None,
            force: false,
        };
        asked.is_none_or(|asked| asked > call).then_some((call, stop))
    }

    /// The end of a guest of which nobody knows whether it ever ran.
    fn lost_end(&self) -> Option<(usize, Event)> {
        let told = self.launched().or_else(|| self.gone()).is_some() || self.was_refused();
        let detail = "the record of the run is damaged".to_owned();
        (!told).then_some((self.lines.len(), Event::Gone { cause: StopCause::Unknown, detail }))
    }
}

/// Whether there is a record of it only once the guest was launched.
fn is_launched(event: &Event) -> bool {
    match event {
        Event::Launch { .. } | Event::Ready { .. } | Event::Restart | Event::StopAsked { .. } => true,
        Event::HookBegin { phase, .. } | Event::HookEnd { phase, .. } => {
            matches!(phase, Phase::PostStart | Phase::AgentUp | Phase::PreStop)
        }
        _ => false,
    }
}

fn is_call(event: &Event, phase: Phase, of: &Script) -> bool {
    match event {
        Event::HookBegin { phase: called, script, .. } => *called == phase && script == of,
        Event::HookEnd { phase: called, script, .. } => *called == phase && *script == of.to_string(),
        _ => false,
    }
}

fn unknown(phase: Phase, script: &Script) -> Event {
    Event::HookEnd {
        phase,
        script: script.to_string(),
        outcome: Outcome::Unknown,
        cause: Some("the record of it is damaged".to_owned()),
        millis: 0,
        cut: 0,
        left: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{GuestKind, RunId, StartReason, UserId};

    fn script() -> Script {
        "local:snippets/hook".parse().unwrap()
    }

    fn begin() -> Event {
        Event::RunBegin {
            run: RunId::new(1, 1),
            vmid: "100".parse().unwrap(),
            kind: GuestKind::Qemu,
            name: String::new(),
            reason: StartReason::User,
            user: UserId::root(),
            hookscript: None,
        }
    }

    fn end(phase: Phase, outcome: Outcome) -> Event {
        let Event::HookEnd { script, cause, millis, cut, left, .. } = unknown(phase, &script()) else {
            unreachable!("it is the end of a call")
        };
        Event::HookEnd { phase, outcome, script, cause, millis, cut, left }
    }

    fn mended(lines: &[Option<Event>], guest: Option<ProcessId>) -> Vec<Event> {
        let evidence = Evidence { begin: begin(), guest, scripts: vec![script()] };
        let line = |line| match line {
            Line::Kept(at) => lines[at].clone().unwrap(),
            Line::New(event) => event,
        };
        mend(lines, &evidence).into_iter().map(line).collect()
    }

    const GUEST: ProcessId = ProcessId { pid: 7, start: 7 };

    #[test]
    fn what_is_whole_stays_as_it_is() {
        let lines = [Some(begin()), Some(end(Phase::PreStart, Outcome::Ok))];
        assert_eq!(mended(&lines, None), lines.map(Option::unwrap));
    }

    #[test]
    fn where_nothing_can_be_read_the_worst_is_assumed() {
        let gone =
            Event::Gone { cause: StopCause::Unknown, detail: "the record of the run is damaged".into() };
        let unknown = end(Phase::PreStart, Outcome::Unknown);
        assert_eq!(mended(&[None, None], None), [begin(), unknown.clone(), gone]);
        let launch = Event::Launch { process: GUEST };
        let post_start = end(Phase::PostStart, Outcome::Unknown);
        let over = Event::PhaseEnd { phase: Phase::AgentUp };
        assert_eq!(mended(&[None], Some(GUEST)), [begin(), unknown, launch, post_start, over]);
    }

    #[test]
    fn a_lost_launch_comes_before_what_follows_it() {
        let over = Event::PhaseEnd { phase: Phase::PreStart };
        let ready = Event::Ready { init: None };
        let lines = [
            Some(begin()),
            Some(end(Phase::PreStart, Outcome::Ok)),
            Some(over.clone()),
            None,
            Some(ready.clone()),
        ];
        let launch = Event::Launch { process: GUEST };
        let expected = [begin(), end(Phase::PreStart, Outcome::Ok), over, launch, ready];
        assert_eq!(mended(&lines, Some(GUEST)), expected);
    }

    #[test]
    fn an_agent_up_that_may_have_been_called_is_not_called_again() {
        let launch = Event::Launch { process: GUEST };
        let ready = Event::Ready { init: None };
        let over = |phase| Event::PhaseEnd { phase };
        let known = [begin(), end(Phase::PreStart, Outcome::Ok), launch, ready, over(Phase::PostStart)];
        let lines: Vec<Option<Event>> = known.clone().map(Some).into_iter().chain([None]).collect();
        let mended = mended(&lines, Some(GUEST));
        assert_eq!(mended[..5], known);
        assert!(mended.contains(&over(Phase::AgentUp)), "{mended:?}");
    }

    #[test]
    fn a_start_that_was_refused_stays_refused() {
        let refused = end(Phase::PreStart, Outcome::Exit(1));
        assert_eq!(mended(&[Some(begin()), Some(refused.clone()), None], None), [begin(), refused]);
    }

    #[test]
    fn a_post_stop_that_may_have_been_called_is_not_called_again() {
        let gone = Event::Gone { cause: StopCause::Stop, detail: String::new() };
        let lines = [Some(begin()), Some(gone.clone()), Some(Event::Released), None];
        let unknown = end(Phase::PostStop, Outcome::Unknown);
        assert_eq!(mended(&lines, None), [begin(), gone, Event::Released, unknown]);
    }
}
