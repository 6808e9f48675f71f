//! How long a hookscript may run: as somebody says of it, and no longer than the host has.

use crate::keeper::Keeper;
use hooks::Started;
use model::{Limit, LimitBy, Phase, StartReason};
use std::time::{Duration, Instant};

/// How long a `post-stop` has, even where the host goes down and nothing is left of the time for it.
const LAST_CALL: Duration = Duration::from_secs(10);

impl Keeper {
    /// When the script that runs must be over, and how long it had by then; none where it has no limit.
    pub(crate) fn hook_deadline(&self) -> Option<(Instant, Limit)> {
        let hook = self.hook.as_ref()?;
        let starting = matches!(hook.phase, Phase::PreStart | Phase::PostStart);
        let said = match &hook.started {
            Started::Yes(script) => script.limit,
            _ => None,
        };
        let own = said.or_else(|| self.limit_of(hook.phase)).map(|limit| (hook.since + limit.after, limit));
        let stop = self.stop_deadline.filter(|_| !starting);
        let stop = stop.map(|deadline| {
            let deadline = match hook.phase {
                // A guest that took all the time there is leaves its last phase a little.
                Phase::PostStop => deadline.max(hook.since + LAST_CALL),
                _ => deadline,
            };
            let millis = deadline.saturating_duration_since(hook.since).as_millis();
            // What it took to call it is none of a reader's business.
            let after = Duration::from_secs(u64::try_from((millis + 500) / 1000).unwrap_or(u64::MAX));
            (deadline, Limit { after, by: LimitBy::Down })
        });
        own.into_iter().chain(stop).min_by_key(|(deadline, _)| *deadline)
    }

    /// How long a script may run in a phase where it says nothing itself.
    pub(crate) fn limit_of(&self, phase: Phase) -> Option<Limit> {
        let starting = matches!(phase, Phase::PreStart | Phase::PostStart);
        let after = self.recovery_limit.or(self.hook_limit.filter(|_| starting))?;
        Some(Limit { after, by: LimitBy::Round })
    }

    /// How long the storage of a script is waited for at most: while the host comes up, as long as the script may run.
    pub(crate) fn patience(&self, phase: Phase) -> Option<Duration> {
        let boot = self.reason == StartReason::Boot || self.recovery_limit.is_some();
        self.limit_of(phase).filter(|_| boot).map(|limit| limit.after)
    }

    /// A limit as records have it: how long, and where that is set.
    pub(crate) fn limit_words(&self, limit: Limit) -> String {
        let place = limit.by.place(self.vmid, &self.layout.hooks_conf());
        format!("{} ({place})", hooks::progress::words(limit.after))
    }
}
