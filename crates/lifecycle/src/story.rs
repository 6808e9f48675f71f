use crate::calls::Calls;
use crate::host::{Ended, Happening, Host, Launched, Readiness, StopRequest};
use model::{Event, Outcome, Phase, StopCause};

/// A place in the story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The run is on record; nothing has been done.
    Asked,
    /// The start begins.
    PreStart,
    /// The start came to nothing before anything ran, for this reason.
    Refused(Option<String>),
    /// The guest may be launched; `again` after it rebooted itself.
    Launch {
        /// Whether this is the relaunch of a container that rebooted itself.
        again: bool,
    },
    /// The hypervisor runs; the guest is not up yet.
    Launched {
        /// As for [`Stage::Launch`].
        again: bool,
    },
    /// A container rebooted itself: it is launched again, without a phase.
    Relaunch,
    /// The guest is up; `post-start` is to come.
    PostStart,
    /// The guest is up.
    Running,
    /// Its agent answers.
    AgentUp,
    /// A stop is on record; `pre-stop` is to come.
    PreStop(StopRequest),
    /// `pre-stop` is over; the guest is to be ended.
    End(StopRequest),
    /// The guest's start came to nothing after `pre-start`: what is left of it must be ended.
    StartFailed(String),
    /// The guest was found gone, for this reason.
    FoundGone(StopCause),
    /// The guest's end is on record.
    Gone(StopCause, Option<String>),
    /// Everything is given back; `post-stop` is to come.
    PostStop(StopCause, Option<String>),
    /// All phases are over.
    Over(Option<StopCause>, Option<String>),
    /// The end of the run is on record.
    Ended(Option<StopCause>, Option<String>),
}

/// A life that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Why the guest stopped; none where its start was refused.
    pub cause: Option<StopCause>,
}

/// Lives a guest's life from its start to its end.
///
/// # Errors
/// The keeper's own death, where the host knows such a thing.
pub fn live<H: Host>(host: &mut H) -> Result<Life, H::Death> {
    live_on(host, Calls::default(), Stage::Asked)
}

/// Lives a guest's life from a place in the story to its end.
pub(crate) fn live_on<H: Host>(host: &mut H, mut calls: Calls, from: Stage) -> Result<Life, H::Death> {
    let mut stage = from;
    loop {
        stage = match stage {
            Stage::Asked => match host.delay()? {
                Ok(()) => Stage::PreStart,
                Err(dropped) => Stage::Refused(Some(dropped)),
            },
            Stage::PreStart => match calls.phase(host, Phase::PreStart, None)? {
                None => match host.prepare()? {
                    Ok(()) => Stage::Launch { again: false },
                    Err(error) => Stage::StartFailed(error),
                },
                // Nobody has taken anything: it ended by itself or never ran.
                Some(end) if calls.undo().is_empty() => Stage::Refused(end.error),
                Some(end) => Stage::StartFailed(end.error.unwrap_or_default()),
            },
            Stage::Refused(error) => {
                host.release()?;
                Stage::Over(None, error)
            }
            Stage::Launch { again } => match host.launch()? {
                Launched::Yes => {
                    calls.launched();
                    Stage::Launched { again }
                }
                Launched::No(error) => failed(host, again, error)?,
            },
            Stage::Launched { again } => match host.ready(!again)? {
                Readiness::Ready if again => Stage::Running,
                Readiness::Ready => Stage::PostStart,
                Readiness::Failed(error) => failed(host, again, error)?,
                Readiness::Cancelled => failed(host, again, "the start was cancelled by a stop".to_owned())?,
            },
            Stage::Relaunch => match host.prepare()? {
                Ok(()) => Stage::Launch { again: true },
                Err(error) => failed(host, true, error)?,
            },
            Stage::PostStart => {
                // A failure is a warning, which the host has given.
                calls.phase(host, Phase::PostStart, None)?;
                host.answer_start(Ok(()))?;
                Stage::Running
            }
            Stage::Running => match host
                .pending_stop()
                .map_or_else(|| host.wait(!calls.agent_up_over), |stop| Ok(Happening::StopAsked(stop)))?
            {
                Happening::Gone(cause, detail) => gone(host, cause, detail)?,
                Happening::AgentUp => Stage::AgentUp,
                Happening::Restart => {
                    let _ = host.record(Event::Restart, false)?;
                    Stage::Relaunch
                }
                Happening::StopAsked(request) => {
                    // A stop is never held up by a ledger that cannot be written.
                    let _ = host.record(stop_asked(&request), false)?;
                    calls.stop_asked();
                    Stage::PreStop(request)
                }
            },
            Stage::AgentUp => {
                let end = calls.phase(host, Phase::AgentUp, None)?;
                // The others follow one that somebody aborted, and one that a stop aborted which came to nothing.
                calls.agent_up_over = end.is_none_or(|end| end.outcome != Outcome::Aborted);
                Stage::Running
            }
            Stage::PreStop(request) => {
                calls.phase(host, Phase::PreStop, Some(request.cause))?;
                Stage::End(request)
            }
            Stage::End(request) => match host.end(&request)? {
                Ended::Gone(cause, detail) => gone(host, cause, detail)?,
                Ended::StillRunning(why) => {
                    let _ = host.record(Event::StopFailed { why: why.clone() }, false)?;
                    host.answer_stop(Err(why))?;
                    Stage::Running
                }
            },
            Stage::StartFailed(error) => {
                host.kill()?;
                let cause = StopCause::StartFailed;
                let _ = host.record(Event::Gone { cause, detail: error.clone() }, false)?;
                Stage::Gone(cause, Some(error))
            }
            Stage::FoundGone(StopCause::Unknown) => {
                gone(host, StopCause::Unknown, "it ended while nobody watched".to_owned())?
            }
            Stage::FoundGone(cause) => gone(host, cause, String::new())?,
            Stage::Gone(cause, error) => {
                host.release()?;
                let _ = host.record(Event::Released, false)?;
                Stage::PostStop(cause, error)
            }
            Stage::PostStop(cause, error) => {
                calls.phase(host, Phase::PostStop, Some(cause))?;
                Stage::Over(Some(cause), error)
            }
            Stage::Over(cause, error) => {
                let _ = host.record(Event::RunEnd { cause, error: error.clone() }, true)?;
                Stage::Ended(cause, error)
            }
            Stage::Ended(cause, error) => {
                host.answer_start(error.map_or(Ok(()), Err))?;
                host.answer_stop(Ok(()))?;
                return Ok(Life { cause });
            }
        };
    }
}

/// A launch that came to nothing: a start that failed, or the end of a container that could not be launched again.
fn failed<H: Host>(host: &mut H, again: bool, error: String) -> Result<Stage, H::Death> {
    if !again {
        return Ok(Stage::StartFailed(error));
    }
    host.kill()?;
    gone(host, StopCause::GuestReboot, error)
}

fn gone<H: Host>(host: &mut H, cause: StopCause, detail: String) -> Result<Stage, H::Death> {
    let _ = host.record(Event::Gone { cause, detail }, false)?;
    Ok(Stage::Gone(cause, None))
}

fn stop_asked(request: &StopRequest) -> Event {
    Event::StopAsked {
        cause: request.cause,
        task: request.task.clone(),
        hard: request.hard,
        timeout: request.timeout,
        force: request.force,
    }
}
