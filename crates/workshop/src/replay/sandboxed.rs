//! The same call in a sandbox: with the configuration that the guest had, and without this host.

use super::run::Again;
use super::{Folder, Line, ReplayError};
use crate::lives::sandbox::{Setting, call};
use crate::lives::{EntryKind, Limits, OneCall, Played, Scenery};
use hooks::context::Context;
use model::{Outcome, Phase, Stream};
use record::recall::Recalled;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// Where the context is inside.
const CONTEXT: &str = "/run/hookvisor/replay.json";

/// What is of the host's and means nothing inside.
const OUTSIDE: [&str; 2] = ["HOOKVISOR_ROOT", "HOOKVISOR_JOURNAL"];

/// Calls `file` as a call of the run was made.
pub(super) fn run(
    file: &Path,
    recalled: &Recalled,
    phase: Phase,
    env: &[(OsString, OsString)],
    limit: Option<Duration>,
    (context, config, folder, scenery): (&Context, Option<&[u8]>, &Folder, &Scenery),
) -> Result<Again, ReplayError> {
    let run = &recalled.run;
    let config = match config {
        Some(text) => {
            let path = folder.0.join(format!("{}.conf", run.vmid));
            store::replace(&path, text, 0o600).map_err(|source| folder.failed(source))?;
            Some(path)
        }
        None => None,
    };
    let mut limits = Limits::default();
    if let Some(limit) = limit {
        limits.seconds = limit.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX);
    }
    let (kind, scenery) = (Some(run.kind), scenery.clone());
    let setting = Setting { sandbox: true, kind, config, scenery, limits, ..Setting::default() };
    let text = |text: &OsString| text.to_string_lossy().into_owned();
    let told = |(key, value): &(OsString, OsString)| match text(key) {
        key if OUTSIDE.contains(&key.as_str()) => None,
        key if key == "HOOKVISOR_CONTEXT" => Some((key, CONTEXT.to_owned())),
        key => Some((key, text(value))),
    };
    let context = serde_json::to_string_pretty(context).map_err(|error| folder.failed(error.into()))?;
    let one = OneCall {
        vmid: run.vmid.get(),
        phase,
        env: env.iter().filter_map(told).collect(),
        files: vec![(CONTEXT.to_owned(), context)],
    };
    let own_time = limit.map(|_| limits.time());
    again(file, phase, own_time.as_deref(), call(file, &setting, one)?)
}

/// What the sandbox saw of a call with a time limit of its own, in the sandbox's words, or with none.
fn again(file: &Path, phase: Phase, own_time: Option<&str>, played: Played) -> Result<Again, ReplayError> {
    let trouble = || ReplayError::Sandboxed(played.trouble.join("; "));
    let made = played.calls.iter().find(|call| call.phase == phase).ok_or_else(trouble)?;
    let cut = played.cut.as_deref();
    let (outcome, sandbox_limit) = match (&made.outcome, cut) {
        (Some(words), _) => (words.parse().map_err(|_| ReplayError::Sandboxed(words.clone()))?, None),
        (None, Some(_)) if cut == own_time => (Outcome::TimedOut, None),
        (None, Some(limit)) => (Outcome::Aborted, Some(limit.to_owned())),
        (None, None) => (Outcome::Unknown, None),
    };
    let lines = played.timeline.iter().filter_map(|entry| {
        let stream = match entry.kind {
            EntryKind::Out => Stream::Stdout,
            EntryKind::Err => Stream::Stderr,
            _ => return None,
        };
        Some(Line { stream, text: entry.text.as_bytes().into() })
    });
    let words = format!("{} {} {phase}", file.display(), made.vmid);
    Ok(Again {
        outcome,
        cause: hooks::failure(&words, outcome),
        sandbox_limit,
        millis: made.millis.unwrap_or(0),
        lines: lines.collect(),
        cut: usize::try_from(made.cut).unwrap_or(usize::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lives::CallReport;

    #[test]
    fn what_the_sandbox_ended_is_told_from_what_the_call_s_own_limit_ended() {
        for (own, cut, outcome, limit) in [
            (Some("3 s"), Some("3 s"), Outcome::TimedOut, None),
            (None, Some("60 s"), Outcome::Aborted, Some("60 s")),
            (Some("3 s"), Some("128 processes at a time"), Outcome::Aborted, Some("128 processes at a time")),
            (None, None, Outcome::Unknown, None),
        ] {
            let (vmid, phase, millis) = (100, Phase::PreStart, Some(3000));
            let calls = vec![CallReport { vmid, phase, outcome: None, millis, cut: 0, held: false }];
            let played = Played { calls, cut: cut.map(str::to_owned), ..Played::default() };
            let told = again(Path::new("/x"), phase, own, played).unwrap();
            let wanted = (outcome, limit.map(str::to_owned), 3000);
            assert_eq!((told.outcome, told.sandbox_limit, told.millis), wanted, "{own:?} {cut:?}");
        }
    }
}
